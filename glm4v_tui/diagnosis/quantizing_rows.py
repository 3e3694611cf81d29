"""Failures around INT8 and NF4 weights and bitsandbytes."""

from __future__ import annotations

from glm4v_tui.diagnosis.row import Row
from glm4v_tui.errors import OutOfMemoryError

QUANTIZING_ROWS = (
    Row(
        "quantized-loading-memory",
        r"(?:core_model_loading|HF_DEACTIVATE_ASYNC_LOAD|set_param_for_module)[\s\S]{0,4000}?"
        r"(?P<said>(?:OutOfMemoryError: )?CUDA out of memory)",
        "The GPU's memory ran out while transformers was loading",
        "transformers 5.0 read whole shards in full precision onto the GPU before it quantized "
        "them, so a 4-bit load needed the room of a 16-bit one and was slow.",
        "glm4v-tui quantizes matrix by matrix while it reads: glm4v-tui --precision int4, and "
        "glm4v-tui plan MODEL says what fits. In a script of your own, update transformers or set "
        "HF_DEACTIVATE_ASYNC_LOAD=1.",
        OutOfMemoryError,
        topic="memory",
    ),
    Row(
        "bitsandbytes-library",
        r"has no attribute 'cquantize_blockwise\w*'|Native code method attempted to call: lib\."
        r"|No compatible CUDA binary found at|bitsandbytes native library functionality"
        r"|CUDA Setup failed despite (?:GPU|CUDA) being available",
        "bitsandbytes found no library for this CUDA",
        "Its compiled part comes in a file for each CUDA version; the one that torch was built "
        "with is not among those installed.",
        "Run: pip install --upgrade bitsandbytes. glm4v-tui doctor names the file that is "
        "missing; --precision bf16 needs none.",
    ),
    Row(
        "dispatched-to-cpu",
        r"Some modules are dispatched on the CPU or the disk",
        "The quantized model does not fit the GPU",
        "accelerate's automatic map put layers on the CPU, which bitsandbytes refuses.",
        "glm4v-tui makes its own split between GPU and host memory: --precision int4 or "
        "int4-compact; glm4v-tui plan MODEL says what each takes and which fits.",
        OutOfMemoryError,
    ),
    Row(
        "params4bit-initialized",
        r"Params4bit\.__new__\(\) got an unexpected keyword argument '_is_hf_initialized'",
        "bitsandbytes is too old for transformers 5",
        "transformers 5 marks parameters in a way that bitsandbytes takes since 0.50.",
        "Run: pip install --upgrade 'bitsandbytes>=0.50'. (glm4v-tui keeps 4-bit weights in "
        "layers of its own and does not meet this.)",
    ),
    Row(
        "load-in-4bit",
        r"unexpected keyword argument 'load_in_[48]bit'",
        "load_in_4bit and load_in_8bit are gone from transformers 5",
        "They are no arguments of from_pretrained any more; BitsAndBytesConfig took their place.",
        "Here: glm4v-tui --precision int4 (or int8, mixed, int4-compact). In a script of your "
        "own: quantization_config=BitsAndBytesConfig(load_in_4bit=True)",
    ),
)
