"""What training sees is what the product shows the model: the same tokens, positions, pixels and
numbers.
"""

from pathlib import Path

import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer
from transformers import AutoProcessor

from glm4v_tui.demo.batches import Packer, collate
from glm4v_tui.demo.examples import Example, make_example, make_pair
from glm4v_tui.demo.fast import FastModel
from glm4v_tui.demo.model import new_model
from glm4v_tui.demo.scenes.canvas import VARIETY, Look
from glm4v_tui.demo.scenes.colours import palettes
from glm4v_tui.demo.tokenizer import CELL, train_tokenizer, turn_text, write_processor

GRID = (8, 15)
LOOK = Look(palettes()[0], variety=VARIETY)


def examples() -> list[Example]:
    height, width = GRID[0] * CELL, GRID[1] * CELL
    return [make_example(seed, LOOK, width, height) for seed in range(3)] + [
        make_pair(3, LOOK, width, height)
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("processor")
    texts = [turn_text(t.question, t.answer, first=True) for e in examples() for t in e.turns]
    write_processor(train_tokenizer(texts), path)
    return path


def messages(example: Example, turns: int) -> list[dict[str, object]]:
    content: list[dict[str, object]] = [{"type": "image", "image": i} for i in example.images]
    found: list[dict[str, object]] = []
    if example.system:
        found.append({"role": "system", "content": example.system})
    for turn in example.turns[:turns]:
        found.append(
            {"role": "user", "content": [*content, {"type": "text", "text": turn.question}]}
        )
        found.append({"role": "assistant", "content": turn.answer})
        content = []
    return found


@pytest.mark.parametrize("number", range(4))
def test_same_tokens_positions_and_logits(folder: Path, number: int) -> None:
    example = examples()[number]
    processor = AutoProcessor.from_pretrained(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    model = new_model(tokenizer).eval()
    model.model.visual.embeddings.position_embedding.weight.data.normal_()

    packer = Packer(tokenizer)
    batch = collate(packer, [example], GRID)
    turns = batch.turns[0]
    inputs = processor.apply_chat_template(
        messages(example, turns), tokenize=True, return_dict=True, return_tensors="pt"
    )
    length = inputs["input_ids"].shape[1]
    assert inputs["input_ids"][0].tolist() == batch.ids[0, :length].tolist()
    assert packer.user_token == batch.ids[0, length].item()

    positions, _ = model.model.get_rope_index(
        inputs["input_ids"], inputs["mm_token_type_ids"], image_grid_thw=inputs["image_grid_thw"]
    )
    assert torch.equal(positions, batch.positions[:, :, :length])

    with torch.no_grad():
        expected = model(**inputs).logits
        fast = FastModel(model, compiled=False)
        got = fast(
            batch.pixels.float() / 255, batch.ids, batch.positions, batch.image_index, batch.grid
        )
    torch.testing.assert_close(got[:, :length], expected, atol=2e-4, rtol=1e-3)


def test_grids_come_out_of_the_processor(folder: Path) -> None:
    processor = AutoProcessor.from_pretrained(folder)
    for width, height in (
        (640, 480),
        (480, 640),
        (500, 500),
        (1920, 1080),
        (64, 64),
        (900, 300),
        (37, 41),
    ):
        image = Image.new("RGB", (width, height))
        _, rows, columns = processor.image_processor([image], return_tensors="pt")[
            "image_grid_thw"
        ][0].tolist()
        assert 70 <= rows * columns // 4 <= 140
