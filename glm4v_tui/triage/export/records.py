"""Verdicts with results and boxes, as the exporters of plugins take them (COCO is one)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from glm4v_tui import images
from glm4v_tui.errors import ImageError
from glm4v_tui.plain import plain_line
from glm4v_tui.tasks.export import Record
from glm4v_tui.triage.export.tables import readable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from glm4v_tui.tasks.call import AnyTask
    from glm4v_tui.triage.export.rows import Row


@dataclass
class Records:
    """Records of rows, with the results that are in the store."""

    task: AnyTask
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
        outcome = None if row.answered is None else row.answered.outcome
        self.without_result += outcome is None
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
