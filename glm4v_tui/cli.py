"""The commands. Each imports what it needs when it runs, so that ``--help`` is instant."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from glm4v_tui import __version__
from glm4v_tui.errors import GlmError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

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
            "--precision",
            metavar="NAME",
            help="How weights are kept: auto, fp32, bf16, fp16, int8, mixed, int4, int4-compact, "
            "or one of config.toml's own.",
        ),
        click.option("--device", type=click.Choice(_DEVICES), help="Where the model runs."),
        click.option(
            "--engine",
            metavar="NAME[,NAME]",
            help="Ask a server of config.toml's [engines.NAME] instead; several share the work.",
        ),
        click.option(
            "--send-images",
            type=click.Choice(["ask", "allow", "never"]),
            help="Whether images may go to a server that is not this machine.",
        ),
        click.option("--debug", is_flag=True, help="Show tracebacks of failures."),
        click.option("--scripted", type=click.Path(), hidden=True),
    ]
    for option in reversed(options):
        command = option(command)
    return command


_smaller_images = click.option(
    "--smaller-images",
    type=click.Choice(["always", "never"]),
    help="Read images smaller when the memory does not suffice for them.",
)


def _stored_model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Whose results, where nothing is loaded."""
    for option in (
        click.option("--debug", is_flag=True, help="Show tracebacks of failures."),
        click.option("--device", type=click.Choice(_DEVICES), help="Where the model ran."),
        click.option("--precision", metavar="NAME", help="In which it ran."),
        click.option("--engine", metavar="NAME", help="Whose results, of config.toml's engines."),
        click.option("--model", metavar="FOLDER_OR_HUB_ID", help="Whose results are exported."),
    ):
        command = option(command)
    return command


