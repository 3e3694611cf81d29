"""Conversations and pictures to the model's inputs, from the files of an original folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import BatchFeature

from glm4v_tui.errors import ImageError
from glm4v_tui.inference.glm4v_9b.chat import IMAGE, chat_ids, chat_images, chat_pieces
from glm4v_tui.inference.glm4v_9b.image_processor import Glm4v9bImageProcessor
from glm4v_tui.inference.glm4v_9b.tokenizer import (
    CONFIG_FILE,
    TOKENIZER_FILE,
    Glm4Tokenizer,
    load_tokenizer,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    Turns = Sequence[dict[str, Any]]


class Glm4v9bProcessor:
    """Tokenizer, image processor and chat template in one, as transformers' processors are.

    Args:
        image_processor: None for a text model.
    """

    model_input_names = ("input_ids", "attention_mask", "pixel_values")
    chat_template = None
    reads_special_text_plainly = True
    """A special token's name in a text is tokenized as text, and does no harm there."""

    def __init__(
        self,
        image_processor: Glm4v9bImageProcessor | None,
        tokenizer: Glm4Tokenizer,
    ) -> None:
        self.image_processor = image_processor
        self.tokenizer = tokenizer
        ids = tokenizer.convert_tokens_to_ids(list(IMAGE))
        self._begin_id, self.image_token_id, self._end_id = ids
        self.image_token = IMAGE[1]

    @classmethod
    def from_pretrained(cls, folder: str | PathLike[str], **_: Any) -> Glm4v9bProcessor:
        """Read an original folder: its config.json, tokenizer.model and tokenizer_config.json."""
        source = Path(folder)
        config = json.loads((source / "config.json").read_text(encoding="utf-8"))
        tokenizer = load_tokenizer(source)
        return cls(_image_processor(config.get("vision_config")), tokenizer)

    def save_pretrained(self, folder: str | PathLike[str], **_: Any) -> None:
        """Copy the tokenizer's files; the rest is in the model's config.json."""
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        source = Path(self.tokenizer.vocab_file).parent
        for name in (TOKENIZER_FILE, CONFIG_FILE):
            if not (target / name).exists() or not (target / name).samefile(source / name):
                shutil.copyfile(source / name, target / name)

    def apply_chat_template(
        self,
        conversation: Any,
        *,
        tokenize: bool = True,
        add_generation_prompt: bool = False,
        return_dict: bool = True,
        return_tensors: str | None = None,
        **_: Any,
    ) -> Any:
        """Write one conversation or several, the shorter ones padded on the left.

        Returns:
            Text when not ``tokenize``; else ``input_ids``, ``attention_mask`` and, with images,
            ``pixel_values``; only the ids when not ``return_dict``.

        Raises:
            ImageError: a picture for a text model.
        """
        is_one = not conversation or isinstance(conversation[0], dict)
        chats: list[Turns] = [conversation] if is_one else list(conversation)
        written = [
            list(chat_pieces(chat, add_generation_prompt=add_generation_prompt)) for chat in chats
        ]
        if not tokenize:
            texts = ["".join(pieces) for pieces in written]
            return texts[0] if is_one else texts
        ids = [self.expand(chat_ids(iter(pieces), self.tokenizer)) for pieces in written]
        images = [image for chat in chats for image in chat_images(chat)]
        inputs = self._inputs(ids, images, return_tensors)
        return inputs if return_dict else inputs["input_ids"]

    def __call__(
        self,
        images: Any = None,
        text: str | Sequence[str] = (),
        return_tensors: str | None = None,
        **_: Any,
    ) -> BatchFeature:
        """Inputs from text that was written already, special tokens and all."""
        texts = [text] if isinstance(text, str) else list(text)
        ids = [
            self.expand(
                self.tokenizer.encode(one, add_special_tokens=False, split_special_tokens=False)
            )
            for one in texts
        ]
        return self._inputs(ids, [] if images is None else images, return_tensors)

    def expand(self, ids: list[int]) -> list[int]:
        """Give every token of an image an id of its own: three ids become ``tokens`` + 2."""
        if self.image_processor is None or self._begin_id not in ids:
            return ids
        tokens = self.image_processor.tokens
        expanded: list[int] = []
        for index, id_ in enumerate(ids):
            is_image = id_ == self.image_token_id and ids[index - 1] == self._begin_id
            expanded += [id_] * (tokens if is_image else 1)
        return expanded

    def _inputs(
        self, ids: list[list[int]], images: Any, return_tensors: str | None
    ) -> BatchFeature:
        padded = self.tokenizer.pad({"input_ids": ids}, padding=True, padding_side="left")
        data: dict[str, Any] = {name: padded[name] for name in ("input_ids", "attention_mask")}
        inputs = BatchFeature(data, tensor_type=return_tensors)
        if images:
            if self.image_processor is None:
                raise ImageError(
                    "This model reads no images",
                    "It is a text model: its checkpoint has no vision tower.",
                    "Ask without an image, or choose a vision-language model such as GLM-4V-9B.",
                )
            inputs.update(self.image_processor(images, return_tensors or "pt"))
        return inputs

    def _get_num_multimodal_tokens(
        self, image_sizes: Sequence[tuple[int, int]] | None = None, **_: Any
    ) -> dict[str, list[int]]:
        """Every picture costs the same; asked by transformers' name."""
        tokens = 0 if self.image_processor is None else self.image_processor.tokens
        return {"num_image_tokens": [tokens for _ in image_sizes or ()]}

    def decode(self, *args: Any, **kwargs: Any) -> Any:
        return self.tokenizer.decode(*args, **kwargs)

    def batch_decode(self, *args: Any, **kwargs: Any) -> Any:
        return self.tokenizer.batch_decode(*args, **kwargs)


def _image_processor(vision: dict[str, Any] | None) -> Glm4v9bImageProcessor | None:
    if not vision:
        return None
    return Glm4v9bImageProcessor(vision["image_size"], vision["patch_size"])
