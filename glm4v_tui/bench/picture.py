"""A picture of the real screen, made by the program itself, for the README."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_QUESTION = "What is on the plate, and where?"
_ANSWER = """\
A plate of brushed metal with **two marks**:

- a dark *scratch* from the top left towards the middle
- a round *hole* at the bottom right, about a tenth of the plate wide

```json
{"defects": [{"type": "scratch"}, {"type": "hole"}], "grade": 4}
```
"""
_SIZE = (112, 34)


def save_screen(picture: Path, image: Path, home: Path) -> None:
    """Start the chat with a script, ask about ``image``, save the screen as SVG."""
    import os

    os.environ |= {"GLM4V_TUI_HOME": str(home), "TEXTUAL_COLOR_SYSTEM": "truecolor"}
    _draw_plate(image)
    picture.write_text(asyncio.run(_play(image)))


async def _play(image: Path) -> str:
    from glm4v_tui.engine.protocol import LoadModel
    from glm4v_tui.engine.scripted import Script, ScriptedAnswer, ScriptedEngine
    from glm4v_tui.ui.app import Glm4vApp
    from glm4v_tui.ui.launch import Launch
    from glm4v_tui.ui.widgets.composer import Composer

    answer = ScriptedAnswer(_ANSWER, tokens_per_s=82.9, first_token_s=0.144)
    engine = ScriptedEngine(Script((answer,), context_length=65536))
    app = Glm4vApp(Launch(engine, LoadModel("a scripted answer"), images=(image,)))
    async with app.run_test(size=_SIZE) as pilot:
        while not app.session.model:
            await pilot.pause(0.05)
        await pilot.pause(1.0)
        app.screen.query_one(Composer).insert(_QUESTION)
        await pilot.press("enter")
        await pilot.pause(1.0)
        while not app.session.is_idle:
            await pilot.pause(0.05)
        await pilot.pause(1.0)
        return app.export_screenshot(title="glm4v-tui plate.png")


def _draw_plate(image: Path) -> None:
    import numpy as np
    from PIL import Image, ImageDraw

    noise = np.random.default_rng(5).normal(0, 10, (480, 640))
    shade = 150 + noise.mean(axis=1, keepdims=True) * 8 + np.linspace(-40, 40, 640)[None, :]
    plate = Image.fromarray(np.clip(shade + noise, 0, 255).astype(np.uint8)).convert("RGB")
    pen = ImageDraw.Draw(plate)
    pen.line((90, 70, 330, 250), fill=(30, 30, 35), width=9)
    pen.ellipse((470, 330, 545, 405), fill=(12, 12, 16), outline=(215, 215, 220), width=4)
    plate.save(image)
