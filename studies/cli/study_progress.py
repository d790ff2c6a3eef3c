"""Progress of a study on standard error: evaluations, best so far, duplicates skipped, time left."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

from designgym.studies.cli.tables import format_number, note

if TYPE_CHECKING:
    from designgym.studies.run_report import RunReport

LINE_EVERY_S = 10.0


class StudyProgress:
    """Receives the reports of all runs; a bar on a terminal, a line now and then elsewhere. Used as a context.

    Args:
        runs: How many runs there are.
        budget: Evaluations of each.
        quiet: Whether to show nothing.
    """

    def __init__(self, runs: int, budget: int, *, quiet: bool = False) -> None:
        self._total, self._quiet = runs * budget, quiet
        self._latest: dict[str, RunReport] = {}
        self._started = self._last = time.monotonic()
        self._first: int | None = None
        self._bar: Any = None

    def __enter__(self) -> StudyProgress:
        if sys.stderr.isatty() and not self._quiet:
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
        if self._quiet:
            return
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
        return f"best {shown or '-'}, {format_number(duplicates)} duplicates skipped"
