"""``glm4v-tui bench``: figures that anybody can reproduce."""

from __future__ import annotations

import sys

import click


@click.group()
def bench() -> None:
    """Measure this program on this machine."""


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


def _tell(title: str) -> None:
    click.echo(f"measuring {title} ...", err=True)


@bench.command()
@click.argument("file", type=click.Path())
def picture(file: str) -> None:
    """Save the picture of the screen that the README shows."""
    import tempfile
    from pathlib import Path

    from glm4v_tui.bench.picture import save_screen

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        save_screen(Path(file).absolute(), home / "plate.png", home)
