"""Warnings of runs that are on Ray's workers: said once, where the sweep was started, however many runs have the same to say."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

PACKAGE = "designgym"
Warnings = list[tuple[str, str]]
"""What kind of warning, and its text. Texts of one kind differ in run, design and figures."""

log = logging.getLogger("designgym.studies")


@contextmanager
def kept_warnings() -> Iterator[Warnings]:
    """Keep this package's warnings in the list that is yielded, instead of printing them where nobody looks, or once per worker."""
    kept: Warnings = []
    logger, handler = logging.getLogger(PACKAGE), _Keeping(kept)
    before = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield kept
    finally:
        logger.propagate = before
        logger.removeHandler(handler)


class SaidOnce:
    """Logs the first warning of each kind."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def __call__(self, warnings: Iterable[tuple[str, str]]) -> None:
        """Log what was not said before."""
        for kind, text in warnings:
            if kind not in self._said:
                self._said.add(kind)
                log.warning("%s", text)


class _Keeping(logging.Handler):
    def __init__(self, kept: Warnings) -> None:
        super().__init__(logging.WARNING)
        self._kept = kept

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        self._kept.append((text if record.msg == "%s" else f"{record.name} {record.msg}", text))
