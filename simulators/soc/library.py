"""Workloads of systems on chip: FARSI's three, and users' own from a JSON file or a CSV matrix."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from designgym.core.errors import InputError, UnknownNameError, shorten
from designgym.core.workload import Workload
from designgym.simulators.soc.blocks import Blocks
from designgym.simulators.soc.task_graph import BURST_BYTES, Accelerator, Task, TaskGraph
from designgym.simulators.soc.workload import SocWorkload

__all__ = ["NAMES", "SocWorkloads", "built_in", "load", "make_workload"]

NAMES = ("audio_decoder", "hpvm_cava", "edge_detection")
TASKS_TRAIT = "tasks="
"""Prefix of the trait that says, by task in file order, how many unrollings its accelerator has, or that it has no work."""
RELAY, SINK = "-", ">"
"""Marks of tasks without work in that trait."""

_DATA = Path(__file__).with_name("data")
_SUFFIXES = (".json", ".csv")
_ENTRIES = ("title", "source", "units", "last_task", "tasks", "transfers", "blocks")
_TASK_ENTRIES = ("name", "processor_cycles", "accelerator", "burst_bytes")
_ACCELERATOR_ENTRIES = ("cycles", "energy_fj", "area_um2", "iterations")


class SocWorkloads:
    """FARSI's workloads by name, and files of users by path (``.json``, ``.csv``)."""

    def names(self) -> list[str]:
        """Return the names of the built-in workloads."""
        return list(NAMES)

    def get(self, name: str) -> Workload:
        """Return a workload; raises `UnknownNameError` if there is none, `InputError` if a file cannot be used."""
        if name.endswith(_SUFFIXES):
            return make_workload(name, load(name))
        if name not in NAMES:
            raise UnknownNameError("workload", name, NAMES, "(or a task graph of yours: FILE.json or FILE.csv)")
        return _known(name)


@cache
def _known(name: str) -> Workload:
    return make_workload(name, built_in(name))


def make_workload(name: str, data: SocWorkload) -> Workload:
    """Return a workload with the trait that spaces' symmetries read: what of a design has an effect depends on the tasks."""
    marks = [str(len(data.blocks.unrollings(task))) if task.processor_cycles else RELAY for task in data.graph.tasks]
    marks[data.graph.names.index(data.graph.sink)] = SINK
    return Workload(name, data, frozenset({TASKS_TRAIT + ",".join(marks)}))


@cache
def built_in(name: str) -> SocWorkload:
    """Return one of FARSI's workloads; raises `UnknownNameError` for another name."""
    if name not in NAMES:
        raise UnknownNameError("workload", name, NAMES)
    return load(_DATA / f"{name}.json")


def load(path: str | os.PathLike[str]) -> SocWorkload:
    """Return the workload of a file.

    A JSON file is an object with ``tasks`` (objects with ``name``, ``processor_cycles`` and, where the task may have one,
    ``accelerator`` with ``cycles``, ``energy_fj``, ``area_um2`` and ``iterations``), ``transfers`` (lists of producer, consumer and
    bytes), and, if wanted, ``last_task``, ``blocks`` (see `Blocks.from_json`), ``title`` and ``source``.

    A CSV file is a matrix: the first line and the first column name the tasks; the cell in the row of the producer and the column of the
    consumer holds bytes, or nothing. The figures of the tasks are in ``NAME_tasks.csv`` beside it, a line for each task, with the columns
    ``name``, ``processor_cycles`` and, as far as there are accelerators, ``cycles``, ``energy_fj``, ``area_um2`` and ``iterations``.

    Raises:
        InputError: Naming the file and the entry or cell, or the cycle, that is wrong.
    """
    path = Path(path)
    try:
        return _from_csv(path) if path.suffix == ".csv" else _from_json(path)
    except InputError as error:
        raise error if str(path) in str(error) else InputError(f"{path}: {error}") from None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text") from None


# ---- JSON ----------------------------------------------------------------------------------------------------------------------


def _from_json(path: Path) -> SocWorkload:
    try:
        data = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise InputError(f"{path} line {error.lineno}: not JSON: {error.msg}") from None
    data = _entries(data, str(path), _ENTRIES, required=("tasks", "transfers"))
    for name in ("tasks", "transfers"):
        if not isinstance(data[name], list):
            raise InputError(f"{name} is {shorten(data[name])}, expected a list")
    tasks = tuple(_task(task, f"tasks[{i}]") for i, task in enumerate(data["tasks"]))
    transfers = tuple(_transfer(transfer, f"transfers[{i}]") for i, transfer in enumerate(data["transfers"]))
    last = data.get("last_task", "")
    if not isinstance(last, str):
        raise InputError(f"last_task is {shorten(last)}, expected the name of a task")
    blocks = Blocks.from_json(data["blocks"]) if "blocks" in data else Blocks.default()
    return SocWorkload(TaskGraph(tasks, transfers, last), blocks, str(data.get("title", "")), str(data.get("source", "")))


def _task(data: Any, where: str) -> Task:
    data = _entries(data, where, _TASK_ENTRIES, required=("name", "processor_cycles"))
    if not isinstance(data["name"], str):
        raise InputError(f"{where}: name is {shorten(data['name'])}, expected text")
    accelerator = data.get("accelerator")
    if accelerator is not None:
        accelerator = Accelerator(
            **_entries(accelerator, f"{where}: accelerator", _ACCELERATOR_ENTRIES, required=("cycles", "energy_fj", "area_um2"))
        )
    return Task(data["name"], data["processor_cycles"], accelerator, data.get("burst_bytes", BURST_BYTES))


