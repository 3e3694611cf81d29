"""The demo model's shape: glm4v as transformers has it, 15 million parameters."""

from tokenizers import Tokenizer
from transformers import GenerationConfig, Glm4vConfig, Glm4vForConditionalGeneration

from glm4v_tui.demo.tokenizer import CELL, MERGE_SIZE, PAD, PATCH_SIZE

WIDTH = 320
HEADS = 5


def new_model(tokenizer: Tokenizer) -> Glm4vForConditionalGeneration:
    """A model of random weights, in float32."""
    model = Glm4vForConditionalGeneration(configuration(tokenizer))
    model.generation_config = GenerationConfig(
        do_sample=False,
        max_new_tokens=256,
        pad_token_id=tokenizer.token_to_id(PAD),
        eos_token_id=[tokenizer.token_to_id(t) for t in (PAD, "<|user|>", "<|observation|>")],
    )
    return model


def configuration(tokenizer: Tokenizer) -> Glm4vConfig:
    """The model's configuration; token ids are the tokenizer's."""
    token = tokenizer.token_to_id
    return Glm4vConfig(
        text_config={
            "vocab_size": tokenizer.get_vocab_size(),
            "hidden_size": WIDTH,
            "intermediate_size": 768,
            "num_hidden_layers": 6,
            "num_attention_heads": HEADS,
            "num_key_value_heads": HEADS,
            "max_position_embeddings": 4096,
            "pad_token_id": token(PAD),
            "eos_token_id": [token(PAD), token("<|user|>"), token("<|observation|>")],
            "tie_word_embeddings": True,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10000.0,
                "mrope_section": [6, 5, 5],
                "partial_rotary_factor": 0.5,
            },
        },
        vision_config={
            "depth": 8,
            "hidden_size": WIDTH,
            "num_heads": HEADS,
            "intermediate_size": 768,
            "out_hidden_size": WIDTH,
            "image_size": 12 * CELL,
            "patch_size": PATCH_SIZE,
            "spatial_merge_size": MERGE_SIZE,
        },
        tie_word_embeddings=True,
        image_token_id=token("<|image|>"),
        video_token_id=token("<|video|>"),
        image_start_token_id=token("<|begin_of_image|>"),
        image_end_token_id=token("<|end_of_image|>"),
        video_start_token_id=token("<|begin_of_video|>"),
        video_end_token_id=token("<|end_of_video|>"),
    )
