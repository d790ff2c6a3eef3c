"""Requests by name: ``azure-conv:rate=8,requests=500``, a trace found in the folders of ``DESIGNGYM_DATA``, or the path of a file."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from designgym.core.errors import InputError, UnknownNameError
from designgym.core.name_settings import Setting, read_settings
from designgym.core.workload import Workload
from designgym.simulators.serving.engine_arguments import ARRIVAL_ORDER
from designgym.simulators.serving.request_trace import RequestTrace
from designgym.simulators.serving.workloads.catalogue import CATALOGUE, RequestMix
from designgym.simulators.serving.workloads.files import holds_requests, read_requests

__all__ = ["CLOSED_LOOP", "available_requests", "find_requests", "make_workload", "requests_of"]

CLOSED_LOOP = "closed_loop"
"""The trait of a workload whose requests come when others have finished."""

_FOLDER = "serving"
_SETTINGS = {
    "requests": Setting("requests", "1000 (how many)", int, 1),
    "rate": Setting("rate_rps", "4 (per second)", positive=True),
    "cv": Setting("burstiness_cv", "1 (burstiness of the gaps)"),
    "users": Setting("users", "32 (closed loop)", int),
    "concurrency": Setting("max_concurrency", "64 (most under way)", int),
    "seed": Setting("seed", "0", int),
}
_GENERATED = {"burstiness_cv": "cv", "seed": "seed"}  # what a trace does not have


def available_requests() -> list[str]:
    """Return the names of generators, and of the traces in the folders of ``DESIGNGYM_DATA``."""
    return [*CATALOGUE, *sorted({path.stem for folder in _folders() for path in folder.glob("*.csv") if holds_requests(path)})]


def find_requests(name: str) -> RequestTrace:
    """Return the requests of a name or path, with settings after a colon.

    Raises:
        InputError: If there is none of that name, or a setting cannot be used.
    """
    base, _, rest = name.partition(":") if not name.endswith(".csv") else (name, "", "")
    settings = read_settings(name, rest, _SETTINGS)
    limit = int(settings.pop("max_concurrency", 0))  # of the client, whatever it sends
    return _found(name, base, settings).limited(limit)


def _found(name: str, base: str, settings: dict[str, float | int]) -> RequestTrace:
    if base in CATALOGUE:
        return CATALOGUE[base](RequestMix(**settings))  # type: ignore[arg-type]
    if extra := [_GENERATED[argument] for argument in settings if argument in _GENERATED]:
        others = ", ".join(key for key in _SETTINGS if key not in _GENERATED.values())
        raise InputError(f"workload {name!r}: {extra[0]} is of generated requests, a trace has {others}")
    path = Path(base)
    if path.suffix != ".csv":
        found = [folder / f"{base}.csv" for folder in _folders() if (folder / f"{base}.csv").is_file()]
        if not found:
            raise UnknownNameError("workload", base, available_requests(), "(or give the path of a .csv file of requests)")
        path = found[0]
    return read_requests(path, **settings)  # type: ignore[arg-type]


def make_workload(name: str, trace: RequestTrace) -> Workload:
    """Return requests as a workload, with the traits that rules use."""
    if trace.users:
        return Workload(name, trace, frozenset({CLOSED_LOOP}))
    equal = bool(np.all(trace.priority == trace.priority[0]))
    by_arrival = equal and bool(np.all(np.diff(trace.arrival_s) > 0))
    return Workload(name, trace, frozenset({ARRIVAL_ORDER} if by_arrival else ()))


def requests_of(workload: Workload, simulator: str) -> RequestTrace:
    """Return the requests of a workload; raises `InputError` if it has none, naming what they are for (``"an engine"``)."""
    if not isinstance(workload.data, RequestTrace):
        raise InputError(f"workload {workload.name!r} of {simulator} must be a RequestTrace, got {type(workload.data).__name__}")
    return workload.data


def _folders() -> list[Path]:
    every = [Path(part) for part in os.environ.get("DESIGNGYM_DATA", "").split(os.pathsep) if part]
    return [place for folder in every for place in (folder / _FOLDER, folder) if place.is_dir()]
