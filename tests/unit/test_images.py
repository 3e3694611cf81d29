"""A file -> what the model will see. Every file here is a real one, written by Pillow."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image, ImageCms

from glm4v_tui.chat import Box
from glm4v_tui.errors import (
    ImageChangedError,
    ImageError,
    ImageForbiddenError,
    ImageMissingError,
    ImageTooLargeError,
    ImageTruncatedError,
    NotAnImageError,
)
from glm4v_tui.images import fit_pixels, inspect, is_image_name, open_image, reopen, thumbnail
from glm4v_tui.images.pixels import GROUND

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def quarters(width: int = 80, height: int = 40) -> Image.Image:
    """Red and green above, blue and white below."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(GREEN, (width // 2, 0, width, height // 2))
    image.paste(BLUE, (0, height // 2, width // 2, height))
    image.paste(WHITE, (width // 2, height // 2, width, height))
    return image


def corners(image: Image.Image) -> list[tuple[int, ...]]:
    """The colors of the four quarters, rounded to black or full."""
    width, height = image.size
    points = [(x, y) for y in (height // 4, height * 3 // 4) for x in (width // 4, width * 3 // 4)]
    return [
        tuple(255 * (value > 127) for value in image.getpixel(point))  # type: ignore[union-attr]
        for point in points
    ]


QUARTERS = [RED, GREEN, BLUE, WHITE]


def stored_turned(upright: Image.Image, orientation: int) -> Image.Image:
    """The rows a camera would store together with this orientation."""
    back = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    return upright.transpose(back[orientation]) if orientation in back else upright


def save_turned(path: Path, upright: Image.Image, orientation: int) -> Path:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored_turned(upright, orientation).save(path, exif=exif)
    return path


# What the model sees --------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_upright(tmp_path: Path, orientation: int, suffix: str) -> None:
    path = save_turned(tmp_path / f"a.{suffix}", quarters(), orientation)
    facts, opened = inspect(path), open_image(path)
    assert (facts.width, facts.height) == opened.image.size == (80, 40)
    assert corners(opened.image) == QUARTERS
    assert (opened.attachment.width, opened.attachment.height) == (80, 40)
    assert ("turned upright" in opened.attachment.notes) == (orientation != 1)
    assert corners(thumbnail(path, 20, 20)) == QUARTERS


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_crop_is_in_upright_pixels(tmp_path: Path, orientation: int, suffix: str) -> None:
    path = save_turned(tmp_path / f"a.{suffix}", quarters(), orientation)
    for color, box in zip(
        QUARTERS,
        [Box(4, 4, 36, 16), Box(44, 4, 76, 16), Box(4, 24, 36, 36), Box(44, 24, 76, 36)],
        strict=True,
    ):
        opened = open_image(path, box)
        assert opened.image.size == (32, 12)
        assert set(corners(opened.image)) == {color}
        assert opened.attachment.crop == box
        assert set(corners(thumbnail(path, 16, 16, box))) == {color}


def test_a_crop_of_a_huge_jpeg_keeps_its_own_pixels(tmp_path: Path) -> None:
    """It is decoded at a reduced size only as far as the crop allows."""
    path = tmp_path / "a.jpg"
    save_turned(path, quarters(4000, 2000), 6)
    box = Box(1900, 900, 2100, 1100)
    opened = open_image(path, box, max_pixels=40_000)
    assert opened.image.size == (200, 200)
    assert corners(opened.image) == QUARTERS
    reduced = open_image(path, Box(1000, 0, 3000, 2000), max_pixels=10_000)
    assert reduced.image.size == (100, 100)
    assert corners(reduced.image) == QUARTERS
    assert "reduced from 2000x2000 to 100x100" in reduced.attachment.notes


def test_a_crop_is_cut_to_the_borders_and_refused_outside(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    quarters().save(path)
    part = open_image(path, Box(-5, 30, 900, 900)).attachment
    assert part.crop == Box(0, 30, 80, 40)
    assert (part.whole_size, open_image(path).attachment.whole_size) == ((80, 40), (80, 40))
    with pytest.raises(ImageError, match="outside"):
        open_image(path, Box(80, 0, 90, 10))


@pytest.mark.parametrize(("suffix", "low", "high"), [("png", 100, 4095), ("tif", 0, 65535)])
def test_sixteen_bits_are_scaled_by_the_images_own_range(
    tmp_path: Path, suffix: str, low: int, high: int
) -> None:
    ramp = np.linspace(low, high, 256).astype(np.uint16).reshape(1, 256).repeat(4, axis=0)
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(ramp).save(path)
    opened = open_image(path)
    seen = np.asarray(opened.image)[0, :, 0].astype(int)
    assert (seen[0], seen[-1]) == (0, 255)
    assert np.abs(seen - np.arange(256)).max() <= 1  # nothing clipped, nothing bent
    assert opened.attachment.notes == (f"16-bit gray: {low} to {high} scaled to 0 to 255",)
    assert inspect(path).notes == ("16-bit gray: scaled by its own range",)


def test_floats_with_holes_are_scaled_by_what_is_a_number(tmp_path: Path) -> None:
    values = np.array([[-3.0, np.nan, 0.0, np.inf, 3.0]], np.float32)
    path = tmp_path / "a.tif"
    Image.fromarray(values).save(path)
    assert np.asarray(open_image(path).image)[0, :, 0].tolist() == [0, 0, 128, 255, 255]


def test_a_constant_deep_image_does_not_divide_by_zero(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.full((4, 4), 7, np.uint16)).save(path)
    assert open_image(path).image.getextrema() == ((0, 0),) * 3


def test_a_16_bit_tiff_whose_zero_is_white_is_inverted(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    Image.fromarray(np.array([[0, 1000]], np.uint16)).save(path, tiffinfo={262: 0})
    assert np.asarray(open_image(path).image)[0, :, 0].tolist() == [255, 0]


def test_transparent_pixels_lie_on_gray_and_opaque_ones_are_not_mentioned(tmp_path: Path) -> None:
    image = Image.new("RGBA", (2, 1), (255, 0, 0, 255))
    image.save(tmp_path / "opaque.png")
    assert open_image(tmp_path / "opaque.png").attachment.notes == ()
    image.putpixel((0, 0), (0, 0, 0, 0))
    image.save(tmp_path / "a.png")
    opened = open_image(tmp_path / "a.png")
    assert [opened.image.getpixel((x, 0)) for x in (0, 1)] == [GROUND, RED]
    assert opened.attachment.notes == ("transparent parts laid on gray",)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "LAB", "I;16"])
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    source = Image.new("L", (8, 8), 255)
    path = tmp_path / "a.tif"
    image = Image.new(mode, (8, 8), 65535) if mode == "I;16" else _in_mode(source, mode)
    image.save(path)
    opened = open_image(path)
    assert opened.image.mode == "RGB"
    if mode != "I;16":
        assert min(opened.image.getpixel((4, 4))) > 250  # type: ignore[type-var,arg-type]
    assert thumbnail(path, 4, 4).mode == "RGB"


def _in_mode(source: Image.Image, mode: str) -> Image.Image:
    if mode != "LAB":
        return source.convert("RGB").convert(mode)
    profiles = (ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"))
    image = ImageCms.profileToProfile(source.convert("RGB"), *profiles, outputMode="LAB")
    assert image is not None
    return image


def test_palette_with_a_transparent_color(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1), 0)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "a.gif", transparency=1)
    opened = open_image(tmp_path / "a.gif").image
    assert [opened.getpixel((x, 0)) for x in (0, 1)] == [RED, GROUND]


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "tif"])
def test_of_an_animation_the_first_frame_is_taken_and_said(tmp_path: Path, suffix: str) -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in (RED, GREEN, BLUE)]
    path = tmp_path / f"a.{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    opened = open_image(path)
    assert corners(opened.image) == [RED] * 4
    what = "pages" if suffix == "tif" else "frames of an animation"
    assert opened.attachment.notes == (f"first of 3 {what}",)
    assert inspect(path).frames == 3


def test_a_huge_image_is_reduced_and_said(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    quarters(12_000, 9_000).save(path, quality=30)
    assert "will be reduced to" in inspect(path).notes[-1]
    opened = open_image(path)
    assert 9_500_000 < opened.image.width * opened.image.height <= 9_633_792
    assert abs(opened.image.width / opened.image.height - 4 / 3) < 0.001
    assert (opened.attachment.width, opened.attachment.height) == (12_000, 9_000)
    assert opened.attachment.notes[0].startswith("reduced from 12000x9000 to ")
    assert corners(opened.image) == QUARTERS


@pytest.mark.parametrize("size", [(1, 1), (100_000, 1), (1, 100_000), (4000, 3000), (9999, 77)])
def test_fit_pixels_never_exceeds_and_never_enlarges(size: tuple[int, int]) -> None:
    for limit in (1, 2, 999, 12_345, 10**7):
        width, height = fit_pixels(*size, limit)
        assert 1 <= width <= size[0]
        assert 1 <= height <= size[1]
        assert width * height <= limit


def test_thumbnail_fits_the_box_and_does_not_enlarge(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    save_turned(path, quarters(400, 200), 6)
    assert thumbnail(path, 100, 100).size == (100, 50)
    assert thumbnail(path, 1000, 10).size == (20, 10)
    assert thumbnail(path, 4000, 4000).size == (400, 200)


# Identity ---------------------------------------------------------------------------------------


def test_the_digest_is_of_the_bytes_and_a_changed_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    quarters().save(path)
    attachment = open_image(path, Box(0, 0, 40, 20)).attachment
    assert attachment.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert reopen(attachment).size == (40, 20)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ImageChangedError):
        reopen(attachment)
    path.unlink()
    with pytest.raises(ImageMissingError):
        reopen(attachment)


def test_a_relative_name_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quarters().save(tmp_path / "a.PNG")
    monkeypatch.chdir(tmp_path)
    from pathlib import Path

    assert open_image(Path("a.PNG")).attachment.path == str(tmp_path / "a.PNG")


# Refusals ---------------------------------------------------------------------------------------


def refusal(path: Path) -> ImageError:
    """The one error that all three ways of opening agree on."""
    errors = []
    for way in (inspect, open_image, lambda path: thumbnail(path, 50, 50)):
        with pytest.raises(ImageError) as caught:
            way(path)
        errors.append(caught.value)
    assert len({(type(error), error.title, error.body) for error in errors}) == 1
    assert all((errors[0].title, errors[0].body, errors[0].remedy))
    return errors[0]


def test_missing_and_broken_links(tmp_path: Path) -> None:
    assert isinstance(refusal(tmp_path / "none.png"), ImageMissingError)
    assert isinstance(refusal(tmp_path / ("n" * 300)), ImageMissingError)
    assert isinstance(refusal(tmp_path / "a\0b.png"), ImageMissingError)
    (tmp_path / "link.png").symlink_to("elsewhere.png")
    assert "elsewhere.png" in refusal(tmp_path / "link.png").body
    (tmp_path / "loop.png").symlink_to("loop.png")
    assert isinstance(refusal(tmp_path / "loop.png"), ImageMissingError)


@pytest.fixture
def ordinary_user(tmp_path: Path) -> Iterator[None]:
    """Be someone whom permissions bind."""
    if os.geteuid() != 0:
        yield
        return
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    os.seteuid(65534)
    yield
    os.seteuid(0)


def test_no_permission(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    path = tmp_path / "a.png"
    quarters().save(path)
    path.chmod(0)
    request.getfixturevalue("ordinary_user")
    error = refusal(path)
    assert isinstance(error, ImageForbiddenError)
    assert "----------" in error.body


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        (b"", "empty"),
        (b"hello, this is text\n" * 100, "text"),
        ("Grüße, 你好".encode() * 200, "text"),
        (b"\x7fELF\0\0\0" * 100, "unknown"),
        (b"%PDF-1.7\n...", "PDF"),
        (b"<?xml version='1.0'?><svg width='9'></svg>", "SVG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0" + b"\0" * 50, "HEIC"),
        (b"\0\0\0\x18ftypisom\0\0\0\0" + b"\0" * 50, "video"),
        (b"\0" * 128 + b"DICM" + b"\0" * 50, "DICOM"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage", "PostScript"),
    ],
)
def test_what_is_not_an_image_is_said_by_name(tmp_path: Path, contents: bytes, words: str) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(contents)
    error = refusal(path)
    assert isinstance(error, NotAnImageError)
    assert words in error.body


def test_a_camera_raw_file_is_not_opened_as_its_small_preview(tmp_path: Path) -> None:
    quarters().save(tmp_path / "a.tif")
    (tmp_path / "a.tif").rename(tmp_path / "a.NEF")
    assert "raw" in refusal(tmp_path / "a.NEF").body


def test_folders_pipes_and_devices_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    began = time.monotonic()
    assert "folder" in refusal(tmp_path).body
    assert "pipe" in refusal(tmp_path / "pipe.png").body
    assert "device" in refusal(tmp_path / "zero.png").body
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "bmp", "gif", "ppm", "jp2"])
@pytest.mark.parametrize("part", [0.5, 0.95])
def test_half_a_file_is_said_to_be_cut_off(tmp_path: Path, suffix: str, part: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(noise).save(path)
    contents = path.read_bytes()
    path.write_bytes(contents[: int(len(contents) * part)])
    for way in (open_image, lambda path: thumbnail(path, 50, 50)):
        with pytest.raises(ImageTruncatedError) as caught:
            way(path)
        assert caught.value.title == "The image is cut off or damaged"


def test_flipped_bytes_never_escape_as_something_else(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    path = tmp_path / "a"
    for kind in ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000", "ICO", "AVIF"):
        whole = io.BytesIO()
        quarters().save(whole, kind)
        for _ in range(25):
            damaged = np.frombuffer(whole.getvalue(), np.uint8).copy()
            places = random.integers(0, len(damaged), 6)
            damaged[places] = random.integers(0, 255, 6)
            path.write_bytes(damaged.tobytes())
            with suppress(ImageError):
                assert open_image(path).image.mode == "RGB"


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    Image.new("1", (30_000, 30_000)).save(path)
    began = time.monotonic()
    assert isinstance(refusal(path), ImageTooLargeError)
    Image.new("1", (15_000, 14_000)).save(path)
    assert "15000x14000" in refusal(path).body
    assert time.monotonic() - began < 5


def test_a_file_of_a_terabyte_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse.png"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    assert isinstance(refusal(path), ImageTooLargeError)


def test_names_are_stripped_of_control_sequences(tmp_path: Path) -> None:
    error = refusal(tmp_path / "a\x1b[31m\x1b]0;evil\x07\nb.png")
    assert "\x1b" not in str(error)
    assert "\n" not in error.body


# The rest ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["a.JPG", "a.Png", "x.y.webp", "a.TIFF", "a.bmp", "a.GIF", "é.jpeg"]
)
def test_image_names(name: str) -> None:
    assert is_image_name(name)


@pytest.mark.parametrize("name", ["a.txt", "jpg", ".jpg", "a.jpg.part", "a.png~", "", "a."])
def test_other_names(name: str) -> None:
    assert not is_image_name(name)


def test_importing_it_loads_neither_pillow_nor_numpy() -> None:
    code = "import sys, glm4v_tui.images; print({'PIL', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
