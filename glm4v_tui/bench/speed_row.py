"""One row of ``bench speed``, in a process of its own: load, answer, print one JSON object.

Usage: ``python -m glm4v_tui.bench.speed_row JSON`` with the fields of :class:`Row`.
"""

from __future__ import annotations

import statistics
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from glm4v_tui.inference.environment import prepare_environment

if TYPE_CHECKING:
    from collections.abc import Callable

GIB = 1 << 30
_FOLLOW_UP = 30
"""Tokens of a second question."""


class Row(msgspec.Struct, frozen=True):
    """What is measured."""

    folder: str
    precision: str
    by: Literal["glm4v-tui", "transformers"] = "glm4v-tui"
    device: Literal["cuda", "cpu"] = "cuda"
    pixels: int = 1120
    text: int = 74
    new: int = 512
    rounds: int = 5
    extra: tuple[str, ...] = ()


def main() -> None:
    """Measure what the command line says; failures are told as a row as well."""
    prepare_environment()
    row = msgspec.json.decode(sys.argv[1], type=Row)
    facts: dict[str, Any] = {
        "precision": row.precision, "by": row.by, "new": row.new, "text": row.text,
        "pixels": row.pixels, "rounds": row.rounds,
    }  # fmt: skip
    try:
        (_ours if row.by == "glm4v-tui" else _theirs)(row, facts)
    except Exception as error:  # noqa: BLE001 - what fails is a result here
        import traceback

        last = traceback.extract_tb(error.__traceback__)[-4:]
        where = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in last[::-1])
        facts["failed"] = f"{type(error).__name__}: {error}"[:500] + f" ({where})"
    sys.stdout.write(msgspec.json.encode(facts).decode() + "\n")


# This program -----------------------------------------------------------------------------------


def _ours(row: Row, facts: dict[str, Any]) -> None:
    import torch

    from glm4v_tui.inference import loading
    from glm4v_tui.inference.decoding import own_loop
    from glm4v_tui.inference.environment import compute_threads
    from glm4v_tui.inference.placement import choose_placement

    torch.set_num_threads(compute_threads(10**10 if row.device == "cuda" else 10**7))
    placement = choose_placement(row.precision, row.device, lambda itemsize: itemsize)
    started = time.monotonic()
    model = loading.load(row.folder, placement, lambda *_: None).model
    facts["load_s"] = round(time.monotonic() - started, 2)
    facts |= _hardware(row)
    writer = own_loop(model)
    if writer is None:
        raise RuntimeError("This model runs on transformers' own loop.")
    started = time.monotonic()
    _Answers(writer, model, row).first()
    _synchronize(row)
    facts["warm_up_s"] = round(time.monotonic() - started, 2)
    _reset_peak(row)
    _Answers(writer, model, row).measure(facts)
    facts["answer_peak_gib"] = _peak(row)
    facts["read_gb_per_token"] = round(writer.read_per_token / 1e9, 3)
    if row.device == "cuda":
        limit = facts["copy_gb_per_s"] / facts["read_gb_per_token"]
        facts["roofline_share"] = round(facts["tokens_per_s"] / limit, 3)
    if "contexts" in row.extra:
        _contexts(writer, model, row, facts)
    if "passes" in row.extra:
        _Answers(writer, model, row).passes(facts)
    if "batch" in row.extra:
        from glm4v_tui.bench.speed_batch import measure_batch

        _reset_peak(row)
        measure_batch(writer, model, row, facts)
        facts["batch_peak_gib"] = _peak(row)


