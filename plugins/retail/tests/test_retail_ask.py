"""From the picture of a package to what stands on the terminal."""

import json
import subprocess
import sys

import pytest
import tomli_w
from drawn_codes import code, ean13
from glm4v_tui_retail.task import RetailTask
from PIL import Image, ImageDraw, ImageFont

from glm4v_tui.bench.tasks import embedded_model

ELEMENTS = "(01)04006381333931(3922)"
ANSWER = {
    "brand": "ZUMBAK", "name": "Green Tea", "price": "$7.25", "weight": "250 g",
    "category": "tea", "material": "cardboard",
}  # fmt: skip


def package(code_image):
    """A box with brand, name, weight and price, and a code in its corner."""
    image = Image.new("RGB", (480, 600), (235, 235, 235))
    pen = ImageDraw.Draw(image)
    pen.rectangle((40, 30, 440, 580), fill=(60, 130, 70))
    for text, top, size in (("ZUMBAK", 70, 72), ("Green Tea", 180, 54), ("250 g", 270, 44)):
        width = pen.textlength(text, ImageFont.load_default(size))
        pen.text((240 - width / 2, top), text, "white", ImageFont.load_default(size))
    pen.rectangle((60, 350, 240, 430), fill="yellow")
    pen.text((72, 358), "$7.25", "black", ImageFont.load_default(56))
    image.paste(code_image, (430 - code_image.width, 570 - code_image.height))
    return image


@pytest.fixture
def ask(tmp_path):
    """Ask about a picture, with a model that reads as the package was printed."""
    script = tmp_path / "script.toml"
    answer = {"text": json.dumps(ANSWER), "tokens_per_s": 1e6}
    script.write_text(tomli_w.dumps({"answers": [answer]}))

    def run(image, *options):
        path = tmp_path / "package.png"
        image.save(path)
        command = ["ask", path, "--task", "retail", "--scripted", script, *options]
        return subprocess.run(
            [sys.executable, "-m", "glm4v_tui", *command],
            capture_output=True,
            check=True,
            env={"GLM4V_TUI_HOME": str(tmp_path), "PATH": "", "LANG": "C.UTF-8"},
        ).stdout.decode()

    return run


def test_a_coded_price_that_disagrees_is_a_warning(ask):
    printed = ask(package(code(f"{ELEMENTS}599", "QRCode", gs1=True)))
    assert "Doubtful: The price was read as $7.25, the QR Code says 5.99." in printed.splitlines()


def test_a_coded_price_that_agrees_is_none(ask):
    printed = ask(package(code(f"{ELEMENTS}725", "QRCode", gs1=True)))
    assert "QR Code" in printed
    assert "Doubtful" not in printed


def test_sequences_in_a_code_reach_neither_terminal_nor_export(ask, tmp_path):
    evil = "\x1b]0;owned\x07\x1b[2Jhttps://example.com\r\n\x9b31mgo"
    image = package(code(evil, "QRCode"))
    file = tmp_path / "out.jsonl"
    for printed in (ask(image), ask(image, "--json"), ask(image, "--export", f"jsonl:{file}")):
        assert not {*printed} & {*"\x1b\x07\r\x9b"}
        assert "u001b" not in printed
    assert "example.com" in ask(image)
    record = json.loads(file.read_bytes())
    assert record["facts"]["codes"][0]["text"] == "https://example.com\ngo"
    assert record["regions"][0][1] == "QR Code"


async def test_the_embedded_model_reads_the_package_beside_its_code(tmp_path):
    path = tmp_path / "package.png"
    package(ean13("2207000007253", module=1, height=40)).save(path)
    async with embedded_model() as asking:
        answered = await asking.ask(RetailTask(), path)
    assert "EAN-13 2207000007253" in answered.asked.text
    assert answered.outcome.value["brand"] == "ZUMBAK"
    assert answered.outcome.warnings == ()
    assert any("store's own number" in note for note in answered.outcome.panel.notes)
