"""RGB-D pictures of a hand and what it holds, with all that is true of them. See ``rendering`` and ``casting``."""

from hoi_ros.dataset.pictures.picture import (
    HAND,
    OBJECT,
    WHOLE_HAND,
    WHOLE_OBJECT,
    Picture,
    decode,
    encode,
    encode_colour,
)
from hoi_ros.dataset.pictures.rendering import SIZES, render_views
from hoi_ros.dataset.pictures.shapes import Shape, shape_of
from hoi_ros.dataset.pictures.sheets import Shown, sheets

__all__ = [
    "HAND",
    "OBJECT",
    "SIZES",
    "WHOLE_HAND",
    "WHOLE_OBJECT",
    "Picture",
    "Shape",
    "Shown",
    "decode",
    "encode",
    "encode_colour",
    "render_views",
    "shape_of",
    "sheets",
]
