"""ArchGym's space of systems on chip (Krishnan et al., ISCA 2023): 18 + 2 x tasks parameters, with up to three blocks of each kind.

That is 34 parameters and 1.56e17 designs for edge detection, 36 and 1.40e18 for CAVA, 54 and 5.4e26 for the audio decoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from designgym.core.canonical_form import CanonicalForm
from designgym.core.discrete import Integer
from designgym.core.errors import InputError, shorten
from designgym.core.parameter_base import Parameter
from designgym.core.rules import Constraint
from designgym.core.space import DesignSpace
from designgym.simulators.soc.blocks import MEMORY_KINDS
from designgym.simulators.soc.compiled import Array
from designgym.simulators.soc.genome import CLOCKS_MHZ, WIDTHS_BYTES
from designgym.simulators.soc.library import SINK, TASKS_TRAIT
from designgym.simulators.soc.soc import SocBatch
from designgym.simulators.soc.systems import BlockFigures
from designgym.simulators.soc.workload import SocWorkload

__all__ = ["archgym_space", "archgym_systems", "canonical_archgym"]


BLOCKS = 3  # of each kind
MOST_TASKS = 100
PROCESSOR, ACCELERATOR = 0, 1  # values of pe_allocation
KIND = "dram"  # of the memories: ArchGym takes the first four of FARSI's, which are this at four clocks, and the first four buses likewise
_GROUPS = (
    ("pe_allocation", 0, 1), ("mem_allocation", 0, 3), ("bus_allocation", 0, 3), ("pe_to_bus_connection", 0, 2),
    ("bus_to_bus_connection", -1, 2), ("bus_to_mem_connection", -1, 2),
)  # fmt: skip
_CHUNK = 12  # tasks of a constraint: expressions have a limit


@lru_cache(maxsize=8)
def archgym_space(tasks: int, *, relabel: bool = True) -> DesignSpace:
    """Return ArchGym's space for a number of tasks, those without work included.

    Legal are trees of buses with each memory on one bus at most; ArchGym lets others through. A bus that no data needs to pass has no
    effect, so that nothing is lost by asking for all three to be connected.

    Args:
        tasks: Of the workload.
        relabel: Whether blocks of a kind are interchangeable; not so in FARSI's own model, in which the first PE is special.

    Raises:
        InputError: If ``tasks`` is no whole number from 1 to `MOST_TASKS`.
    """
    if isinstance(tasks, bool) or not isinstance(tasks, int) or not 1 <= tasks <= MOST_TASKS:
        raise InputError(f"option tasks is {shorten(tasks)}, expected a whole number from 1 to {MOST_TASKS}")
    # the default: all on the first blocks, and the buses in a row
    defaults = {"bus_to_bus_connection_0": -1, "bus_to_bus_connection_2": 1} | {f"bus_to_mem_connection_{i}": i for i in range(BLOCKS)}
    parameters: dict[str, Parameter] = {}
    for group, low, high in _GROUPS:
        for i in range(BLOCKS):
            name = f"{group}_{i}"
            parameters[name] = Integer(low, high, default=defaults.get(name, 0))
    for group in ("task_to_pe_mapping", "task_to_mem_mapping"):
        parameters |= {f"{group}_{i}": Integer(0, BLOCKS - 1) for i in range(tasks)}
    link, hangs = "bus_to_bus_connection", "bus_to_mem_connection"
    links = [f"{link}_{a} == {b} or {link}_{b} == {a}" for a, b in ((0, 1), (0, 2), (1, 2))]
    on_bus = ", ".join(f"{hangs}_{i}" for i in range(BLOCKS))
    constraints = [
        Constraint(
            " and ".join(f"{link}_{i} != {i}" for i in range(BLOCKS)), f"a bus is linked to itself: set its {link} to another, or -1"
        ),
        Constraint(
            f"sum([{', '.join(links)}]) == 2", f"the three buses must be linked to a tree, by two links: change {link}_0 to {link}_2"
        ),
        Constraint(
            " and ".join(f"({hangs}_{a} == -1 or {hangs}_{a} != {hangs}_{b})" for a, b in ((0, 1), (0, 2), (1, 2))),
            f"a memory is on two buses: give {hangs}_0 to {hangs}_2 different values, or -1",
        ),
        *(
            Constraint(
                " and ".join(f"task_to_mem_mapping_{i} in [{on_bus}]" for i in range(start, min(start + _CHUNK, tasks))),
                f"a task uses a memory that is on no bus: name it in {hangs}_0 to {hangs}_2",
            )
            for start in range(0, tasks, _CHUNK)
        ),
    ]
    names = tuple(parameters)
    return DesignSpace(
        parameters,
        version="1",
        constraints=constraints,
        symmetries=[CanonicalForm(canonical_archgym, names, version="1")] if relabel else [],
    )


class _Parts:
    """The groups of a design's values."""

    def __init__(self, values: Sequence[int]) -> None:
        self.pe, self.memory, self.bus, self.pe_bus, self.link, self.hangs = (list(values[i : i + BLOCKS]) for i in range(0, 18, BLOCKS))
        rest = list(values[18:])
        self.task_pe, self.task_memory = rest[: len(rest) // 2], rest[len(rest) // 2 :]

    def memory_bus(self, memory: int) -> int:
        """Return the bus that a memory is on, -1 if none."""
        return self.hangs.index(memory) if memory in self.hangs else -1

    def links(self) -> list[tuple[int, int]]:
        """Return the links, each once."""
        return sorted({(min(a, b), max(a, b)) for a, b in enumerate(self.link) if b >= 0})


def canonical_archgym(values: tuple[Any, ...], traits: frozenset[str]) -> tuple[Any, ...]:
    """Return the values with blocks numbered by first use, and what is not used at its smallest value."""
    marks = next((trait.removeprefix(TASKS_TRAIT).split(",") for trait in traits if trait.startswith(TASKS_TRAIT)), None)
    old = _Parts(values)
    if marks is None or len(marks) > len(old.task_pe):
        return values
    tree = {bus: [other for link in old.links() for other in link if bus in link and other != bus] for bus in range(BLOCKS)}
    pes, memories, buses, parents = list[int](), list[int](), list[int](), list[int]()

    def reach(bus: int) -> bool:
        """Number a bus and those on the way to it; return whether there is a way."""
        if not buses:
            buses.append(bus)
            parents.append(-1)
        way, came = [buses[0]], {buses[0]: -1}
        for at in way:
            for other in tree.get(at, []):
                if other not in came:
                    came[other] = at
                    way.append(other)
        path = [bus]
        while path[-1] in came and came[path[-1]] >= 0:
            path.append(came[path[-1]])
        for at in reversed(path):
            if at not in buses and at in came:
                parents.append(buses.index(came[at]))
                buses.append(at)
        return bus in came

    for i, mark in enumerate(marks):
        if old.task_pe[i] not in pes:
            pes.append(old.task_pe[i])
            if not reach(old.pe_bus[pes[-1]]):
                return values
        if mark != SINK and old.task_memory[i] not in memories:
            memories.append(old.task_memory[i])
            if old.memory_bus(memories[-1]) < 0 or not reach(old.memory_bus(memories[-1])):
                return values
    unused = [0] * BLOCKS

    def padded(found: list[int], filler: list[int]) -> list[int]:
        return found + filler[len(found) :]

    return tuple(
        padded([old.pe[p] for p in pes], unused)
        + padded([old.memory[m] for m in memories], unused)
        + padded([old.bus[b] for b in buses], unused)
        + padded([buses.index(old.pe_bus[p]) for p in pes], unused)
        + padded(parents, [-1, 0, 0])
        + padded([memories.index(old.hangs[b]) if old.hangs[b] in memories else -1 for b in buses], [-1] * BLOCKS)
        + [pes.index(pe) for pe in old.task_pe[: len(marks)]]
        + [0] * (len(old.task_pe) - len(marks))
        + [0 if mark == SINK else memories.index(memory) for mark, memory in zip(marks, old.task_memory, strict=False)]
        + [0] * (len(old.task_memory) - len(marks))
    )


def archgym_systems(designs: Sequence[Mapping[str, Any]], workload: SocWorkload, figures: BlockFigures) -> tuple[SocBatch, Array]:
    """Return the systems of legal designs, and by design a task that cannot be on the accelerator that it is mapped to; -1 if all can.

    An accelerator is that of the task with work that is mapped to it, not unrolled, at the lowest clock; it can run one.

    Raises:
        InputError: If the workload has more tasks than the designs.
    """
    graph, n = workload.graph, len(workload.graph.names)
    rates = [WIDTHS_BYTES[0] * clock * 1e6 for clock in CLOCKS_MHZ]
    entry = {int(task): i for i, task in enumerate(figures.tasks)}
    batch = SocBatch.empty(len(designs), BLOCKS, BLOCKS, BLOCKS, BLOCKS - 1, n)
    lacking = np.full(len(designs), -1)
    for b, design in enumerate(designs):
        parts = _Parts(list(design.values()))
        if n > len(parts.task_pe):
            raise InputError(f"the workload has {n} tasks, the space entries for {len(parts.task_pe)}: make it with the option tasks={n}")
        batch.counts[b] = BLOCKS, BLOCKS, BLOCKS, len(parts.links())
        batch.links[b] = parts.links()
        batch.pe_bus[b], batch.memory_bus[b] = parts.pe_bus, [max(parts.memory_bus(m), 0) for m in range(BLOCKS)]
        batch.memory_kind[b] = MEMORY_KINDS.index(KIND)
        batch.memory_rate[b], batch.bus_rate[b] = [rates[k] for k in parts.memory], [rates[k] for k in parts.bus]
        batch.task_pe[b], batch.task_memory[b] = parts.task_pe[:n], parts.task_memory[:n]
        sink = graph.names.index(graph.sink)
        batch.task_memory[b, sink] = batch.task_memory[b, graph.names.index(graph.source)]  # it keeps nothing
        for p, kind in enumerate(parts.pe):
            batch.pe_rate[b, p], batch.pe_per_j[b, p], batch.pe_area[b, p] = figures.processor
            if kind == PROCESSOR:
                continue
            batch.pe_area[b, p], batch.pe_per_m2[b, p] = 0.0, 1.0
            working = [t for t in entry if parts.task_pe[t] == p]
            if working:
                i = entry[working[0]]
                batch.pe_rate[b, p], batch.pe_per_j[b, p], batch.pe_per_m2[b, p] = (
                    figures.rate[i, 0, 0],
                    figures.per_j[i, 0],
                    figures.per_m2[i, 0],
                )
                if len(working) > 1 or not figures.unrollings[i]:
                    lacking[b] = working[-1]
    return batch, lacking
