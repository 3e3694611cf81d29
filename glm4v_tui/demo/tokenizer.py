"""The demo model's tokenizer and processor files.

A byte-level BPE that keeps capitals and digits as single tokens, so that words never seen before
are read letter by letter, with the special tokens and the chat format of GLM-4.1V.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

PAD, IMAGE, USER, ASSISTANT = "<|endoftext|>", "<|image|>", "<|user|>", "<|assistant|>"
SPECIAL_TOKENS = (
    PAD,
    "[MASK]",
    "[gMASK]",
    "[sMASK]",
    "<sop>",
    "<eop>",
    "<|system|>",
    USER,
    ASSISTANT,
    "<|observation|>",
    "<|begin_of_image|>",
    "<|end_of_image|>",
    "<|begin_of_video|>",
    "<|end_of_video|>",
    IMAGE,
    "<|video|>",
    "<think>",
    "</think>",
    "<answer>",
    "</answer>",
    "<|begin_of_box|>",
    "<|end_of_box|>",
)
VOCAB_SIZE = 1536

_PIECES = r"\n| ?[a-z]+| ?[A-Z]| ?[0-9]| ?[^\sA-Za-z0-9]+|\s"

PATCH_SIZE = 14
MERGE_SIZE = 2
CELL = PATCH_SIZE * MERGE_SIZE
"""Side in pixels of the square that becomes one image token."""
MIN_TOKENS, MAX_TOKENS = 80, 120
"""Image tokens of the smallest and the largest image, before rounding to whole cells."""

CHAT_TEMPLATE = Path(__file__).with_name("chat_template.jinja")
"""The chat format of GLM-4.1V."""


def opening(system: str, images: int) -> str:
    """What the chat template writes before the first question; one `<|image|>` an image."""
    head = f"<|system|>\n{system}" if system else ""
    return f"[gMASK]<sop>{head}<|user|>\n" + f"<|begin_of_image|>{IMAGE}<|end_of_image|>" * images


def turn_text(question: str, answer: str, first: bool) -> str:
    """One question and answer as the chat template writes them.

    It ends in the `<|user|>` that ends the answer.
    """
    start = "" if first else "\n"
    return f"{start}{question}{ASSISTANT}\n{answer}{USER}"


def train_tokenizer(texts: Iterable[str]) -> Tokenizer:
    """A byte-level BPE of `VOCAB_SIZE` tokens, special ones included."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def write_processor(tokenizer: Tokenizer, folder: Path) -> None:
    """Everything that `AutoProcessor.from_pretrained` reads.

    Tokenizer, chat template, image and video processor.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE.read_text())
    _write(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "processor_class": "Glm4vProcessor",
            "eos_token": PAD,
            "pad_token": PAD,
            "padding_side": "left",
            "clean_up_tokenization_spaces": False,
            "model_max_length": 4096,
            "extra_special_tokens": [],
        },
    )
    frames = {
        "patch_size": PATCH_SIZE,
        "merge_size": MERGE_SIZE,
        "temporal_patch_size": 2,
        "size": {
            "shortest_edge": 2 * CELL**2 * MIN_TOKENS,
            "longest_edge": 2 * CELL**2 * MAX_TOKENS,
        },
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }
    image = {"image_processor_type": "Glm4vImageProcessor", **frames}
    _write(folder / "preprocessor_config.json", image | {"processor_class": "Glm4vProcessor"})
    _write(
        folder / "video_preprocessor_config.json",
        {"video_processor_type": "Glm4vVideoProcessor", **frames},
    )


def _write(path: Path, value: dict[str, object]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")
