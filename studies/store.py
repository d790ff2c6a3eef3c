"""`Store`: studies, runs and trials in a database. Every append is one durable transaction of the run's only writer."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import Connection, and_, case, func, select

from designgym.core.errors import StoreError, UnknownNameError
from designgym.core.metrics import Metrics
from designgym.core.space import DesignSpace
from designgym.studies.processes import describe_owner, owner_state
from designgym.studies.records import Record, RunContext, RunPlan, StoredRun, checkpoint_text, dumps, from_row, loads, to_metrics, to_row
from designgym.studies.store_base import FOREIGN_LEASE_S, StoreBase, holds, stored_run
from designgym.studies.store_opening import MEMORY, default_place, file_of, open_engine
from designgym.studies.store_schema import BUSY_TIMEOUT_S, measurements, runs, studies, trials

ROWS_AT_ONCE = 20_000


def open_store(
    where: str | os.PathLike[str] | None = None, *, create: bool = True, read_only: bool = False, timeout_s: float = BUSY_TIMEOUT_S
) -> Store:
    """Open a store; see `store_opening.open_engine` for places and errors. None means ``$DESIGNGYM_STORE`` or ``designgym.db``."""
    where = default_place() if where is None else where
    engine, shown = open_engine(where, create=create and not read_only, read_only=read_only, timeout_s=timeout_s)
    file = file_of(where)
    return Store(engine, shown, os.fspath(where) if file is None else str(file.resolve()))


class Store(StoreBase):
    """A store that is open. Safe to use from several threads and processes; made by `open_store`.

    Attributes:
        shown: Its name in messages, without a password.
        where: What to open it by again, in another process and another working directory.
    """

    # ---- studies -------------------------------------------------------------------------------------------------------

    def studies(self) -> list[dict[str, Any]]:
        """Return what is stored, oldest first: name, definition, created_at_s, runs, finished, trials, last_write_s."""
        with self._reading() as connection:
            rows = connection.execute(select(studies).order_by(studies.c.id)).mappings().all()
            finished = func.sum(case((runs.c.status == "finished", 1), else_=0))
            counts = connection.execute(
                select(runs.c.study_id, func.count(), finished, func.max(runs.c.heartbeat_s)).group_by(runs.c.study_id)
            ).all()
            sizes = connection.execute(select(runs.c.study_id, func.count()).join(trials).group_by(runs.c.study_id)).all()
        by_study = {study: (count, finished, last) for study, count, finished, last in counts}
        stored = {study: count for study, count in sizes}
        return [
            {
                "name": row["name"], "definition": loads(row["definition"], "a definition"), "created_at_s": row["created_at_s"],
                "runs": by_study.get(row["id"], (0, 0, 0.0))[0], "finished": by_study.get(row["id"], (0, 0, 0.0))[1] or 0,
                "last_write_s": by_study.get(row["id"], (0, 0, 0.0))[2] or 0.0, "trials": stored.get(row["id"], 0),
            }
            for row in rows
        ]  # fmt: skip

    def find(self, study: str) -> dict[str, Any] | None:
        """Return the definition of a study, or None if there is none of that name."""
        with self._reading() as connection:
            text = connection.execute(select(studies.c.definition).where(studies.c.name == study)).scalar()
        return None if text is None else loads(text, f"the definition of study {study!r}")

    def definition(self, study: str) -> dict[str, Any]:
        """Return the definition of a study; raises `UnknownNameError` if there is none of that name."""
        if (found := self.find(study)) is None:
            with self._reading() as connection:
                names = connection.execute(select(studies.c.name)).scalars().all()
            raise UnknownNameError(f"study in store {self.shown}", study, names, "(`designgym studies` lists them)")
        return found

    def save_definition(self, study: str, definition: Mapping[str, Any]) -> None:
        """Store the definition of a new study, or a wider one of a study that exists."""
        with self._writing() as connection:
            row_id = connection.execute(select(studies.c.id).where(studies.c.name == study)).scalar()
            values = {"name": study, "definition": dumps(definition)}
            if row_id is None:
                connection.execute(studies.insert(), {**values, "decisions": "{}", "created_at_s": time.time()})
            else:
                connection.execute(studies.update().where(studies.c.id == row_id), values)

    def remove(self, study: str) -> None:
        """Remove a study with all its runs and trials; without effect if there is none.

        Raises:
            StoreError: If another process is running it.
        """
        with self._writing() as connection:
            row_id = connection.execute(select(studies.c.id).where(studies.c.name == study)).scalar()
            for owner, beat in connection.execute(select(runs.c.owner, runs.c.heartbeat_s).where(runs.c.study_id == row_id)).all():
                if holds(owner, beat):
                    raise StoreError(f"study {study!r} is being run by {describe_owner(owner)}: stop that one first")
            connection.execute(studies.delete().where(studies.c.name == study))

    def decide(self, study: str, question: str, answer: Any) -> Any:
        """Note an answer that must not change when the study is resumed; returns the first one ever given."""
        with self._writing() as connection:
            connection.execute(select(studies.c.id).where(studies.c.name == study).with_for_update())
            noted = self._decisions(connection, study)
            if question not in noted:
                noted[question] = answer
                connection.execute(studies.update().where(studies.c.name == study), {"decisions": dumps(noted)})
        return noted[question]

    def decisions(self, study: str) -> dict[str, Any]:
        """Return all noted answers of `decide`."""
        with self._reading() as connection:
            return self._decisions(connection, study)

    # ---- runs ----------------------------------------------------------------------------------------------------------

    def add_runs(self, study: str, plans: Sequence[RunPlan], context: RunContext) -> None:
        """Enter the runs that are not there yet."""
        with self._writing() as connection:
            study_id = connection.execute(select(studies.c.id).where(studies.c.name == study)).scalar_one()
            present = set(connection.execute(select(runs.c.run).where(runs.c.study_id == study_id)).scalars())
            rows = [
                {
                    "study_id": study_id, "run": plan.run, "position": position, "workload": plan.workload,
                    "workload_digest": plan.workload_digest, "searcher": plan.searcher, "seed": plan.seed,
                    "searcher_options": dumps(dict(plan.options)), "status": "waiting",
                    "simulator": context.simulator, "simulator_version": context.simulator_version, "space_version": context.space_version,
                    "fidelity": context.fidelity, "simulator_seed": context.simulator_seed,
                }
                for position, plan in enumerate(plans)
                if plan.run not in present
            ]  # fmt: skip
            if rows:
                connection.execute(runs.insert(), rows)

    def runs(self, study: str) -> list[StoredRun]:
        """Return the runs of a study in the order of its definition, without their checkpoints, which only `claim` reads."""
        with self._reading() as connection:
            listed = [column for column in runs.c if column is not runs.c.checkpoint]
            query = select(*listed).join(studies).where(studies.c.name == study).order_by(runs.c.position, runs.c.id)
            rows = connection.execute(query).mappings().all()
        return [stored_run(row) for row in rows]

    def claim(self, study: str, run: str, owner: str, patience_s: float = 20.0) -> StoredRun:
        """Make ``owner`` the run's only writer and return the run as it stands.

        A writer that died is replaced at once; one that lives is waited for (after a crash its workers take a moment to die).

        Raises:
            StoreError: If another process still writes the run after ``patience_s``.
        """
        deadline = time.monotonic() + patience_s
        while True:
            with self._writing() as connection:
                query = select(runs).join(studies).where(and_(studies.c.name == study, runs.c.run == run)).with_for_update()
                row = connection.execute(query).mappings().one()
                holder, beat = row["owner"], row["heartbeat_s"]
                if not holds(holder, beat):
                    values = {"owner": owner, "heartbeat_s": time.time(), "status": "running"}
                    connection.execute(runs.update().where(runs.c.id == row["id"]), values)
                    return stored_run(row)
                # a writer on another host gets the time in which its silence would show
                over = time.monotonic() > deadline + (FOREIGN_LEASE_S if owner_state(holder) == "elsewhere" else 0)
            if over:
                raise StoreError(
                    f"run {run!r} of study {study!r} is being run by {describe_owner(holder)}: wait for it, or stop it and run this again"
                )
            time.sleep(0.1)

    def finish(
        self, run_id: int, owner: str, status: str, reason: str, *, progress: Mapping[str, Any], checkpoint: Mapping[str, Any] | None
    ) -> None:
        """Note how a run ended, and let another process take it up later; without effect if ``owner`` is not its writer any more."""
        values = {"status": status, "stop_reason": reason, "heartbeat_s": time.time(), "owner": "", "progress": dumps(progress)}
        if checkpoint is not None:
            values["checkpoint"] = checkpoint_text(checkpoint)
        with self._writing() as connection:
            connection.execute(runs.update().where(and_(runs.c.id == run_id, runs.c.owner == owner)), values)

    def beat(self, run_id: int, owner: str) -> None:
        """Note that a run's writer lives, for processes on other hosts, which cannot see that; no effect if ``owner`` is not its writer."""
        if self.where == MEMORY:
            return  # nobody else sees it, and its one connection is for one thread at a time
        with self._writing() as connection:
            connection.execute(runs.update().where(and_(runs.c.id == run_id, runs.c.owner == owner)), {"heartbeat_s": time.time()})

    def mark_ended(self, study: str, run: str, status: Literal["stopped", "finished"], reason: str) -> None:
        """Note that a run, whose worker may not have lived to say so, was stopped by a scheduler, or was through by then."""
        with self._writing() as connection:
            study_id = select(studies.c.id).where(studies.c.name == study).scalar_subquery()
            values = {"status": status, "stop_reason": reason, "owner": ""}
            where = and_(runs.c.study_id == study_id, runs.c.run == run, runs.c.status != "finished")
            connection.execute(runs.update().where(where), values)

    # ---- trials --------------------------------------------------------------------------------------------------------

    def append(
        self, run_id: int, owner: str, records: Sequence[Record], *, progress: Mapping[str, Any], checkpoint: Mapping[str, Any] | None
    ) -> None:
        """Store a batch of trials, and what the run needs to go on after them, in one durable transaction.

        Args:
            run_id: Which run.
            owner: Who writes.
            records: The batch.
            progress: Small state that goes with these very trials.
            checkpoint: State of the searcher, None to keep the one stored before.

        Raises:
            StoreError: If ``owner`` is no longer the run's writer, or the store cannot be written; nothing is stored then.
        """
        rows = [to_row(record, run_id) for record in records]
        values = {"heartbeat_s": time.time(), "progress": dumps(progress)}
        if checkpoint is not None:
            values["checkpoint"] = checkpoint_text(checkpoint)
        with self._writing() as connection:
            self._check_writer(connection, run_id, owner, values)
            if rows:
                connection.execute(trials.insert(), rows)
            connection.execute(measurements.delete().where(measurements.c.run_id == run_id))

    def trials(self, run: StoredRun, space: DesignSpace) -> list[Record]:
        """Return the trials of a run in order, exactly as they were appended."""
        with self._reading() as connection:
            rows = connection.execute(select(trials).where(trials.c.run_id == run.id).order_by(trials.c.number)).mappings().all()
        return [from_row(dict(row), run, space) for row in rows]

    def trial_rows(self, study: str) -> list[dict[str, Any]]:
        """Return all trials of a study, by run and number, as rows of table ``trials``."""
        names = [column.name for column in trials.c]
        return [dict(zip(names, row, strict=True)) for rows in self._trial_batches(self.runs(study), ROWS_AT_ONCE) for row in rows]

    def trial_columns(self, of_runs: Sequence[StoredRun], size: int = ROWS_AT_ONCE) -> Iterator[dict[str, list[Any]]]:
        """Yield all trials of runs, run by run and by number, as columns of table ``trials``: of some ``size`` trials at a time.

        All at once would take ten times the memory of a frame.
        """
        names = [column.name for column in trials.c]
        for rows in self._trial_batches(of_runs, size):
            yield {name: list(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)}

    def _trial_batches(self, of_runs: Sequence[StoredRun], size: int) -> Iterator[list[Any]]:
        """Yield rows of some ``size`` trials. Runs are asked for one by one, which spares the database sorting."""
        pending: list[Any] = []
        with self._reading() as connection:
            for run in of_runs:
                query = select(trials).where(trials.c.run_id == run.id).order_by(trials.c.number)
                for rows in connection.execute(query, execution_options={"yield_per": size}).partitions():
                    pending += rows
                    if len(pending) >= size:
                        yield pending
                        pending = []
        if pending:
            yield pending

    # ---- measurements --------------------------------------------------------------------------------------------------

    def note(self, results: Mapping[str, Metrics], run_id: int | None = None, owner: str = "") -> None:
        """Store results that no trial holds yet, by canonical key; `append` of their run replaces them."""
        rows = [
            {"key_canonical": key, "run_id": run_id, "metrics": dumps(dict(result.values)), "status": result.status,
             "reasons": dumps(list(result.reasons)), "cost_s": result.cost_s}
            for key, result in results.items()
            if result.status in ("ok", "infeasible")
        ]  # fmt: skip
        if not rows:
            return
        with self._writing() as connection:
            if run_id is not None:
                self._check_writer(connection, run_id, owner, {"heartbeat_s": time.time()})
            connection.execute(self._note, rows)

    def measured(self, keys: Sequence[str]) -> dict[str, tuple[Metrics, int | None]]:
        """Return stored results by canonical key, each with the run that noted it (`NOBODY` for a calibration) if no trial holds it yet.

        Keys name simulator, versions, workload, fidelity and seed, so results of other studies are as good as one's own.
        """
        if not keys:
            return {}
        with self._reading() as connection:
            rows = connection.execute(self._lookup, {"keys": list(keys)}).mappings().all()
        found: dict[str, tuple[Metrics, int | None]] = {}
        for row in rows:  # noted results come first: they say whose they are
            found.setdefault(row["key_canonical"], (to_metrics(dict(row)), row["noted_by"]))
        return found

    def adopt(self, keys: Sequence[str], run_id: int, owner: str) -> set[str]:
        """Make a calibration's results those of the first run that uses them; returns the keys of which this run is the first.

        So every simulation counts as the measurement of one run. Raises `StoreError` if ``owner`` is not the run's writer any more.
        """
        free = and_(measurements.c.key_canonical.in_(list(keys)), measurements.c.run_id.is_(None))
        with self._writing() as connection:
            self._check_writer(connection, run_id, owner, {"heartbeat_s": time.time()})
            connection.execute(measurements.update().where(free), {"run_id": run_id})
            own = and_(measurements.c.key_canonical.in_(list(keys)), measurements.c.run_id == run_id)
            return set(connection.execute(select(measurements.c.key_canonical).where(own)).scalars())

    def mean_cost_s(self, simulator: str, version: str) -> float | None:
        """Return the mean cost of an evaluation by this simulator, or None if none is stored."""
        of_simulator = and_(runs.c.simulator == simulator, runs.c.simulator_version == version, trials.c.obtained == "measured")
        with self._reading() as connection:
            return connection.execute(select(func.avg(trials.c.cost_s)).select_from(trials.join(runs)).where(of_simulator)).scalar()

    # ---- inside --------------------------------------------------------------------------------------------------------

    def _check_writer(self, connection: Connection, run_id: int, owner: str, values: Mapping[str, Any]) -> None:
        done = connection.execute(runs.update().where(and_(runs.c.id == run_id, runs.c.owner == owner)), values)
        if done.rowcount != 1:
            raise StoreError(f"store {self.shown}: this run has been taken up by another process, or removed; this process stops here")

    def _decisions(self, connection: Connection, study: str) -> dict[str, Any]:
        text = connection.execute(select(studies.c.decisions).where(studies.c.name == study)).scalar_one()
        return loads(text, f"the decisions of study {study!r}")
