"""Train the demo model: `python -m glm4v_tui.demo.train --out DIR --fonts DIR`.

One process trains on one GPU (or, slowly, on the CPU); on N GPUs start it with
`torchrun --nproc-per-node N -m glm4v_tui.demo.train`. A run lasts `--seconds`, leaves `state.pt`
and the checkpoint in DIR, and the next run with the same DIR goes on from there. Give the last run
`--decay`: its learning rate falls to zero.
"""

import argparse
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader

from glm4v_tui.demo.batches import GRIDS, IGNORED, LENGTH, Batch, Batches
from glm4v_tui.demo.distort import distort
from glm4v_tui.demo.examples import make_example, make_pair
from glm4v_tui.demo.fast import FastModel
from glm4v_tui.demo.optimizer import optimizers
from glm4v_tui.demo.processes import Place, join
from glm4v_tui.demo.progress import Log, State, load, save
from glm4v_tui.demo.scenes.canvas import looks
from glm4v_tui.demo.tokenizer import CELL, train_tokenizer, turn_text, write_processor

_WARMUP_STEPS = 100
_TRAINING_SEEDS = 1_000_000_000
"""Training examples have seeds from here on; evaluation examples have smaller ones."""
_SEEDS_A_PROCESS = 10_000_000_000
_CLOCK_STEPS = 10
"""The processes agree on the time once in so many steps."""


def main() -> None:
    """Parse the command line and train."""
    begun = time.monotonic()
    options = _parser().parse_args()
    place = join()
    if place.leads:
        _prepare(options.out, options.fonts)
    place.wait()
    model, state = load(options.out)
    fast = FastModel(model.to(place.device), place.device.type == "cuda" and not options.eager)
    torch.manual_seed(place.rank + 1)
    stream = _stream(options, place, state)
    if fast.compiled:
        _warm_up(fast, options.batch, place)
    state = _train(fast, stream, state, begun, options, place)
    if place.leads:
        save(model, state, options.out)
    place.leave()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":")[0])
    add = parser.add_argument
    add("--out", type=Path, required=True, help="checkpoint folder, made or continued")
    add("--fonts", type=Path, required=True, help="folder of .ttf and .otf files")
    add("--seconds", type=float, default=600, help="how long the whole run may take")
    add("--decay", action="store_true", help="let the learning rate fall to zero in this run")
    add("--batch", type=int, default=256, help="sequences a step and process")
    spare = max(1, (os.cpu_count() or 1) - 1)
    add("--workers", type=int, default=spare, help="drawing processes of each process")
    add("--first-image", type=int, default=0, help="images to leave out, where state.pt is lost")
    add("--eager", action="store_true", help="do not compile")
    return parser


def _prepare(out: Path, fonts: Path) -> None:
    """Write the tokenizer and the processor files, unless the folder has them."""
    if (out / "tokenizer.json").exists():
        return
    look = looks(fonts)[0]
    examples = [make_example(_TRAINING_SEEDS + i, look, 280, 280) for i in range(6000)]
    examples += [make_pair(_TRAINING_SEEDS + i, look, 280, 280) for i in range(600)]
    texts = [turn_text(t.question, t.answer, first=False) for e in examples for t in e.turns]
    random.Random(0).shuffle(texts)
    write_processor(train_tokenizer(texts), out)


def _stream(options: argparse.Namespace, place: Place, state: State) -> Iterator[Batch]:
    seen = state["images"] + options.first_image
    data = Batches(
        options.out / "tokenizer.json",
        options.fonts,
        options.batch,
        _TRAINING_SEEDS + seen * 2 + place.rank * _SEEDS_A_PROCESS,
    )
    return iter(
        DataLoader(
            data,
            batch_size=None,
            num_workers=options.workers,
            prefetch_factor=2,
            pin_memory=place.device.type == "cuda",
            multiprocessing_context="forkserver",
        )
    )


def _warm_up(fast: FastModel, rows: int, place: Place) -> None:
    """Compile for every area of grid, while the drawing processes start."""
    areas = {height * width: (height, width) for height, width in GRIDS}
    for height, width in areas.values():
        ids = torch.zeros(rows, LENGTH, dtype=torch.long)
        batch = Batch(
            pixels=torch.zeros(rows, height * CELL, width * CELL, 3, dtype=torch.uint8),
            ids=ids,
            labels=ids,
            positions=torch.zeros(3, *ids.shape, dtype=torch.long),
            image_index=torch.arange(rows * height * width),
            grid=(height, width),
            turns=(),
        )
        torch.autograd.backward(_loss(fast, batch, place))
    fast.zero_grad(set_to_none=True)


def _train(
    fast: FastModel,
    stream: Iterator[Batch],
    state: State,
    begun: float,
    options: argparse.Namespace,
    place: Place,
) -> State:
    """Steps until the time since `begun` is over; returns the state to go on from."""
    optims = optimizers(fast.model)
    peaks = [optim.param_groups[0]["lr"] for optim in optims]
    for optim, saved in zip(optims, state["optimizers"], strict=False):
        optim.load_state_dict(saved)
    step, images, fresh = state["step"], state["images"], not state["optimizers"]
    log = Log(begun, step, images)
    done = 0.0
    while True:
        trained = step - log.first_step
        if trained % _CLOCK_STEPS == 0:
            done = place.agree((time.monotonic() - begun) / options.seconds)
        if done >= 1:
            return _state(step, images, optims)
        factor = min(1.0, (trained + 1) / _WARMUP_STEPS) if fresh else 1.0
        for optim, peak in zip(optims, peaks, strict=True):
            optim.param_groups[0]["lr"] = peak * factor * (1 - done if options.decay else 1.0)
        asked = time.monotonic()
        batch = next(stream)
        log.waited += time.monotonic() - asked
        loss = _step(fast, batch, optims, place)
        step += 1
        images += len(batch.pixels) * place.count
        if place.leads and log.due():
            log.write(step, images, loss.item())
            if log.saving_due():
                save(fast.model, _state(step, images, optims), options.out)


def _state(step: int, images: int, optims: list[torch.optim.Optimizer]) -> State:
    return State(step=step, images=images, optimizers=[o.state_dict() for o in optims])


def _step(
    fast: FastModel, batch: Batch, optims: list[torch.optim.Optimizer], place: Place
) -> Tensor:
    """One update; returns the loss before it."""
    loss = _loss(fast, batch, place)
    torch.autograd.backward(loss)
    params = [p for p in fast.parameters() if p.grad is not None]
    place.average_gradients(params)
    torch.nn.utils.clip_grad_norm_(params, 1.0)
    for optim in optims:
        optim.step()
        optim.zero_grad(set_to_none=True)
    return loss.detach()


def _loss(fast: FastModel, batch: Batch, place: Place) -> Tensor:
    """Mean cross-entropy of the answers' tokens, on distorted images."""
    pixels, ids, labels, positions, index = (
        t.to(place.device, non_blocking=True)
        for t in (batch.pixels, batch.ids, batch.labels, batch.positions, batch.image_index)
    )
    with torch.autocast(place.device.type, torch.bfloat16):
        logits = fast(distort(pixels), ids, positions, index, batch.grid)
    predicted = logits[:, :-1].float().flatten(0, 1)
    return functional.cross_entropy(predicted, labels[:, 1:].flatten(), ignore_index=IGNORED)


if __name__ == "__main__":
    main()