class _Answers:
    """Questions about one image."""

    def __init__(self, writer: Any, model: Any, row: Row) -> None:
        from glm4v_tui.bench.memory_row import inputs

        self._writer, self._row = writer, row
        self._batch = {name: value.cpu() for name, value in inputs(model, row).items()}
        self._prompt = self._of(self._batch["input_ids"])

    def first(self, new: int = 8) -> tuple[float, float, list[int]]:
        """A question that nothing is known of: seconds to the first token, those of the rest."""
        self._writer.forget()
        return self._answer(self._prompt, new)

    def measure(self, facts: dict[str, Any]) -> None:
        row = self._row
        firsts, rests, ids = zip(*(self.first(row.new) for _ in range(row.rounds)), strict=True)
        facts["prompt_tokens"] = self._prompt.tokens
        facts["first_token_s"] = round(statistics.median(firsts), 4)
        facts["tokens_per_s"] = round((row.new - 1) / statistics.median(rests), 1)
        facts["same_each_time"] = len(set(map(tuple, ids))) == 1
        facts["first_tokens"] = ids[0][:6]
        again = [self._answer(self._prompt, 2)[0] for _ in range(row.rounds)]
        facts["again_s"] = round(statistics.median(again), 4)
        facts["follow_up_s"] = round(self._follow_up(), 4)
        facts["bare_tokens_per_s"] = self._bare(row.new)
        facts["sampled_tokens_per_s"] = self._sampled(row.new)

    def _follow_up(self) -> float:
        """A second question after the answer, median over different ones."""
        import torch

        spent = []
        for number in range(self._row.rounds):
            self._answer(self._prompt, 16)
            words = torch.arange(_FOLLOW_UP)[None] + 200 + 40 * number
            spent.append(self._answer(self._of(torch.cat((self._batch["input_ids"], words), 1)), 2))
        return statistics.median(first for first, _, _ in spent)

    def _bare(self, new: int) -> float:
        """The captured step alone, nothing read back: tokens a second."""
        begun = self._writer.begin(self._prompt, new + 8, lambda: False)
        return round(1 / self._each(self._writer.step_alone(begun), new), 1)

    def passes(self, facts: dict[str, Any]) -> None:
        """Passes of several tokens, as for answers that repeat what was said or are forced: how
        many steps each takes. What they save is theirs times the tokens that were right."""
        count = 64
        begun = self._writer.begin(self._prompt, 16 * count, lambda: False)
        step_s = self._each(self._writer.step_alone(begun), count)
        facts["steps_of_passes"] = {
            f"{tokens}": round(
                self._each(self._writer.pass_alone(begun, tokens), count) / step_s, 2
            )
            for tokens in (2, 4, 8)
        }

    def _each(self, act: Callable[[], object], times: int) -> float:
        for _ in range(3):
            act()
        _synchronize(self._row)
        started = time.perf_counter()
        for _ in range(times):
            act()
        _synchronize(self._row)
        return (time.perf_counter() - started) / times

    def _sampled(self, new: int) -> float:
        from glm4v_tui.inference.language.choice import Settings

        settings = Settings(temperature=0.8, top_p=0.6, repetition_penalty=1.1, seed=1)
        return round((new - 1) / self._answer(self._prompt, new, settings)[1], 1)

    def _answer(
        self, prompt: Any, new: int, settings: Any = None
    ) -> tuple[float, float, list[int]]:
        from glm4v_tui.inference.language.choice import Settings

        _synchronize(self._row)
        started = time.perf_counter()
        begun = self._writer.begin(prompt, new, lambda: False)
        made, first = [], 0.0
        for token in self._writer.tokens(
            begun, settings or Settings(), [], new, None, expects=False
        ):
            made.append(token)
            first = first or time.perf_counter() - started
        return first, time.perf_counter() - started - first, made

    def _of(self, ids: Any) -> Any:
        from glm4v_tui.inference.prompt import Prompt

        inputs = {**self._batch, "input_ids": ids}
        return Prompt(inputs, ids.shape[1], 0, opens_thinking=False, keys=("image",))


