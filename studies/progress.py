"""Progress of a study on standard error: what runs, evaluations, best so far, duplicates skipped, time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

from designgym.studies.calibration import calibration_words
from designgym.studies.cli.tables import counted, format_number, note
from designgym.studies.store_opening import MEMORY

if TYPE_CHECKING:
    from designgym.studies.preparation import Prepared
    from designgym.studies.run_report import RunReport

LINE_EVERY_S = 10.0


@contextmanager
def shown_progress(
    prepared: Prepared, progress: bool | Callable[[RunReport], None], *, on_ray: bool = False
) -> Iterator[Callable[[RunReport], None] | None]:
    """Yield what receives the reports of a study: the caller's own function, or one that shows them if ``progress`` is True."""
    if not isinstance(progress, bool):
        yield progress
    elif not progress:
        yield None
    elif not prepared.pending:
        note(f"{prepared.definition.name}: every run is finished already")
        yield None
    else:
        definition, store = prepared.definition, prepared.store
        every, pending = len(definition.plans()), len(prepared.pending)
        count = counted(every, "run") if pending == every else f"{pending} of {every} runs to go"
        kept = "" if store.where == MEMORY else f"; kept in {store.shown}"
        note(f"{definition.name}: {count}, {definition.budget:,} evaluations each{', on Ray Tune' * on_ray}{kept}")
        if definition.functional == "auto":
            for words in calibration_words(store.decisions(definition.name)):
                note(f"fingerprints {words}")
        with StudyProgress(pending, definition.budget) as shown:
            yield shown


class StudyProgress:
    """Receives the reports of all runs; a bar on a terminal, a line now and then elsewhere. Used as a context.

    Args:
        runs: How many runs there are.
        budget: Evaluations of each.
    """

    def __init__(self, runs: int, budget: int) -> None:
        self._total = runs * budget
        self._latest: dict[str, RunReport] = {}
        self._started = self._last = time.monotonic()
        self._first: int | None = None
        self._bar: Any = None

    def __enter__(self) -> StudyProgress:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            self._bar = Progress(
                TextColumn("evaluations"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[best]}"), TimeRemainingColumn(),
                console=Console(stderr=True), transient=True,
            )  # fmt: skip
            self._bar.add_task("", total=self._total, best="")
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, report: RunReport) -> None:
        """Take in a report and show where the study stands."""
        self._latest[report.run] = report
        done = self._done()
        if self._first is None:
            # what earlier sessions did, and how long compiling took, says nothing about the speed of this one
            self._first, self._started = done, time.monotonic()
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done, best=self._words())
        elif (now := time.monotonic()) - self._last > LINE_EVERY_S and done < self._total:
            self._last = now
            rate = (done - self._first) / (now - self._started) if now > self._started else 0.0
            left = f", about {(self._total - done) / rate:.0f} s left" if rate > 0 else ""
            note(f"{format_number(done)} of {format_number(self._total)} evaluations, {self._words()}{left}")

    def _done(self) -> int:
        """Evaluations made; a run that ended early counts as done."""
        return sum(report.budget if report.stop_reason else report.evaluations for report in self._latest.values())

    def _words(self) -> str:
        best = max(self._latest.values(), key=lambda report: report.best_score)
        duplicates = sum(report.duplicates for report in self._latest.values())
        shown = ", ".join(f"{label} = {format_number(value)}" for label, value in best.best_shown.items())
        return f"best {shown or '-'}, {counted(duplicates, 'duplicate')} skipped"
