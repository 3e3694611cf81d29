"""Themes: all that are shipped can be read by human eyes, and a wrong file is named and skipped."""

import itertools
from pathlib import Path

import pytest
from textual.app import App
from textual.color import Color
from textual.theme import BUILTIN_THEMES
from textual.widgets import Button, Footer, Input, Markdown, OptionList

from glm4v_tui import paths
from glm4v_tui.errors import SettingsError
from glm4v_tui.ui import themes
from glm4v_tui.ui.themes import load_theme, load_theme_or_default, load_themes, theme_names

SHIPPED = sorted(path.stem for path in paths.shipped_dir("themes").glob("*.toml"))
PAINTED = [name for name in SHIPPED if not load_theme(name).ansi]


@pytest.fixture
def user(tmp_path, monkeypatch) -> Path:
    """The user's folder of themes."""
    monkeypatch.setenv("GLM4V_TUI_HOME", str(tmp_path))
    monkeypatch.setenv("TEXTUAL_COLOR_SYSTEM", "truecolor")
    folder = paths.user_themes_dir()
    folder.mkdir(parents=True)
    return folder


def linear(value: int) -> float:
    share = value / 255
    return share / 12.92 if share <= 0.03928 else ((share + 0.055) / 1.055) ** 2.4


def luminance(color: Color) -> float:
    red, green, blue = (linear(value) for value in color.rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(text: Color, ground: Color) -> float:
    """The ratio of WCAG 2, 1 to 21; 4.5 is asked for text of normal size."""
    dark, light = sorted((luminance(text), luminance(ground)))
    return (light + 0.05) / (dark + 0.05)


def on(text: str, ground: Color) -> Color:
    """The color that Textual gives to ``text``, which may be "auto 65%" or translucent."""
    if text.startswith("auto"):
        return ground + ground.get_contrast_text(float(text[4:].strip(" %")) / 100)
    return ground + Color.parse(text)


TEXTS = ["primary", "secondary", "accent", "success", "warning", "error"]
TEXTS += [f"text-{name}" for name in TEXTS]
TEXTS += ["foreground", "foreground-muted", "text", "text-muted", "footer-key-foreground"]


def test_there_is_a_choice():
    assert len(SHIPPED) >= 6
    assert themes.DEFAULT in SHIPPED
    assert {load_theme(name).dark for name in PAINTED} == {True, False}
    assert load_theme(themes.SIXTEEN_COLORS).ansi


@pytest.mark.parametrize("name", PAINTED)
def test_text_can_be_read_on_every_ground(name):
    colors = load_theme(name).to_color_system().generate()
    grounds = {ground: Color.parse(colors[ground]) for ground in ("background", "surface", "panel")}
    low = {
        f"{text} on {ground}": round(contrast(on(colors[text], color), color), 2)
        for ground, color in grounds.items()
        for text in TEXTS
    }
    assert {pair: ratio for pair, ratio in low.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("name", PAINTED)
@pytest.mark.parametrize("part", ["block-cursor", "block-cursor-blurred", "input-selection"])
def test_the_cursor_and_the_selection_can_be_read(name, part):
    colors = load_theme(name).to_color_system().generate()
    ground = Color.parse(colors["surface"]) + Color.parse(colors[f"{part}-background"])
    assert contrast(on(colors[f"{part}-foreground"], ground), ground) >= 4.5


def test_the_high_contrast_theme_has_the_highest_level_of_contrast():
    colors = load_theme("contrast").to_color_system().generate()
    ground = Color.parse(colors["background"])
    assert min(contrast(on(colors[text], ground), ground) for text in TEXTS) >= 7


# Machado, Oliveira, Fernandes 2009, severity 1.0, on linear RGB
SEEN_WITHOUT = {
    "red cones": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216),
                  (-0.003882, -0.048116, 1.051998)),
    "green cones": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413),
                    (-0.011820, 0.042940, 0.968881)),
}  # fmt: skip


@pytest.mark.parametrize("missing", SEEN_WITHOUT)
def test_good_careful_and_bad_differ_for_color_blind_eyes(missing):
    theme = load_theme("okabe")
    seen = [
        lab(Color.parse(color), SEEN_WITHOUT[missing])
        for color in (theme.success, theme.warning, theme.error)
    ]
    assert min(distance(a, b) for a, b in itertools.combinations(seen, 2)) > 20


