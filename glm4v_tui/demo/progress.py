"""How far a training run is: the state that the next run goes on from, and the log."""

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import torch
from tokenizers import Tokenizer
from transformers import Glm4vForConditionalGeneration

from glm4v_tui.demo.model import new_model

_LOG_SECONDS = 10
_SAVE_SECONDS = 60
_MAX_SHARD = "12MB"


class State(TypedDict):
    """What a run starts from besides the weights; `optimizers` is empty at first."""

    step: int
    images: int
    optimizers: list[dict[str, object]]


def load(folder: Path) -> tuple[Glm4vForConditionalGeneration, State]:
    """The float32 model to go on with, and its state.

    A folder with a checkpoint but without `state.pt` starts the optimizers anew; one without either
    starts from random weights.
    """
    torch.manual_seed(0)
    state = State(step=0, images=0, optimizers=[])
    if (folder / "config.json").exists():
        model = Glm4vForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    else:
        model = new_model(Tokenizer.from_file(str(folder / "tokenizer.json")))
    if (folder / "state.pt").exists():
        saved = torch.load(folder / "state.pt", map_location="cpu", weights_only=True)
        model.load_state_dict(saved.pop("model"))
        state = saved
    return model, state


def save(model: Glm4vForConditionalGeneration, state: State, folder: Path) -> None:
    """Write `state.pt` to go on from, and the checkpoint in bfloat16."""
    torch.save({**state, "model": model.state_dict()}, folder / "state.pt")
    half = new_model(Tokenizer.from_file(str(folder / "tokenizer.json")))
    half.load_state_dict(model.state_dict())
    half.to(torch.bfloat16).save_pretrained(folder, max_shard_size=_MAX_SHARD)


@dataclass(slots=True)
class Log:
    """A line now and then; times are `time.monotonic` seconds."""

    begun: float
    first_step: int
    first_image: int
    waited: float = 0.0
    """Seconds in which the device had to wait for the drawing processes."""
    _written: float = 0.0
    _saved: float = 0.0

    def due(self) -> bool:
        """Whether the last line is long enough ago."""
        return time.monotonic() - max(self.begun, self._written) > _LOG_SECONDS

    def saving_due(self) -> bool:
        """Whether the last save is long enough ago; counts as one if so."""
        now = time.monotonic()
        if now - max(self.begun, self._saved) < _SAVE_SECONDS:
            return False
        self._saved = now
        return True

    def write(self, step: int, images: int, loss: float) -> None:
        """Print one line; raise where the loss is no number: broken weights are not saved."""
        self._written = time.monotonic()
        elapsed = self._written - self.begun
        rate = (images - self.first_image) / elapsed
        print(
            f"step {step} {elapsed:.0f} s loss {loss:.4f} {rate:.0f} images/s"
            f" waited {self.waited:.1f} s",
            flush=True,
        )
        if not math.isfinite(loss):
            raise FloatingPointError(f"loss is {loss} at step {step}")
