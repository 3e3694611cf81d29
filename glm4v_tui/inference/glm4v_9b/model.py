"""GLM-4V-9B without its output layer: the vision tower, its adapter and transformers' GLM.

Made for answering, not for training: nothing here builds a graph of gradients.
"""

from __future__ import annotations

import inspect
from typing import Any, ClassVar

import torch
from torch import Tensor
from transformers import GlmModel, PreTrainedModel
from transformers.modeling_outputs import (
    BaseModelOutputWithPast,
    BaseModelOutputWithPooling,
)

from glm4v_tui.inference.glm4v_9b.configuration import Glm4v9bConfig
from glm4v_tui.inference.glm4v_9b.positions import ImageIds, image_slots, position_ids_of
from glm4v_tui.inference.glm4v_9b.vision import Eva2ClipTower, Glm4v9bProjector
from glm4v_tui.inference.glm4v_9b.weights import IGNORED

_CACHE = "cache" if "cache" in inspect.signature(GlmModel.forward).parameters else "past_key_values"
"""The argument was renamed in transformers 5.24."""


class Glm4v9bPreTrainedModel(PreTrainedModel):  # type: ignore[misc]
    config: Glm4v9bConfig
    config_class = Glm4v9bConfig
    base_model_prefix = "model"
    input_modalities = ("image", "text")
    _no_split_modules: ClassVar[list[str]] = [
        "GlmDecoderLayer",
        "PatchEmbedding",
        "Eva2ClipLayer",
        "Glm4v9bProjector",
    ]
    _keys_to_ignore_on_load_unexpected = IGNORED
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True
    _can_compile_fullgraph = True


class Glm4v9bModel(Glm4v9bPreTrainedModel):
    """Everything but the output layer. ``vision_tower`` is None in a text model."""

    def __init__(self, config: Glm4v9bConfig) -> None:
        super().__init__(config)
        sees = config.vision_config is not None
        self.vision_tower = Eva2ClipTower._from_config(config.vision_config) if sees else None
        self.multi_modal_projector = Glm4v9bProjector(config) if sees else None
        self.language_model = GlmModel._from_config(config.text_config)
        self.image_ids = _image_ids(config)
        self.post_init()

    def get_input_embeddings(self) -> Any:
        return self.language_model.embed_tokens

    def set_input_embeddings(self, value: Any) -> None:
        self.language_model.embed_tokens = value

    @torch.no_grad()
    def get_image_features(self, pixel_values: Tensor, **_: Any) -> BaseModelOutputWithPooling:
        """What the language model reads of each image.

        One image at a time goes through the tower, so that several need no more room than one.

        Args:
            pixel_values: (images, 3, height, width); the sides are multiples of 28.

        Returns:
            ``pooler_output`` is a tuple of (tokens + 2, hidden), begin and end included.
        """
        if self.vision_tower is None or self.multi_modal_projector is None:
            raise ValueError("This is a text model: it has no vision tower to read images with.")
        features = tuple(
            self.multi_modal_projector(self.vision_tower(image)).squeeze(0)
            for image in pixel_values.unsqueeze(1)
        )
        return BaseModelOutputWithPooling(pooler_output=features)

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
        **kwargs: Any,
    ) -> BaseModelOutputWithPast:
        """Run the model.

        Args:
            input_ids: (batch, tokens); every token of an image has an id of its own.
            attention_mask: (batch, tokens before and now), or what transformers made of it.
            position_ids: (batch, tokens); needed with a cache that holds tokens already.
            pixel_values: The images of ``input_ids`` in their order, as the processor makes them.
            mm_encoder_outputs: ``{"image": get_image_features(...)}`` in place of pixels.
            cache, past_key_values: The KV cache, by its new and its old name.
        """
        held = cache if cache is not None else past_key_values
        if inputs_embeds is None:
            inputs_embeds = self.get_input_embeddings()(input_ids)
        if position_ids is None and input_ids is not None:
            position_ids = self._positions(input_ids, attention_mask, held)
        features = self._features(pixel_values, mm_encoder_outputs)
        if features is not None:
            inputs_embeds = self._place(features, inputs_embeds, input_ids, position_ids)
        if attention_mask is None and held is None:
            # Else tokens at one position would pass for the begins of packed sequences.
            attention_mask = inputs_embeds.new_ones(inputs_embeds.shape[:2], dtype=torch.long)
        return self.language_model(
            attention_mask=attention_mask,
            position_ids=position_ids,
            inputs_embeds=inputs_embeds,
            **{_CACHE: held},
            **kwargs,
        )

    def _positions(self, input_ids: Tensor, mask: Any, held: Any) -> Tensor:
        if held is not None and held.get_seq_length() > 0:
            raise ValueError(
                "position_ids are needed to go on with a cache: an image takes three positions, "
                "but a slot for each of its tokens."
            )
        is_plain = isinstance(mask, Tensor) and mask.ndim == 2
        return position_ids_of(input_ids, self.image_ids, mask if is_plain else None)

    def _features(
        self, pixel_values: Tensor | None, encoded: dict[str, Any] | None
    ) -> tuple[Tensor, ...] | None:
        if encoded is not None and encoded.get("image") is not None:
            if pixel_values is not None:
                raise ValueError("Pass pixel_values or mm_encoder_outputs, not both.")
            return tuple(encoded["image"].pooler_output)
        if pixel_values is None or pixel_values.shape[0] == 0:
            return None
        return tuple(self.get_image_features(pixel_values).pooler_output)

    def _place(
        self,
        features: tuple[Tensor, ...],
        inputs_embeds: Tensor,
        input_ids: Tensor | None,
        position_ids: Tensor | None,
    ) -> Tensor:
        """Put the images' vectors where their ids stand."""
        if input_ids is None or position_ids is None or self.image_ids is None:
            raise ValueError("Images need the input_ids that they stand among.")
        if not features:
            return inputs_embeds
        slots = image_slots(input_ids, self.image_ids, position_ids)
        vectors = torch.cat(features).to(inputs_embeds)
        count = int(slots.sum())
        if count != vectors.shape[0]:
            raise ValueError(
                "Image features and image tokens do not match, "
                f"tokens: {count}, features: {vectors.shape[0]}"
            )
        return inputs_embeds.masked_scatter(slots.unsqueeze(-1), vectors)


def _image_ids(config: Glm4v9bConfig) -> ImageIds | None:
    begin, token, end = config.boi_token_id, config.image_token_id, config.eoi_token_id
    if begin is None or token is None or end is None:
        return None
    return ImageIds(begin, token, end)
