"""Scanned drawings: every effect can be told from the clean drawing, none changes what is drawn."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage

from made_pictures import line_drawing
from tinct.color import gray_to_lightness
from tinct.train.data import paper

SEEDS = range(40)


def drawings() -> torch.Tensor:
    gray = torch.from_numpy(line_drawing(96, width=2).astype(np.float32) / 255)
    return gray_to_lightness(gray).float().expand(len(SEEDS), 1, -1, -1).contiguous()


def test_the_same_seed_gives_the_same_scan_and_none_is_what_it_says() -> None:
    clean = drawings()
    one, same = (paper.scan(clean, share=1.0, seeds=SEEDS) for _ in range(2))
    assert torch.equal(one, same)
    assert torch.equal(paper.scan(clean, share=0.0, seeds=SEEDS), clean)
    some = paper.scan(clean, share=0.5, seeds=SEEDS)
    changed = sum(not torch.equal(a, b) for a, b in zip(some, clean, strict=True))
    assert 8 < changed < 32
    # A drawing's scan depends on its own seed alone.
    alone = paper.scan(clean[:1], share=1.0, seeds=[SEEDS[7]])
    assert torch.allclose(alone[0], one[7], atol=1e-4)


def test_scans_stay_in_range_and_keep_what_is_drawn() -> None:
    clean = drawings()
    scans = paper.scan(clean, share=1.0, seeds=SEEDS)
    assert float(scans.min()) >= 0
    assert float(scans.max()) <= 100
    for scan, lines in zip(scans[:, 0].numpy(), clean[:, 0].numpy(), strict=True):
        ink = lines < 50
        paper_only = ndimage.distance_transform_edt(~ink) > 3
        deep = ndimage.binary_erosion(ink)
        inside = deep if deep.any() else ink
        assert scan[paper_only].mean() - scan[inside].mean() > 8  # gray pencil, darkened paper
        assert scan[paper_only].mean() > 65


def test_lines_get_thinner_and_thicker() -> None:
    """A third of the scans: the mean of the ink's tone over its own darkest tells its width."""
    clean = drawings()
    scans = paper.scan(clean, share=1.0, seeds=SEEDS)[:, 0].numpy()
    widths = []
    for scan in scans:
        light = np.quantile(scan, 0.9)
        widths.append(float((scan < (light + scan.min()) / 2).mean()))
    true = float((clean[0, 0].numpy() < 50).mean())
    assert min(widths) < 0.9 * true
    assert max(widths) > 1.2 * true


def test_some_lines_have_gaps() -> None:
    """Components of the ink tell gaps; the clean drawing has few."""
    clean = drawings()
    scans = paper.scan(clean, share=1.0, seeds=SEEDS)[:, 0].numpy()
    parts = []
    for scan in scans:
        light = np.quantile(scan, 0.9)
        ink = ndimage.median_filter(scan, 3) < (light + scan.min()) / 2
        names, count = ndimage.label(ink, np.ones((3, 3)))
        parts.append(int((np.bincount(names.ravel())[1:] > 6).sum()) if count else 0)
    whole = ndimage.label(clean[0, 0].numpy() < 50, np.ones((3, 3)))[1]
    assert np.quantile(parts, 0.9) > 2 * whole
