"""Values, windows, tables and frames of files made here, against numbers worked out by hand."""

import numpy as np
import pytest
from glm4v_tui_medical.window import PRESETS
from medical_files import ct, saved
from pydicom import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
)

from glm4v_tui import images, windowed
from glm4v_tui.errors import ImageTruncatedError


def read(reader, path, frame=None):
    with path.open("rb") as file:
        return reader.read(file, frame)


def values(read):
    return np.asarray(read.image).tolist()


def gray(path):
    return np.asarray(images.open_image(path).image)[..., 0].tolist()


def test_stored_values_become_hounsfield_units(reader, tmp_path):
    stored = np.array([[0, 1024, 2024]], np.int16)
    slice_ = read(reader, saved(tmp_path / "a.dcm", ct(stored, RescaleSlope=2)))
    assert values(slice_) == [[-1024, 1024, 3024]]
    assert (slice_.image.mode, slice_.values["unit"]) == ("F", "HU")


@pytest.mark.parametrize(
    ("changes", "unit"),
    [
        ({}, "HU"),
        ({"RescaleType": "US", "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"]}, "HU"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, None),
        ({"RescaleSlope": None, "RescaleIntercept": None}, None),
        ({"RescaleType": "Z_EFF"}, "Z_EFF"),
        ({"Modality": "MR"}, None),
        ({"Modality": "PT", "Units": "BQML"}, "BQML"),
    ],
)
def test_what_is_in_hounsfield_units(reader, tmp_path, changes, unit):
    path = saved(tmp_path / "a.dcm", ct(np.zeros((2, 2), np.int16), **changes))
    assert read(reader, path).values["unit"] == unit


def test_the_window_formula_of_soft_tissue(tmp_path):
    """W 400 L 40: black up to -160, white from 239 on; (x + 159.5 + 0.5 ...) by PS3.3 C.11.2."""
    hounsfield = np.array([[-1000, -160, -159, 0, 40, 239, 240, 1000]], np.int16)
    path = saved(tmp_path / "a.dcm", ct(hounsfield, RescaleIntercept=0))
    assert gray(path) == [[0, 0, 1, 102, 128, 255, 255, 255]]


def test_the_first_window_of_the_file_comes_first(tmp_path):
    stored = np.array([[-10, 0, 50, 99, 200]], np.int16)
    slice_ = ct(stored, RescaleIntercept=0, WindowCenter=[50, 500], WindowWidth=[101, 9])
    path = saved(tmp_path / "a.dcm", slice_)
    assert gray(path) == [[0, 1, 129, 254, 255]]  # (x - 49.5) / 100 + 0.5
    assert images.open_image(path).facts.values["windows"] == [[50, 101], [500, 9]]


def test_exact_windows_and_curves(tmp_path):
    stored = np.array([[0, 25, 50, 100]], np.int16)
    shape = {"RescaleIntercept": 0, "WindowCenter": 50, "WindowWidth": 100, "Modality": "MR"}
    exact = saved(tmp_path / "a.dcm", ct(stored, VOILUTFunction="LINEAR_EXACT", **shape))
    assert gray(exact) == [[0, 64, 128, 255]]  # (x - 50) / 100 + 0.5
    curve = saved(tmp_path / "b.dcm", ct(stored, VOILUTFunction="SIGMOID", **shape))
    assert gray(curve) == [[30, 69, 128, 225]]  # 1 / (1 + exp(-4 (x - 50) / 100))


@pytest.mark.parametrize("width", [0, -5])
def test_a_window_without_width_is_none(tmp_path, width):
    stored = np.array([[0, 1]], np.int16)
    path = saved(tmp_path / "a.dcm", ct(stored, WindowCenter=5, WindowWidth=width))
    assert images.open_image(path).facts.values["window"] == [40, 400]


