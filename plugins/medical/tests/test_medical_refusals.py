"""What is no picture, is damaged or wants too much is refused by reason, and quickly."""

import contextlib
import tracemalloc
import zlib

import numpy as np
import pytest
from glm4v_tui_medical.codestream import declared_size
from glm4v_tui_medical.header import DEFLATED
from medical_files import LOCAL, ct, saved
from pydicom.encaps import encapsulate
from pydicom.pixels import get_decoder
from pydicom.uid import JPEG2000Lossless, JPEGLosslessSV1

from glm4v_tui import images
from glm4v_tui.errors import ImageError, ImageTooLargeError, ImageTruncatedError, NotAnImageError

SMALL = np.zeros((4, 4), np.int16)


def refused(path):
    with pytest.raises(ImageError) as caught:
        images.open_image(path)
    assert path.name in caught.value.body
    assert caught.value.remedy
    return caught.value


def test_a_huge_declared_size_allocates_nothing(tmp_path):
    path = saved(tmp_path / "a.dcm", ct(SMALL, Rows=60000, Columns=60000))
    tracemalloc.start()
    error = refused(path)
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()
    assert isinstance(error, ImageTooLargeError)
    assert "60000x60000" in error.body


def test_a_file_that_unpacks_to_gigabytes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("glm4v_tui_medical.header.MAX_INFLATED", 10_000_000)
    path = saved(tmp_path / "a.dcm", ct(SMALL, syntax=DEFLATED))
    head = path.read_bytes()
    meta_end = 144 + int.from_bytes(head[140:144], "little")
    packing = zlib.compressobj(wbits=-15)
    path.write_bytes(head[:meta_end] + packing.compress(bytes(50_000_000)) + packing.flush())
    assert isinstance(refused(path), ImageTooLargeError)


def test_compressed_pixels_of_another_size_are_not_decoded(tmp_path):
    """The decoder would allocate what the codestream says."""
    code = b"\xff\x4f\xff\x51" + b"\0\x29\0\0" + (60000).to_bytes(4, "big") * 2 + bytes(30)
    slice_ = ct(SMALL, syntax=JPEG2000Lossless)
    slice_.PixelData = encapsulate([code])
    assert "another size" in refused(saved(tmp_path / "a.dcm", slice_)).body


@pytest.mark.timeout(10)
@pytest.mark.parametrize("box", [bytes(8), b"\0\0\0\1abcd", b"\0\0\0\x08abcd", b""])
def test_boxes_that_lead_nowhere_do_not_hang(tmp_path, box):
    """A JP2 box of length 0 keeps pydicom's parser in a circle."""
    slice_ = ct(SMALL, syntax=JPEG2000Lossless)
    slice_.PixelData = encapsulate([b"\0\0\0\x0cjP  \r\n\x87\n" + box + bytes(40)])
    assert "boxes" in refused(saved(tmp_path / "a.dcm", slice_)).body


@pytest.mark.parametrize(("name", "size"), [
    ("693_J2KI.dcm", (512, 512)), ("MR_small_jpeg_ls_lossless.dcm", (64, 64)),
    ("JPGExtended.dcm", (256, 1024)), ("SC_rgb_jpeg_gdcm.dcm", (100, 100)),
    ("SC_jpeg_no_color_transform.dcm", (256, 256)), ("GDCMJ2K_TextGBR.dcm", (400, 400)),
])  # fmt: skip
def test_the_size_in_a_codestream(name, size):
    import pydicom
    from pydicom.encaps import get_frame

    code = get_frame(pydicom.dcmread(LOCAL / name).PixelData, 0, number_of_frames=1)
    assert declared_size(code) == size
    for end in range(40):
        assert declared_size(code[:end]) in (None, size)


def test_missing_pixels(tmp_path):
    slice_ = ct(SMALL)
    del slice_.PixelData
    error = refused(saved(tmp_path / "a.dcm", slice_))
    assert isinstance(error, ImageTruncatedError)
    assert "missing" in error.body


