"""Open photographs and save colored ones: the only door between picture files and arrays.

Opening gives the picture's lightness at full size, upright, in its own depth, with everything
worth keeping beside it. Saving writes a colored array in the same spirit: same depth, metadata,
resolution and quality, in one step or not at all. Behind it: ``io`` (opening and saving),
``decode`` and ``encode`` (files), ``lightness`` and ``icc`` (codes), ``metadata`` and ``exif``
(what is kept), ``color_image`` (pictures that are only looked at).
"""

from __future__ import annotations

from tinct.photo.color_image import SUFFIXES, open_color
from tinct.photo.gray_jpeg import GrayJpeg, open_gray_jpeg, restore_gray
from tinct.photo.io import (
    MAX_PIXELS,
    Format,
    Photo,
    encode_photo,
    format_of,
    formats,
    from_array,
    from_pil,
    open_photo,
    page_count,
    save_photo,
    suffix_for,
)
from tinct.photo.large import LARGE, STREAMED, LargePhoto, open_large, save_large
from tinct.photo.metadata import Metadata, Note, PictureWarning

__all__ = [
    "LARGE",
    "MAX_PIXELS",
    "STREAMED",
    "SUFFIXES",
    "Format",
    "GrayJpeg",
    "LargePhoto",
    "Metadata",
    "Note",
    "Photo",
    "PictureWarning",
    "encode_photo",
    "format_of",
    "formats",
    "from_array",
    "from_pil",
    "open_color",
    "open_gray_jpeg",
    "open_large",
    "open_photo",
    "page_count",
    "restore_gray",
    "save_large",
    "save_photo",
    "suffix_for",
]
