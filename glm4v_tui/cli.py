"""The commands. Each imports what it needs when it runs, so that ``--help`` is instant."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from glm4v_tui import __version__
from glm4v_tui.errors import GlmError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

_PRECISIONS = ("auto", "bf16", "fp32")
_DEVICES = ("auto", "cuda", "cpu")


class DefaultChat(click.Group):
    """``glm4v-tui [PATH ...]`` is the chat; a first word that names a command is that command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = {"--help", "--version"}
        words = [arg for arg in args if not arg.startswith("-")]
        if not (words and args[0] == words[0] and words[0] in self.commands) and not (
            own & set(args[:1])
        ):
            args = ["chat", *args]
        return super().parse_args(ctx, args)


def _model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    options = [
        click.option("--model", metavar="FOLDER_OR_HUB_ID", help="The checkpoint to load."),
        click.option(
            "--precision", type=click.Choice(_PRECISIONS), help="Number format of weights."
        ),
        click.option("--device", type=click.Choice(_DEVICES), help="Where the model runs."),
        click.option("--debug", is_flag=True, help="Show tracebacks of failures."),
        click.option("--scripted", type=click.Path(), hidden=True),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.group(cls=DefaultChat, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="glm4v-tui")
def cli() -> None:
    """Look at images with a vision-language model of your own.

    \b
    glm4v-tui [PATH ...]   opens the chat; images named are attached,
                           a folder opens the file picker there
                           (glm4v-tui chat --help lists its options)
    """


@cli.command("chat")
@click.argument("paths", nargs=-1, type=click.Path(), metavar="[PATH ...]")
@_model_options
@click.option("--theme", help="A shipped theme or one of your own.")
@click.option(
    "--images", type=click.Choice(["half", "sixel", "kitty", "off"]), help="How pictures are drawn."
)
@click.option("--low-bandwidth", is_flag=True, help="Smaller and coarser pictures.")
@click.option("--plain", is_flag=True, help="No screen: append-only text, for screen readers.")
def chat_command(**options: Any) -> None:
    """Open the chat screen (what happens without a command)."""
    from glm4v_tui.commands import chat

    sys.exit(chat.run(chat.ChatOptions(**options)))


@cli.command("ask")
@click.argument("paths", nargs=-1, required=True, type=click.Path(), metavar="PATH ...")
@click.option("-q", "--question", help="What to ask about the images.")
@click.option("--task", metavar="NAME", help="Ask what a task asks; the result is typed.")
@click.option("--crop", metavar="L,T,R,B", help="Ask about this part, in pixels of the image.")
@click.option("--export", metavar="[FORMAT:]FILE", help="Also write the task's result there.")
@_model_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--greedy", is_flag=True, help="Always take the most probable token.")
@click.option("--temperature", type=click.FloatRange(0, 100))
@click.option("--top-p", type=click.FloatRange(min=0, max=1, min_open=True))
@click.option("--max-new-tokens", type=click.IntRange(min=1))
@click.option("--seed", type=click.IntRange(0, 2**63 - 1))
def ask_command(**options: Any) -> None:
    """Ask one question about images; the answer goes to standard output."""
    from glm4v_tui.commands import ask

    sys.exit(ask.run(ask.AskOptions(**options)))


@cli.command("tasks")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def tasks_command(as_json: bool) -> None:
    """List the tasks that can be asked for."""
    from glm4v_tui.commands import tasks

    sys.exit(tasks.run(as_json=as_json))


@cli.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--model", metavar="FOLDER_OR_HUB_ID", help="Check this checkpoint.")
def doctor_command(as_json: bool, model: str | None) -> None:
    """Check terminal, packages, GPU, model and settings; every finding with its remedy."""
    from glm4v_tui.commands import doctor

    sys.exit(doctor.run(as_json=as_json, model=model))


@cli.command("bench", context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def bench_command(arguments: tuple[str, ...]) -> None:
    """Measure this program on this machine."""
    from glm4v_tui.bench.command import bench

    bench.main(list(arguments), prog_name="glm4v-tui bench", standalone_mode=False)


def main() -> NoReturn:
    """Run a command; end with its exit code. Errors are title, reason and remedy."""
    try:
        cli.main(standalone_mode=False)
    except GlmError as error:
        _report(error)
        sys.exit(error.exit_code)
    except click.exceptions.Exit as leaving:
        sys.exit(leaving.exit_code)
    except click.Abort:
        sys.exit(130)
    except click.ClickException as error:
        _report(
            UsageError("The command cannot be understood", error.format_message(), _hint(error))
        )
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 - the last stop: no traceback reaches the user
        _report_defect(error)
        sys.exit(1)
    sys.exit(0)


def _hint(error: click.ClickException) -> str:
    ctx = getattr(error, "ctx", None)
    return f"See {ctx.command_path} --help." if ctx else ""


def _report(error: GlmError) -> None:
    if "--debug" in sys.argv:
        _print_traceback()
    click.echo(str(error), err=True)


def _report_defect(error: Exception) -> None:
    if "--debug" in sys.argv:
        _print_traceback()
    click.echo(
        "The program met a defect of its own and had to stop\n"
        f"{type(error).__name__}: {error}\n"
        "Start it with --debug to see where, and please report it.",
        err=True,
    )


def _print_traceback() -> None:
    import traceback

    traceback.print_exc()