@pytest.mark.parametrize("name", ["CT_small.dcm", "693_J2KI.dcm", "SC_rgb_rle.dcm",
                                  "examples_ybr_color.dcm", "image_dfl.dcm",
                                  "MR_small_jpeg_ls_lossless.dcm"])  # fmt: skip
def test_a_file_cut_anywhere_opens_or_is_refused(tmp_path, name):
    data = (LOCAL / name).read_bytes()
    path = tmp_path / "a.dcm"
    refusals = 0
    for end in range(1, len(data), max(1, len(data) // 60)):
        path.write_bytes(data[:end])
        try:
            images.open_image(path)
        except ImageError:
            refusals += 1
    assert refusals > 25


@pytest.mark.parametrize("name", ["693_J2KI.dcm", "MR_small_jpeg_ls_lossless.dcm",
                                  "JPGExtended.dcm", "CT_small.dcm"])  # fmt: skip
def test_half_of_a_picture_is_not_shown_as_all_of_it(tmp_path, name):
    data = (LOCAL / name).read_bytes()
    path = tmp_path / "a.dcm"
    path.write_bytes(data[: len(data) * 3 // 4])
    assert "cut off" in refused(path).title


def test_damage_anywhere_in_a_header_is_no_traceback(tmp_path):
    data = bytearray((LOCAL / "MR_small.dcm").read_bytes())
    path, draw = tmp_path / "a.dcm", np.random.default_rng(1)
    for _ in range(300):
        damaged = bytearray(data)
        for place in draw.integers(132, 1500, 3):
            damaged[place] = draw.integers(256)
        path.write_bytes(damaged)
        with contextlib.suppress(ImageError):
            images.open_image(path)


def test_lossless_jpeg_without_its_decoder_names_the_package(monkeypatch):
    decoder = get_decoder(JPEGLosslessSV1)
    monkeypatch.setattr(decoder, "_available", {})
    error = refused(LOCAL / "SC_rgb_jpeg_gdcm.dcm")
    assert error.remedy == "Install it: pip install 'glm4v-tui[jpeg]'"
    assert "JPEG Lossless" in error.body


def test_12_bit_jpeg_with_pillow_alone_names_the_package(monkeypatch):
    decoder = get_decoder("1.2.840.10008.1.2.4.51")
    monkeypatch.delitem(decoder._available, "pylibjpeg")
    assert "glm4v-tui[jpeg]" in refused(LOCAL / "JPGExtended.dcm").remedy


@pytest.mark.parametrize(("syntax", "says"), [
    ("1.2.840.10008.1.2.4.102", "video"), ("1.2.3.4.5.6", "of a vendor"),
])  # fmt: skip
def test_a_syntax_that_nothing_reads(tmp_path, syntax, says):
    slice_ = ct(SMALL, syntax=syntax)
    slice_.PixelData = encapsulate([bytes(100)])
    path = tmp_path / "a.dcm"
    slice_.save_as(path, implicit_vr=False, little_endian=True, enforce_file_format=True)
    assert says in refused(path).body


def test_other_contents_under_its_suffix(tmp_path):
    path = tmp_path / "a.dcm"
    path.write_bytes(b"Dear colleague, please find enclosed")
    assert isinstance(refused(path), NotAnImageError)
    for content in (bytes(5000), b"\xff" * 5000, b"DICM" * 500):
        path.write_bytes(content)
        refused(path)


def test_a_file_without_preamble_opens_by_its_suffix(tmp_path):
    whole = LOCAL / "MR_small.dcm"
    path = tmp_path / "a.dcm"
    path.write_bytes(whole.read_bytes()[132:])
    assert images.open_image(path).image.tobytes() == images.open_image(whole).image.tobytes()


def test_a_png_with_its_suffix_stays_a_png(tmp_path):
    import PIL.Image

    path = tmp_path / "a.dcm"
    PIL.Image.new("L", (3, 2)).save(path, "PNG")
    assert images.open_image(path).facts.format == "PNG"