def test_monochrome1_is_shown_inverted_with_its_values_kept(reader, tmp_path):
    stored = np.array([[0, 40, 240]], np.int16)
    slice_ = ct(stored, RescaleIntercept=0, PhotometricInterpretation="MONOCHROME1")
    path = saved(tmp_path / "a.dcm", slice_)
    assert values(read(reader, path)) == [[0, 40, 240]]
    assert gray(path) == [[153, 127, 0]]  # 255 - (102, 128, 255)
    opened = read(reader, path).image
    assert windowed(opened, *PRESETS["soft tissue"]).getpixel((0, 0)) == 102  # not told by itself


def test_monochrome1_of_8_bits_without_a_window(tmp_path):
    stored = np.array([[0, 10, 200, 250]], np.uint8)
    slice_ = ct(stored, Modality="CR", PhotometricInterpretation="MONOCHROME1", RescaleIntercept=0)
    assert gray(saved(tmp_path / "a.dcm", slice_)) == [[255, 245, 55, 5]]


def test_8_bits_without_a_window_are_shown_as_they_are(tmp_path):
    stored = np.array([[10, 20, 30, 40]], np.uint8)
    slice_ = ct(stored, Modality="US", RescaleIntercept=0)
    assert gray(saved(tmp_path / "a.dcm", slice_)) == [[10, 20, 30, 40]]


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, None, ExplicitVRBigEndian,
                                    DeflatedExplicitVRLittleEndian])  # fmt: skip
def test_padding_is_the_lowest_in_every_syntax(reader, tmp_path, syntax):
    stored = np.array([[-2000, 100, 50, 400]], np.int16)
    if syntax == ExplicitVRBigEndian:
        stored = stored.astype(">i2")
    slice_ = ct(stored, **({"syntax": syntax} if syntax else {}), PixelPaddingValue=-2000)
    slice_["PixelPaddingValue"].VR = "SS"
    path = saved(tmp_path / "a.dcm", slice_)
    assert values(read(reader, path)) == [[-974, -924, -974, -624]]


def test_padding_of_an_inverted_picture_is_dark_too(tmp_path):
    stored = np.array([[9, 1, 2, 3]], np.uint16)
    shape = {"PixelPaddingValue": 9, "PhotometricInterpretation": "MONOCHROME1"}
    slice_ = ct(stored, Modality="CR", RescaleIntercept=0, **shape)
    assert gray(saved(tmp_path / "a.dcm", slice_)) == [[0, 255, 127, 0]]


def table(first, entries, bits=16, **more):
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(entries), first, bits])
    item.add_new("LUTData", "US", entries)
    for name, value in more.items():
        setattr(item, name, value)
    return [item]


def test_a_table_of_the_modality(reader, tmp_path):
    stored = np.array([[0, 10, 11, 12, 99]], np.uint16)
    lut = table(10, [100, 200, 300], ModalityLUTType="HU")
    slice_ = ct(stored, RescaleSlope=None, RescaleIntercept=None, ModalityLUTSequence=lut)
    opened = read(reader, saved(tmp_path / "a.dcm", slice_))
    assert values(opened) == [[100, 100, 200, 300, 300]]
    assert opened.values["unit"] == "HU"


def test_a_table_of_the_values_of_interest(tmp_path):
    stored = np.array([[0, 1, 2]], np.uint16)
    lut = table(0, [0, 128, 255], bits=8)
    slice_ = ct(stored, Modality="MR", RescaleIntercept=0, VOILUTSequence=lut)
    assert gray(saved(tmp_path / "a.dcm", slice_)) == [[0, 128, 255]]


