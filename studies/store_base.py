"""What a store is made of: its connections and transactions, who may write, and the look-up of results by key."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, Self

from sqlalchemy import BindParameter, Connection, Engine, and_, bindparam, func, or_, select, union_all
from sqlalchemy.dialects import postgresql, sqlite

from designgym.core.metrics import Metrics
from designgym.core.space import DesignSpace
from designgym.studies.processes import owner_state
from designgym.studies.records import Record, RunContext, RunPlan, StoredRun, loads
from designgym.studies.store_errors import translated
from designgym.studies.store_schema import FLUSH_S, measurements, meta, runs, trials

NOBODY = 0  # noted by no run, but by a calibration; runs count from 1
FOREIGN_LEASE_S = 60.0  # a writer on another host is believed dead after this long without a write


class RunStore(Protocol):
    """What a search run needs of a store, wherever that is; `Store` says what each does."""

    def claim(self, study: str, run: str, owner: str) -> StoredRun:
        """See `Store.claim`."""
        ...

    def trials(self, run: StoredRun, space: DesignSpace) -> list[Record]:
        """See `Store.trials`."""
        ...

    def append(
        self, run_id: int, owner: str, records: Sequence[Record], *, progress: Mapping[str, Any], checkpoint: Mapping[str, Any] | None
    ) -> None:
        """See `Store.append`."""
        ...

    def finish(
        self, run_id: int, owner: str, status: str, reason: str, *, progress: Mapping[str, Any], checkpoint: Mapping[str, Any] | None
    ) -> None:
        """See `Store.finish`."""
        ...

    def beat(self, run_id: int, owner: str) -> None:
        """See `Store.beat`."""
        ...

    def note(self, results: Mapping[str, Metrics], run_id: int | None = None, owner: str = "") -> None:
        """See `Store.note`."""
        ...

    def measured(self, keys: Sequence[str]) -> dict[str, tuple[Metrics, int | None]]:
        """See `Store.measured`."""
        ...

    def adopt(self, keys: Sequence[str], run_id: int, owner: str) -> set[str]:
        """See `Store.adopt`."""
        ...


class StoreBase:
    """Connections and transactions of a store.

    Attributes:
        shown: Its name in messages, without a password.
        where: What to open it by again, in another process and another working directory.
    """

    def __init__(self, engine: Engine, shown: str, where: str) -> None:
        self._engine, self.shown, self.where = engine, shown, where
        self._lookup = _lookup_statement()
        insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
        self._note = insert(measurements).on_conflict_do_nothing()
        self._flushed_at = -FLUSH_S  # by the monotonic clock; a race between threads only flushes once more

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- transactions --------------------------------------------------------------------------------------------------

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with translated(self.shown), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with translated(self.shown):
            with self._engine.connect().execution_options(writes=True) as connection, connection.begin():
                yield connection
            if (now := time.monotonic()) - self._flushed_at >= FLUSH_S:
                self._flush()
                self._flushed_at = now

    def _flush(self) -> None:
        """Make all commits so far safe from a power cut, after they are safe from a kill: a commit that SQLite flushes."""
        if self._engine.dialect.name == "sqlite":
            with self._engine.connect().execution_options(writes=True, flush=True) as connection, connection.begin():
                connection.execute(meta.update().where(meta.c.key == "flushed_at_s"), {"value": f"{time.time():.3f}"})


def _lookup_statement() -> Any:
    """Results by key: noted ones, and those of trials that hold their own measurement (a functional hit holds another design's).

    A key that a run met again and again is read once.
    """
    columns = ("key_canonical", "metrics", "status", "reasons", "cost_s")
    keys: BindParameter[str] = bindparam("keys", expanding=True)
    noted = select(*(measurements.c[name] for name in columns), func.coalesce(measurements.c.run_id, NOBODY).label("noted_by")).where(
        measurements.c.key_canonical.in_(keys)
    )
    first_hand = or_(trials.c.obtained.in_(["measured", "audited"]), and_(trials.c.obtained == "exact hit", trials.c.duplicate.is_(False)))
    own = and_(trials.c.key_canonical.in_(keys), first_hand, trials.c.status.in_(["ok", "infeasible"]))
    none = bindparam("nobody", None, type_=runs.c.id.type).label("noted_by")
    return union_all(noted, select(*(trials.c[name] for name in columns), none).where(own))


def holds(owner: str, heartbeat_s: float) -> bool:
    """Return whether a writer is alive, as far as can be told."""
    match owner_state(owner) if owner else "dead":
        case "alive":
            return True
        case "elsewhere":
            return time.time() - heartbeat_s < FOREIGN_LEASE_S
        case _:
            return False


def stored_run(row: Any) -> StoredRun:
    """Return the run of a row of table ``runs``, which may come without its checkpoint."""
    plan = RunPlan(
        row["run"], row["workload"], row["workload_digest"], row["searcher"], loads(row["searcher_options"], "options"), row["seed"]
    )
    context = RunContext(row["simulator"], row["simulator_version"], row["space_version"], row["fidelity"], row["simulator_seed"])
    checkpoint, progress = (loads(row[name], f"a run's {name}") if row.get(name) else None for name in ("checkpoint", "progress"))
    status = row["status"]
    if status == "running" and not holds(row["owner"], row["heartbeat_s"]):
        status = "interrupted"  # its process was killed before it could say so
    return StoredRun(row["id"], plan, context, status, row["stop_reason"], row["owner"], row["heartbeat_s"], checkpoint, progress)
