"""Open photographs and save colored ones: the only door between picture files and arrays.

Opening gives the picture's lightness at full size, upright, in its own depth, with everything
worth keeping beside it. Saving writes a colored array in the same spirit: same depth, metadata,
resolution and quality, in one step or not at all. The rooms behind: ``files`` (the door itself),
``decode`` and ``encode`` (files), ``lightness`` and ``icc`` (codes), ``metadata`` and ``exif``
(what is kept), :mod:`tinct.atomic` (writing).
"""

from __future__ import annotations

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
from tinct.photo.metadata import Metadata, Note, PictureWarning

__all__ = [
    "MAX_PIXELS",
    "Format",
    "Metadata",
    "Note",
    "Photo",
    "PictureWarning",
    "encode_photo",
    "format_of",
    "formats",
    "from_array",
    "from_pil",
    "open_photo",
    "page_count",
    "save_photo",
    "suffix_for",
]
