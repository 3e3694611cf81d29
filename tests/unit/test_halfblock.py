"""Half blocks: what the terminal shows is what the pixels were."""

import io

import numpy as np
import pyte
import pytest
from PIL import Image
from rich._palettes import EIGHT_BIT_PALETTE
from rich.console import Console
from rich.style import Style
from textual.strip import Strip

from glm4v_tui.ui.halfblock import (
    ColorDepth,
    Margin,
    color_codes,
    five_bits,
    framed,
    output_size,
    paint,
    paint_coarse,
)

PLAIN = Margin(0, 0, Style())


def noise(columns: int, rows: int) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (2 * rows, columns, 3), dtype=np.uint8)


def ramp(columns: int, rows: int) -> np.ndarray:
    grey = np.linspace(0, 255, columns).astype(np.uint8)
    return np.repeat(np.repeat(grey[None, :, None], 2 * rows, 0), 3, 2)


def on_terminal(outputs: list[str], columns: int) -> np.ndarray:
    """The pixels that a terminal shows after drawing these rows: (2 * rows, columns, 3)."""
    screen = pyte.Screen(columns, len(outputs))
    pyte.Stream(screen).feed("\r\n".join(outputs))
    shown = np.zeros((2 * len(outputs), columns, 3), np.uint8)
    for y in range(len(outputs)):
        for x in range(columns):
            cell = screen.buffer[y][x]
            upper = cell.fg if cell.data in "▀█" else cell.bg
            lower = cell.fg if cell.data in "▄█" else cell.bg
            for half, color in enumerate((upper, lower)):
                shown[2 * y + half, x] = tuple(bytes.fromhex(color))
    return shown


def outputs(strips) -> list[str]:
    return [strip.output for strip in strips]


@pytest.mark.parametrize(
    "pixels", [noise(31, 7), ramp(40, 3), five_bits(noise(20, 4)), noise(1, 1)]
)
def test_a_terminal_shows_exactly_the_pixels(pixels):
    strips = paint(pixels, ColorDepth.TRUECOLOR, PLAIN)
    assert (on_terminal(outputs(strips), pixels.shape[1]) == pixels).all()


def test_few_colors_take_every_glyph_and_still_show_the_pixels():
    rng = np.random.default_rng(3)
    colors = np.array([(0, 0, 0), (250, 240, 0), (9, 90, 200)], np.uint8)
    pixels = colors[rng.integers(0, 3, (40, 60))]
    strips = paint(pixels, ColorDepth.TRUECOLOR, PLAIN)
    assert {"▀", "▄", "█", " "} <= set("".join(outputs(strips)))
    assert (on_terminal(outputs(strips), 60) == pixels).all()


@pytest.mark.parametrize("depth", list(ColorDepth))
def test_segments_made_on_demand_show_the_same(depth):
    """A dialog over a row, or a screenshot, asks for Segments; they must not look different."""
    strips = paint(noise(24, 5), depth, Margin(2, 3, Style(bgcolor="#102030")))
    console = Console(color_system=depth.value, file=io.StringIO(), force_terminal=True)
    by_segments = [Strip(list(strip), strip.cell_length).render(console) for strip in strips]
    screens = []
    for rows in (outputs(strips), by_segments):
        screen = pyte.Screen(29, 5)
        pyte.Stream(screen).feed("\r\n".join(rows))
        screens.append([[_halves(screen.buffer[y][x]) for x in range(29)] for y in range(5)])
    assert screens[0] == screens[1]


def _halves(cell) -> tuple[str, str]:
    front, back = (name.replace("bfight", "bright") for name in (cell.fg, cell.bg))  # pyte's slip
    return (front if cell.data in "▀█" else back, front if cell.data in "▄█" else back)


def test_part_of_a_row_is_that_part():
    strip = paint(noise(20, 1), ColorDepth.TRUECOLOR, Margin(3, 0, Style()))[0]
    part = strip.crop(1, 10)
    assert part.cell_length == 9
    assert part.text == "  " + "▀" * 7
    assert strip.crop(0, 23) is strip


def test_a_flat_picture_costs_next_to_nothing():
    flat = np.full((76, 100, 3), 90, np.uint8)
    assert output_size(paint(flat, ColorDepth.TRUECOLOR, PLAIN)) < 38 * 130


@pytest.mark.parametrize("depth", list(ColorDepth))
@pytest.mark.parametrize("cells", [(60, 20), (100, 38), (200, 60), (317, 90)])
def test_a_coarse_picture_keeps_its_promise_even_for_noise(cells, depth):
    strips = paint_coarse(noise(*cells), depth, PLAIN, 40_000)
    assert len(strips) == cells[1]
    assert all(strip.cell_length == cells[0] for strip in strips)
    assert output_size(strips) <= 40_000


def test_a_coarse_picture_is_the_same_picture():
    fine = np.asarray(Image.fromarray(ramp(100, 38)).rotate(45))
    shown = on_terminal(outputs(paint_coarse(fine, ColorDepth.TRUECOLOR, PLAIN, 40_000)), 100)
    assert np.abs(shown.astype(int) - fine).mean() < 10


def test_256_colors_leave_the_users_own_alone_and_keep_the_greys():
    codes = color_codes(ramp(200, 20), ColorDepth.PALETTE)
    assert codes.min() >= 16
    assert codes.max() <= 255
    shown = np.array(EIGHT_BIT_PALETTE._colors, np.uint8)[codes][..., 0].mean(axis=0)
    smooth = shown.reshape(20, 10).mean(axis=1)  # the eye blends what was dithered
    assert np.abs(smooth - ramp(200, 20)[0, :, 0].reshape(20, 10).mean(axis=1)).max() < 6


def test_sixteen_colors_are_named_the_old_way():
    text = "".join(outputs(paint(noise(10, 2), ColorDepth.ANSI, PLAIN)))
    assert "38;" not in text
    assert "48;" not in text


def test_a_frame_is_drawn_on_its_edge_only():
    pixels = np.full((12, 20, 3), 128, np.uint8)
    strips = paint(pixels, ColorDepth.TRUECOLOR, PLAIN)
    rows = [framed(strip, y, 3, 1, 17, 10) for y, strip in enumerate(strips)]
    shown = on_terminal(outputs(rows), 20)[..., 0]
    changed = shown != 128
    expected = np.zeros_like(changed)
    expected[1:10, 3:17] = True
    expected[2:9, 4:16] = False
    assert (changed == expected).all()
    assert {0, 255} <= set(shown[changed].tolist())
