"""What a design amounts to, in words: the optional ``describe`` of a simulator."""

from __future__ import annotations

import functools
import logging
from typing import Protocol, runtime_checkable

from designgym.core.design import Design
from designgym.core.protocols import Simulator
from designgym.core.workload import Workload

log = logging.getLogger("designgym.describing")


@runtime_checkable
class Describer(Protocol):
    """A simulator whose designs are hard to read as they stand, and which therefore says what they amount to."""

    def describe(self, design: Design, workload: Workload | None = None) -> str:
        """Return the part of a design that has an effect, as people write it: a formula, a program; plain text of one or more lines.

        Args:
            design: A legal design, as it was proposed.
            workload: What it was evaluated on; None where that is not to be had any more.
        """
        ...


def described(simulator: Simulator, design: Design, workload: Workload | None = None) -> str:
    """Return what a simulator says that a design amounts to; nothing if it has nothing to say. Never fails: it is for reading only."""
    if not isinstance(simulator, Describer):
        return ""
    try:
        return str(simulator.describe(design, workload)).strip("\n")
    except Exception as error:
        _warn_once(f"{simulator.name} cannot describe a design ({type(error).__name__}: {error}): it is shown as it is")
        return ""


@functools.cache
def _warn_once(text: str) -> None:
    log.warning("%s", text)
