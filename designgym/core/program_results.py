"""From a run of somebody else's program to `Metrics`: what went wrong is a status with the reason."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from designgym.core.errors import InputError, NotInstalledError, shorten
from designgym.core.external import ProgramError, ProgramTimeout
from designgym.core.metrics import Metrics

__all__ = ["OutputError", "RefusedError", "measured", "require_seconds"]


class RefusedError(ProgramError):
    """The program says that the design cannot work: a result, not a failure."""


class OutputError(ProgramError):
    """The program ended normally, but what it left behind is no result."""


def measured(measure: Callable[[], Mapping[str, float]]) -> Metrics:
    """Return what a measurement gives: ``ok``, ``infeasible`` if the program refuses the design, ``timeout``, or ``failed``.

    Raises:
        NotInstalledError: If the program is not there, which is no property of the design.
    """
    started = time.perf_counter()
    try:
        values = measure()
    except NotInstalledError:
        raise
    except RefusedError as error:
        return Metrics.infeasible([str(error)], time.perf_counter() - started)
    except ProgramTimeout as error:
        return Metrics.timeout(str(error), time.perf_counter() - started)
    except ProgramError as error:
        return Metrics.failed(str(error), time.perf_counter() - started)
    return Metrics(values, cost_s=time.perf_counter() - started)


def require_seconds(timeout_s: object) -> float:
    """Return the time limit that an option gives; raises `InputError` if it is none."""
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float) or not 0 < timeout_s < float("inf"):
        raise InputError(
            f"option timeout_s must be more than 0 s and finite, got {shorten(timeout_s)}: give the seconds that one run may take"
        )
    return float(timeout_s)
