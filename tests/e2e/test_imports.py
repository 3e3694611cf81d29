"""What a fresh interpreter loads: the interface starts in the time of a keystroke."""

import subprocess
import sys

import pytest

MODEL_LIBRARIES = {"torch", "torchvision", "transformers", "accelerate", "bitsandbytes"}
NOT_BEFORE_THE_FIRST_FRAME = {
    "numpy",
    "PIL",
    "pynvml",
    "psutil",
    "sqlite3",
    "markdown_it",
    "huggingface_hub",
    "safetensors",
    "httpx",
    "pluggy",
    "jsonschema",
    "glm4v_tui_defect",
    "glm4v_tui_medical",
    "glm4v_tui_retail",
}


def loaded_by(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter has after ``statement``."""
    report = "import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}\n{report}"],
        check=True,
        capture_output=True,
        text=True,
    )
    return set(done.stdout.split())


def test_the_first_screen_needs_little():
    loaded = loaded_by("import glm4v_tui.commands.chat, glm4v_tui.ui.app, glm4v_tui.engine.local")
    assert not loaded & (MODEL_LIBRARIES | NOT_BEFORE_THE_FIRST_FRAME)
    assert "textual" in loaded


def test_the_store_comes_after_the_first_screen():
    statement = "import sys, glm4v_tui.commands.chat, glm4v_tui.ui.app, glm4v_tui.engine.local"
    statement += ", glm4v_tui.ui.screens.chat"
    ours = "print(*(name for name in sys.modules if name.startswith('glm4v_tui')))"
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}; {ours}"], check=True, capture_output=True, text=True
    )
    loaded = done.stdout.split()
    assert "glm4v_tui.ui.screens.chat" in loaded
    assert not [name for name in loaded if name.startswith(("glm4v_tui.store", "glm4v_tui.arch"))]


def test_help_needs_less():
    loaded = loaded_by("import glm4v_tui.cli")
    assert not loaded & (MODEL_LIBRARIES | NOT_BEFORE_THE_FIRST_FRAME | {"textual", "asyncio"})


ALL_OF_THE_INTERFACE = """
import importlib, pkgutil, glm4v_tui.{part} as part
for module in pkgutil.walk_packages(part.__path__, part.__name__ + "."):
    if not module.name.startswith("glm4v_tui.engine.worker"):
        importlib.import_module(module.name)
"""


@pytest.mark.parametrize("part", ["ui", "commands", "tasks", "engine", "images", "gpu", "bench"])
def test_no_part_of_the_interface_loads_a_model_library(part):
    assert not loaded_by(ALL_OF_THE_INTERFACE.format(part=part)) & MODEL_LIBRARIES


def test_the_models_process_listens_before_it_loads_a_library():
    """What the libraries read from the environment is set before they are imported."""
    assert not loaded_by("import glm4v_tui.engine.worker") & (MODEL_LIBRARIES | {"numpy", "PIL"})


def test_model_code_knows_no_screen():
    assert "textual" not in loaded_by("import glm4v_tui.engine.worker, glm4v_tui.session")
