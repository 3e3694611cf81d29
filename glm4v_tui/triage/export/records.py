"""Verdicts with results and boxes, as the exporters of plugins take them (COCO is one)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from glm4v_tui import images
from glm4v_tui.errors import ImageError
from glm4v_tui.plain import plain_line
from glm4v_tui.tasks.export import Record
from glm4v_tui.triage.export.tables import readable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from glm4v_tui.tasks.call import AnyTask
    from glm4v_tui.tasks.outcome import Outcome
    from glm4v_tui.triage.export.rows import Row


class Answered(Protocol):
    """What a model said of an image (``triage.asking.Judged``)."""

    @property
    def outcome(self) -> Outcome | None: ...


class Answers(Protocol):
    """Where answers are kept."""

    def known_by_digest(self, digest: str) -> Answered | None: ...


@dataclass
class Records:
    """Records of rows, with the results that are in the store.

    Args:
        answers: None where no results are to be looked for.
    """

    task: AnyTask
    answers: Answers | None
    notices: list[str] = field(default_factory=list)
    without_result: int = 0

    def of(self, rows: Iterable[Row]) -> Iterator[Record]:
        """One for each image whose size can be told.

        Raises:
            StoreError: the database cannot be read.
        """
        for row in rows:
            try:
                yield self._record(row)
            except ImageError as error:
                private = self.task.is_private
                told = "an image" if private else plain_line(f"{error.title}: {error.body}")
                self.notices.append(told)

    def _record(self, row: Row) -> Record:
        outcome = self._outcome(row.digest)
        facts = images.inspect(row.path)
        regions = outcome.regions[0] if outcome is not None and outcome.regions else ()
        return Record(
            task=self.task.name,
            version=self.task.version,
            digest=row.digest,
            width=facts.width,
            height=facts.height,
            result=None if outcome is None else outcome.value,
            path=None if self.task.is_private else readable(row.path),
            regions=tuple((region.box, region.label) for region in regions),
            label=row.verdict.label,
            warnings=() if outcome is None else outcome.warnings,
            notice=self.task.notice,
        )

    def _outcome(self, digest: str) -> Outcome | None:
        answered = None if self.answers is None else self.answers.known_by_digest(digest)
        if answered is None or answered.outcome is None:
            self.without_result += 1
            return None
        return answered.outcome
