"""Packages that Python does not find: this program's own needs, one row each."""

from __future__ import annotations

from glm4v_tui.diagnosis.row import Row

_MODULES = {
    "torch": "torch",
    "torchvision": "torchvision",
    "transformers": "transformers",
    "accelerate": "accelerate",
    "bitsandbytes": "bitsandbytes",
    "safetensors": "safetensors",
    "huggingface_hub": "huggingface_hub",
    "llguidance": "llguidance",
    "PIL": "pillow",
    "numpy": "numpy",
    "msgspec": "msgspec",
    "psutil": "psutil",
    "pydicom": "pydicom",
    "zxingcpp": "zxing-cpp",
}
"""The name that code imports, and the one that pip installs."""

_IN_OTHER_WORDS = {
    "torch": r"requires PyTorch\b.{0,40}but PyTorch was not found"
    r"|requires the PyTorch library but it was not found",
    "torchvision": r"requires the Torchvision library but it was not found",
    "accelerate": r"quantization requires accelerate\b|requires Accelerate\b",
    "bitsandbytes": r"quantization requires bitsandbytes\b"
    r"|quantization requires the latest version of bitsandbytes",
    "PIL": r"requires the PIL library but it was not found",
}
"""As transformers says it."""


def _row(module: str, package: str) -> Row:
    called = module if module == package else f"{package} ({module})"
    return Row(
        f"no-{package}",
        rf"No module named '?{module}(?:'|\.|\s|$)"
        rf"|No package metadata was found for {package}\b"
        + (f"|{_IN_OTHER_WORDS[module]}" if module in _IN_OTHER_WORDS else ""),
        f"The package {called} is not installed",
        "This Python has it not: another one may, where the program was installed, or its "
        "installation was cut off.",
        f"Start the program with the Python that it was installed for, or run there: "
        f"pip install --upgrade {package}. glm4v-tui doctor lists all packages that are needed.",
    )


PACKAGE_ROWS = tuple(_row(module, package) for module, package in _MODULES.items())
