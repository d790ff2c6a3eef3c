"""`SocWorkload`: a task graph and the blocks to run it on; and both as arrays for the compiled simulation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from designgym.core.errors import InputError, UnknownNameError, shorten
from designgym.core.workload import content_digest
from designgym.simulators.soc.blocks import Blocks
from designgym.simulators.soc.compiled import Array
from designgym.simulators.soc.task_graph import TaskGraph


@dataclass(frozen=True)
class SocWorkload:
    """What a system on chip is searched for.

    Attributes:
        graph: Its tasks.
        blocks: What systems are built of.
        title: In words.
        source: Where the figures come from.
    """

    graph: TaskGraph
    blocks: Blocks = field(default_factory=Blocks.default)
    title: str = ""
    source: str = ""

    @cached_property
    def digest(self) -> str:
        """Digest of all that has an effect; the words do not."""
        accelerators = [task.accelerator for task in self.graph.tasks]
        figures = [[float(x) for x in (a.cycles, a.energy_fj, a.area_um2, a.iterations)] if a else None for a in accelerators]
        tasks = [[task.name, float(task.processor_cycles), float(task.burst_bytes)] for task in self.graph.tasks]
        transfers = [[producer, consumer, float(size)] for producer, consumer, size in self.graph.transfers]
        return content_digest([tasks, figures, transfers, self.graph.last_task, replace(self.blocks, source="")])

    @cached_property
    def arrays(self) -> GraphArrays:
        """The task graph as arrays."""
        return _arrays(self.graph, self.blocks)

    def load_order(self, order: str | Sequence[str] = "alphabetical") -> Array:
        """Return the numbers of the tasks in load order, shape ``(tasks,)``.

        Args:
            order: ``alphabetical``, ``file``, or all tasks by name.

        Raises:
            InputError: If it is none of these.
        """
        names = self.graph.names
        if isinstance(order, str):
            if order not in ("alphabetical", "file"):
                raise InputError(f"load order is {shorten(order)}, expected 'alphabetical', 'file', or a list of all tasks")
            order = sorted(names) if order == "alphabetical" else names
        for name in order:
            if name not in names:
                raise UnknownNameError("task in the load order", name, names)
        if len(order) != len(names) or len(set(order)) != len(names):
            raise InputError(f"the load order has {len(order)} entries, expected each of the {len(names)} tasks once")
        return np.array([names.index(name) for name in order], dtype=np.int64)


class GraphArrays(NamedTuple):
    """A task graph of n tasks and e transfers; tasks are numbered in file order."""

    work: Array  # (n,) instructions
    alloc: Array  # (n,) bytes that the task keeps in its memory
    write_bytes: Array  # (n,) to all children
    write_units: Array  # (n,)
    parent_start: Array  # (n + 1,) into the next three
    parent: Array  # (e,)
    parent_bytes: Array  # (e,)
    parent_units: Array  # (e,)
    child_start: Array  # (n + 1,) into child
    child: Array  # (e,)
    visits: Array  # (v, 2): a task, and whose output it reads, itself for a write; depth-first from the source
    ends: Array  # (3,) source, sink, last task
    table_start: Array  # (kinds + 1,) into the table
    table: Array  # (rows, 4) of `Blocks.memory_table`


def _arrays(graph: TaskGraph, blocks: Blocks) -> GraphArrays:
    names = graph.names
    number = {name: i for i, name in enumerate(names)}
    work = np.array([blocks.work(task) for task in graph.tasks], dtype=np.float64)
    parents = [graph.parents[name] for name in names]
    children = [graph.children[name] for name in names]
    units = [_unit(graph, name, w) for name, w in zip(names, work, strict=True)]
    relays = [not w and name != graph.source for name, w in zip(names, work, strict=True)]
    written = [float(sum(sizes.values())) for sizes in children]
    tables = blocks.memory_table
    return GraphArrays(
        work,
        np.where(relays, 0.0, written),
        np.array(written),
        np.array([float(sum(math.floor(size / u) for size in sizes.values())) for sizes, u in zip(children, units, strict=True)]),
        np.cumsum([0, *map(len, parents)]),
        np.array([number[p] for sizes in parents for p in sizes], dtype=np.int64),
        np.array([float(size) for sizes in parents for size in sizes.values()]),
        np.array([float(math.floor(size / u)) for sizes, u in zip(parents, units, strict=True) for size in sizes.values()]),
        np.cumsum([0, *map(len, children)]),
        np.array([number[c] for sizes in children for c in sizes], dtype=np.int64),
        np.array(_visits(graph, number), dtype=np.int64),
        np.array([number[graph.source], number[graph.sink], number[graph.last_task]]),
        np.cumsum([0, *map(len, tables)]),
        np.array([row for table in tables for row in table], dtype=np.float64),
    )


def _unit(graph: TaskGraph, name: str, work: float) -> float:
    """Return the bytes of a unit, in which the task's flows are counted: so many that the smallest input is one burst of units."""
    inputs, outputs = graph.parents[name].values(), graph.children[name].values()
    if not inputs or not outputs:
        return 1.0
    unit = math.floor(min(inputs) / graph.tasks[graph.names.index(name)].burst_bytes)
    small = unit == 0 or math.floor(min(outputs) / unit) == 0 or math.floor(work / unit) == 0
    return 1.0 if small else float(unit)


def _visits(graph: TaskGraph, number: dict[str, int]) -> list[tuple[int, int]]:
    """Return the accesses to memories in depth-first order from the source, each task's own output once."""
    visits: list[tuple[int, int]] = []
    seen: set[str] = set()
    stack: list[tuple[str, str | None]] = [(graph.source, None)]
    while stack:
        task, father = stack.pop()
        if father is not None:
            visits.append((number[task], number[father]))
        if task in seen:
            continue
        seen.add(task)
        if graph.children[task]:
            visits.append((number[task], number[task]))
        stack += [(child, task) for child in reversed(list(graph.children[task]))]
    return visits
