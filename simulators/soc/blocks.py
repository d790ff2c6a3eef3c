"""`Blocks`: what systems on chip are built of, and what it costs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from designgym.core.errors import InputError, UnknownNameError, shorten
from designgym.simulators.soc.task_graph import Task

MEMORY_KINDS = ("sram", "dram")
_COLUMNS = ("size_bytes", "read_j_per_byte", "write_j_per_byte", "area_m2")
_DATA = Path(__file__).with_name("data") / "blocks.json"


@dataclass(frozen=True)
class ProcessingElement:
    """Something that runs one task at a time.

    Attributes:
        rate: Instructions per second.
        instructions_per_j: Instructions per joule.
        area_m2: Of a processor; 0 for an accelerator.
        instructions_per_m2: Of an accelerator, whose area is that of its largest task; 0 for a processor.
    """

    rate: float
    instructions_per_j: float
    area_m2: float = 0.0
    instructions_per_m2: float = 0.0


@dataclass(frozen=True)
class Memory:
    """A memory: ``sram`` or ``dram``, and bytes per second in each direction. Its size follows from what tasks keep in it."""

    kind: str
    rate: float


@dataclass(frozen=True)
class Bus:
    """A bus: bytes per second in each direction."""

    rate: float


@dataclass(frozen=True)
class Blocks:
    """The blocks of a system on chip.

    Attributes:
        clock_hz: Of a processor.
        instructions_per_cycle: Of a processor.
        instructions_per_j: Of a processor.
        processor_area_m2: Of a processor.
        accelerator_clock_hz: At which accelerators' cycles are counted.
        energy_scale: From the technology of the accelerators' energies to the one built in.
        area_scale: The same, for areas.
        largest_power_of_two: The largest unrolling of an accelerator that is not the number of its task's iterations.
        memory_table: By kind, in the order of `MEMORY_KINDS`: rows of size in bytes, J per byte read and written, and m2, by size.
        source: Where the figures come from.
    """

    clock_hz: float
    instructions_per_cycle: float
    instructions_per_j: float
    processor_area_m2: float
    accelerator_clock_hz: float
    energy_scale: float
    area_scale: float
    largest_power_of_two: int
    memory_table: tuple[tuple[tuple[float, float, float, float], ...], ...]
    source: str = ""

    @classmethod
    def default(cls) -> Blocks:
        """Return FARSI's: an A53, SRAM and DRAM after CACTI, and accelerators as the tasks say."""
        return _default()

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str = "blocks") -> Blocks:
        """Return the blocks of the JSON form; what it leaves out is FARSI's.

        Raises:
            InputError: Naming the entry.
        """
        return _from_json({**_default_json(), **_checked_mapping(data, where)}, where)

    def work(self, task: Task) -> float:
        """Return the instructions of a task."""
        return task.processor_cycles * self.instructions_per_cycle

    def processor(self) -> ProcessingElement:
        """Return a processor."""
        rate = self.clock_hz * self.instructions_per_cycle
        return ProcessingElement(rate, self.instructions_per_j, area_m2=self.processor_area_m2)

    def unrollings(self, task: Task) -> tuple[int, ...]:
        """Return by how much the task's loop can be unrolled: powers of two, and all its iterations; empty without an accelerator."""
        if task.accelerator is None:
            return ()
        powers = [1 << k for k in range(self.largest_power_of_two.bit_length())]
        return (*(power for power in powers if power < task.accelerator.iterations), task.accelerator.iterations)

    def accelerator(self, task: Task, unrolling: int, clock_hz: float) -> ProcessingElement:
        """Return the accelerator of a task: unrolling multiplies speed, energy and area, the clock speed alone.

        Raises:
            InputError: If there is none for it.
        """
        figures = task.accelerator
        if figures is None:
            raise InputError(f"there is no accelerator for task {task.name!r}: its figures are missing")
        work = self.work(task)
        rate = clock_hz / self.accelerator_clock_hz * unrolling * work / (figures.cycles / self.accelerator_clock_hz)
        per_j = work / (figures.energy_fj * 1e-15 * self.energy_scale * unrolling)
        return ProcessingElement(rate, per_j, instructions_per_m2=work / (figures.area_um2 * 1e-12 * self.area_scale * unrolling))

    def memory(self, kind: str, width_bytes: float, clock_hz: float) -> Memory:
        """Return a memory; raises `UnknownNameError` for a kind that there is not."""
        if kind not in MEMORY_KINDS:
            raise UnknownNameError("kind of memory", kind, MEMORY_KINDS)
        return Memory(kind, width_bytes * clock_hz)

    def bus(self, width_bytes: float, clock_hz: float) -> Bus:
        """Return a bus."""
        return Bus(width_bytes * clock_hz)


@cache
def _default_json() -> dict[str, Any]:
    return dict(json.loads(_DATA.read_text(encoding="utf-8")))


@cache
def _default() -> Blocks:
    return _from_json(_default_json(), str(_DATA))


def _from_json(data: Mapping[str, Any], where: str) -> Blocks:
    known = ("source", "processor", "accelerators", "memory_table", "units")
    for name in data:
        if name not in known:
            raise UnknownNameError(f"entry of {where}:", name, known)
    processor = _checked_mapping(data["processor"], f"{where}: processor")
    scales = _checked_mapping(data["accelerators"], f"{where}: accelerators")
    tables = _checked_mapping(data["memory_table"], f"{where}: memory_table")

    def number(section: Mapping[str, Any], name: str, of: str) -> float:
        if name not in section:
            raise InputError(f"{where}: {of} lacks {name}")
        return _positive(section[name], f"{where}: {of}: {name}")

    return Blocks(
        number(processor, "clock_hz", "processor"),
        number(processor, "instructions_per_cycle", "processor"),
        number(processor, "instructions_per_j", "processor"),
        number(processor, "area_m2", "processor"),
        number(scales, "base_clock_hz", "accelerators"),
        number(scales, "energy_scale", "accelerators"),
        number(scales, "area_scale", "accelerators"),
        int(number(scales, "largest_power_of_two", "accelerators")),
        tuple(_table(tables.get(kind), f"{where}: memory_table: {kind}") for kind in MEMORY_KINDS),
        str(data.get("source", "")),
    )


def _table(rows: Any, where: str) -> tuple[tuple[float, float, float, float], ...]:
    if not isinstance(rows, list) or len(rows) < 2:
        raise InputError(f"{where} is {shorten(rows)}, expected two or more rows of {', '.join(_COLUMNS)}")
    table: list[tuple[float, float, float, float]] = []
    for i, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(_COLUMNS):
            raise InputError(f"{where}: row {i + 1} is {shorten(row)}, expected {', '.join(_COLUMNS)}")
        size, read, write, area = (_positive(x, f"{where}: row {i + 1}: {name}") for name, x in zip(_COLUMNS, row, strict=True))
        table.append((size, read, write, area))
    if np.any(np.diff([row[0] for row in table]) <= 0):
        raise InputError(f"{where}: sizes must grow from row to row")
    return tuple(table)


def _positive(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise InputError(f"{where} is {shorten(value)}, expected a number above 0")
    return float(value)


def _checked_mapping(data: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise InputError(f"{where} is {shorten(data)}, expected an object with names")
    return data