def test_frames_have_their_own_values(reader, tmp_path):
    """An enhanced CT: slope, window and spacing stand in its functional groups."""
    frames = np.arange(3 * 4, dtype=np.int16).reshape(3, 2, 2)
    slice_ = ct(frames, RescaleSlope=None, RescaleIntercept=None, PixelSpacing=None)
    slice_.PerFrameFunctionalGroupsSequence = []
    for slope in (1, 10, 100):
        transform, window, group = Dataset(), Dataset(), Dataset()
        transform.RescaleSlope, transform.RescaleIntercept = slope, -slope
        transform.RescaleType = "HU"
        window.WindowCenter, window.WindowWidth = slope, 10 * slope
        group.PixelValueTransformationSequence, group.FrameVOILUTSequence = [transform], [window]
        slice_.PerFrameFunctionalGroupsSequence.append(group)
    measures, shared = Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [0.5, 0.5], 2
    shared.PixelMeasuresSequence = [measures]
    slice_.SharedFunctionalGroupsSequence = [shared]
    path = saved(tmp_path / "a.dcm", slice_)
    middle = read(reader, path)
    assert (middle.frames, middle.frame, middle.window) == (3, 1, (10, 100))
    assert values(middle) == [[30, 40], [50, 60]]
    assert values(read(reader, path, 2)) == [[700, 800], [900, 1000]]
    assert middle.values["pixel_spacing_mm"] == [0.5, 0.5]
    assert middle.values["slice_thickness_mm"] == 2


@pytest.mark.parametrize(("keyword", "shape", "size"), [
    ("PixelSpacing", [2, 1], (4, 8)), ("PixelSpacing", [1, 2], (8, 4)),
    ("PixelSpacing", [0.5, 0.501], (4, 4)), ("ImagerPixelSpacing", [0.2, 0.1], (4, 8)),
    ("PixelAspectRatio", [1, 2], (8, 4)), ("PixelSpacing", [1, 1000], (4, 4)),
])  # fmt: skip
def test_pixels_are_square(tmp_path, keyword, shape, size):
    """[between rows, between columns]; a picture is only ever stretched."""
    changes = {"PixelSpacing": None} | {keyword: shape}
    path = saved(tmp_path / "a.dcm", ct(np.zeros((4, 4), np.int16), **changes))
    opened = images.open_image(path)
    assert opened.image.size == size
    assert (opened.facts.width, opened.facts.height) == size
    assert any("stretched" in note for note in opened.attachment.notes) is (size != (4, 4))


def test_burned_in_names_are_told(tmp_path):
    path = saved(tmp_path / "a.dcm", ct(np.zeros((2, 2), np.int16), BurnedInAnnotation="YES"))
    assert any("names" in note for note in images.inspect(path).notes)


def test_signs_that_were_lost_in_writing(reader, tmp_path):
    """Some writers give padding and the first value of a table as unsigned in signed files."""
    stored = np.array([[-2000, 5, -9, -10]], np.int16)
    slice_ = ct(stored, RescaleSlope=None, RescaleIntercept=None)
    slice_.add_new("PixelPaddingValue", "US", 65536 - 2000)
    assert values(read(reader, saved(tmp_path / "a.dcm", slice_))) == [[-10, 5, -9, -10]]
    lut = table(65536 - 10, list(range(100, 120)))
    slice_ = ct(stored, RescaleSlope=None, RescaleIntercept=None, ModalityLUTSequence=lut)
    assert values(read(reader, saved(tmp_path / "b.dcm", slice_))) == [[100, 115, 101, 100]]


@pytest.mark.parametrize(
    ("entries", "bits"), [(bytes([7, 8, 9, 0]), 8), (bytes([7, 0, 8, 0, 9, 0]), 16)]
)
def test_tables_of_bytes(reader, tmp_path, entries, bits):
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [3, 0, bits])
    item.add_new("LUTData", "OW", entries)
    slice_ = ct(np.array([[0, 1, 2]], np.uint16), RescaleSlope=None, RescaleIntercept=None)
    slice_.ModalityLUTSequence = [item]
    assert values(read(reader, saved(tmp_path / "a.dcm", slice_))) == [[7, 8, 9]]


def test_a_table_shorter_than_it_says_is_damage(tmp_path):
    item = table(0, [1, 2, 3])[0]
    item.add_new("LUTDescriptor", "US", [300, 0, 16])
    slice_ = ct(np.zeros((2, 2), np.uint16), RescaleSlope=None, RescaleIntercept=None)
    slice_.ModalityLUTSequence = [item]
    with pytest.raises(ImageTruncatedError, match="damaged"):
        images.open_image(saved(tmp_path / "a.dcm", slice_))
