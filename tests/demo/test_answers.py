"""The shipped checkpoint, asked about pictures that other code than its own generator drew."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from PIL import Image, ImageDraw
from transformers import AutoModelForImageTextToText, AutoProcessor

from glm4v_tui.demo import CHECKPOINT, SAMPLES

Ask = Callable[..., str]


def triangle_and_circle() -> Image.Image:
    image = Image.new("RGB", (640, 480), "white")
    pen = ImageDraw.Draw(image)
    pen.polygon([(120, 300), (220, 300), (170, 200)], fill="blue")
    pen.ellipse((400, 180, 520, 300), fill="red")
    return image


def three_shapes() -> Image.Image:
    image = Image.new("RGB", (300, 300), "white")
    pen = ImageDraw.Draw(image)
    pen.rectangle((20, 20, 120, 120), fill="green")
    pen.ellipse((180, 30, 270, 120), fill="yellow")
    pen.rectangle((40, 200, 260, 260), fill="purple")
    return image


def scratched_plate() -> Image.Image:
    image = Image.new("RGB", (500, 500), "lightgray")
    pen = ImageDraw.Draw(image)
    pen.rectangle((50, 50, 450, 450), fill="gray")
    pen.line((150, 180, 320, 260), fill="black", width=4)
    return image


def clean_plate() -> Image.Image:
    return Image.new("RGB", (400, 400), (160, 160, 160))


QUESTIONS = (
    (triangle_and_circle, "What color is the triangle?", "blue"),
    (triangle_and_circle, "what colour is the circle", "red"),
    (triangle_and_circle, "Is the blue triangle left of the red circle?", "Yes"),
    (triangle_and_circle, "Where is the red circle?", "middle right"),
    (triangle_and_circle, "How many shapes are there?", "2"),
    (triangle_and_circle, "Is there a green square?", "No"),
    (triangle_and_circle, "What color is the star?", "no star"),
    (triangle_and_circle, "What is the capital of France?", "cannot"),
    (three_shapes, "How many shapes are in the picture?", "3"),
    (three_shapes, "Where is the yellow circle?", "top right"),
    (three_shapes, "What color is the square?", "green"),
    (three_shapes, "Which shape is the largest?", "purple rectangle"),
    (three_shapes, "Who is in this photo?", "cannot"),
    (scratched_plate, "Is there a defect?", "Yes"),
    (scratched_plate, "What defect is there?", "scratch"),
    (scratched_plate, "Where is the scratch?", "center"),
    (scratched_plate, "Report the defects as JSON.", '"type": "scratch"'),
    (clean_plate, "Is there any defect?", "No"),
    (clean_plate, "Is there a hole?", "No"),
    (clean_plate, "What is the brand?", "does not show a package"),
)


@pytest.fixture(scope="module")
def ask() -> Ask:
    processor: Any = AutoProcessor.from_pretrained(CHECKPOINT)
    model: Any = AutoModelForImageTextToText.from_pretrained(CHECKPOINT, dtype=torch.float32)

    def answer(images: list[Image.Image], *turns: str) -> str:
        """Answer the last of `turns`, which alternate between question and answer."""
        messages = []
        for i, text in enumerate(turns):
            shown = [{"type": "image", "image": image} for image in images] if i == 0 else []
            content = [*shown, {"type": "text", "text": text}]
            messages.append({"role": ("user", "assistant")[i % 2], "content": content})
        inputs = processor.apply_chat_template(
            messages,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            add_generation_prompt=True,
        )
        out = model.generate(**inputs, max_new_tokens=120)
        return processor.decode(out[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)

    return answer


def test_nine_of_ten_questions_about_hand_drawn_pictures(ask: Ask) -> None:
    wrong = []
    for draw, question, expected in QUESTIONS:
        answer = ask([draw()], question)
        if expected not in answer:
            wrong.append((question, answer))
    assert len(wrong) <= len(QUESTIONS) // 10, wrong


def test_follow_up_leans_on_the_turn_before(ask: Ask) -> None:
    answer = ask(
        [triangle_and_circle()],
        "What color is the triangle?",
        "The triangle is blue.",
        "And the other one?",
    )
    assert answer == "The circle is red."


def test_two_images(ask: Ask) -> None:
    pictures = [triangle_and_circle(), three_shapes()]
    assert "second image has more" in ask(pictures, "Which image has more shapes?")


def test_every_sample_is_described(ask: Ask) -> None:
    samples = sorted(SAMPLES.iterdir())
    assert 12 <= len(samples) <= 20
    begins = {
        "shapes": "There are",
        "part": "This is",
        "product": "This is a",
        "chest": "This is a synthetic chest phantom",
        "sheet.png": "This is a sheet",
    }
    for path in samples:
        answer = ask([Image.open(path).convert("RGB")], "Describe the image.")
        assert answer.startswith(begins[path.name.split("-")[0]]), (path.name, answer)


def test_the_checkpoint_is_small() -> None:
    assert sum(path.stat().st_size for path in CHECKPOINT.iterdir()) < 32_000_000