def lab(color: Color, matrix: tuple[tuple[float, ...], ...]) -> tuple[float, float, float]:
    """CIE L*a*b* (D65) of a color as an eye without some cones sees it."""
    rgb = [linear(value) for value in color.rgb]
    r, g, b = (max(0.0, sum(m * v for m, v in zip(row, rgb, strict=True))) for row in matrix)
    x = (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505
    y = 0.2126 * r + 0.7152 * g + 0.0722 * b
    z = (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089
    fx, fy, fz = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def distance(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5


async def test_every_shipped_theme_styles_the_usual_widgets():
    class Host(App):
        def compose(self):
            yield Input("text")
            yield OptionList("one", "two")
            yield Markdown("# one\n[link](x) `code`")
            yield Button("go", variant="error")
            yield Footer()

    async with Host().run_test() as pilot:
        for name in SHIPPED:
            pilot.app.register_theme(load_theme(name))
            pilot.app.theme = name
            await pilot.pause()
            assert pilot.app.current_theme.name == name
        assert pilot.app._exception is None


def test_every_shipped_theme_has_every_variable_that_style_sheets_may_use():
    usual = BUILTIN_THEMES["textual-dark"].to_color_system().generate()
    for name in SHIPPED:
        assert usual.keys() <= load_theme(name).to_color_system().generate().keys()


def test_a_users_theme_goes_before_a_shipped_one(user):
    (user / "graphite.toml").write_text('primary = "red"\n')
    (user / "mine.toml").write_text('primary = "#123456"\n[variables]\ntext-muted = "auto 50%"\n')
    assert load_theme("graphite").primary == "red"
    assert load_theme("mine").name == "mine"
    assert {"mine", "paper", "nord"} <= set(theme_names())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('dark = "yes"\nprimary = "red"', ':1: dark: expected true or false, found "yes"'),
        ("primary = 3", ":1: primary: expected text, found 3"),
        ('primary = "blu"', ':1: primary: expected a color such as "#1e90ff", found "blu"'),
        ('primary = "auto"', ":1: primary: expected a color"),
        ('primary = "red; display: none"', ":1: primary: expected a color"),
        ('primary = "red"\naccents = "red"', ':2: accents: unknown; did you mean "accent"?'),
        ('secondary = "red"', ": primary: missing"),
        (
            'primary = "red"\n[variables]\ntext-mutd = "red"',
            ':3: variables.text-mutd: unknown; did you mean "text-muted"?',
        ),
        (
            'primary = "red"\n[variables]\nlink-style = "blinking"',
            ':3: variables.link-style: expected a text style, found "blinking"',
        ),
        ('primary = "red"\n[variables]\nborder = "$x"', ":3: variables.border: expected a color"),
        ("primary =", ":1: not valid TOML"),
    ],
)
def test_a_wrong_theme_is_named_with_line_and_key_and_skipped(user, text, told):
    (user / "wrong.toml").write_text(text)
    (user / "right.toml").write_text('primary = "red"')
    found = load_themes()
    assert "right" in {theme.name for theme in found.good}
    (error,) = found.failed
    assert error.body.startswith(f"{user / 'wrong.toml'}{told}")


def test_without_the_wanted_theme_there_is_the_default_and_a_reason(user):
    theme, error = load_theme_or_default("graphit")
    assert theme.name == themes.DEFAULT
    assert isinstance(error, SettingsError)
    assert 'did you mean "graphite"?' in str(error)


def test_a_screen_of_sixteen_colors_gets_a_theme_made_of_them(user, monkeypatch):
    monkeypatch.setenv("TEXTUAL_COLOR_SYSTEM", "standard")
    assert load_theme_or_default("graphite")[0].name == themes.SIXTEEN_COLORS
    assert load_theme_or_default("amber")[0].name == "amber"


def test_a_broken_default_of_the_user_does_not_stop_the_start(user):
    (user / "graphite.toml").write_text("primary =")
    theme, error = load_theme_or_default("graphite")
    assert (theme.name, theme.primary) == ("graphite", "#7fb2ff")
    assert error is not None


def test_only_the_wanted_file_is_read(user, monkeypatch):
    read = []
    real = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.append(path.name) or real(path))
    load_theme("paper")
    theme_names()
    assert read == ["paper.toml"]
