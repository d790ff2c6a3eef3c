"""Requests by name: ``azure-conv:rate=8,requests=500``, a trace found in the folders of ``DESIGNGYM_DATA``, or the path of a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from designgym.core.errors import InputError, UnknownNameError
from designgym.core.workload import Workload
from designgym.simulators.serving.engine_arguments import ARRIVAL_ORDER
from designgym.simulators.serving.request_trace import RequestTrace
from designgym.simulators.serving.workloads.catalogue import CATALOGUE, RequestMix
from designgym.simulators.serving.workloads.files import holds_requests, read_requests

__all__ = ["CLOSED_LOOP", "available_requests", "find_requests", "make_workload", "requests_of"]

CLOSED_LOOP = "closed_loop"
"""The trait of a workload whose requests come when others have finished."""

_FOLDER = "serving"
_KEYS = {"requests": "requests", "rate": "rate_rps", "cv": "burstiness_cv", "users": "users", "seed": "seed"}
_CLIENT = "concurrency"  # of the client, whatever it sends
_OF_FILES = ("requests", "rate", "users")
_WORDS = (
    "requests=1000 (how many), rate=4 (per second), cv=1 (burstiness of gaps), users=32 (closed loop), concurrency=64 (most under way), "
    "seed=0"
)


def available_requests() -> list[str]:
    """Return the names of generators, and of the traces in the folders of ``DESIGNGYM_DATA``."""
    return [*CATALOGUE, *sorted({path.stem for folder in _folders() for path in folder.glob("*.csv") if holds_requests(path)})]


def find_requests(name: str) -> RequestTrace:
    """Return the requests of a name or path, with settings after a colon.

    Raises:
        InputError: If there is none of that name, or a setting cannot be used.
    """
    base, _, rest = name.partition(":") if not name.endswith(".csv") else (name, "", "")
    settings = _settings(name, rest)
    limit = int(settings.pop(_CLIENT, 0))
    return _found(name, base, settings).limited(limit)


def _found(name: str, base: str, settings: dict[str, float | int]) -> RequestTrace:
    if base in CATALOGUE:
        return CATALOGUE[base](RequestMix(**{_KEYS[key]: value for key, value in settings.items()}))  # type: ignore[arg-type]
    if extra := [key for key in settings if key not in _OF_FILES]:
        raise InputError(f"workload {name!r}: {extra[0]} is of generated requests, a trace has {', '.join((*_OF_FILES, _CLIENT))}")
    path = Path(base)
    if path.suffix != ".csv":
        found = [folder / f"{base}.csv" for folder in _folders() if (folder / f"{base}.csv").is_file()]
        if not found:
            raise UnknownNameError("workload", base, available_requests(), "Or give the path of a .csv file of requests")
        path = found[0]
    return read_requests(path, **{_KEYS[key]: value for key, value in settings.items()})  # type: ignore[arg-type]


def make_workload(name: str, trace: RequestTrace) -> Workload:
    """Return requests as a workload, with the traits that rules use."""
    if trace.users:
        return Workload(name, trace, frozenset({CLOSED_LOOP}))
    equal = bool(np.all(trace.priority == trace.priority[0]))
    by_arrival = equal and not trace.max_concurrency and bool(np.all(np.diff(trace.arrival_s) > 0))
    return Workload(name, trace, frozenset({ARRIVAL_ORDER} if by_arrival else ()))


def requests_of(workload: Workload, simulator: str) -> RequestTrace:
    """Return the requests of a workload; raises `InputError` if it has none, naming what they are for (``"an engine"``)."""
    if not isinstance(workload.data, RequestTrace):
        raise InputError(f"workload {workload.name!r} of {simulator} must be a RequestTrace, got {type(workload.data).__name__}")
    return workload.data


def _settings(name: str, text: str) -> dict[str, float | int]:
    found: dict[str, float | int] = {}
    for part in filter(None, text.split(",")):
        key, equals, value = part.partition("=")
        if not equals or key not in (*_KEYS, _CLIENT):
            raise InputError(f"workload {name!r}: cannot use {part!r}, expected settings such as {_WORDS}")
        kind: Callable[[str], float | int] = int if key in ("requests", "users", "seed", _CLIENT) else float
        try:
            found[key] = kind(value)
        except ValueError:
            raise InputError(f"workload {name!r}: {key} is {value!r}, expected a {'whole ' if kind is int else ''}number") from None
        least = 1 if key == "requests" else 0
        if not least <= found[key] < float("inf") or (key == "rate" and not found[key]):
            raise InputError(f"workload {name!r}: {key} is {value}, expected {'more than 0' if key == 'rate' else f'{least} or more'}")
    return found


def _folders() -> list[Path]:
    every = [Path(part) for part in os.environ.get("DESIGNGYM_DATA", "").split(os.pathsep) if part]
    return [place for folder in every for place in (folder / _FOLDER, folder) if place.is_dir()]
