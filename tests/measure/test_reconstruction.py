from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image
from tests.measure.conftest import Page

from tinct.bundle import write_bundle
from tinct.color import fit_gamut, lab_to_rgb, rgb_to_lab
from tinct.measure import compare
from tinct.measure import comparison_pages as report_page
from tinct.measure import curves as course
from tiny_models import manifest


def _give_back(folder: Path, chroma: float, latent: int) -> str:
    """Write a bundle that gives its hints back, with so much of their chroma."""
    shape = (1, 3, 1, 1)
    constants = [
        helper.make_tensor("share", TensorProto.FLOAT, shape, [1.0, chroma, chroma]),
        helper.make_tensor("zero", TensorProto.FLOAT, (1,), [0.0]),
        helper.make_tensor("from", TensorProto.INT64, (1,), [0]),
        helper.make_tensor("to", TensorProto.INT64, (1,), [3]),
        helper.make_tensor("axis", TensorProto.INT64, (1,), [1]),
    ]
    nodes = [
        helper.make_node("Slice", ["hint", "from", "to", "axis"], ["color"]),
        helper.make_node("Mul", ["color", "share"], ["faded"]),
        helper.make_node("Mul", ["luma", "zero"], ["nothing"]),
        helper.make_node("Add", ["faded", "nothing"], ["lab"]),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", channels, "H", "W"])
        for name, channels in (("luma", 1), ("hint", 4), ("lab", 3))
    ]
    made = helper.make_graph(nodes, "back", ends[:2], ends[2:], constants)
    opset = helper.make_opsetid("", 18)
    model = helper.make_model(made, opset_imports=[opset], ir_version=9)
    onnx.checker.check_model(model)
    data = bytes(model.SerializeToString())
    recipe = {"data": {"hints": "truth"}, "model": {"latent": latent}, "seen": 7}
    more = {"name": folder.name, "predicts": "lab", "family": "autoencoder", "recipe": recipe}
    write_bundle(folder, data, manifest(data, **more), "# back\n")
    return str(folder)


def test_what_gives_color_back_is_measured_at_its_own_size(folder: Path, tmp_path: Path) -> None:
    import skimage.color as skimage_color

    shares = {2: 0.4, 8: 0.8, 32: 1.0}
    models = [_give_back(tmp_path / f"back-{n}", share, n) for n, share in shares.items()]
    found = compare.compare([*models[::-1]], [str(folder)])
    assert found.tables == []
    assert [(r.label, r.latent, r.n, r.seen) for r in found.reconstructions] == [
        (f"back-{n}", n, 10, 7) for n in (32, 8, 2)
    ]
    expected = []
    for path in sorted(folder.iterdir()):
        small = Image.open(path).resize((40, 32), Image.Resampling.BICUBIC)
        lab = rgb_to_lab(np.asarray(small) / 255.0)
        lab[..., 1:] *= shares[8]
        shown = np.rint(np.clip(lab_to_rgb(fit_gamut(lab)), 0, 1) * 255).astype(np.uint8)
        pair = (skimage_color.rgb2lab(picture) for picture in (shown, np.asarray(small)))
        expected.append(skimage_color.deltaE_ciede2000(*pair).mean())
    exact, faded, gray = (r.ciede2000 for r in found.reconstructions)
    assert faded == pytest.approx(np.mean(expected), abs=0.02)
    assert exact < 0.05 < faded < gray
    assert found.reconstructions[0].psnr_median > 60
    assert found.latents == {"reconstruction": [(2, gray), (8, faded), (32, exact)]}
    (line,) = course.draw_latents(found.latents).axes[0].get_lines()
    np.testing.assert_allclose(line.get_xydata(), [(2, gray), (8, faded), (32, exact)])
    page = Page(report_page.render_html(found))
    assert "Error against latent size" in page.text
    assert len(page.sources) == 1
    kept: dict[str, bytes] = {}

    def keep(name: str, data: bytes) -> str:
        kept[name] = data
        return name

    text = report_page.render_markdown(found, keep)
    assert list(kept) == ["latents.png"]
    assert f"| back-8 | 8 | {faded:.2f} |" in text
