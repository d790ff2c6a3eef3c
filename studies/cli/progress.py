"""Progress of long work on standard error: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

from designgym.studies.cli.tables import format_number, note

QUIET_S = 2.0  # work that ends sooner shows nothing
LINE_EVERY_S = 10.0


class Progress:
    """Counts finished things; used as a context.

    Args:
        what: The things, in words ("designs").
        total: How many there are.
        bar: Whether a bar may be shown; not where results scroll by on the same terminal.
    """

    def __init__(self, what: str, total: int, *, bar: bool = True) -> None:
        self._what, self._total, self._done, self._may_show = what, total, 0, bar
        self._started = self._last = time.monotonic()
        self._bar: Any = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, count: int) -> None:
        """Count finished things, and show it if the work is long."""
        self._done += count
        now = time.monotonic()
        if sys.stderr.isatty():
            if self._bar is None and self._may_show and now - self._started > QUIET_S:
                self._start_bar()
            if self._bar is not None:
                self._bar.update(self._bar.task_ids[0], completed=self._done)
        elif now - self._last > LINE_EVERY_S and self._done < self._total:
            self._last = now
            left_s = (now - self._started) / self._done * (self._total - self._done)
            note(f"{format_number(self._done)} of {format_number(self._total)} {self._what}, about {left_s:.0f} s left")

    def _start_bar(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self._bar = Bar(
            TextColumn(self._what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=Console(stderr=True), transient=True
        )
        self._bar.add_task(self._what, total=self._total)
        self._bar.start()
