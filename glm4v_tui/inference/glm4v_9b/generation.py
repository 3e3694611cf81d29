"""GLM-4V-9B as ``generate`` runs it: the model and its output layer.

Positions are counted from the ids of the whole conversation, and images whose ids the cache holds
already are not encoded again, so a turn can go on where the last one ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers import GenerationMixin
from transformers.modeling_outputs import BaseModelOutputWithPooling, CausalLMOutputWithPast

from glm4v_tui.inference.glm4v_9b.model import Glm4v9bModel, Glm4v9bPreTrainedModel
from glm4v_tui.inference.glm4v_9b.positions import position_ids_of

if TYPE_CHECKING:
    from glm4v_tui.inference.glm4v_9b.configuration import Glm4v9bConfig


class Glm4v9bForConditionalGeneration(Glm4v9bPreTrainedModel, GenerationMixin):  # type: ignore[misc]
    """The whole model. ``generate`` takes what the processor makes, and features or a cache too."""

    def __init__(self, config: Glm4v9bConfig) -> None:
        super().__init__(config)
        self.model = Glm4v9bModel(config)
        text = config.text_config
        self.lm_head = nn.Linear(text.hidden_size, text.vocab_size, bias=False)
        self.post_init()

    def get_input_embeddings(self) -> Any:
        return self.model.get_input_embeddings()

    def set_input_embeddings(self, value: Any) -> None:
        self.model.set_input_embeddings(value)

    def get_output_embeddings(self) -> Any:
        return self.lm_head

    def set_output_embeddings(self, value: Any) -> None:
        self.lm_head = value

    def get_image_features(self, pixel_values: Tensor, **kwargs: Any) -> BaseModelOutputWithPooling:
        return self.model.get_image_features(pixel_values, **kwargs)

    @torch.no_grad()
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Any = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        pixel_values: Tensor | None = None,
        mm_encoder_outputs: dict[str, Any] | None = None,
        cache: Any = None,
        past_key_values: Any = None,
        logits_to_keep: int | Tensor = 0,
        return_dict: bool = True,  # noqa: ARG002 - generate passes it
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """As :meth:`Glm4v9bModel.forward`.

        Args:
            logits_to_keep: How many of the last tokens get logits (0: all), or their indices.
        """
        outputs = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            inputs_embeds=inputs_embeds,
            pixel_values=pixel_values,
            mm_encoder_outputs=mm_encoder_outputs,
            cache=cache,
            past_key_values=past_key_values,
            **kwargs,
        )
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        logits = self.lm_head(outputs.last_hidden_state[:, kept, :])
        others = {name: value for name, value in outputs.items() if name != "last_hidden_state"}
        return CausalLMOutputWithPast(logits=logits, **others)

    def next_position(self, input_ids: Tensor) -> int:
        """The position of the token that follows these, (1, tokens), without padding."""
        return int(position_ids_of(input_ids, self.model.image_ids, None)[0, -1]) + 1

    # What generate asks for -----------------------------------------------------------------

    def _prepare_position_ids_for_generation(
        self, inputs_tensor: Tensor, model_kwargs: dict[str, Any]
    ) -> Tensor:
        ids = model_kwargs.get("input_ids")
        if ids is None or ids.shape[1] == 0:
            ids = inputs_tensor
        mask = model_kwargs.get("attention_mask")
        if ids.is_floating_point():
            plain: Tensor = super()._prepare_position_ids_for_generation(
                inputs_tensor, model_kwargs
            )
            return plain
        if mask is not None and mask.shape[1] != ids.shape[1]:
            raise ValueError("Pass the ids of the whole conversation: positions follow from them.")
        return position_ids_of(ids, self.model.image_ids, mask)

    def prepare_inputs_for_generation(
        self,
        input_ids: Tensor,
        next_sequence_length: int | None = None,
        is_first_iteration: bool | None = False,
        pixel_values: Tensor | None = None,
        mm_encoder_outputs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """What one step needs; images only where their ids are still to be read."""
        inputs: dict[str, Any] = super().prepare_inputs_for_generation(
            input_ids,
            next_sequence_length=next_sequence_length,
            is_first_iteration=is_first_iteration,
            **kwargs,
        )
        if is_first_iteration or not kwargs.get("use_cache", True):
            unread = self._unread_images(input_ids, next_sequence_length)
            if pixel_values is not None:
                inputs["pixel_values"] = _last(pixel_values, unread)
            elif mm_encoder_outputs:
                inputs["mm_encoder_outputs"] = _last_encoded(mm_encoder_outputs, unread)
        return inputs

    def _unread_images(self, input_ids: Tensor, tokens: int | None) -> Tensor | None:
        """For each image of the batch, row by row, whether it lies beyond the cache."""
        if tokens is None or self.model.image_ids is None:
            return None
        columns = (input_ids == self.model.image_ids.begin).nonzero()[:, 1]
        return columns >= input_ids.shape[1] - tokens

    def _expand_inputs_for_generation(
        self, expand_size: int = 1, input_ids: Tensor | None = None, **kwargs: Any
    ) -> tuple[Tensor | None, dict[str, Any]]:
        """Repeat each conversation ``expand_size`` times, with all of its images each time."""
        images = {
            name: kwargs.pop(name)
            for name in ("pixel_values", "mm_encoder_outputs")
            if name in kwargs
        }
        order = None if input_ids is None else self._repeated_images(input_ids, expand_size)
        input_ids, expanded = super()._expand_inputs_for_generation(
            expand_size=expand_size, input_ids=input_ids, **kwargs
        )
        if order is not None and images.get("pixel_values") is not None:
            images["pixel_values"] = images["pixel_values"][order]
        if order is not None and (encoded := (images.get("mm_encoder_outputs") or {}).get("image")):
            features = tuple(encoded.pooler_output[index] for index in order)
            images["mm_encoder_outputs"] = {
                "image": BaseModelOutputWithPooling(pooler_output=features)
            }
        return input_ids, expanded | images

    def _repeated_images(self, input_ids: Tensor, times: int) -> list[int] | None:
        """Indices of the images in the order that the repeated conversations need; None: as is."""
        if times == 1 or self.model.image_ids is None:
            return None
        order: list[int] = []
        first = 0
        for count in (input_ids == self.model.image_ids.begin).sum(-1).tolist():
            order += list(range(first, first + count)) * times
            first += count
        return order


def _last(images: Any, unread: Tensor | None) -> Any:
    """Of all images those that are unread; whoever passed only those gets them back."""
    if unread is None or len(images) != unread.shape[0]:
        return images
    if isinstance(images, Tensor):
        return images[unread.to(images.device)]
    return tuple(
        image for image, is_unread in zip(images, unread.tolist(), strict=True) if is_unread
    )


def _last_encoded(encoded: dict[str, Any], unread: Tensor | None) -> dict[str, Any]:
    if (image := encoded.get("image")) is None:
        return encoded
    features = _last(tuple(image.pooler_output), unread)
    return {**encoded, "image": BaseModelOutputWithPooling(pooler_output=features)}
