"""Recorded schedules of vLLM's scheduler, compared step by step with our simulation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from designgym.core.errors import InputError
from designgym.core.validation import ColumnComparison, TableComparison

if TYPE_CHECKING:
    from designgym.simulators.serving.schedule_trace import Finish, Step

Pairs = Sequence[tuple[int, int]]


def _token_difference(reference: Pairs, ours: Pairs) -> float:
    """Return by how many tokens two batches differ; 1 if only in their order."""
    tokens: dict[int, int] = {}
    for sign, batch in ((1, reference), (-1, ours)):
        for request, n in batch:
            tokens[request] = tokens.get(request, 0) + sign * n
    difference = sum(map(abs, tokens.values()))
    return float(difference or tuple(reference) != tuple(ours))


_OF_STEPS: Mapping[str, Callable[[Step, Step], float]] = {
    "batch": lambda a, b: _token_difference(a.batch, b.batch),
    "preempted": lambda a, b: float(len(set(a.preempted) ^ set(b.preempted))),
    "free_blocks": lambda a, b: float(abs(a.free_blocks - b.free_blocks)),
    "running": lambda a, b: float(abs(a.running - b.running)),
    "waiting": lambda a, b: float(abs(a.waiting - b.waiting)),
}
_OF_ENDS = ("finish_step", "output_tokens", "preemptions")


class _Column:
    """Counts the rows of one compared column."""

    def __init__(self, name: str) -> None:
        self.name, self.rows, self.equal, self.worst, self.worst_row = name, 0, 0, 0.0, ""

    def add(self, error: float, place: str) -> None:
        self.rows += 1
        self.equal += error == 0
        if error > self.worst:
            self.worst, self.worst_row = error, place

    def result(self) -> ColumnComparison:
        return ColumnComparison(self.name, self.rows, self.equal, 0.0, self.worst, 0.0, self.worst_row or None)


def compare_schedules(reference: Path) -> TableComparison:
    """Simulate every case of a file and compare all steps and ends, which must be equal.

    A row of a column is a step, or a request; the error of ``batch`` is in tokens, of ``preempted`` in requests. Steps that only one of
    the two has are infinitely wrong. The result's ``lines`` are those of the file with our steps and ends.

    Raises:
        InputError: If the file cannot be used.
    """
    import orjson

    from designgym.simulators.serving.schedule_trace import read_cases, simulate_case

    columns = {name: _Column(name) for name in (*_OF_STEPS, *_OF_ENDS)}
    cases, equal, lines = 0, 0, []
    for case in read_cases(reference):
        steps, finish = simulate_case(case)
        same = _compare_steps(columns, case.name, case.steps, steps)
        if case.finish:
            same &= _compare_ends(columns, case.name, case.finish, finish)
        cases += 1
        equal += same
        record = {**case.record, "steps": [step.as_list() for step in steps]}
        if case.finish:
            record["finish"] = {str(r): list(values) for r, values in sorted(finish.items(), key=lambda item: item[1][0])}
        lines.append(orjson.dumps(record).decode())
    if not cases:
        raise InputError(f"{reference} has no case to compare")
    return TableComparison(tuple(column.result() for column in columns.values() if column.rows), {}, equal, cases, lines)


def _compare_steps(columns: Mapping[str, _Column], name: str, reference: Sequence[Step], ours: Sequence[Step]) -> bool:
    by_number = {step.step: step for step in ours}
    numbers = [step.step for step in reference] + sorted(by_number.keys() - {step.step for step in reference})
    same = True
    for expected, number in zip_longest(reference, numbers):
        found = by_number.get(number)
        for column, difference in _OF_STEPS.items():
            error = float("inf") if expected is None or found is None else difference(expected, found)
            columns[column].add(error, f"{name}, step {number}")
            same &= error == 0
    return same


def _compare_ends(columns: Mapping[str, _Column], name: str, reference: Finish, ours: Finish) -> bool:
    same = True
    for r, expected in reference.items():
        found = ours.get(r)
        for i, column in enumerate(_OF_ENDS):
            error = float("inf") if found is None else float(abs(expected[i] - found[i]))
            columns[column].add(error, f"{name}, request {r}")
            same &= error == 0
    return same
