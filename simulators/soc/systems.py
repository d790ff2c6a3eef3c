"""Systems on chip of designs of the structured space, as arrays for the simulation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from designgym.core.errors import InputError
from designgym.simulators.soc.canonical import DEFAULT_TASK
from designgym.simulators.soc.compiled import Array, compiled, entry_point, source_digest
from designgym.simulators.soc.genome import (
    BUS,
    BUSES_AT,
    CLOCK,
    CLOCKS_MHZ,
    MEMORIES_AT,
    MEMORY,
    MOST_BUSES,
    MOST_MEMORIES,
    MOST_PROCESSORS,
    ON,
    PARAMETERS,
    PROCESSOR,
    PROCESSORS_AT,
    RATES,
    TASK_FIELDS,
    TASKS_AT,
    UNROLLING,
    canonical_row,
    encode,
)  # fmt: skip
from designgym.simulators.soc.soc import SocBatch
from designgym.simulators.soc.workload import SocWorkload


class BlockFigures(NamedTuple):
    """What the blocks of a workload's systems are, by task with work (t), unrolling (u) and clock (c)."""

    tasks: Array  # (t,) numbers of the tasks with work
    unrollings: Array  # (t,) how many there are; 0 without accelerator
    rate: Array  # (t, u, c)
    per_j: Array  # (t, u)
    per_m2: Array  # (t, u)
    processor: Array  # (3,) rate, instructions per J, m2


def block_figures(workload: SocWorkload) -> BlockFigures:
    """Return the figures of a workload's blocks."""
    blocks = workload.blocks
    working = [(i, task) for i, task in enumerate(workload.graph.tasks) if task.processor_cycles]
    unrollings = [blocks.unrollings(task) for _, task in working]
    most = max(1, *map(len, unrollings))
    rate = np.ones((len(working), most, len(CLOCKS_MHZ)))
    per_j, per_m2 = np.ones((len(working), most)), np.ones((len(working), most))
    for t, (_, task) in enumerate(working):
        for u, unrolling in enumerate(unrollings[t]):
            for c, clock in enumerate(CLOCKS_MHZ):
                pe = blocks.accelerator(task, unrolling, clock * 1e6)
                rate[t, u, c], per_j[t, u], per_m2[t, u] = pe.rate, pe.instructions_per_j, pe.instructions_per_m2
    processor = blocks.processor()
    return BlockFigures(
        np.array([i for i, _ in working]),
        np.array([len(found) for found in unrollings]),
        rate,
        per_j,
        per_m2,
        np.array([processor.rate, processor.instructions_per_j, processor.area_m2]),
    )


def systems(designs: Sequence[Mapping[str, Any]], workload: SocWorkload, figures: BlockFigures) -> tuple[SocBatch, Array]:
    """Return the systems of designs, in canonical form, and by design the task that has no accelerator though it should; -1 if all have.

    Raises:
        InputError: If the workload has more tasks with work than the designs have entries for.
    """
    rows = np.array([encode(tuple(design[name] for name in PARAMETERS)) for design in designs], dtype=np.int64)
    entries = (rows.shape[1] - TASKS_AT) // TASK_FIELDS
    if (count := len(figures.tasks)) > entries:
        raise InputError(f"the workload has {count} tasks with work, the space {entries} entries: use the option tasks={count}")
    batch = SocBatch.empty(len(designs), MOST_PROCESSORS + count, MOST_MEMORIES, MOST_BUSES, MOST_BUSES - 1, len(workload.graph.names))
    lacking = np.full(len(designs), -1)
    _build(rows, figures, DEFAULT_TASK, batch, lacking)
    return batch, lacking


@compiled
def _set_processor(socs: Any, b: int, p: int, processor: Array) -> None:  # pragma: no cover  # compiled
    socs.pe_rate[b, p], socs.pe_per_j[b, p], socs.pe_area[b, p], socs.pe_per_m2[b, p] = processor[0], processor[1], processor[2], 0.0


@compiled
def _build_all(rows: Array, figures: Any, default_task: Array, socs: Any, lacking: Array) -> None:  # pragma: no cover  # compiled
    row = np.empty(rows.shape[1], np.int64)
    for b in range(len(rows)):
        canonical_row(rows[b], figures.unrollings, default_task, row)
        pes = row[0]
        for p in range(pes):
            _set_processor(socs, b, p, figures.processor)
            socs.pe_bus[b, p] = row[PROCESSORS_AT + p]
        for m in range(row[1]):
            at = MEMORIES_AT + 3 * m
            socs.memory_kind[b, m], socs.memory_rate[b, m], socs.memory_bus[b, m] = row[at], RATES[row[at + 1]], row[at + 2]
        for s in range(row[2]):
            at = BUSES_AT + 2 * s
            socs.bus_rate[b, s] = RATES[row[at]]
            if s:
                socs.links[b, s - 1, 0], socs.links[b, s - 1, 1] = row[at + 1], s
        for t in range(socs.task_pe.shape[1]):  # those without work
            socs.task_pe[b, t], socs.task_memory[b, t] = 0, row[3]
        for i in range(len(figures.tasks)):
            at, t = TASKS_AT + i * TASK_FIELDS, figures.tasks[i]
            socs.task_memory[b, t] = row[at + MEMORY]
            if row[at + ON] == 0:
                socs.task_pe[b, t] = row[at + PROCESSOR]
                continue
            if figures.unrollings[i] == 0:
                lacking[b] = t
                continue
            u, c = row[at + UNROLLING], row[at + CLOCK]
            socs.task_pe[b, t] = pes
            socs.pe_rate[b, pes], socs.pe_per_j[b, pes] = figures.rate[i, u, c], figures.per_j[i, u]
            socs.pe_area[b, pes], socs.pe_per_m2[b, pes] = 0.0, figures.per_m2[i, u]
            socs.pe_bus[b, pes] = row[at + BUS]
            pes += 1
        socs.counts[b, 0], socs.counts[b, 1], socs.counts[b, 2], socs.counts[b, 3] = pes, row[1], row[2], row[2] - 1


def _compile(sources: int) -> Callable[..., None]:
    @entry_point
    def build(rows: Array, figures: Any, default_task: Array, socs: Any, lacking: Array) -> None:  # pragma: no cover  # compiled
        """Fill the systems of rows, and which task of each has no accelerator though it should."""
        if sources == 0:
            return
        _build_all(rows, figures, default_task, socs, lacking)

    return build


_build = _compile(source_digest())
