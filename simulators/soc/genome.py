"""Designs of the structured space as numbers, and their canonical form, compiled by Numba.

A design is a row: how many processors, memories and buses; the input's memory; by processor its bus; by memory its kind, speed and bus; by
bus its speed and parent; by task its kind of PE, processor, unrolling, clock, bus and memory. A speed is 4 times the number of the width,
plus the number of the clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from designgym.core.design import Design
from designgym.simulators.soc.blocks import MEMORY_KINDS
from designgym.simulators.soc.compiled import Array, compiled

PARAMETERS = ("processors", "memories", "buses", "tasks", "input_memory")
MOST_PROCESSORS, MOST_MEMORIES, MOST_BUSES = 4, 5, 5
CLOCKS_MHZ = (100, 400, 600, 800)  # FARSI's, of accelerators, memories and buses
WIDTHS_BYTES = (4, 8, 16, 32, 64, 128)  # FARSI's, of memories and buses, per cycle
MOST_UNROLLING = 65_536  # stands for all iterations, as does what exceeds them
KINDS_OF_PE = ("processor", "accelerator")

PROCESSORS_AT = 4
MEMORIES_AT = PROCESSORS_AT + MOST_PROCESSORS
BUSES_AT = MEMORIES_AT + 3 * MOST_MEMORIES
TASKS_AT = BUSES_AT + 2 * MOST_BUSES
TASK_FIELDS = 6
ON, PROCESSOR, UNROLLING, CLOCK, BUS, MEMORY = range(TASK_FIELDS)

RATES: Array = np.array([width * clock * 1e6 for width in WIDTHS_BYTES for clock in CLOCKS_MHZ])  # bytes/s by speed
_SAME_RATE: Array = np.array([int(np.flatnonzero(rate == RATES)[0]) for rate in RATES])  # the narrowest: only the rate has an effect


# ---- designs to numbers and back ---------------------------------------------------------------------------------------------------


def _speed(element: Mapping[str, Any]) -> int:
    return WIDTHS_BYTES.index(element["width_bytes"]) * len(CLOCKS_MHZ) + CLOCKS_MHZ.index(element["clock_mhz"])


def _processor(element: Mapping[str, Any]) -> tuple[int, ...]:
    return (element["bus"],)


def _memory(element: Mapping[str, Any]) -> tuple[int, ...]:
    return MEMORY_KINDS.index(element["kind"]), _speed(element), element["bus"]


def _bus(element: Mapping[str, Any]) -> tuple[int, ...]:
    return _speed(element), element["parent"]


def _task(element: Mapping[str, Any]) -> tuple[int, ...]:
    return (
        KINDS_OF_PE.index(element["on"]),
        element["processor"],
        int(element["unrolling"]).bit_length() - 1,
        CLOCKS_MHZ.index(element["clock_mhz"]),
        element["bus"],
        element["memory"],
    )


class _Elements:
    """The numbers of elements and the elements of numbers, kept, since designs are made of few different ones."""

    LIMIT = 1 << 16

    def __init__(self, numbers_of: Any, values_of: Any) -> None:
        self._numbers_of, self._values_of = numbers_of, values_of
        self._numbers: dict[str, tuple[int, ...]] = {}
        self._elements: dict[tuple[int, ...], Design] = {}

    def numbers(self, element: Mapping[str, Any]) -> tuple[int, ...]:
        """Return an element's numbers."""
        if not isinstance(element, Design):
            return tuple(self._numbers_of(element))
        found = self._numbers.get(element.literal)
        if found is None:
            if len(self._numbers) >= self.LIMIT:
                self._numbers.clear()
            found = self._numbers[element.literal] = self._numbers_of(element)
        return found

    def element(self, numbers: tuple[int, ...]) -> Design:
        """Return the element of its numbers."""
        found = self._elements.get(numbers)
        if found is None:
            if len(self._elements) >= self.LIMIT:
                self._elements.clear()
            found = self._elements[numbers] = Design(self._values_of(*numbers))
        return found


