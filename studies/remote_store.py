"""A store in a file, for runs on other hosts: an actor beside the file reads and writes for them.

SQLite must not be used over a network file system, and often there is none. A call to the actor takes about a millisecond more than the
file would, and results are durable when it returns, as they are otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from designgym.core.errors import StoreError
from designgym.core.metrics import Metrics
from designgym.core.space import DesignSpace
from designgym.studies.records import Record, StoredRun
from designgym.studies.store import Store, open_store

CALLS_AT_ONCE = 64  # some may wait for a writer that died on another host; all others take milliseconds


class _Keeper:
    """The actor: calls methods of the store that it opened."""

    def __init__(self, where: str) -> None:
        self._store = open_store(where, create=False)

    def call(self, method: str, *arguments: Any, **named: Any) -> Any:
        return getattr(self._store, method)(*arguments, **named)


def start_keeper(store: Store, node: str) -> RemoteStore:
    """Start an actor that keeps the store, a file, on the node with that id; it ends with this process."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    there = NodeAffinitySchedulingStrategy(node, soft=False)
    maker: Any = ray.remote(_Keeper)
    remote = RemoteStore(
        maker.options(num_cpus=0, max_concurrency=CALLS_AT_ONCE, max_restarts=0, scheduling_strategy=there).remote(store.where),
        store.shown,
    )
    remote.measured([""])  # it can be reached, and reaches its file
    return remote


class RemoteStore:
    """What a search run needs of a `Store` that another process keeps (a `RunStore`); see there."""

    def __init__(self, keeper: Any, shown: str) -> None:
        self._keeper, self.shown = keeper, shown

    def claim(self, study: str, run: str, owner: str) -> StoredRun:
        """See `Store.claim`."""
        return self._call("claim", study, run, owner)

    def trials(self, run: StoredRun, space: DesignSpace) -> list[Record]:
        """See `Store.trials`."""
        return self._call("trials", run, space)

    def append(
        self, run_id: int, owner: str, records: Sequence[Record], *, progress: Mapping[str, Any], checkpoint: Mapping[str, Any] | None
    ) -> None:
        """See `Store.append`."""
        self._call("append", run_id, owner, list(records), progress=progress, checkpoint=checkpoint)

    def finish(
        self, run_id: int, owner: str, status: str, reason: str, *, progress: Mapping[str, Any], checkpoint: Mapping[str, Any] | None
    ) -> None:
        """See `Store.finish`."""
        self._call("finish", run_id, owner, status, reason, progress=progress, checkpoint=checkpoint)

    def beat(self, run_id: int, owner: str) -> None:
        """See `Store.beat`."""
        self._call("beat", run_id, owner)

    def note(self, results: Mapping[str, Metrics], run_id: int | None = None, owner: str = "") -> None:
        """See `Store.note`."""
        self._call("note", dict(results), run_id, owner)

    def measured(self, keys: Sequence[str]) -> dict[str, tuple[Metrics, int | None]]:
        """See `Store.measured`."""
        return self._call("measured", list(keys)) if keys else {}

    def adopt(self, keys: Sequence[str], run_id: int, owner: str) -> set[str]:
        """See `Store.adopt`."""
        return self._call("adopt", list(keys), run_id, owner)

    def stop(self) -> None:
        """End the actor."""
        import ray

        ray.kill(self._keeper)

    def _call(self, method: str, *arguments: Any, **named: Any) -> Any:
        import ray
        from ray.exceptions import RayActorError, RayTaskError

        try:
            return ray.get(self._keeper.call.remote(method, *arguments, **named))
        except RayTaskError as error:
            raise error.cause from None
        except RayActorError as error:
            raise StoreError(
                f"the process that keeps store {self.shown} for other hosts has ended ({type(error).__name__}): run the study again"
            ) from None
