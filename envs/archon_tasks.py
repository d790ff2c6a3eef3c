"""Tasks for architectures, as environments offer them."""

from __future__ import annotations

from functools import lru_cache

from designgym.core.workload import Workload
from designgym.simulators.archon.tasks import GENERATED, find_tasks


class TaskWorkloads:
    """Generated tasks by name, with settings after a colon, and the user's own from ``.jsonl`` files."""

    def names(self) -> list[str]:
        """Return the names of those that can be generated."""
        return list(GENERATED)

    def get(self, name: str) -> Workload:
        """Return tasks as a workload."""
        return _kept(name) if not name.endswith(".jsonl") else _workload(name)


def _workload(name: str) -> Workload:
    tasks = find_tasks(name)
    return Workload(name, tasks, digest=tasks.digest)


_kept = lru_cache(maxsize=32)(_workload)
