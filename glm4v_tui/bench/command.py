"""``glm4v-tui bench``: figures that anybody can reproduce."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any, TextIO

import click

from glm4v_tui.plain import plain_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.decorators import FC


class DefaultSpeed(click.Group):
    """Without the name of a measurement it is ``speed``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ("-h", "--help")):
            args = ["speed", *args]
        return super().parse_args(ctx, args)


_SIDES, _WORDS = click.IntRange(56, 4480), click.IntRange(8, 100_000)
"""Of an image, in pixels; of tokens beside it."""


class Seconds(click.FloatRange):
    """Seconds from 0 on."""

    def __init__(self) -> None:
        super().__init__(min=0)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        seconds: float = super().convert(value, param, ctx)
        if math.isnan(seconds):  # which no comparison finds to be below 0
            self.fail(f"{value!r} is no number of seconds.", param, ctx)
        return seconds


def _time_limit(default: float) -> Callable[[FC], FC]:
    return click.option(
        "--seconds",
        type=Seconds(),
        default=default,
        show_default=True,
        help="Nothing more is begun after them.",
    )


@click.group(cls=DefaultSpeed, context_settings={"help_option_names": ["-h", "--help"]})
def bench() -> None:
    """Measure this program on this machine: how fast a model answers, or what COMMAND says.

    ``glm4v-tui bench [MODEL]`` is ``glm4v-tui bench speed [MODEL]``.
    """


@bench.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--check", is_flag=True, help="Exit with 1 when a limit is not kept.")
@click.option(
    "--only", metavar="WORD", default="", help="Only measurements with WORD in the title."
)
def interface(as_json: bool, check: bool, only: str) -> None:
    """Start, typing, scrolling, pictures: in a real terminal, without a model or a GPU."""
    import msgspec

    from glm4v_tui.bench.figures import table
    from glm4v_tui.bench.interface import measure_interface

    report = measure_interface(_tell, only)
    click.echo(msgspec.json.encode(report).decode() if as_json else table(report))
    if check and not report.is_met:
        sys.exit(1)


@bench.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--check", is_flag=True, help="Exit with 1 when a limit is not kept.")
@click.option(
    "--only", metavar="WORD", default="", help="Only measurements with WORD in the title."
)
def triage(as_json: bool, check: bool, only: str) -> None:
    """A review of 100,000 images: start, keys, memory, a slow line; the model looking ahead."""
    import msgspec

    from glm4v_tui.bench.figures import table
    from glm4v_tui.bench.triage import measure_triage

    report = measure_triage(_tell, only)
    click.echo(msgspec.json.encode(report).decode() if as_json else table(report))
    if check and not report.is_met:
        sys.exit(1)


def _teller(
    out: str | None, worded: Callable[[dict[str, Any]], str] | None = None
) -> Callable[[dict[str, Any]], None]:
    """Tells rows as lines of JSON, in a file as well where one is named.

    Args:
        worded: What is printed in place of JSON.
    """
    import json
    from pathlib import Path

    if out is not None:
        _require_folder(out, "--out")

    def tell(facts: dict[str, Any]) -> None:
        line = json.dumps(facts)
        click.echo(line if worded is None else worded(facts))
        if out is not None:
            with Path(out).open("a", encoding="utf-8") as file:
                file.write(line + "\n")

    return tell


def _require_folder(file: str, named_by: str) -> None:
    """Nothing of a file that can be written where it is to be."""
    from pathlib import Path

    if not Path(file).absolute().parent.is_dir():
        words = f"There is no folder for {plain_line(file)}."
        raise click.BadParameter(words, param_hint=named_by)


def _tell(title: str) -> None:
    click.echo(f"measuring {title} ...", err=True)


def _tell_hundreds(done: int) -> None:
    if done % 100 == 0:
        click.echo(f"{done} done", err=True)


@bench.command()
@click.argument("file", type=click.Path())
def picture(file: str) -> None:
    """Save the picture of the screen that the README shows, an SVG, as FILE."""
    import tempfile
    from pathlib import Path

    from glm4v_tui.bench.picture import save_screen

    _require_folder(file, "FILE")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        save_screen(Path(file).absolute(), home / "plate.png", home)
    click.echo(f"saved {plain_line(file)}", err=True)