def _speed_values(speed: int) -> dict[str, Any]:
    width, clock = divmod(speed, len(CLOCKS_MHZ))
    return {"width_bytes": WIDTHS_BYTES[width], "clock_mhz": CLOCKS_MHZ[clock]}


_PROCESSORS = _Elements(_processor, lambda bus: {"bus": bus})
_MEMORIES = _Elements(_memory, lambda kind, speed, bus: {"kind": MEMORY_KINDS[kind], **_speed_values(speed), "bus": bus})
_BUSES = _Elements(_bus, lambda speed, parent: {**_speed_values(speed), "parent": parent})
_TASKS = _Elements(
    _task,
    lambda on, processor, unrolling, clock, bus, memory: {
        "on": KINDS_OF_PE[on], "processor": processor, "unrolling": 1 << unrolling, "clock_mhz": CLOCKS_MHZ[clock], "bus": bus,
        "memory": memory,
    },
)  # fmt: skip


def encode(values: tuple[Any, ...]) -> list[int]:
    """Return the row of a design, given as its values of `PARAMETERS`."""
    processors, memories, buses, tasks, input_memory = values
    row = [len(processors), len(memories), len(buses), input_memory]
    for elements, kind, start, end in (
        (processors, _PROCESSORS, PROCESSORS_AT, MEMORIES_AT),
        (memories, _MEMORIES, MEMORIES_AT, BUSES_AT),
        (buses, _BUSES, BUSES_AT, TASKS_AT),
    ):
        numbers = [number for element in elements for number in kind.numbers(element)]
        row += numbers + [0] * (end - start - len(numbers))
    for element in tasks:
        row += _TASKS.numbers(element)
    return row


