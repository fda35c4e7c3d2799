"""Luminance through profiles, against the standards' formulas, colour-science and Little CMS."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from PIL import Image, ImageCms

from made_pictures import gamma, gray_profile, parametric, profile, rgb_profile, sampled
from tinct import libvips
from tinct.photo import icc

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import colour

CODES = np.linspace(0, 1, 256)


def test_gray_curves() -> None:
    for curve, wanted in (
        (gamma(2.2), CODES ** (round(2.2 * 65536) / 65536)),
        (b"curv\0\0\0\0\0\0\0\0", CODES),
        (b"curv\0\0\0\0\0\0\0\1" + bytes([1, 205]) + b"\0\0", CODES ** (461 / 256)),
        (
            sampled(np.linspace(0, 1, 33) ** 2),
            np.interp(CODES, np.linspace(0, 1, 33), np.linspace(0, 1, 33) ** 2),
        ),
        (parametric(1, 2, 0.9, 0.1), np.clip(0.9 * CODES + 0.1, 0, 1) ** 2),
        (parametric(2, 2, 0.9, 0.0, 0.1), np.clip(0.81 * CODES**2 + 0.1, 0, 1)),
        (
            parametric(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045),
            colour.RGB_COLOURSPACES["sRGB"].cctf_decoding(CODES),
        ),
        (
            parametric(4, 2, 0.8, 0.1, 0.1, 0.2, 0.05, 0.02),
            np.where(CODES >= 0.2, (0.8 * CODES + 0.1) ** 2 + 0.05, 0.1 * CODES + 0.02),
        ),
    ):
        tables = icc.luminance_tables(gray_profile(curve), codes=256)
        assert tables is not None
        np.testing.assert_allclose(tables[0], wanted, atol=4e-5)


def test_gray_profile_in_lab() -> None:
    tables = icc.luminance_tables(gray_profile(gamma(1.0), pcs=b"Lab "), codes=256)
    assert tables is not None
    wanted = colour.colorimetry.luminance_CIE1976(100 * CODES, 1)
    np.testing.assert_allclose(tables[0], wanted, atol=1e-5)


@pytest.mark.parametrize("name", ["sRGB", "Display P3", "Adobe RGB (1998)", "ProPhoto RGB"])
def test_matrix_profiles_give_the_luminance_of_colour_science(name: str) -> None:
    space = colour.RGB_COLOURSPACES[name]
    d50 = np.array([0.9642, 1.0, 0.8249])
    white = colour.xy_to_XYZ(space.whitepoint)
    to_d50 = colour.adaptation.matrix_chromatic_adaptation_VonKries(white, d50, "Bradford")
    built = rgb_profile(
        to_d50 @ space.matrix_RGB_to_XYZ, sampled(space.cctf_decoding(np.linspace(0, 1, 4096)))
    )
    ImageCms.ImageCmsProfile(io.BytesIO(built))  # Little CMS takes it for a profile
    tables = icc.luminance_tables(built, codes=65536)
    assert tables is not None
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 65536, (500, 3))
    ours = sum(table[codes[:, i]] for i, table in enumerate(tables))
    d65 = icc.WHITE
    to_d65 = colour.adaptation.matrix_chromatic_adaptation_VonKries(white, d65, "Bradford")
    wanted = (space.cctf_decoding(codes / 65535) @ space.matrix_RGB_to_XYZ.T @ to_d65.T)[:, 1]
    np.testing.assert_allclose(ours, wanted, atol=2e-4)
    assert float(sum(table[-1] for table in tables)) == pytest.approx(1, abs=1e-6)


def test_tables_agree_with_the_color_management_module() -> None:
    p3 = libvips.load().Operation.call("profile_load", "p3")
    tables = icc.luminance_tables(p3, codes=256)
    assert tables is not None
    strip = np.random.default_rng(1).integers(0, 256, (8, 50, 3), dtype=np.uint8)
    ours = sum(table[strip[..., i]] for i, table in enumerate(tables))
    theirs, _ = icc.luminance_through(strip, profile=p3)
    np.testing.assert_allclose(ours, theirs, atol=3e-3)


def test_cmyk_is_read_as_by_little_cms() -> None:
    press = libvips.load().Operation.call("profile_load", "cmyk")
    strip = np.random.default_rng(2).integers(0, 256, (6, 40, 4), dtype=np.uint8)
    light, chroma = icc.luminance_through(strip, profile=press)
    transform = ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(io.BytesIO(press)),
        ImageCms.createProfile("LAB"),
        "CMYK",
        "LAB",
        renderingIntent=1,
    )
    lab = np.asarray(ImageCms.applyTransform(Image.fromarray(strip, "CMYK"), transform))
    wanted = lab[..., 0] * (100 / 255)
    ours = np.interp(
        light, icc.lightness_to_luminance(np.linspace(0, 100, 2001)), np.linspace(0, 100, 2001)
    )
    neutral = chroma < 20  # D50 and D65 see strong colors differently
    assert neutral.sum() > 20
    assert np.abs(ours - wanted)[neutral].max() < 1.0
    np.testing.assert_array_equal(light, icc.luminance_through(strip, profile=None)[0])


def test_profiles_made_of_tables_are_left_to_the_module() -> None:
    assert icc.luminance_tables(profile(b"RGB ", {b"A2B0": b"mft2"}), codes=256) is None


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"x" * 200,
        gray_profile(gamma(2.2))[:130],
        gray_profile(gamma(2.2)).replace(b"kTRC", b"none"),
        gray_profile(b"para\0\0\0\0\0\x09\0\0"),
        gray_profile(b"curv\0\0\0\0\0\xff\0\0"),
        gray_profile(b"none\0\0\0\0"),
        profile(b"RGB ", {}),
        profile(b"9CLR", {}),
        gray_profile(parametric(1, 2, 0, 1)),
        gray_profile(parametric(0, -2)),
        gray_profile(parametric(3, 30000, 30000, 0, 0, 0)),
    ],
    ids=lambda data: f"{len(data)} bytes",
)
def test_damaged_profiles_say_so(damaged: bytes) -> None:
    with pytest.raises(icc.ProfileError):
        icc.luminance_tables(damaged, codes=256)


def test_the_module_refuses_nonsense() -> None:
    with pytest.raises(icc.ProfileError):
        icc.luminance_through(
            np.zeros((2, 2, 3), np.uint8), profile=profile(b"RGB ", {b"A2B0": b"mft2"})
        )
