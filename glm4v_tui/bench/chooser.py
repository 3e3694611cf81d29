"""How quickly the model chooser opens and answers keys beside a large cache."""

from __future__ import annotations

import json
import struct
import time
from typing import TYPE_CHECKING

from glm4v_tui.bench.figures import Figure, percentile
from glm4v_tui.bench.terminal import KEYS, key_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from glm4v_tui.bench.stage import Stage
    from glm4v_tui.bench.terminal import Terminal

_SHOWN = "★ recommended".encode()
"""Stands in the chooser's first frame."""
_KEYS = ("down",) * 20 + ("right",) * 16 + ("pagedown",) * 6 + ("up",) * 20 + ("left",) * 8


def measure_chooser(place: Stage, models: int = 200) -> Iterator[Figure]:
    """Open the chooser while a cache of so many models is unread, and press keys at once."""
    hub = place.folder / ".cache" / "huggingface" / "hub"
    for number in range(models):
        write_cached(hub, f"owner/model-{number:03}")
    script = place.script("empty", {"text": "Yes."})
    with place.run("--scripted", script) as terminal:
        terminal.wait_bytes(b"ready")
        terminal.wait_quiet(1.5)
        first = terminal.latency(KEYS["f4"], _SHOWN)
        yield Figure(f"chooser of {models} cached models, first frame", first * 1000, "ms", 100)
        yield from _keys(terminal, f"key to paint, {models} models being read")
        terminal.wait_quiet(1.5, timeout=60)
        yield from _keys(terminal, f"key to paint, {models} models read")


def _keys(terminal: Terminal, name: str) -> Iterator[Figure]:
    times = []
    for key in _KEYS:
        times.append(terminal.latency(key_bytes(key)))
        time.sleep(0.02)
    yield Figure(f"{name}, p50", percentile(times, 50) * 1000, "ms", 30, len(times))
    yield Figure(f"{name}, p99", percentile(times, 99) * 1000, "ms", 80, len(times))


def write_cached(hub: Path, name: str) -> None:
    """A model of the hub's cache with the header of a model of 40 layers, its bytes a hole."""
    folder = hub / f"models--{name.replace('/', '--')}"
    snapshot = folder / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("abc")
    (snapshot / "config.json").write_text(json.dumps(_CONFIG))
    entries, end = {}, 0
    for layer in range(40):
        for part in ("self_attn.q_proj", "self_attn.o_proj", "mlp.gate_up_proj", "mlp.down_proj"):
            start, end = end, end + 2 * 64 * 64
            entries[f"model.language_model.layers.{layer}.{part}.weight"] = {
                "dtype": "BF16",
                "shape": [64, 64],
                "data_offsets": [start, end],
            }
    header = json.dumps(entries).encode()
    with (snapshot / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(8 + len(header) + end)


_CONFIG = {
    "model_type": "glm4v",
    "text_config": {
        "hidden_size": 64,
        "num_hidden_layers": 40,
        "intermediate_size": 128,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": 512,
    },
    "vision_config": {
        "depth": 2,
        "hidden_size": 32,
        "num_heads": 2,
        "out_hidden_size": 64,
        "intermediate_size": 64,
        "image_size": 112,
        "patch_size": 14,
    },
}
