"""The canonical form of structured designs: blocks that are alike are one, and what no task uses is not there."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from designgym.simulators.soc.compiled import Array, entry_point, source_digest
from designgym.simulators.soc.genome import TASK_FIELDS, TASKS_AT, canonical_row, decode, encode, simplify
from designgym.simulators.soc.library import RELAY, SINK, TASKS_TRAIT

_NOTHING: Array = np.zeros(0, dtype=np.int64)
DEFAULT_TASK: Array = np.zeros(TASK_FIELDS, dtype=np.int64)  # on the first processor, output in the first memory


def canonical_system(values: tuple[Any, ...], traits: frozenset[str]) -> tuple[Any, ...]:
    """Return the canonical values of `designgym.simulators.soc.genome.PARAMETERS`.

    Without the trait of a workload they are only simplified as holds for all workloads.
    """
    row = np.array(encode(values), dtype=np.int64)
    unrollings = unrollings_of(traits)
    known = len(unrollings) and len(unrollings) <= (len(row) - TASKS_AT) // TASK_FIELDS
    new = np.empty_like(row)
    _canonicalise(row, unrollings if known else _NOTHING, DEFAULT_TASK, new)
    return decode(new.tolist())


def _compile(sources: int) -> Callable[..., None]:
    @entry_point
    def canonicalise(row: Array, unrollings: Array, default_task: Array, new: Array) -> None:  # pragma: no cover  # compiled
        """Write the canonical row into ``new``; without a workload, and so without unrollings, the simplified one."""
        if sources == 0:
            return
        if len(unrollings):
            canonical_row(row, unrollings, default_task, new)
        else:
            simplify(row)
            new[:] = row

    return canonicalise


_canonicalise = _compile(source_digest())


@lru_cache(maxsize=64)
def unrollings_of(traits: frozenset[str]) -> Array:
    """Return how many unrollings the accelerator of each task with work has, as the workload's traits say; nothing without such a trait."""
    for trait in traits:
        if trait.startswith(TASKS_TRAIT):
            return np.array(
                [int(count) for count in trait.removeprefix(TASKS_TRAIT).split(",") if count not in (RELAY, SINK)], dtype=np.int64
            )
    return _NOTHING