@bench.command()
@click.option("--model", default="", metavar="FOLDER_OR_HUB_ID", help="In place of the embedded.")
@click.option("--rounds", type=click.IntRange(min=1), default=15, show_default=True)
def mask(model: str, rounds: int) -> None:
    """What it costs to bind answers to a task's form while they are decoded."""
    from glm4v_tui.bench.figures import Report, table, this_machine
    from glm4v_tui.bench.mask import measure_mask

    machine = this_machine()
    click.echo(table(Report(machine, tuple(measure_mask(model, rounds)))))


@bench.command()
@click.option(
    "--fonts",
    type=click.Path(exists=True),
    help="Folder of fonts that training never used; else Pillow's own.",
)
@click.option("--task", "names", multiple=True, help="Only this one; may be repeated.")
@click.option("--images", type=click.IntRange(min=1), default=100, show_default=True)
@click.option("--first", type=click.IntRange(min=0), default=0, help="Number of the first image.")
@click.option("--random", "is_random", is_flag=True, help="Draw tokens at a temperature of 1.5.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a task.")
def tasks(
    fonts: str | None,
    names: tuple[str, ...],
    images: int,
    first: int,
    is_random: bool,
    as_json: bool,
) -> None:
    """How many results of the bundled tasks are right, on the embedded model; on the CPU."""
    import tempfile
    from pathlib import Path

    import msgspec

    from glm4v_tui.bench.task_scenes import SCENES
    from glm4v_tui.bench.tasks import measure_task, table

    if unknown := set(names) - SCENES.keys():
        raise click.BadParameter(f"{', '.join(unknown)}; known: {', '.join(SCENES)}")
    _require_fonts(fonts)
    for name in names or SCENES:
        _tell(f"{name}, {images} images")
        with tempfile.TemporaryDirectory() as folder:
            tally = measure_task(
                *(name, images, Path(fonts) if fonts else None, Path(folder)),
                is_random=is_random,
                first_seed=first,
                tell=_tell_hundreds,
            )
        click.echo(msgspec.json.encode(tally).decode() if as_json else table(tally))


def _require_fonts(folder: str | None) -> None:
    from pathlib import Path

    from glm4v_tui.demo.scenes.canvas import fonts_in

    if folder is not None:
        try:
            fonts_in(Path(folder))
        except ValueError as error:
            raise click.BadParameter(f"{plain_line(str(error))}.", param_hint="--fonts") from None


