"""`TaskGraph`: what a system on chip has to run: tasks with their work, and the bytes that they pass on."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from designgym.core.errors import InputError, UnknownNameError, shorten, shorten_list

BURST_BYTES = 1024


@dataclass(frozen=True)
class Accelerator:
    """What a task takes on an accelerator of its own, without unrolling and before scaling to the technology (see `Blocks`).

    Attributes:
        cycles: At the accelerators' base clock.
        energy_fj: Of one run of the task.
        area_um2: Of the accelerator.
        iterations: Of the task's loop: the largest unrolling.
    """

    cycles: float
    energy_fj: float
    area_um2: float
    iterations: int = 1


@dataclass(frozen=True)
class Task:
    """A task.

    Attributes:
        name: Its name.
        processor_cycles: On a processor; 0 for a task that only stands for where data comes from or goes to. It takes no time.
        accelerator: What it takes on an accelerator; None if there is none for it.
        burst_bytes: Of its transfers: its smallest input, counted in bursts, sets the unit in which its traffic shares buses and memories.
    """

    name: str
    processor_cycles: float
    accelerator: Accelerator | None = None
    burst_bytes: float = BURST_BYTES


@dataclass(frozen=True)
class TaskGraph:
    """Tasks and what they pass on to each other, without cycles.

    One task, the source, has no parents; one, the sink, no children; both without work: where the input lies, and what takes the output.

    Attributes:
        tasks: In file order, which decides ties.
        transfers: Producer, consumer and bytes, in file order.
        last_task: The task whose end is the latency; the sink if empty.

    Raises:
        InputError: For anything else, naming the task or the transfer.
    """

    tasks: tuple[Task, ...]
    transfers: tuple[tuple[str, str, float], ...]
    last_task: str = ""

    def __post_init__(self) -> None:
        _check_tasks(self.tasks)
        _check_transfers(self.transfers, self.names)
        _check_acyclic(self)
        ends = {"source": [n for n in self.names if not self.parents[n]], "sink": [n for n in self.names if not self.children[n]]}
        for role, found in ends.items():
            other = "parents" if role == "source" else "children"
            if len(found) != 1:
                raise InputError(
                    f"a task graph has one task without {other}, its {role}; this one has {len(found)}"
                    f": {shorten_list(found)}. Add a task without work {'before' if role == 'source' else 'behind'} them"
                )
            if self.work_of[found[0]]:
                raise InputError(
                    f"task {found[0]!r} has no {other} but has work: add a task without work (processor_cycles 0) "
                    f"{'that passes it its input' if role == 'source' else 'that takes its output'}"
                )
        if not self.last_task:
            object.__setattr__(self, "last_task", ends["sink"][0])
        elif self.last_task not in self.names:
            raise UnknownNameError("last_task", self.last_task, self.names)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The tasks' names, in file order."""
        return tuple(task.name for task in self.tasks)

    @cached_property
    def work_of(self) -> Mapping[str, float]:
        """Cycles on a processor by task."""
        return {task.name: task.processor_cycles for task in self.tasks}

    @cached_property
    def children(self) -> Mapping[str, Mapping[str, float]]:
        """Bytes to each child by task, in file order."""
        found: dict[str, dict[str, float]] = {name: {} for name in self.names}
        for producer, consumer, size in self.transfers:
            found[producer][consumer] = size
        return found

    @cached_property
    def parents(self) -> Mapping[str, Mapping[str, float]]:
        """Bytes from each parent by task, in file order."""
        found: dict[str, dict[str, float]] = {name: {} for name in self.names}
        for producer, consumer, size in sorted(self.transfers, key=lambda transfer: self.names.index(transfer[0])):
            found[consumer][producer] = size
        return found

    @property
    def source(self) -> str:
        """The task without parents."""
        return next(name for name in self.names if not self.parents[name])

    @property
    def sink(self) -> str:
        """The task without children."""
        return next(name for name in self.names if not self.children[name])


def _check_tasks(tasks: tuple[Task, ...]) -> None:
    for name, count in Counter(task.name for task in tasks).items():
        if not name or count > 1:
            raise InputError(f"task {name!r} is there {count} times: expected different names" if name else "a task has no name")
    for task in tasks:
        _require_number(f"task {task.name!r}: processor_cycles", task.processor_cycles, at_least=0)
        _require_number(f"task {task.name!r}: burst_bytes", task.burst_bytes, above=0)
        if task.accelerator is None:
            continue
        if not task.processor_cycles:
            raise InputError(f"task {task.name!r} has no work (processor_cycles 0), so it can have no accelerator")
        for figure in ("cycles", "energy_fj", "area_um2"):
            _require_number(f"task {task.name!r}: accelerator {figure}", getattr(task.accelerator, figure), above=0)
        iterations = task.accelerator.iterations
        if isinstance(iterations, bool) or not isinstance(iterations, int) or iterations < 1:
            raise InputError(f"task {task.name!r}: accelerator iterations is {shorten(iterations)}, expected a whole number from 1")
    if not any(task.processor_cycles for task in tasks):
        raise InputError("a task graph needs a task with work: set processor_cycles of one")


def _check_transfers(transfers: tuple[tuple[str, str, float], ...], names: tuple[str, ...]) -> None:
    seen = set[tuple[str, str]]()
    for producer, consumer, size in transfers:
        where = f"transfer {producer} -> {consumer}"
        for task in (producer, consumer):
            if task not in names:
                raise UnknownNameError(f"task in {where}:", task, names)
        if producer == consumer:
            raise InputError(f"{where}: a task passes nothing on to itself")
        if (producer, consumer) in seen:
            raise InputError(f"{where} is there twice: add the bytes up")
        seen.add((producer, consumer))
        _require_number(f"{where}: bytes", size, at_least=1)


def _check_acyclic(graph: TaskGraph) -> None:
    """Raise `InputError` that shows a cycle, if there is one."""
    missing = {name: set(graph.parents[name]) for name in graph.names}
    ready = [name for name in graph.names if not missing[name]]
    for done in ready:
        for child in graph.children[done]:
            missing[child].discard(done)
            if not missing[child]:
                ready.append(child)
    left = [name for name in graph.names if missing[name]]
    if not left:
        return
    walk = [left[0]]
    while walk[-1] not in walk[:-1]:
        walk.append(next(parent for parent in graph.parents[walk[-1]] if missing[parent]))
    cycle = walk[walk.index(walk[-1]) :][::-1]
    raise InputError(f"the task graph has a cycle: {' -> '.join(cycle)}; remove one of these transfers")


def _require_number(what: str, value: object, *, at_least: float = -math.inf, above: float = -math.inf) -> None:
    right = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= at_least and value > above
    if not right:
        bound = f"above {above:g}" if above > -math.inf else f"of at least {at_least:g}"
        raise InputError(f"{what} is {shorten(value)}, expected a number {bound}")
