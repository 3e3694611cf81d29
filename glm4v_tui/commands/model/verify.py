"""``glm4v-tui model verify``: every file against its checksum."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.checkpoint import inspect_checkpoint
from glm4v_tui.commands.model.naming import cached, revision_of
from glm4v_tui.commands.model.progress import ByteProgress
from glm4v_tui.commands.model.pull import INTERRUPTED, fetch
from glm4v_tui.commands.model.words import files, note, say, size
from glm4v_tui.errors import CheckpointError, UsageError
from glm4v_tui.hub import FileState, VerifiedFile, verify_folder
from glm4v_tui.hub.removing import forget_damaged
from glm4v_tui.paths import expanded, is_folder

if TYPE_CHECKING:
    from collections.abc import Sequence


class VerifyReport(msgspec.Struct, frozen=True):
    """What ``--json`` prints. Sizes in bytes."""

    model: str
    folder: str
    whole: bool
    files: tuple[VerifiedFile, ...]
    problems: tuple[str, ...]
    """What index, headers and settings say is missing or wrong."""
    remedy: str


def run(name: str, *, as_json: bool, mend: bool) -> int:
    """Check a model; 0 when it is whole.

    Raises:
        UsageError: there is no such model here, or it cannot be mended.
        GlmError: what is damaged could not be fetched again.
    """
    folder, is_cached = _folder_of(name)
    report = _report(name, folder, is_cached=is_cached)
    if mend and not report.whole:
        if not as_json:
            _tell(report, mend=True)
        if not _mend(name, report, is_cached=is_cached):
            return INTERRUPTED
        report = _report(name, folder, is_cached=is_cached)
    if as_json:
        sys.stdout.write(f"{msgspec.json.encode(report).decode()}\n")
    else:
        _tell(report, mend=False)
    return 0 if report.whole else CheckpointError.exit_code


def _folder_of(name: str) -> tuple[Path, bool]:
    folder = expanded(name)
    if is_folder(folder):
        return folder, False
    model, wanted = cached(name)
    revision = revision_of(model, wanted)
    if revision is None:
        raise UsageError(
            "Nothing of this model is whole",
            f"Of {model.hub_id} only partial downloads are here: {size(model.partial)}.",
            f"glm4v-tui model pull {name} goes on with them.",
        )
    return Path(revision.folder), True


def _report(name: str, folder: Path, *, is_cached: bool) -> VerifyReport:
    progress = ByteProgress()
    found = tuple(verify_folder(folder, progress))
    progress.clear()
    damaged = [file for file in found if file.state is FileState.DAMAGED]
    problems = inspect_checkpoint(folder).problems
    remedy = ""
    if damaged or problems:
        remedy = "Copy or download again what is named above."
        if is_cached:
            remedy = f"glm4v-tui model verify {name} --mend fetches it again, and nothing else."
    titles = tuple(problem.title for problem in problems)
    return VerifyReport(name, str(folder), not damaged and not problems, found, titles, remedy)


def _tell(report: VerifyReport, *, mend: bool) -> None:
    by_state = {
        state: [file for file in report.files if file.state is state] for state in FileState
    }
    for file in by_state[FileState.DAMAGED]:
        say(f"damaged: {file.name} ({size(file.nbytes)}): {file.said}")
    say(*(f"wrong: {title}" for title in report.problems))
    right, unknown = by_state[FileState.OK], by_state[FileState.UNKNOWN]
    if right or not unknown:
        say(f"{_sum(right)}: the checksums are right.")
    if unknown:
        say(
            f"{_sum(unknown)}: no checksum is known"
            + ("." if report.problems else "; weights and headers agree in size.")
        )
    say(f"{report.model} is {'whole' if report.whole else 'not whole'}.")
    if report.remedy and not mend:
        say(f"-> {report.remedy}")


def _sum(some: Sequence[VerifiedFile]) -> str:
    return f"{files(len(some))}, {size(sum(file.nbytes for file in some))}"


def _mend(name: str, report: VerifyReport, *, is_cached: bool) -> bool:
    """Fetch what is damaged or missing; False when it was interrupted."""
    if not is_cached:
        raise UsageError(
            "Only models of the cache can be mended",
            f"{report.folder} was not fetched by this program.",
            "Copy or download again what is named above.",
        )
    model, wanted = cached(name)
    revision = revision_of(model, wanted)
    for file in report.files:
        if file.state is FileState.DAMAGED:
            note(f"{file.name} is taken away and fetched again.")
            forget_damaged(Path(report.folder), file.name)
    has_name = revision is not None and revision.refs
    target = Path(report.folder).name if has_name else wanted or "main"
    return fetch(model.hub_id, target, name) is not None
