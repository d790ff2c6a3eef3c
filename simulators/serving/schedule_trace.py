"""Recorded schedules of vLLM's scheduler: reading them, and our own steps in the same form.

A file has one JSON object a line: ``config``, the scheduler's arguments by vLLM's names; ``requests``, each with ``arrival_step``,
``prompt`` (token ids), ``max_tokens``, ``stop_at`` (position of the output token that ends it, or null) and ``priority``; ``steps``, each
``[step, [[request, tokens], ...], [preempted requests], free blocks, running, waiting]``; and ``finish``, by request
``[step, output tokens, preemptions]``.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import orjson

from designgym.core.errors import InputError, UnknownNameError, shorten
from designgym.simulators.serving.config import VllmConfig
from designgym.simulators.serving.request_trace import RequestTrace
from designgym.simulators.serving.simulate import ServingRun, simulate_steps

__all__ = ["Finish", "ScheduleCase", "Step", "is_schedule_file", "read_cases", "simulate_case"]

_GZIP = b"\x1f\x8b"
_ARGUMENTS = {field.name for field in fields(VllmConfig)}


@dataclass(frozen=True)
class Step:
    """One scheduling call: requests with their tokens in batch order, the preempted requests ascending, and the state after it."""

    step: int
    batch: tuple[tuple[int, int], ...]
    preempted: tuple[int, ...]
    free_blocks: int
    running: int
    waiting: int

    def as_list(self) -> list[Any]:
        """Return the step as it stands in a file."""
        return [self.step, [list(pair) for pair in self.batch], list(self.preempted), self.free_blocks, self.running, self.waiting]


Finish = dict[int, tuple[int, int, int]]
"""By request: the step before which it finished, its output tokens, and how often it was preempted."""


@dataclass(frozen=True, eq=False)
class ScheduleCase:
    """One line of a file.

    Attributes:
        name: Which line it is, in words.
        record: The object as it stands there.
        config: The scheduler.
        trace: The requests; arrivals are steps.
        steps: The recorded steps.
        finish: The recorded ends; empty if there are none.
    """

    name: str
    record: Mapping[str, Any]
    config: VllmConfig
    trace: RequestTrace
    steps: tuple[Step, ...]
    finish: Finish


def is_schedule_file(path: Path) -> bool:
    """Return whether a file looks like JSON lines, compressed or not.

    Raises:
        InputError: If it cannot be read.
    """
    with _open(path) as file:
        return bytes(file.read(64)).lstrip()[:1] == b"{"


def read_cases(path: Path) -> Iterator[ScheduleCase]:
    """Return the cases of a file, one at a time.

    Raises:
        InputError: If the file cannot be read, or a line is no case; the message names the line and the field.
    """
    with _open(path) as file:
        try:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _case(f"{path} line {number}", line)
        except (OSError, EOFError) as error:
            raise InputError(f"cannot read {path}: {error}") from None


def simulate_case(case: ScheduleCase) -> tuple[list[Step], Finish]:
    """Return our steps and ends of a case."""
    run = simulate_steps(case.config, case.trace)
    return _steps(run), {
        r: (int(run.finish_step[r]), int(run.output_tokens[r]), int(run.preemptions[r]))
        for r in range(len(case.trace))
        if run.finish_step[r] >= 0
    }


def _steps(run: ServingRun) -> list[Step]:
    timeline = run.timeline
    assert timeline is not None  # simulate_steps keeps it
    return [
        Step(
            step=int(step["step"]),
            batch=tuple((int(r), int(n)) for r, n in timeline.batch(i)),
            preempted=tuple(sorted(timeline.preempted_in(i).tolist())),
            free_blocks=int(step["free_blocks"]),
            running=int(step["running"]),
            waiting=int(step["waiting"]),
        )
        for i, step in enumerate(timeline.steps)
    ]


def _open(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            compressed = file.read(2) == _GZIP
        return gzip.open(path, "rb") if compressed else path.open("rb")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None


def _case(place: str, line: bytes) -> ScheduleCase:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise InputError(f"{place}: not JSON: {error}") from None
    if not isinstance(record, dict) or not {"config", "requests", "steps"} <= record.keys():
        raise InputError(f"{place}: expected an object with config, requests and steps")
    try:
        finish = {int(r): _whole_numbers(f"finish[{r}]", values, 3) for r, values in record.get("finish", {}).items()}
        trace = _trace(record["requests"])
        steps = tuple(_step(i, values, len(trace)) for i, values in enumerate(record["steps"]))
        config = _config(record["config"])
    except (InputError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{place}: {error}") from None
    name = f"seed {record['seed']}" if "seed" in record else place.rpartition(" ")[0].rpartition(" ")[2] + " " + place.rpartition(" ")[2]
    return ScheduleCase(name, record, config, trace, steps, finish)  # type: ignore[arg-type]


def _config(values: Mapping[str, Any]) -> VllmConfig:
    for name in values:
        if name not in _ARGUMENTS:
            raise UnknownNameError("argument in config", name, _ARGUMENTS)
    return VllmConfig(**values)


def _trace(requests: Sequence[Mapping[str, Any]]) -> RequestTrace:
    if not isinstance(requests, list) or not requests:
        raise InputError("requests is empty: expected one or more")
    for r, request in enumerate(requests):
        if not isinstance(request, dict):
            raise InputError(f"requests[{r}]: got {shorten(str(request), 40)}, expected an object")
        if missing := {"arrival_step", "prompt", "max_tokens"} - request.keys():
            raise InputError(f"requests[{r}] lacks {', '.join(sorted(missing))}")
        ids = request["prompt"]
        if not isinstance(ids, list) or not all(isinstance(token, int) and -(2**63) <= token < 2**63 for token in ids):
            raise InputError(f"requests[{r}].prompt: expected a list of token ids")
    stops = [request.get("stop_at") for request in requests]
    return RequestTrace.make(
        [request["arrival_step"] for request in requests],
        [len(request["prompt"]) for request in requests],
        [request["max_tokens"] for request in requests],
        stop_at=[-1 if stop is None else stop for stop in stops],
        priority=[request.get("priority", 0) for request in requests],
        token_ids=[request["prompt"] for request in requests],
    )


def _step(index: int, values: Sequence[Any], requests: int) -> Step:
    place = f"steps[{index}]"
    if not isinstance(values, list) or len(values) != 6:
        raise InputError(f"{place}: got {shorten(str(values), 40)}, expected [step, batch, preempted, free blocks, running, waiting]")
    step, batch, preempted, *state = values
    pairs = tuple(_whole_numbers(f"{place}, batch", pair, 2) for pair in batch)
    for r in (*(pair[0] for pair in pairs), *preempted):
        if not isinstance(r, int) or not 0 <= r < requests:
            raise InputError(f"{place}: got request {shorten(str(r), 40)}, expected one of 0 to {requests - 1}")
    numbers = _whole_numbers(place, [step, *state], 4)
    return Step(numbers[0], pairs, tuple(sorted(preempted)), *numbers[1:])  # type: ignore[arg-type]


def _whole_numbers(place: str, values: Any, count: int) -> tuple[int, ...]:
    if not isinstance(values, list) or len(values) != count or not all(isinstance(value, int) for value in values):
        raise InputError(f"{place}: got {shorten(str(values), 40)}, expected {count} whole numbers")
    return tuple(values)
