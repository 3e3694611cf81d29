"""Failures of GPUs, memory and number formats."""

from __future__ import annotations

from glm4v_tui.diagnosis.row import RAISED, Row
from glm4v_tui.errors import OutOfMemoryError

_CHECK_DRIVER = "Check nvidia-smi and the driver (glm4v-tui doctor tells), or use --device cpu."

GPU_ROWS = (
    Row(
        "cuda-out-of-memory",
        r"CUDA out of memory|CUDA error: out of memory|CUBLAS_STATUS_ALLOC_FAILED"
        r"|HIP out of memory",
        "The GPU's memory did not suffice",
        "GLM-4V-9B takes 26 GiB in bf16 before the first question, and an image more on top; "
        "what other programs hold counts too.",
        "Start with a smaller --precision: glm4v-tui plan MODEL says which fits this GPU, and "
        "--precision auto takes the most exact that does. If it happened at one question: ask "
        "about a smaller image or a crop, start a new conversation, or end other programs on the "
        "GPU.",
        OutOfMemoryError,
        topic="memory",
        is_general=True,
    ),
    Row(
        "two-devices",
        r"Expected all tensors to be on the same device",
        "Parts of the model are on different GPUs",
        "device_map=auto spreads the original's vision tower over several GPUs, and its code "
        "never moves what passes between them.",
        "glm4v-tui keeps the vision tower in one place and plans the split itself: start it "
        "without a device map, glm4v-tui --model FOLDER_OR_HUB_ID. CUDA_VISIBLE_DEVICES=0 keeps "
        "it to one GPU.",
    ),
    Row(
        "half-and-bfloat",
        r"Input type \([\w:.]+\) and (?:bias|weight) type \([\w:.]+\) should be the same"
        r"|expected scalar type \w+ but found|not implemented for '(?:Half|BFloat16)'"
        r"|must have the same dtype",
        "Image and weights are in different number formats, or the device lacks one",
        "Weights in fp16 (GPUs before Ampere have no bf16) met pixels in bf16, or the other way.",
        "glm4v-tui casts the pixels to the weights' format: start it with --precision auto, which "
        "takes fp16 where there is no bf16. If it happens here, use --precision fp32 or "
        "--device cpu.",
    ),
    Row(
        "out-of-memory",
        rf"{RAISED}(?:MemoryError|OutOfMemoryError)\b|not enough memory|can't allocate memory"
        r"|Cannot allocate memory|std::bad_alloc|failed to map segment from shared object",
        "The memory did not suffice",
        "The host's memory, or the process's share of it, is used up.",
        "Start with a smaller --precision (glm4v-tui plan MODEL says what each takes), ask about "
        "a smaller image or a crop, start a new conversation, or end other programs.",
        OutOfMemoryError,
        topic="memory",
        is_general=True,
    ),
    Row(
        "no-gpu",
        r"Found no NVIDIA driver|driver on your system is too old"
        r"|CUDA driver version is insufficient|no CUDA-capable device"
        r"|Torch not compiled with CUDA",
        "The GPU cannot be used",
        "The driver is missing or too old for this torch, or torch was built without CUDA.",
        _CHECK_DRIVER,
    ),
    Row(
        "no-kernel-image",
        r"no kernel image is available",
        "The installed torch has no code for this GPU",
        "The GPU is older or newer than those that this build of torch was made for.",
        "Install a torch build for it, or start with --device cpu.",
    ),
    Row(
        "gpu-fault",
        r"device-side assert triggered|illegal memory access was encountered"
        r"|CUDA error: unspecified launch failure",
        "The GPU met a fault",
        "After it the process can compute no more.",
        "Ask again: the model is then loaded anew. If it comes back, check nvidia-smi for errors, "
        "or start with --device cpu.",
    ),
)
