"""`Soc`: one system on chip, and the tasks on it; many of them as arrays for the compiled simulation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from designgym.core.errors import InputError, UnknownNameError
from designgym.simulators.soc.blocks import MEMORY_KINDS, Bus, Memory, ProcessingElement
from designgym.simulators.soc.compiled import Array
from designgym.simulators.soc.task_graph import TaskGraph

__all__ = ["Bus", "Memory", "ProcessingElement", "Soc", "SocBatch", "batch_of"]


@dataclass(frozen=True)
class Soc:
    """A system on chip: blocks, how they are connected, and where tasks run and keep their output.

    Attributes:
        pes: Processors and accelerators. In FARSI's model the first one is special: its tasks come first where several are ready.
        memories: Memories.
        buses: Buses.
        pe_bus: By PE, the bus that it is on.
        memory_bus: By memory, the bus that it is on.
        bus_links: Pairs of buses that are connected; a tree.
        task_pe: By task, the PE that runs it.
        task_memory: By task, the memory that keeps its output.
    """

    pes: tuple[ProcessingElement, ...]
    memories: tuple[Memory, ...]
    buses: tuple[Bus, ...]
    pe_bus: tuple[int, ...]
    memory_bus: tuple[int, ...]
    bus_links: tuple[tuple[int, int], ...]
    task_pe: Mapping[str, int]
    task_memory: Mapping[str, int]

    def check(self, graph: TaskGraph) -> None:
        """Raise `InputError` if a number does not name a block, or a task is missing or not one of the graph's."""
        counts = {"PE": len(self.pes), "memory": len(self.memories), "bus": len(self.buses)}
        for kind, count in counts.items():
            if not count:
                raise InputError(f"a system on chip needs at least one {kind}")
        for what, numbers, length, kind in (
            ("pe_bus", self.pe_bus, len(self.pes), "bus"),
            ("memory_bus", self.memory_bus, len(self.memories), "bus"),
        ):
            if len(numbers) != length:
                raise InputError(f"{what} has {len(numbers)} entries, expected {length}")
            _require_numbers(what, numbers, counts[kind], kind)
        for link in self.bus_links:
            _require_numbers("bus_links", link, counts["bus"], "bus")
        for what, mapping, kind in (("task_pe", self.task_pe, "PE"), ("task_memory", self.task_memory, "memory")):
            for task in mapping:
                if task not in graph.names:
                    raise UnknownNameError(f"task in {what}:", task, graph.names)
            if missing := [task for task in graph.names if task not in mapping]:
                raise InputError(f"{what} lacks the task {missing[0]!r}")
            _require_numbers(what, mapping.values(), counts[kind], kind)


class SocBatch(NamedTuple):
    """Systems on chip as arrays, padded to the largest: b systems, p PEs, m memories, s buses, l links, n tasks.

    `counts` has the numbers of PEs, memories, buses and links by system, shape (b, 4); the others have the shapes that their comments say.
    """

    counts: Array
    pe_rate: Array  # (b, p)
    pe_per_j: Array  # (b, p)
    pe_area: Array  # (b, p), 0 for accelerators
    pe_per_m2: Array  # (b, p), 0 for processors
    memory_kind: Array  # (b, m)
    memory_rate: Array  # (b, m)
    bus_rate: Array  # (b, s)
    pe_bus: Array  # (b, p)
    memory_bus: Array  # (b, m)
    links: Array  # (b, l, 2)
    task_pe: Array  # (b, n)
    task_memory: Array  # (b, n)

    @classmethod
    def empty(cls, b: int, p: int, m: int, s: int, links: int, n: int) -> SocBatch:
        """Return room for so many systems of at most such sizes."""

        def whole(*shape: int) -> Array:
            return np.zeros(shape, np.int64)

        return cls(
            whole(b, 4), np.ones((b, p)), np.ones((b, p)), np.zeros((b, p)), np.zeros((b, p)), whole(b, m), np.ones((b, m)),
            np.ones((b, s)), whole(b, p), whole(b, m), whole(b, links, 2), whole(b, n), whole(b, n),
        )  # fmt: skip


def batch_of(socs: Sequence[Soc], graph: TaskGraph) -> SocBatch:
    """Return systems as arrays; raises `InputError` as `Soc.check` does."""
    for soc in socs:
        soc.check(graph)
    sizes = [max((len(getattr(soc, part)) for soc in socs), default=1) for part in ("pes", "memories", "buses", "bus_links")]
    a = SocBatch.empty(len(socs), sizes[0], sizes[1], sizes[2], sizes[3], len(graph.names))
    for i, soc in enumerate(socs):
        p, m, s = len(soc.pes), len(soc.memories), len(soc.buses)
        a.counts[i] = p, m, s, len(soc.bus_links)
        a.pe_rate[i, :p] = [pe.rate for pe in soc.pes]
        a.pe_per_j[i, :p] = [pe.instructions_per_j for pe in soc.pes]
        a.pe_area[i, :p] = [pe.area_m2 for pe in soc.pes]
        a.pe_per_m2[i, :p] = [pe.instructions_per_m2 for pe in soc.pes]
        a.memory_kind[i, :m] = [MEMORY_KINDS.index(memory.kind) for memory in soc.memories]
        a.memory_rate[i, :m] = [memory.rate for memory in soc.memories]
        a.bus_rate[i, :s] = [bus.rate for bus in soc.buses]
        a.pe_bus[i, :p], a.memory_bus[i, :m] = soc.pe_bus, soc.memory_bus
        if soc.bus_links:
            a.links[i, : len(soc.bus_links)] = soc.bus_links
        a.task_pe[i] = [soc.task_pe[name] for name in graph.names]
        a.task_memory[i] = [soc.task_memory[name] for name in graph.names]
    return a


def _require_numbers(what: str, numbers: Any, count: int, kind: str) -> None:
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or not 0 <= number < count:
            raise InputError(f"{what} names {kind} {number!r}, expected a number from 0 to {count - 1}")
