"""Tables of the store, and how a database is opened so that commits survive a crash and writers wait for each other.

SQLite runs in WAL mode. A commit survives the death of the process in any case. Against a power cut it must be flushed to the disk, which
takes 0.6 to 7 ms (measured on an idle and on a busy disk) and would double the cost of searching with a simulator that takes
milliseconds. So commits are made with ``synchronous=NORMAL``, and if the last flush is longer ago than `FLUSH_S`, a commit with ``FULL``
follows, which flushes all before it. A power cut then loses at most half a second of work, never consistency: what is lost is a
suffix, and is simply searched again. With expensive simulators, whose every result is precious, every commit is flushed.
"""

from __future__ import annotations

import sqlite3
import uuid
from pathlib import Path
from typing import Any

from sqlalchemy import Boolean, Column, Double, Engine, ForeignKey, Index, Integer, MetaData, Table, Text, create_engine, event
from sqlalchemy.pool import QueuePool, StaticPool

FORMAT = "designgym"
SCHEMA_VERSION = 1  # raise it when a table changes, and teach `store.open_store` to read the versions before
BUSY_TIMEOUT_S = 30.0  # how long a writer waits for another before it gives up
FLUSH_S = 0.5  # longest time that commits stay unflushed while a store is being written

metadata = MetaData()

meta = Table("designgym_meta", metadata, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))

studies = Table(
    "studies", metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("definition", Text, nullable=False),  # JSON
    Column("decisions", Text, nullable=False, default="{}"),  # JSON: what was measured once and must not change on resume
    Column("created_at_s", Double, nullable=False),
)  # fmt: skip

runs = Table(
    "runs", metadata,
    Column("id", Integer, primary_key=True),
    Column("study_id", ForeignKey("studies.id", ondelete="CASCADE"), nullable=False),
    Column("run", Text, nullable=False),
    Column("position", Integer, nullable=False),  # order of definition
    Column("workload", Text, nullable=False),
    Column("workload_digest", Text, nullable=False),
    Column("searcher", Text, nullable=False),
    Column("searcher_options", Text, nullable=False),  # JSON
    Column("seed", Integer, nullable=False),
    Column("simulator", Text, nullable=False),
    Column("simulator_version", Text, nullable=False),
    Column("space_version", Text, nullable=False),
    Column("fidelity", Double, nullable=False),
    Column("simulator_seed", Integer, nullable=False),
    Column("status", Text, nullable=False),  # waiting | running | finished | stopped | failed
    Column("stop_reason", Text, nullable=False, default=""),
    Column("owner", Text, nullable=False, default=""),  # the process that may append
    Column("heartbeat_s", Double, nullable=False, default=0.0),
    Column("checkpoint", Text, nullable=False, default=""),  # JSON, the searcher's: see studies/loop.py
    Column("progress", Text, nullable=False, default=""),  # JSON, the fingerprints'
    Index("runs_by_name", "study_id", "run", unique=True),
)  # fmt: skip

trials = Table(
    "trials", metadata,
    Column("run_id", ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("batch", Integer, nullable=False),
    Column("design", Text, nullable=False),  # JSON
    Column("metrics", Text, nullable=False),  # JSON; empty object unless status is ok
    Column("obtained", Text, nullable=False),
    Column("duplicate", Boolean, nullable=False),
    Column("status", Text, nullable=False),
    Column("score", Double, nullable=False),
    Column("feasible", Boolean, nullable=False),
    Column("reasons", Text, nullable=False),  # JSON list: why it is infeasible; with status ok, why the objective has no value
    Column("error", Text, nullable=False),
    Column("cost_s", Double, nullable=False),
    Column("wall_s", Double, nullable=False),
    Column("started_at_s", Double, nullable=False),
    Column("worker", Text, nullable=False),
    Column("key_literal", Text, nullable=False),
    Column("key_canonical", Text, nullable=False),
    Column("key_functional", Text),
    Index("trials_by_key", "key_canonical"),
)  # fmt: skip

# Results that are measured but not yet part of a trial: written at once, so that a kill in the middle of a batch loses none
measurements = Table(
    "measurements", metadata,
    Column("key_canonical", Text, primary_key=True),
    Column("run_id", ForeignKey("runs.id", ondelete="CASCADE")),  # NULL: measured by a calibration, used by no run yet
    Column("metrics", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("reasons", Text, nullable=False),
    Column("cost_s", Double, nullable=False),
    Index("measurements_by_run", "run_id"),
)  # fmt: skip


def sqlite_engine(path: Path | None, *, read_only: bool = False, immutable: bool = False, timeout_s: float = BUSY_TIMEOUT_S) -> Engine:
    """Return an engine for a SQLite file, or for memory if ``path`` is None. Opens nothing yet.

    Transactions begin when we say so, not when the driver thinks fit, and those that write take their turn before they read. Execution
    options of a connection: ``writes``, and ``flush``.
    """
    if path is None:
        engine = _memory_engine()
    else:
        mode = "?mode=ro" + ("&immutable=1" if immutable else "") if read_only else "?mode=rwc"
        where = str(path.resolve()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
        engine = create_engine("sqlite://", poolclass=QueuePool, creator=lambda: _connect(f"file:{where}{mode}", timeout_s))

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        for pragma in ("foreign_keys=ON", *(() if read_only or path is None else ("journal_mode=WAL",))):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        options = connection.get_execution_options()
        if options.get("writes"):
            connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if options.get('flush') else 'NORMAL'}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writes") else "BEGIN")

    return engine


def _memory_engine() -> Engine:
    """Return an engine for a memory of its own, which outlives connections: an interrupt during a statement ends the one it meets."""
    uri = f"file:designgym-{uuid.uuid4().hex}?mode=memory&cache=shared"
    holder = _connect(uri, BUSY_TIMEOUT_S)
    engine = create_engine("sqlite://", poolclass=StaticPool, creator=lambda: _connect(uri, BUSY_TIMEOUT_S))
    event.listen(engine, "engine_disposed", lambda _: holder.close())
    return engine


def _connect(uri: str, timeout_s: float) -> sqlite3.Connection:
    return sqlite3.connect(uri, uri=True, timeout=timeout_s, check_same_thread=False)
