"""Why a DICOM file is not shown. Bodies go on after the file's name, which a reader is not told,
and never quote the file's texts: they may be a patient's."""

from __future__ import annotations

from glm4v_tui.errors import ImageError, ImageTooLargeError, ImageTruncatedError, NotAnImageError

_VIDEO = ("MPEG", "HEVC", "H.264", "H.265")


def not_dicom() -> NotAnImageError:
    return NotAnImageError(
        "Not a DICOM file",
        "has a DICOM suffix but not the contents of one.",
        "Check where it comes from; other images need their own suffix (.png, .jpg).",
    )


def without_image(kind: str) -> NotAnImageError:
    """For reports, structure sets, directories and the like."""
    if "Directory" in kind:
        remedy = "It lists other files: open those, or ask about their folder."
    else:
        remedy = "Name an image file of the same study."
    return NotAnImageError("No image in the DICOM file", f"is a DICOM file of the kind {kind}"
                           ", without an image.", remedy)  # fmt: skip


def without_pixels() -> ImageTruncatedError:
    return ImageTruncatedError(
        "The DICOM file has no pixel data",
        "describes an image, but its pixels are missing.",
        "Export it again with its pixel data; some archives send headers only.",
    )


def truncated(there: int, needed: int) -> ImageTruncatedError:
    return ImageTruncatedError(
        "The DICOM image is cut off",
        f"holds {there:,} bytes of pixels up to the end of this frame; it needs {needed:,}.",
        "Copy it again; the transfer may have stopped early.",
    )


def cut() -> ImageTruncatedError:
    """For compressed pixels, whose length is not known."""
    return ImageTruncatedError(
        "The DICOM image is cut off",
        "ends before its compressed pixels do.",
        "Copy it again; the transfer may have stopped early.",
    )


def damaged(what: str) -> ImageTruncatedError:
    return ImageTruncatedError(
        "The DICOM file is damaged",
        f"cannot be read: {what}.",
        "Copy or export it again.",
    )


def too_large(width: int, height: int, limit: int) -> ImageTooLargeError:
    return ImageTooLargeError(
        "The image is too large",
        f"declares {width}x{height} pixels; the limit is {limit // 10**6} million.",
        "Reduce it or cut out the part you need.",
    )


def inflated(limit: int) -> ImageTooLargeError:
    return ImageTooLargeError(
        "The DICOM file is too large",
        f"unpacks to more than {limit / 1e9:.1f} GB.",
        "Export it without deflate compression.",
    )


def unsupported(syntax: str) -> ImageError:
    """For a transfer syntax that no package reads."""
    if any(name in syntax for name in _VIDEO):
        return NotAnImageError(
            "A DICOM video", f"is a video ({syntax}).", "Export the frame that you need."
        )
    return NotAnImageError(
        "The DICOM image is compressed in a way that is not supported",
        f"has the transfer syntax {syntax}.",
        "Export it uncompressed, or as JPEG 2000 or RLE.",
    )


def needs_package(syntax: str, install: str) -> ImageError:
    return NotAnImageError(
        "The DICOM image needs a decoder that is not installed",
        f"has the transfer syntax {syntax}.",
        f"Install it: pip install {install}",
    )


def no_such_frame(frame: int, frames: int) -> ImageError:
    return ImageError(
        "There is no such frame",
        f"has {frames} frames; number {frame + 1} was asked for.",
        "Choose another frame.",
    )
