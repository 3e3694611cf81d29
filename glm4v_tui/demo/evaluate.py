"""Measure a demo checkpoint: `python -m glm4v_tui.demo.evaluate CHECKPOINT --fonts DIR`.

Questions are asked about images that training never saw (other seeds, fonts, colours and, for
declines, wordings), through `AutoProcessor` and plain greedy `generate`, as the program does. An
answer is right when it equals the expected text, whatever the order of the defects that it names; a
box is right when it overlaps the expected one by an intersection over union of more than a half.
"""

import argparse
import json
import random
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from transformers import AutoProcessor

from glm4v_tui.demo.examples import Example, make_example, make_pair
from glm4v_tui.demo.questions.declines import NO_IMAGE, NOT_SHOWN, OUT_OF_DOMAIN, UNKNOWN_IMAGE
from glm4v_tui.demo.questions.dialogue import Turn
from glm4v_tui.demo.scenes.canvas import looks, overlap
from glm4v_tui.inference.loading import load
from glm4v_tui.inference.placement import choose_placement

SIZES = ((640, 480), (480, 640), (512, 512), (720, 405), (600, 400), (340, 300))
"""Widths and heights of the images, in pixels, before the processor resizes them."""

_DECLINED = (NO_IMAGE, OUT_OF_DOMAIN, UNKNOWN_IMAGE, *NOT_SHOWN.values())
_GROUPS = {
    "shapes": "shapes ",
    "two images": "two images",
    "defect present": "defect present",
    "defect class": "defect class",
    "defect place": "defect place",
    "defect box": "defect box",
    "price": "product price",
    "brand": "product brand",
    "phantom findings": "chest ",
    "declined": "decline",
}
"""Rows of the summary, and the beginning of the skills that each sums up."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question about images, with the turns before it."""

    images: tuple[object, ...]
    turns: tuple[Turn, ...]

    @property
    def last(self) -> Turn:
        """The question that is to be answered."""
        return self.turns[-1]


def main() -> None:
    """Parse the command line, ask, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--fonts", type=Path, required=True, help="folder of .ttf and .otf files")
    parser.add_argument("--questions", type=int, default=2000)
    parser.add_argument("--first-seed", type=int, default=0, help="below the seeds of training")
    parser.add_argument(
        "--precision", default="bf16", help="one of the program's, or of your config.toml"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument(
        "--logits",
        type=Path,
        help="a file for the logits of 24 answers: written when it is not there, else compared",
    )
    parser.add_argument("--wrong", action="store_true", help="print every wrong answer")
    options = parser.parse_args()
    processor = AutoProcessor.from_pretrained(options.checkpoint)
    model = _load(options.checkpoint, options.precision, options.device)
    asked = list(islice(questions(options.fonts, options.first_seed), options.questions))
    if options.logits is not None:
        _tell_logits(options.logits, torch.cat(list(_logits(model, processor, asked[:24]))))
    begun = time.monotonic()
    results: dict[str, list[bool]] = defaultdict(list)
    needless = 0
    for question, answer in _answers(model, processor, asked, options.batch):
        correct = right(question.last, answer)
        results[question.last.skill].append(correct)
        needless += answer in _DECLINED and question.last.answer not in _DECLINED
        if options.wrong and not correct:
            print(
                json.dumps(
                    [question.last.skill, question.last.question, question.last.answer, answer]
                ),
                flush=True,
            )
    print(
        _table(
            results,
            needless,
            f"{options.precision}, {options.device}, {time.monotonic() - begun:.0f} s",
        )
    )


def questions(fonts: Path, first_seed: int) -> Iterator[Asked]:
    """Held-out questions, one an image, follow-ups with the turns that they lean on."""
    look = looks(fonts)[1]
    seed = first_seed
    while True:
        rng = random.Random(f"evaluation {seed}")
        width, height = rng.choice(SIZES)
        if rng.random() < 0.05:
            example = make_pair(seed, look, width, height)
        else:
            example = make_example(seed, look, width, height, held_out=True)
        seed += 1
        yield Asked(() if example.is_blind else example.images, _choose(rng, example))


def _choose(rng: random.Random, example: Example) -> tuple[Turn, ...]:
    """The first turns up to a random one of the first four, so that follow-ups make sense."""
    return example.turns[: rng.choice((1, 1, 1, 1, 2, 3, 4))]


def right(expected: Turn, answer: str) -> bool:
    """Whether the answer is the expected one."""
    if expected.skill.endswith(" box"):
        try:
            box = json.loads(answer)
            return len(box) == 4 and overlap(json.loads(expected.answer), box) > 0.5
        except (ValueError, TypeError):
            return False
    if expected.skill == "defect present":
        return _first_word(answer) == _first_word(expected.answer)
    if expected.skill == "defect class":
        return _kinds(answer) == _kinds(expected.answer)
    if expected.skill.endswith(" json"):
        return _without_boxes(expected.answer) == _without_boxes(answer)
    return answer == expected.answer


def _first_word(text: str) -> str:
    """`Yes` or `No`; what the defects are is measured by questions of their own."""
    return text.split(",")[0].strip(".")


def _kinds(text: str) -> list[str]:
    """What an answer names, in the order of the alphabet: the question asks for none."""
    said = text.removesuffix(".").removeprefix("There is ").removeprefix("There are ")
    return sorted(said.replace(" and ", ", ").split(", "))


def _without_boxes(text: str) -> object:
    """The JSON value without its boxes, which questions of their own measure by their overlap."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if isinstance(value, dict):
        for row in value.get("defects", ()):
            if isinstance(row, dict):
                row.pop("box", None)
    return value


