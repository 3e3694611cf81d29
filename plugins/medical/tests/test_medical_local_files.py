"""Every file that pydicom brings: opened with values computed another way, or refused by reason."""

import numpy as np
import pydicom
import pytest
from medical_files import LOCAL
from pydicom.pixels import apply_modality_lut

from glm4v_tui import images
from glm4v_tui.errors import ImageError, ImageTruncatedError, NotAnImageError

FILES = sorted(
    path
    for path in LOCAL.rglob("*")
    # The TINY_ALPHA tree is 50 headers alike; one of them stands for all.
    if path.is_file() and ("TINY_ALPHA" not in path.parts or path.name == "IM000001")
)

REFUSED = {
    "MR_truncated.dcm": (ImageTruncatedError, "8,130 bytes"),
    "JPEG-lossy.dcm": (ImageTruncatedError, "decode"),
    "JPEG2000-embedded-sequence-delimiter.dcm": (ImageTruncatedError, "another size"),
    "SC_rgb_jpeg.dcm": (ImageTruncatedError, "frames"),
    "badVR.dcm": (ImageTruncatedError, "NumberOfFrames"),
    "no_meta.dcm": (NotAnImageError, "contents"),
    "IM000001": (NotAnImageError, "without an image"),
    "meta_missing_tsyntax.dcm": (NotAnImageError, "without an image"),
}
"""Damaged on purpose; what is no image besides is refused by the rule in the test."""


def whole(path):
    return pydicom.dcmread(path, force=True)


def names(paths):
    return [str(path.relative_to(LOCAL)) for path in paths]


@pytest.mark.parametrize("path", FILES, ids=names(FILES))
def test_a_file_opens_or_is_refused_with_reason_and_remedy(path):
    header = whole(path)
    if path.name in REFUSED:
        kind, says = REFUSED[path.name]
        with pytest.raises(kind) as caught:
            images.open_image(path)
        assert says in caught.value.body
    elif "PixelData" in header and "Rows" in header:
        assert images.open_image(path).image.mode == "RGB"
        return
    else:
        with pytest.raises(NotAnImageError) as caught:
            images.open_image(path)
    assert path.name in caught.value.body
    assert caught.value.remedy


SCANS = [
    path
    for path in FILES
    if path.name not in REFUSED
    and "PixelData" in (header := whole(path))
    and header.get("Modality") in ("CT", "MR", "CR")
]


def test_there_are_scans_to_compare():
    assert len(SCANS) > 40
    assert {whole(path).Modality for path in SCANS} == {"CT", "MR", "CR"}


@pytest.mark.parametrize("path", SCANS, ids=names(SCANS))
def test_values_are_those_of_pydicom_and_gray_follows_the_formula(path, reader):
    header = whole(path)
    expected = apply_modality_lut(header.pixel_array, header).astype(np.float64)
    with path.open("rb") as file:
        read = reader.read(file, None)
    stretched = read.image.size != (header.Columns, header.Rows)
    if not stretched:
        padding = header.get("PixelPaddingValue")
        real = np.ones_like(expected, bool) if padding is None else header.pixel_array != padding
        assert np.array_equal(np.asarray(read.image)[real], expected[real].astype("f4"))
    values = np.asarray(read.image, np.float64) if stretched else expected
    if not stretched and padding is not None and not real.all():
        values[~real] = values[real].min()
    center, width = (float(np.atleast_1d(header.get(key, default))[0])
                     for key, default in (("WindowCenter", 40), ("WindowWidth", 400)))  # fmt: skip
    gray = np.clip(((values - (center - 0.5)) / (width - 1) + 0.5) * 255, 0, 255)
    if header.PhotometricInterpretation == "MONOCHROME1":
        gray = 255 - gray
    shown = np.asarray(images.open_image(path).image)
    assert shown.shape == (read.image.height, read.image.width, 3)
    assert np.abs(shown[..., 0] - gray).max() <= 0.5 + 1e-3


def test_the_padding_of_a_scan_is_as_dark_as_its_darkest_value(reader):
    """Stored -2000 would be -3024 HU; it is no tissue."""
    path = LOCAL / "693_J2KI.dcm"
    header = whole(path)
    padded = header.pixel_array == header.PixelPaddingValue
    assert padded.any()
    with path.open("rb") as file:
        values = np.asarray(reader.read(file, None).image)
    assert set(values[padded]) == {values[~padded].min()}


@pytest.mark.parametrize("name", ["MR_small_RLE", "MR_small_bigendian", "MR_small_expb",
                                  "MR_small_implicit", "MR_small_jp2klossless",
                                  "MR_small_jpeg_ls_lossless", "MR_small_padded"])  # fmt: skip
def test_one_picture_in_many_transfer_syntaxes_is_one_picture(name):
    plain, other = (images.open_image(LOCAL / f"{one}.dcm").image for one in ("MR_small", name))
    assert plain.tobytes() == other.tobytes()


def test_colors_are_right():
    """The DCMTK color chart: red, green, blue, black, white bands, lossy ones within 5."""
    plain = np.asarray(images.open_image(LOCAL / "SC_rgb_rle.dcm").image).astype(int)
    assert plain[5, 50].tolist() == [255, 0, 0]
    charts = ["SC_rgb_dcmtk_+eb+cr", "SC_rgb_dcmtk_+eb+cy+n1", "SC_rgb_dcmtk_+eb+cy+s4",
              "SC_rgb_jpeg_gdcm", "SC_rgb_gdcm_KY", "SC_ybr_full_422_uncompressed",
              "SC_rgb_rle_16bit", "SC_rgb_rle_32bit"]  # fmt: skip
    for name in charts:
        other = np.asarray(images.open_image(LOCAL / f"{name}.dcm").image).astype(int)
        assert np.abs(other[5:95:10] - plain[5:95:10]).max() <= 5, name


def test_a_palette_is_applied():
    from pydicom.pixels import apply_color_lut

    path = LOCAL / "examples_palette.dcm"
    header = whole(path)
    expected = apply_color_lut(header.pixel_array, header) >> 8
    assert np.array_equal(np.asarray(images.open_image(path).image), expected)


def test_frames(reader):
    path = LOCAL / "examples_ybr_color.dcm"
    middle, first = images.open_image(path), images.open_image(path, frame=0)
    assert middle.attachment.notes[0] == "frame 16 of 30"
    assert images.inspect(path).frames == 30
    assert middle.image.tobytes() == images.open_image(path, frame=15).image.tobytes()
    assert middle.image.tobytes() != first.image.tobytes()
    with pytest.raises(ImageError, match="no such frame"):
        images.open_image(path, frame=30)


def test_lists_and_previews_know_them():
    path = LOCAL / "CT_small.dcm"
    assert images.is_image_name("a.DCM")
    facts = images.inspect(path)
    assert (facts.format, facts.width, facts.height, facts.frames) == ("DICOM", 128, 128, 1)
    assert facts.notes == ("soft tissue window W 400 L 40",)
    assert images.thumbnail(path, 40, 20).size == (20, 20)
