"""Failures of the Python code that the original GLM-4V-9B and GLM-4-9B folders bring along.

This program never runs that code, so for all of these the answer is to use it on the same folder.
"""

from __future__ import annotations

from glm4v_tui.diagnosis.row import Row
from glm4v_tui.errors import CheckpointError

_OURS = (
    "glm4v-tui reads the original folder itself, without that code and with today's transformers: "
    "glm4v-tui --model FOLDER_OR_HUB_ID"
)
_NEARBY = r"[\s\S]{0,1500}?"

ORIGINAL_ROWS = (
    Row(
        "tokenizer-padding-side",
        r"_pad\(\) got an unexpected keyword argument 'padding_side'",
        "The original's tokenizer code is too old for transformers",
        "Since 4.45 transformers passes padding_side to every tokenizer; the file "
        "tokenization_chatglm.py from before November 2024 does not take it.",
        f"{_OURS}. In a script of your own, download tokenization_chatglm.py again.",
    ),
    Row(
        "extract-past",
        r"has no attribute '_extract_past_from_model_output'",
        "The original's model code is too old for transformers",
        "transformers 4.49 removed a method that the old modeling_chatglm.py calls.",
        f"{_OURS}. In a script of your own, download modeling_chatglm.py again.",
    ),
    Row(
        "get-masks",
        rf"(?:in get_masks|modeling_chatglm|past_key_values\[0\]\[0\]\.shape){_NEARBY}"
        r"(?P<said>'NoneType' object has no attribute 'shape')"
        r"|'NoneType' object has no attribute 'shape'.{0,40}get_masks",
        "The original's model code takes the cache for a tuple",
        "Since 4.54 transformers hands it an empty cache object, where modeling_chatglm.py looks "
        "for tensors. With an image it may also run and never see the image.",
        f"{_OURS}.",
    ),
    Row(
        "config-max-length",
        r"'ChatGLMConfig' object has no attribute 'max_length'",
        "The original's model code does not run on transformers 5",
        "Configurations lost their generation settings in transformers 5; modeling_chatglm.py "
        "reads max_length from there.",
        f"{_OURS}.",
    ),
    Row(
        "batch-encode-plus",
        r"ChatGLM4Tokenizer'? (?:object )?has no attribute '?batch_encode_plus",
        "The original's tokenizer code does not run on transformers 5",
        "transformers 5 removed batch_encode_plus, which tokenization_chatglm.py calls.",
        f"{_OURS}.",
    ),
    Row(
        "tied-weights",
        r"object has no attribute 'all_tied_weights_keys'"
        rf"|tied_weights{_NEARBY}(?P<said>'list' object has no attribute 'keys')"
        r"|'list' object has no attribute 'keys'.{0,40}_tied_weights_keys",
        "A checkpoint's own model code does not run on transformers 5",
        "transformers 5 keeps tied weights in another way than code written for version 4.",
        f"{_OURS}. Other checkpoints: choose one that transformers supports by itself.",
    ),
    Row(
        "chatglm-file-missing",
        r"does not appear to have a file named \S*(?:configuration|modeling|tokenization)_chatglm"
        r"\.py|Could not locate the \S*(?:_chatglm|visual)?\.py inside",
        "The original's Python files are not in the folder",
        "A download that is not complete, or a saved copy whose config.json still points to code "
        "in another repository (auto_map).",
        f"{_OURS}. It needs config.json, the *.safetensors files with their index, tokenizer.model "
        "and tokenizer_config.json; glm4v-tui doctor FOLDER says whether they are whole.",
        CheckpointError,
    ),
    Row(
        "remote-code-consent",
        r"requires you to execute (?:the |some )?custom code|requires custom code"
        r"|Please (?:pass the argument|set the option) `trust_remote_code=True`"
        r"|contains custom code which must be executed",
        "This model needs code of its own",
        "transformers does not know this kind of model and asks to run Python code that comes "
        "with the checkpoint.",
        "This program never runs code that comes with a checkpoint. GLM-4V-9B and GLM-4-9B do not "
        "need theirs here: glm4v-tui --model FOLDER_OR_HUB_ID. For others, choose a checkpoint "
        "that transformers supports by itself.",
        CheckpointError,
    ),
    Row(
        "tiktoken-missing",
        r"GLM-4V requires the Tiktoken library"
        r"|packages that were not found in your environment: [\w, ]*tiktoken",
        "The original's tokenizer code wants the package tiktoken",
        "tokenization_chatglm.py imports tiktoken, which is not installed.",
        f"{_OURS}; it needs no tiktoken. In a script of your own: pip install tiktoken",
    ),
    Row(
        "stream-chat",
        r"ChatGLMForConditionalGeneration'? (?:object )?has no attribute '(?:stream_)?chat'",
        "The original's chat() and stream_chat() are gone",
        "They were removed from modeling_chatglm.py in the middle of 2024; examples from before "
        "still call them.",
        f"{_OURS}. Answers are streamed and chats go on over several turns; glm4v-tui ask answers "
        "one question for a script.",
    ),
    Row(
        "multiple-images",
        r"Multiple images are not supported",
        "The original's tokenizer code takes one image a conversation",
        "It refuses a second one; GLM-4V-9B was trained with one.",
        "glm4v-tui takes several images in a conversation and reads each by itself. GLM-4V-9B was "
        "not trained to compare them; GLM-4.1V-9B-Thinking was.",
    ),
)