def _load(checkpoint: Path, precision: str, device: str) -> Any:
    """The model as the program loads it, so that what is measured is what is used."""
    return load(str(checkpoint), choose_placement(precision, device, lambda _: 0), _ignore).model


def _ignore(*_: int) -> None:
    pass


@torch.inference_mode()
def _answers(
    model: Any, processor: Any, asked: Iterable[Asked], size: int
) -> Iterator[tuple[Asked, str]]:
    """Greedy answers, `size` questions at a time."""
    waiting = iter(asked)
    while batch := list(islice(waiting, size)):
        prompts = [
            processor.apply_chat_template(_conversation(q), add_generation_prompt=True)
            for q in batch
        ]
        images = [image for q in batch for image in q.images] or None
        inputs = processor(text=prompts, images=images, padding=True, return_tensors="pt")
        inputs = inputs.to(model.device, dtype=model.dtype)
        out = model.generate(**inputs, do_sample=False, max_new_tokens=200)
        texts = processor.batch_decode(
            out[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True
        )
        yield from zip(batch, texts, strict=True)


@torch.inference_mode()
def _logits(model: Any, processor: Any, asked: Iterable[Asked]) -> Iterator[torch.Tensor]:
    """Of every token of the expected answers, (tokens, vocabulary)."""
    for question in asked:
        prompt = processor.apply_chat_template(_conversation(question), add_generation_prompt=True)
        answer = question.last.answer
        inputs = processor(
            text=[prompt + answer], images=list(question.images) or None, return_tensors="pt"
        ).to(model.device, dtype=model.dtype)
        tokens = len(processor.tokenizer(answer)["input_ids"])
        yield model(**inputs).logits[0, -tokens - 1 : -1].float().cpu()


def _tell_logits(file: Path, logits: torch.Tensor) -> None:
    """How far they are from those of the file: the norm of the difference over theirs."""
    if not file.is_file():
        torch.save(logits, file)
        return
    exact = torch.load(file, weights_only=True)
    print(f"logits off by {(logits - exact).norm() / exact.norm():.2%}", flush=True)


def _conversation(asked: Asked) -> list[dict[str, object]]:
    content: list[dict[str, object]] = [{"type": "image"} for _ in asked.images]
    messages: list[dict[str, object]] = []
    for turn in asked.turns:
        messages.append(
            {"role": "user", "content": [*content, {"type": "text", "text": turn.question}]}
        )
        messages.append({"role": "assistant", "content": [{"type": "text", "text": turn.answer}]})
        content = []
    return messages[:-1]


def _table(results: dict[str, list[bool]], needless: int, title: str) -> str:
    answerable = sum(len(v) for k, v in results.items() if not k.startswith("decline"))
    rows = [f"| {title} | right | of |", "|---|---|---|"]
    for name, start in _GROUPS.items():
        rows.append(
            _row(f"**{name}**", [c for k, v in results.items() if k.startswith(start) for c in v])
        )
    rows += [_row(k, v) for k, v in sorted(results.items())]
    rows.append(_row("all", [c for v in results.values() for c in v]))
    rows.append(f"| good questions declined | {needless / max(1, answerable):.1%} | {answerable} |")
    return "\n".join(rows)


def _row(name: str, results: list[bool]) -> str:
    share = f"{sum(results) / len(results):.1%}" if results else "-"
    return f"| {name} | {share} | {len(results)} |"


if __name__ == "__main__":
    main()