@bench.command()
@click.option("--images", type=click.IntRange(min=1), default=200, show_default=True)
@click.option("--first", type=click.IntRange(min=0), default=0, help="Number of the first image.")
@click.option("--spoiled", "is_spoiled", is_flag=True, help="Blurred, dim and noisy images.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def calibration(images: int, first: int, is_spoiled: bool, as_json: bool) -> None:
    """Whether the embedded model is as sure as it is right; what looking at the unsure gains."""
    import tempfile
    from pathlib import Path

    import msgspec

    from glm4v_tui.bench.calibration import measure_calibration, table

    _tell(f"{images} images")
    with tempfile.TemporaryDirectory() as folder:
        found = measure_calibration(
            images, Path(folder), first=first, is_spoiled=is_spoiled, tell=_tell_hundreds
        )
    click.echo(msgspec.json.encode(found).decode() if as_json else table(found))


@bench.command()
@click.option("--shape", "shapes", multiple=True, help="Only this one; may be repeated.")
@click.option(
    "--row", "rows", multiple=True, help='Only this one: "int4", "int4-compact streamed".'
)
@click.option(
    "--saved", multiple=True, default=("int4",), help="Keep and reload at this precision."
)
@click.option(
    "--card", type=float, metavar="GIB", help="Run every row as on such a card; 0 for no cap."
)
@click.option("--device", type=click.Choice(["cuda", "cpu"]), default="cuda", show_default=True)
@click.option("--pixels", type=_SIDES, default=1120, show_default=True, help="Side of the image.")
@click.option(
    "--text", type=_WORDS, default=1000, show_default=True, help="Tokens beside the image."
)
@click.option("--new", type=click.IntRange(min=2), default=128, show_default=True)
@click.option("--folder", type=click.Path(), default="", help="Where weights are made.")
@click.option("--keep-folder", is_flag=True, help="Leave them there for the next time.")
@_time_limit(480)
@click.option("--out", type=click.Path(), help="Write the rows here, too, as they come.")
def memory(out: str | None, shapes: tuple[str, ...], **wanted: Any) -> None:
    """What every precision takes of a GPU, on random weights of the true shapes."""
    from glm4v_tui.bench.memory import CARDS, Wishes, measure_memory

    measure_memory(Wishes(shapes or tuple(CARDS), **wanted), _teller(out))


@bench.command()
@click.argument("model", default="")
@click.option(
    "--precision", "precisions", multiple=True, metavar="NAME", help="Only this; may be repeated."
)
@click.option(
    "--vs-transformers", is_flag=True, help="Plain transformers beside it: 64 tokens, 2 rounds."
)
@click.option("--device", type=click.Choice(["auto", "cuda", "cpu"]), default="auto")
@click.option(
    "--pixels",
    type=_SIDES,
    default=1120,
    show_default=True,
    help="Side of the image; 280 with the embedded model.",
)
@click.option(
    "--text",
    type=_WORDS,
    default=74,
    show_default=True,
    help="Tokens beside the image.",
)
@click.option(
    "--new",
    type=click.IntRange(min=2),
    default=512,
    show_default=True,
    help="Tokens of an answer; at most 128 with the embedded model.",
)
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True)
@_time_limit(480)
@click.option(
    "--extra",
    multiple=True,
    type=click.Choice(["contexts", "passes", "batch", "worker"]),
    help="More of it; worker: as the chat gets it, of the bare step's speed.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line.")
@click.option("--out", type=click.Path(), help="Write the JSON lines here, too, as they come.")
def speed(out: str | None, as_json: bool, **wanted: Any) -> None:
    """Seconds to the first token, tokens a second, follow-ups, at each precision.

    MODEL is a folder, or a shape of random weights (glm-4.1v, glm-4v-9b); the embedded model if it
    is left out.
    """
    from glm4v_tui.bench.speed import SpeedWishes, measure_speed
    from glm4v_tui.bench.speed_table import speed_line
    from glm4v_tui.precision import all_precisions

    known = ("auto", *all_precisions())
    if unknown := set(wanted["precisions"]).difference(known):
        raise click.BadParameter(
            f"{', '.join(unknown)}; known: {', '.join(known)}", param_hint="--precision"
        )
    tell = _teller(out, None if as_json else speed_line)
    failed: list[str] = []

    def tell_and_count(facts: dict[str, Any]) -> None:
        failed.extend({"failed", "worker_failed"} & facts.keys())
        tell(facts)

    measure_speed(SpeedWishes(**wanted), tell_and_count)
    if failed:
        sys.exit(1)


@bench.command()
@click.argument("rows", type=click.File(encoding="utf-8"))
def forecast(rows: TextIO) -> None:
    """The memory plan's forecasts beside ROWS, a file that ``bench memory --out`` wrote, and the
    rows as tables."""
    from glm4v_tui.bench.forecast import compare, table
    from glm4v_tui.bench.memory_table import measured_table

    lines = rows.readlines()
    click.echo(f"{table(compare(lines))}\n\n{measured_table(lines)}")


@bench.command()
@_time_limit(240)
def kernels(seconds: float) -> None:
    """The GPU kernels of a decode step, one JSON object a line; then their sum for a token."""
    import json

    from glm4v_tui.inference.measuring.kernels import measure_kernels

    measure_kernels(lambda row: click.echo(json.dumps(row)), seconds)


@bench.command()
def ladder() -> None:
    """Whether questions are answered when a GPU's memory runs out; a line of JSON each."""
    import json

    from glm4v_tui.bench.ladder import measure_ladder

    all_ok = True

    def tell(facts: dict[str, Any]) -> None:
        nonlocal all_ok
        all_ok = all_ok and facts["ok"]
        click.echo(json.dumps(facts))

    measure_ladder(tell)
    if not all_ok:
        sys.exit(1)