def _task_options(what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """``--option NAME=VALUE``, as often as wanted."""
    words = f"{what}; may be repeated."
    return click.option("--option", "options", metavar="NAME=VALUE", multiple=True, help=words)


@click.group(cls=DefaultChat, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="glm4v-tui")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Look at images with a vision-language model of your own.

    \b
    glm4v-tui [PATH ...]   opens the chat; images named are attached,
                           a folder opens the file picker there
                           (glm4v-tui chat --help lists its options)
    """
    if ctx.invoked_subcommand not in ("chat", "triage"):
        gc.enable()  # these do so when their first screen is there


@cli.command("chat")
@click.argument("paths", nargs=-1, type=click.Path(), metavar="[PATH ...]")
@_model_options
@click.option("--theme", help="A shipped theme or one of your own.")
@click.option(
    "--images", type=click.Choice(["half", "sixel", "kitty", "off"]), help="How pictures are drawn."
)
@click.option("--low-bandwidth", is_flag=True, help="Smaller and coarser pictures.")
@click.option("--resume", is_flag=True, help="Go on with the last chat.")
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
@_task_options("Set an option of the task")
@click.option("--export", metavar="[FORMAT:]FILE", help="Also write the task's result there.")
@_model_options
@_smaller_images
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


@cli.command("triage")
@click.argument("paths", nargs=-1, required=True, type=click.Path(), metavar="PATH ...")
@click.option("--task", metavar="NAME", required=True, help="What the model is asked.")
@click.option("-r", "--recursive", is_flag=True, help="Look into folders below, too.")
@click.option(
    "--order",
    type=click.Choice(["name", "uncertain", "label"]),
    default="name",
    help="uncertain: those first that the model is least sure of.",
)
@_task_options("Set an option of the task")
@click.option(
    "--auto-above",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="P",
    help="Give labels that are at least this probable automatically, marked as such.",
)
@click.option(
    "--resume",
    is_flag=True,
    expose_value=False,
    help="Go on where it was left; it always does.",
)
@click.option("--keys", type=click.Choice(["prodigy", "lightroom"]), help="The preset of keys.")
@click.option("--reviewer", metavar="NAME", help="Who decides; the user's name by default.")
@_model_options
@click.option("--theme", help="A shipped theme or one of your own.")
@click.option(
    "--images", type=click.Choice(["half", "sixel", "kitty", "off"]), help="How pictures are drawn."
)
@click.option("--low-bandwidth", is_flag=True, help="Smaller and coarser pictures.")
def triage_command(**options: Any) -> None:
    """Review many images, a key for each; the model looks ahead, every verdict is kept at once.

    Started again, it goes on where it was.
    """
    from glm4v_tui.commands import triage

    sys.exit(triage.run(triage.TriageOptions(**options)))


@cli.command("batch")
@click.argument("paths", nargs=-1, required=True, type=click.Path(), metavar="PATH ...")
@click.option("--task", metavar="NAME", required=True, help="What is asked about each image.")
@click.option(
    "-o", "--output", metavar="FILE", required=True, help="Gets a line of JSON each; - is stdout."
)
@click.option("--resume", is_flag=True, help="Go on with FILE: failed and new images only.")
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@click.option(
    "--on-error",
    type=click.Choice(["skip", "stop"]),
    default="skip",
    show_default=True,
    help="After an image that fails: go on, or end.",
)
@click.option("--recursive", is_flag=True, help="Also images in folders below.")
@_task_options("Set an option of the task")
@click.option("--labels-only", is_flag=True, help="Only how probable each label is; faster.")
@click.option("--quiet", is_flag=True, help="No progress; errors are still told.")
@_model_options
@_smaller_images
def batch_command(**options: Any) -> None:
    """Ask a task's question about many images; what is known already is not asked again.

    A line is whole or absent, however the run ends. Exit code 0: every image has its result;
    else that of the first failure (3 image, 4 model, 5 task), or 130 after Ctrl+C.
    """
    from glm4v_tui.commands import batch

    sys.exit(batch.run(batch.BatchOptions(**options)))


@cli.command("export")
@click.argument("paths", nargs=-1, required=True, type=click.Path(), metavar="PATH ...")
@click.option("--task", metavar="NAME", required=True, help="Whose verdicts.")
@click.option(
    "--format",
    "format",
    metavar="FORMAT",
    required=True,
    help="jsonl, csv, xmp, folders, or what a plugin brings (coco).",
)
@click.option("-o", "--out", metavar="FILE", help="Where to; else to standard output.")
@click.option("-r", "--recursive", is_flag=True, help="Look into folders below, too.")
@click.option("--all", "is_all", is_flag=True, help="Also images without a verdict.")
@click.option("--reviewer", metavar="NAME", help="Whose verdicts alone; everybody's by default.")
@click.option("--history", is_flag=True, help="jsonl, csv: every event, also what was taken back.")
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@click.option("--copy", "copies", is_flag=True, help="folders: copy the files, do not link them.")
@click.option(
    "--rate",
    "rates",
    metavar="LABEL=VALUE",
    multiple=True,
    help="xmp: how a label is rated: -1 to 5, pick, reject; may be repeated.",
)
@click.option("--adobe-names", is_flag=True, help="xmp: photo.xmp in place of photo.jpg.xmp.")
@_task_options("The option of the task that results were asked with")
@_stored_model_options
def export_command(**options: Any) -> None:
    """Write the verdicts on images for other programs.

    \b
    jsonl, csv   one line for each image and reviewer
    coco         boxes of the results
    xmp          a sidecar beside each image: keyword TASK:LABEL, rating, pick
    folders      links to the images (or copies) in a folder for each label

    coco, xmp and folders have one label an image: where reviewers disagree, name one.
    """
    from glm4v_tui.commands import export

    sys.exit(export.run(export.ExportOptions(**options)))


@cli.command("tasks")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def tasks_command(as_json: bool) -> None:
    """List the tasks that can be asked for."""
    from glm4v_tui.commands import tasks

    sys.exit(tasks.run(as_json=as_json))


@cli.command("engines")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def engines_command(as_json: bool) -> None:
    """List the servers of config.toml's [engines.NAME], and whether each can be asked.

    Each says what it is, its models and how long its context is. Nothing is sent to them. Exit
    code 0 when all can be asked, else 4.
    """
    from glm4v_tui.commands import engines

    sys.exit(engines.run(as_json=as_json))


@cli.command("sent")
@click.argument("paths", nargs=-1, type=click.Path(), metavar="[FILE ...]")
@click.option("--forget", metavar="HOST", help="Ask again before an image goes there.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def sent_command(paths: tuple[str, ...], forget: str | None, as_json: bool) -> None:
    """List which images were sent to other hosts: when, to which model, and their hashes.

    With FILEs: only what was sent of them.
    """
    from glm4v_tui.commands import sent

    sys.exit(sent.forget(forget) if forget else sent.run(paths, as_json=as_json))


@cli.group("chats", invoke_without_command=True)
@click.pass_context
def chats_group(ctx: click.Context) -> None:
    """List the chats that were kept; search, show, rename, delete and export them.

    glm4v-tui --resume goes on with the last one; Ctrl+L in the chat opens any.
    """
    if ctx.invoked_subcommand is None:
        from glm4v_tui.commands import chats

        sys.exit(chats.list_chats(deleted=False, as_json=False))


@chats_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--deleted", is_flag=True, help="Those that can still be restored.")
def chats_list_command(as_json: bool, deleted: bool) -> None:
    """List the chats, newest first."""
    from glm4v_tui.commands import chats

    sys.exit(chats.list_chats(deleted=deleted, as_json=as_json))


@chats_group.command("search")
@click.argument("words", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def chats_search_command(words: tuple[str, ...], as_json: bool) -> None:
    """Find what was said: questions, answers, names of images and titles."""
    from glm4v_tui.commands import chats

    sys.exit(chats.search(" ".join(words), as_json=as_json))


@chats_group.command("show")
@click.argument("number", type=int)
def chats_show_command(number: int) -> None:
    """Print a chat."""
    from glm4v_tui.commands import chats

    sys.exit(chats.show(number))


@chats_group.command("rename")
@click.argument("number", type=int)
@click.argument("title")
def chats_rename_command(number: int, title: str) -> None:
    """Give a chat another title."""
    from glm4v_tui.commands import chats

    sys.exit(chats.rename(number, title))


@chats_group.command("delete")
@click.argument("numbers", nargs=-1, required=True, type=int, metavar="NUMBER ...")
@click.option("--now", is_flag=True, help="For good; there is no way back.")
def chats_delete_command(numbers: tuple[int, ...], now: bool) -> None:
    """Delete chats; for seven days they can be restored."""
    from glm4v_tui.commands import chats

    sys.exit(chats.delete(numbers, now=now))


@chats_group.command("restore")
@click.argument("numbers", nargs=-1, required=True, type=int, metavar="NUMBER ...")
def chats_restore_command(numbers: tuple[int, ...]) -> None:
    """Bring deleted chats back."""
    from glm4v_tui.commands import chats

    sys.exit(chats.restore(numbers))


@chats_group.command("export")
@click.argument("numbers", nargs=-1, type=int, metavar="[NUMBER ...]")
@click.option("--format", "form", type=click.Choice(["markdown", "html", "jsonl"]))
@click.option("-o", "--output", metavar="FILE", help="Markdown puts its images beside it.")
@click.option("--force", is_flag=True, help="Overwrite FILE.")
def chats_export_command(
    numbers: tuple[int, ...], form: str | None, output: str | None, force: bool
) -> None:
    """Write chats to a file; all of them when none is named.

    The format is --format, or the suffix of FILE: .md, .html, .jsonl.
    """
    from glm4v_tui.commands import chats_export

    sys.exit(chats_export.export(numbers, form, output, force=force))


@cli.group("plugin", invoke_without_command=True)
@click.pass_context
def plugin_group(ctx: click.Context) -> None:
    """List, install, remove, check and begin plugins."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@plugin_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def plugin_list_command(as_json: bool) -> None:
    """Say what every plugin brings, and what is wrong with it."""
    from glm4v_tui.commands.plugin import inventory

    sys.exit(inventory.run(as_json=as_json))


@plugin_group.command("new")
@click.argument("name")
@click.option("--dir", "folder", metavar="FOLDER", help="Where to write it.")
@click.option("--toml", "as_toml", is_flag=True, help="One task file, without Python.")
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
def plugin_new_command(**options: Any) -> None:
    """Begin a plugin: a small distribution that works, with its test.

    With --toml: one task file, in the tasks folder unless --dir names another.
    """
    from glm4v_tui.commands.plugin import new

    sys.exit(new.run(new.NewOptions(**options)))


@plugin_group.command("check")
@click.argument("plugin", metavar="PATH_OR_NAME")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--limit", "limit_s", type=click.FloatRange(min=0.1, max=600), default=30.0)
def plugin_check_command(plugin: str, as_json: bool, limit_s: float) -> None:
    """Say all that is wrong with a project's folder, a task file or an installed plugin.

    Its code runs in a process of its own, for --limit seconds at most. Exit code 0: fit; 5: not.
    """
    from glm4v_tui.commands.plugin import check

    sys.exit(check.run(plugin, as_json=as_json, limit_s=limit_s))


@plugin_group.command("install")
@click.argument("specs", nargs=-1, metavar="[SPEC ...]")
@click.option("-e", "--editable", multiple=True, metavar="FOLDER", help="Changes in it count.")
@click.option("-U", "--upgrade", is_flag=True, help="Take newer versions where there are some.")
@click.option("--remembered", is_flag=True, help="What was installed here before and is missing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def plugin_install_command(**options: Any) -> None:
    """Install plugins into this environment, by its own installer (pip or uv).

    SPEC is what pip takes: a name, NAME==VERSION, a folder, a wheel, git+https://...
    """
    from glm4v_tui.commands.plugin import install

    sys.exit(install.run(install.InstallOptions(**options)))


@plugin_group.command("uninstall")
@click.argument("names", nargs=-1, required=True, metavar="NAME ...")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def plugin_uninstall_command(names: tuple[str, ...], yes: bool) -> None:
    """Remove plugins and forget them."""
    from glm4v_tui.commands.plugin import uninstall

    sys.exit(uninstall.run(names, yes=yes))


@cli.group("model", invoke_without_command=True)
@click.pass_context
def model_group(ctx: click.Context) -> None:
    """Fetch models from the hub; list, check and remove those of this host."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@model_group.command("pull")
@click.argument("model", metavar="HUB_ID[@REVISION]")
def model_pull_command(model: str) -> None:
    """Download a model, or go on with a download.

    It comes into the hub's cache: only what this program needs; every file is checked. Its folder
    goes to standard output.
    """
    from glm4v_tui.commands.model import pull

    sys.exit(pull.run(model))


@model_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def model_list_command(as_json: bool) -> None:
    """List the models in the cache.

    Their sizes, whether they are whole, which precisions fit this machine, and the quantized
    weights that were kept of them.
    """
    from glm4v_tui.commands.model import inventory

    sys.exit(inventory.run(as_json=as_json))


@model_group.command("verify")
@click.argument("model", metavar="HUB_ID[@REVISION]|FOLDER")
@click.option("--mend", is_flag=True, help="Fetch again what is damaged or missing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def model_verify_command(model: str, as_json: bool, mend: bool) -> None:
    """Check every file of a model.

    Each is read whole and held against its checksum. Exit code 0 when all is well, else 4.
    """
    from glm4v_tui.commands.model import verify

    sys.exit(verify.run(model, as_json=as_json, mend=mend))


@model_group.command("remove")
@click.argument("model", metavar="HUB_ID[@REVISION]|FOLDER")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--saved-only", is_flag=True, help="Only the quantized weights kept of it.")
def model_remove_command(model: str, yes: bool, saved_only: bool) -> None:
    """Delete a model from the cache.

    The quantized weights that were kept of it can go, too. Of a FOLDER of yours only these
    weights go; the folder stays.
    """
    from glm4v_tui.commands.model import remove

    sys.exit(remove.run(model, yes=yes, saved_only=saved_only))


@cli.command("plan")
@click.argument("model", metavar="FOLDER_OR_HUB_ID")
@click.option("--image", default="1120x1120", metavar="WxH", help="Size of the image, in pixels.")
@click.option("--context", type=click.IntRange(min=1), help="Tokens of prompt and answer.")
@click.option(
    "--gpu-memory",
    type=click.FloatRange(min=0, min_open=True, max=4096),
    metavar="GiB",
    help="Plan for a GPU with this much free memory.",
)
@click.option(
    "--requests",
    type=click.IntRange(1, 4096),
    metavar="N",
    help="Plan a server for so many questions at a time.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def plan_command(**options: Any) -> None:
    """Say what a model takes in every precision, what fits, and how fast it can be.

    Nothing is loaded: its configuration and the headers of its files tell.
    """
    from glm4v_tui.commands import plan

    sys.exit(plan.run(plan.PlanOptions(**options)))


@cli.command("doctor")
@click.argument("checkpoint", required=False, metavar="[FOLDER_OR_HUB_ID]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--model", metavar="FOLDER_OR_HUB_ID", help="The same.")
@click.option("--explain", metavar="FILE", help="Say what a log or traceback means; - is stdin.")
@click.option("--explain-log", is_flag=True, help="The same for the model's own newest log.")
def doctor_command(
    as_json: bool,
    checkpoint: str | None,
    model: str | None,
    explain: str | None,
    explain_log: bool,
) -> None:
    """Check terminal, packages, GPU, model and settings; every finding with its remedy.

    The model is the one named, or that of the settings. Where it is not on this host, the hub is
    asked for it; nothing is downloaded.

    With --explain: exit code 0 when something in the text is known, else 1.
    """
    if explain or explain_log:
        from glm4v_tui.commands import explain as explaining

        source = explain or explaining.newest_log()
        sys.exit(explaining.run(source, as_json=as_json))
    from glm4v_tui.commands import doctor

    sys.exit(doctor.run(as_json=as_json, model=checkpoint or model))


@cli.command("bench", context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def bench_command(arguments: tuple[str, ...]) -> None:
    """Measure this program on this machine."""
    from glm4v_tui.bench.command import bench

    bench.main(list(arguments), prog_name="glm4v-tui bench", standalone_mode=False)


def main() -> NoReturn:
    """Run a command; end with its exit code. Errors are title, reason and remedy."""
    try:
        _run()
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
    except BrokenPipeError:
        _drop_output()
        sys.exit(141)  # as a shell counts a program that SIGPIPE has ended
    except OSError as error:
        _drop_output()
        _report(GlmError("The system refused to read or write", _of_system(error), _CHECK_OUTPUT))
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - the last stop: no traceback reaches the user
        _report_defect(error)
        sys.exit(1)
    sys.exit(0)


def _hint(error: click.ClickException) -> str:
    ctx = getattr(error, "ctx", None)
    meant = next((word for word in sys.argv[2:] if word in cli.commands), None)
    if isinstance(error, click.NoSuchOption) and meant and ctx and ctx.info_name == "chat":
        return f"The command comes first: glm4v-tui {meant} ... (glm4v-tui {meant} --help)."
    return f"See {ctx.command_path} --help." if ctx else ""


def _run() -> None:
    """Run the command and write out all it has printed: what fails then is still told."""
    if sys.stdout is None:  # closed by whoever started this program
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - for good
    try:
        cli.main(standalone_mode=False)
    finally:
        sys.stdout.flush()


def _drop_output() -> None:
    """Let go of what could not be written: the interpreter would try again as it ends."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)


_CHECK_OUTPUT = "Check where the output goes: a full disk, a closed pipe."


def _of_system(error: OSError) -> str:
    name = f"{error.filename}: " if error.filename else ""
    return f"{name}{error.strerror or error}"


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