def decode(row: list[int]) -> tuple[Any, ...]:
    """Return the values of `PARAMETERS` of a row."""
    n_processors, n_memories, n_buses, input_memory = row[:PROCESSORS_AT]
    return (
        tuple(_PROCESSORS.element((bus,)) for bus in row[PROCESSORS_AT : PROCESSORS_AT + n_processors]),
        tuple(_MEMORIES.element(_part(row, MEMORIES_AT, i, 3)) for i in range(n_memories)),
        tuple(_BUSES.element(_part(row, BUSES_AT, i, 2)) for i in range(n_buses)),
        tuple(_TASKS.element(_part(row, TASKS_AT, i, TASK_FIELDS)) for i in range((len(row) - TASKS_AT) // TASK_FIELDS)),
        input_memory,
    )


def _part(row: list[int], start: int, i: int, width: int) -> tuple[int, ...]:
    return tuple(row[start + i * width : start + (i + 1) * width])


# ---- canonical rows ------------------------------------------------------------------------------------------------------------------


@compiled
def simplify(row: Array) -> None:  # pragma: no cover  # compiled
    """Bring what has no effect on any workload to its default: how a rate is made of width and clock, and a parent of the first bus."""
    for m in range(row[1]):
        row[MEMORIES_AT + 3 * m + 1] = _SAME_RATE[row[MEMORIES_AT + 3 * m + 1]]
    for s in range(row[2]):
        row[BUSES_AT + 2 * s] = _SAME_RATE[row[BUSES_AT + 2 * s]]
        row[BUSES_AT + 2 * s + 1] = row[BUSES_AT + 2 * s + 1] % s if s else 0


@compiled
def canonical_row(row: Array, unrollings: Array, default_task: Array, new: Array) -> None:  # pragma: no cover  # compiled
    """Write the canonical row of a design into ``new``: only what is used, numbered by first use.

    Used are the first processor, the input's memory, what tasks are mapped to, and the buses between them: since every task reads what
    another one wrote, data runs over each link that separates two used blocks.

    Args:
        row: The design.
        unrollings: By task with work, how many unrollings its accelerator has; 0 without accelerator.
        default_task: A task entry without effect.
        new: Where the canonical row goes.
    """
    new[:] = 0
    simplify(row)
    tasks, entries = len(unrollings), (len(row) - TASKS_AT) // TASK_FIELDS
    n_processors, n_memories, n_buses = row[0], row[1], row[2]
    # numbers by first use, 1 for the first; buses are numbered from that of the first processor along the ways to what comes next
    processor_number, memory_number = np.zeros(n_processors, np.int64), np.zeros(n_memories, np.int64)
    bus_number, toward = np.zeros(n_buses, np.int64), np.full(n_buses, -1)
    way = np.empty(n_buses, np.int64)
    root = row[PROCESSORS_AT] % n_buses
    for bus in range(n_buses):
        toward[bus] = row[BUSES_AT + 2 * bus + 1] if bus else -1
    bus, before = root, -1
    while bus >= 0:  # turn the pointers between the root and the first bus round
        following = toward[bus]
        toward[bus] = before
        bus, before = following, bus
    counts = new[:3]
    _reach(root, toward, bus_number, way, row, new, counts)
    processor_number[0] = counts[0] = 1
    new[PROCESSORS_AT] = 0
    new[3] = _use_memory(row[3] % n_memories, memory_number, toward, bus_number, way, row, new, counts)
    for i in range(entries):
        to = TASKS_AT + i * TASK_FIELDS
        for k in range(TASK_FIELDS):
            new[to + k] = default_task[k]
        if i >= tasks:
            continue
        task = row[to : to + TASK_FIELDS]
        new[to + ON] = task[ON]
        if task[ON] == 0:
            p = task[PROCESSOR] % n_processors
            if processor_number[p] == 0:
                counts[0] += 1
                processor_number[p] = counts[0]
                new[PROCESSORS_AT + counts[0] - 1] = _reach(row[PROCESSORS_AT + p] % n_buses, toward, bus_number, way, row, new, counts)
            new[to + PROCESSOR] = processor_number[p] - 1
        else:
            new[to + UNROLLING] = min(task[UNROLLING], max(unrollings[i] - 1, 0))
            new[to + CLOCK] = task[CLOCK]
            new[to + BUS] = _reach(task[BUS] % n_buses, toward, bus_number, way, row, new, counts)
        new[to + MEMORY] = _use_memory(task[MEMORY] % n_memories, memory_number, toward, bus_number, way, row, new, counts)


@compiled
def _use_memory(
    m: int, memory_number: Array, toward: Array, bus_number: Array, way: Array, row: Array, new: Array, counts: Array
) -> int:  # pragma: no cover  # compiled
    """Return the new number of a memory, which is numbered when it is first used."""
    if memory_number[m] == 0:
        counts[1] += 1
        memory_number[m] = counts[1]
        at, to = MEMORIES_AT + 3 * m, MEMORIES_AT + 3 * (counts[1] - 1)
        new[to], new[to + 1] = row[at], row[at + 1]
        new[to + 2] = _reach(row[at + 2] % row[2], toward, bus_number, way, row, new, counts)
    return memory_number[m] - 1


@compiled
def _reach(bus: int, toward: Array, bus_number: Array, way: Array, row: Array, new: Array, counts: Array) -> int:  # pragma: no cover
    """Return the new number of a bus; number those on the way to it that are not numbered yet."""
    length, end = 0, bus
    while bus >= 0 and bus_number[bus] == 0:
        way[length] = bus
        length += 1
        bus = toward[bus]
    for k in range(length - 1, -1, -1):
        b = way[k]
        counts[2] += 1
        bus_number[b] = counts[2]
        to = BUSES_AT + 2 * (counts[2] - 1)
        new[to] = row[BUSES_AT + 2 * b]
        new[to + 1] = bus_number[toward[b]] - 1 if toward[b] >= 0 else 0
    return bus_number[end] - 1