def _contexts(writer: Any, model: Any, row: Row, facts: dict[str, Any]) -> None:
    """Decode speed at longer contexts, as far as the model's positions go."""
    most = getattr(model.config.get_text_config(), "max_position_embeddings", None) or 1 << 30
    for tokens in (2_000, 8_000, 30_000):
        if tokens + 128 > most:
            return
        text = max(8, tokens - (row.pixels // 28) ** 2)
        long = msgspec.structs.replace(row, text=text, new=128)
        answers = _Answers(writer, model, long)
        first, rest, _ = answers.first(128)
        facts[f"first_token_s_at_{tokens}"] = round(first, 3)
        facts[f"tokens_per_s_at_{tokens}"] = round(127 / rest, 1)


# Plain transformers -----------------------------------------------------------------------------


def _theirs(row: Row, facts: dict[str, Any]) -> None:
    import torch
    from transformers import AutoModelForImageTextToText, BitsAndBytesConfig

    from glm4v_tui.bench.memory_row import inputs
    from glm4v_tui.inference.loading import make_known

    make_known(row.folder)
    quantization = {
        "int8": lambda: BitsAndBytesConfig(load_in_8bit=True),
        "int4": lambda: BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        ),
    }  # fmt: skip
    dtype = torch.float32 if row.precision == "fp32" else torch.bfloat16
    options: dict[str, Any] = {"dtype": dtype, "device_map": {"": row.device}}
    if row.precision in quantization:
        options["quantization_config"] = quantization[row.precision]()
    started = time.monotonic()
    model = AutoModelForImageTextToText.from_pretrained(row.folder, **options).eval()
    facts["load_s"] = round(time.monotonic() - started, 2)
    facts |= _hardware(row)
    batch = inputs(model, row)
    _generate(model, batch, 4, row)
    _reset_peak(row)
    first = statistics.median(_generate(model, batch, 1, row) for _ in range(row.rounds))
    whole = statistics.median(_generate(model, batch, row.new, row) for _ in range(row.rounds))
    facts["prompt_tokens"] = batch["input_ids"].shape[1]
    facts["first_token_s"] = round(first, 4)
    facts["tokens_per_s"] = round((row.new - 1) / (whole - first), 1)
    facts["answer_peak_gib"] = _peak(row)


def _generate(model: Any, batch: dict[str, Any], new: int, row: Row) -> float:
    """Seconds of a greedy answer."""
    import torch

    started = time.perf_counter()
    with torch.inference_mode():
        model.generate(
            **batch, do_sample=False, min_new_tokens=new, max_new_tokens=new, disable_compile=True
        )
    _synchronize(row)
    return time.perf_counter() - started


# Readings ---------------------------------------------------------------------------------------


def _hardware(row: Row) -> dict[str, Any]:
    import torch
    import transformers

    facts: dict[str, Any] = {
        "torch": str(torch.__version__),
        "transformers": transformers.__version__,
    }
    if row.device == "cuda":
        facts["gpu"] = torch.cuda.get_device_name()
        facts["copy_gb_per_s"] = _copy_bandwidth()
    return facts


def _copy_bandwidth() -> float:
    """Bytes read and written by copies of 2 GiB on the GPU, in 1e9 a second; the best of ten."""
    import torch

    source = torch.empty(1 << 30, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    best = _timed(partial(target.copy_, source), 10)
    del source, target
    torch.cuda.empty_cache()
    return round(2 * (1 << 30) / best / 1e9)


def _timed(act: Callable[[], Any], rounds: int) -> float:
    import torch

    spent = []
    for _ in range(rounds):
        torch.cuda.synchronize()
        started = time.perf_counter()
        act()
        torch.cuda.synchronize()
        spent.append(time.perf_counter() - started)
    return min(spent)


def _synchronize(row: Row) -> None:
    if row.device == "cuda":
        import torch

        torch.cuda.synchronize()


def _reset_peak(row: Row) -> None:
    if row.device == "cuda":
        import torch

        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _peak(row: Row) -> float | None:
    if row.device != "cuda":
        return None
    import torch

    return round(torch.cuda.max_memory_allocated() / GIB, 3)


if __name__ == "__main__":
    main()