def _transfer(data: Any, where: str) -> tuple[str, str, float]:
    if not isinstance(data, list) or len(data) != 3 or not all(isinstance(name, str) for name in data[:2]):
        raise InputError(f"{where} is {shorten(data)}, expected [producer, consumer, bytes]")
    return data[0], data[1], data[2]


def _entries(data: Any, where: str, known: tuple[str, ...], required: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise InputError(f"{where} is {shorten(data)}, expected an object with {', '.join(required)}")
    for name in data:
        if name not in known:
            raise UnknownNameError(f"entry of {where}:", name, known)
    if missing := [name for name in required if name not in data]:
        raise InputError(f"{where} lacks {', '.join(missing)}")
    return data


# ---- CSV -----------------------------------------------------------------------------------------------------------------------


def _from_csv(path: Path) -> SocWorkload:
    names, transfers = _matrix(path)
    figures_path = path.with_name(f"{path.stem}_tasks.csv")
    if not figures_path.is_file():
        raise InputError(
            f"{path} says what tasks pass on; what they take is expected in {figures_path}, with the columns name, processor_cycles "
            f"and, for accelerators, {', '.join(_ACCELERATOR_ENTRIES)}"
        )
    figures = _figures(figures_path)
    if unknown := [name for name in figures if name not in names]:
        raise UnknownNameError(f"task in {figures_path}:", unknown[0], names)
    if missing := [name for name in names if name not in figures]:
        raise InputError(f"{figures_path} lacks the task {missing[0]!r} of {path}: add a line (processor_cycles 0 if it has no work)")
    return SocWorkload(TaskGraph(tuple(figures[name] for name in names), tuple(transfers)))


def _matrix(path: Path) -> tuple[list[str], list[tuple[str, str, float]]]:
    lines = _lines(path)
    columns = lines[0][1:]
    rows = [line[0] for line in lines[1:]]
    for kind, found, other, others in (("row", rows, "column", columns), ("column", columns, "row", rows)):
        for name in found:
            if found.count(name) > 1:
                raise InputError(f"{path}: task {name!r} has {found.count(name)} {kind}s, expected one")
            if name not in others:
                raise InputError(f"{path}: task {name!r} has a {kind} but no {other}: the matrix names all tasks in both")
    transfers = []
    for line in lines[1:]:
        for column, cell in zip(columns, line[1:], strict=True):
            if not cell:
                continue
            where = f"{path}, row {line[0]}, column {column}"
            size = _number(cell, where, "bytes, or nothing")
            if line[0] == column:
                raise InputError(f"{where}: a task passes nothing on to itself: clear the cell (FARSI ignores it)")
            if size < 1:
                raise InputError(f"{where}: got {cell}, expected 1 byte or more, or nothing")
            transfers.append((line[0], column, size))
    return rows, transfers


def _figures(path: Path) -> dict[str, Task]:
    lines = _lines(path)
    header, known = lines[0], ("name", "processor_cycles", *_ACCELERATOR_ENTRIES, "burst_bytes")
    for name in header:
        if name not in known:
            raise UnknownNameError(f"column of {path}:", name, known)
    if missing := [name for name in known[:2] if name not in header]:
        raise InputError(f"{path} lacks the column {missing[0]}")
    tasks: dict[str, Task] = {}
    for line in lines[1:]:
        cells = {column: cell for column, cell in zip(header, line, strict=True) if cell}
        name = cells.pop("name", "")
        if not name or name in tasks:
            raise InputError(f"{path}: task {name!r} has two lines" if name else f"{path}: a line has no name")
        numbers = {column: _number(cell, f"{path}, row {name}, column {column}", "a number") for column, cell in cells.items()}
        if "processor_cycles" not in numbers:
            raise InputError(f"{path}, row {name}, column processor_cycles: it is empty, expected cycles (0 for a task without work)")
        given = [column for column in _ACCELERATOR_ENTRIES if column in numbers]
        if given and (lacking := [column for column in _ACCELERATOR_ENTRIES[:3] if column not in numbers]):
            raise InputError(f"{path}, row {name}, column {lacking[0]}: it is empty, but {given[0]} is given: an accelerator needs both")
        iterations = numbers.get("iterations", 1.0)
        if not iterations.is_integer():
            raise InputError(f"{path}, row {name}, column iterations: got {iterations:g}, expected a whole number")
        accelerator = Accelerator(numbers["cycles"], numbers["energy_fj"], numbers["area_um2"], int(iterations)) if given else None
        tasks[name] = Task(name, numbers["processor_cycles"], accelerator, numbers.get("burst_bytes", BURST_BYTES))
    return tasks


def _lines(path: Path) -> list[list[str]]:
    """Return the cells of all lines, each with as many as the first."""
    try:
        lines = [[cell.strip() for cell in line] for line in csv.reader(_text(path).splitlines(), strict=True)]
    except csv.Error as error:
        raise InputError(f"{path}: not CSV: {error}") from None
    lines = [line for line in lines if any(line)]
    if len(lines) < 2:
        raise InputError(f"{path} has no lines below its header")
    for i, line in enumerate(lines[1:], 2):
        if len(line) != len(lines[0]):
            raise InputError(f"{path} line {i}: {len(line)} cells, expected {len(lines[0])}")
    return lines


def _number(cell: str, where: str, expected: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where}: got {shorten(cell, 40)}, expected {expected}")
    return value
