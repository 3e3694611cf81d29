"""A file on this host -> the picture that the model will see, with what was done to it.

Importing this package is cheap: Pillow and numpy are imported by the first call that needs them.
Every function here blocks on the disk and on decoding; call them in a thread.
"""

from glm4v_tui.images.formats import IMAGE_SUFFIXES, is_image_name
from glm4v_tui.images.opening import (
    MAX_MODEL_PIXELS,
    ImageFacts,
    OpenedImage,
    Preparation,
    check_unchanged,
    fit_pixels,
    inspect,
    open_image,
    reopen,
    thumbnail,
)
from glm4v_tui.images.pixels import windowed
from glm4v_tui.images.readers import (
    Facts,
    ImageReader,
    ReadImage,
    install_readers,
    installed_readers,
)
from glm4v_tui.images.reading import MAX_SOURCE_PIXELS
from glm4v_tui.images.series import in_order, series_in

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_MODEL_PIXELS",
    "MAX_SOURCE_PIXELS",
    "Facts",
    "ImageFacts",
    "ImageReader",
    "OpenedImage",
    "Preparation",
    "ReadImage",
    "check_unchanged",
    "fit_pixels",
    "in_order",
    "inspect",
    "install_readers",
    "installed_readers",
    "is_image_name",
    "open_image",
    "reopen",
    "series_in",
    "thumbnail",
    "windowed",
]
