"""`SearchRun`: ask, evaluate, store, tell. Killed at any instant it goes on as if nothing had happened.

A batch is durable before the searcher is told of it. With some batches goes a checkpoint: the searcher's state between ask and tell
of that batch. To go on, the state is restored, the batch is told from the store, and batches stored since then are asked again (a
deterministic searcher proposes the same designs, which is checked) and told from the store too. So how often a checkpoint is
written is only a matter of cost, and a batch that was asked but not stored is simply asked again; of its measurements those that had come
back are in the store already (see `measuring`).

A searcher is always asked for a whole batch. Where the budget ends within one, the rest waits, and the searcher is not told, until a larger
budget lets the run go on: so a run that is extended is the run that would have been without a stop.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from designgym.core.batch import ProbeMemory
from designgym.core.design import Design
from designgym.core.errors import DesignGymError, StoreError
from designgym.core.evaluator import AGREEMENT, Evaluator
from designgym.core.measuring import agree
from designgym.core.metrics import Metrics
from designgym.core.objectives import Objective
from designgym.core.protocols import EquivalenceCache, Exhaustible, Searcher, Simulator
from designgym.core.trial import Trial
from designgym.core.workload import Workload
from designgym.hashing.fingerprints import AuditedFingerprints
from designgym.hashing.local_cache import LocalCache
from designgym.studies.measuring import InProcess, Runner, SharedMeasuring
from designgym.studies.processes import new_owner, regularly
from designgym.studies.records import Record, StoredRun
from designgym.studies.run_report import RunReport, RunTally
from designgym.studies.shared_behaviours import SharedBehaviours, is_result
from designgym.studies.store_base import FOREIGN_LEASE_S, RunStore

BEAT_S = FOREIGN_LEASE_S / 4  # how often a run says that it lives, however long the simulator takes
CHECKPOINT_SHARE = 0.05  # of the run's time may go into writing checkpoints

log = logging.getLogger("designgym.studies")


@dataclass(frozen=True)
class RunSetting:
    """What all runs of a study on one workload share.

    Attributes:
        simulator: What measures.
        workload: What it measures on.
        objective: What is searched for.
        budget: Behaviours that each run may try.
        batch: Designs asked for at once; part of the definition, never of the machine.
        duplicate_cap: Consecutive duplicates after which a run has converged.
        functional: Whether functional keys are made.
        fidelity: Fraction of full fidelity.
        simulator_seed: Seed handed to the simulator.
        reuse: Whether results that the store holds from other studies are used.
        agreement: Relative difference up to which results of one behaviour may differ.
        shared: Whether runs share functional keys: then a run may be served what an equivalent design of another one did.
    """

    simulator: Simulator
    workload: Workload
    objective: Objective
    budget: int
    batch: int
    duplicate_cap: int
    functional: bool
    fidelity: float = 1.0
    simulator_seed: int = 0
    reuse: bool = True
    agreement: float = AGREEMENT
    shared: bool = False


class SearchRun:
    """One search run of a study, here and now.

    Args:
        store: Where its trials go; the run must be entered there.
        study: Name of the study.
        run: Identifier of the run.
        setting: What it shares with other runs.
        make_searcher: Returns the searcher, in its first state.
        cache: What it shares with other runs while they run.
        runner: Chooses where the simulator runs, given the run as its last worker left it; in this process unless given.
    """

    def __init__(
        self, store: RunStore, study: str, run: str, setting: RunSetting, make_searcher: Callable[[], Searcher], *, cache: EquivalenceCache,
        runner: Callable[[StoredRun], Runner] | None = None,
    ) -> None:  # fmt: skip
        self._store, self._study, self._name, self._setting = store, study, run, setting
        self._owner = new_owner()
        self._stored: StoredRun = store.claim(study, run, self._owner)
        self._searcher = make_searcher()
        self._seen: set[str] = set()
        self._behaviours: dict[str, tuple[int, Metrics]] = {}  # the first trial of each functional key
        self._tally = RunTally(run, setting.budget, setting.objective)
        self._batches, self._warned = 0, False
        self._waiting: list[Design] = []  # asked, and beyond the budget so far
        self._untold: list[Record] = []  # of the batch in which others wait
        self._checkpoint_s, self._began = 0.0, time.perf_counter()
        simulator, workload = setting.simulator, setting.workload
        seed = 0 if simulator.deterministic else setting.simulator_seed
        self._fingerprints = AuditedFingerprints("on" if setting.functional else "off")
        self._probed = ProbeMemory()
        self._measuring = SharedMeasuring(
            simulator, workload, fidelity=setting.fidelity, seed=seed,
            runner=InProcess(simulator) if runner is None else runner(self._stored), cache=cache, store=store,
            reuse=setting.reuse, run_id=self._stored.id, owner=self._owner,
            behaviours=SharedBehaviours(self._probed, self._fingerprints, setting.agreement) if setting.shared else None,
        )  # fmt: skip
        # What this run itself has met: kept apart from what others know, so that its course does not depend on them
        self._memory = LocalCache(max_bytes=1 << 50, max_alias_bytes=1 << 50)
        self._evaluator = Evaluator(
            simulator, workload, cache=self._memory, fingerprints=self._fingerprints, fidelity=setting.fidelity, seed=seed,
            execute=self._measuring, agreement=setting.agreement, probed=self._probed,
        )  # fmt: skip
        self._history = store.trials(self._stored, simulator.space)

    # ---- what is known -------------------------------------------------------------------------------------------------

    @property
    def history(self) -> list[list[Record]]:
        """The stored trials by batch."""
        batches: list[list[Record]] = []
        for record in self._history:
            if record.batch == len(batches):
                batches.append([])
            batches[-1].append(record)
        return batches

    def run(self, on_batch: Callable[[RunReport], None] | None = None, *, retell: bool = False) -> RunReport:
        """Search until the budget is spent, the searcher has converged, or it has nothing more to propose.

        Args:
            on_batch: Receives a report after each batch; what it raises ends the run, which can be resumed.
            retell: Whether ``on_batch`` also receives the reports of batches that were stored before.
        """
        report = on_batch or (lambda _: None)
        status, reason = "interrupted", ""
        try:
            with regularly(lambda: self._store.beat(self._stored.id, self._owner), BEAT_S):
                self._recall(report if retell else lambda _: None)
                while not (reason := self._stop_reason()):
                    if not self._step():
                        reason = "the searcher has nothing more to propose"
                        break
                    report(self._tally.report())
            status = "finished"
        except SystemExit:  # how Ray Tune ends a run that its scheduler stops: in the middle of a report
            # a scheduler also ends those that have come to the end of its own budget, which may be the end of theirs
            ended = self._stop_reason()
            early = f"stopped early by the scheduler after {self._tally.evaluations} evaluations"
            status, reason = ("finished", ended) if ended else ("stopped", early)
            raise
        except BaseException as error:
            status = "failed" if isinstance(error, Exception) else "interrupted"
            reason = f"{type(error).__name__}: {error}".splitlines()[0] if status == "failed" else "interrupted"
            raise
        finally:
            # a store that fails while another error is on its way must not hide that error
            self._finish(status, reason, quietly=status in ("failed", "interrupted"))
        final = self._tally.report(reason)
        report(final)
        return final

    # ---- the loop ------------------------------------------------------------------------------------------------------

    def _step(self) -> bool:
        setting = self._setting
        if not self._waiting:
            designs = self._searcher.ask(setting.batch)
            if not designs:
                return False
            if len(designs) > setting.batch:
                searcher = self._stored.plan.searcher
                raise DesignGymError(f"searcher {searcher!r} proposed {len(designs)} designs, asked for {setting.batch} at most")
            self._waiting = list(designs)
        records = self._evaluate(self._waiting[: setting.budget - self._tally.evaluations])
        self._waiting = self._waiting[len(records) :]
        self._untold += records
        self._store.append(self._stored.id, self._owner, records, progress=self._progress(), checkpoint=self._checkpoint())
        self._tally.add(records)
        self._end_batch()
        return True

    def _end_batch(self) -> None:
        """Tell the searcher of a batch that is complete."""
        if not self._waiting:
            self._searcher.tell([record.trial for record in self._untold])
            self._untold = []
            self._batches += 1

    def _progress(self) -> dict[str, object]:
        return {"fingerprints": self._fingerprints.state(), "budget": self._setting.budget}

    def _evaluate(self, designs: Sequence[Design]) -> list[Record]:
        self._measuring.start_batch()
        trials = self._evaluator.evaluate(designs, searcher=self._stored.plan.searcher, run=self._name)
        number = self._tally.trials
        records = []
        for offset, trial in enumerate(trials):
            how = self._measuring.obtained.get(trial.keys.canonical)
            if trial.obtained in ("measured", "audited") and how is not None:
                if how != "audited":  # it took no time here, an audit that another run's measurement answers neither
                    trial = replace(trial, provenance=replace(trial.provenance, wall_s=0.0))
                trial = replace(trial, obtained=how if trial.obtained == "measured" else "audited")
            trial = replace(trial, number=number + offset)
            trial = replace(trial, duplicate=self._is_duplicate(trial))
            records.append(Record.of(trial, self._setting.objective, self._batches))
        self._warn_once(records)
        return records

    def _warn_once(self, records: Sequence[Record]) -> None:
        """Say so when the objective has no value for a result, the first time in this run: the trials tell of each."""
        if self._warned or not (found := next((record for record in records if record.problem), None)):
            return
        self._warned = True
        log.warning(
            "run %s: %s, for the design %s with the metrics %s; such trials count as the worst, and the run goes on",
            self._name, found.problem, found.trial.design.literal, dict(found.trial.metrics.values),
        )  # fmt: skip

    def _is_duplicate(self, trial: Trial) -> bool:
        """Return whether this run has met the behaviour before, and note it. A fingerprint that an audit refuted does not count."""
        keys = trial.keys
        duplicate = keys.canonical in self._seen
        if keys.functional is not None:
            first = self._behaviours.setdefault(keys.functional, (trial.number, trial.metrics))
            duplicate |= first[0] != trial.number and agree(first[1], trial.metrics, self._setting.agreement)
        self._seen.add(keys.canonical)
        return duplicate

    def _stop_reason(self) -> str:
        setting, tally = self._setting, self._tally
        if tally.evaluations >= setting.budget:
            return f"budget of {setting.budget} evaluations spent"
        if tally.duplicates_in_a_row >= setting.duplicate_cap and not self._waiting:
            return f"converged: {tally.duplicates_in_a_row} proposals in a row repeated behaviours that this run had met"
        return setting.simulator.exhausted() if isinstance(setting.simulator, Exhaustible) else ""

    def _checkpoint(self) -> dict[str, object] | None:
        """Return the searcher's state, unless checkpoints have taken more than their share of the time."""
        began = time.perf_counter()
        if self._batches and self._checkpoint_s > CHECKPOINT_SHARE * (began - self._began):
            return None
        state = self._state()
        self._checkpoint_s += 2 * (time.perf_counter() - began)  # as much again to write it
        return state

    def _state(self) -> dict[str, object]:
        """Return the searcher's state, batches asked for, trials told of, and the designs of its batch if some of them wait."""
        told = self._untold[0].trial.number if self._untold else self._tally.trials
        batch = [*(record.trial.design for record in self._untold), *self._waiting] if self._waiting else []
        return {
            "batches": self._batches + bool(self._untold), "told": told, "searcher": self._searcher.state(),
            "batch": [design.to_dict() for design in batch],
        }  # fmt: skip

    def _finish(self, status: str, reason: str, *, quietly: bool) -> None:
        try:
            checkpoint = self._state() if status in ("finished", "stopped") and self._tally.trials else None
            self._store.finish(self._stored.id, self._owner, status, reason, progress=self._progress(), checkpoint=checkpoint)
        except StoreError:
            if not quietly:
                raise

    # ---- going on ------------------------------------------------------------------------------------------------------

    def _recall(self, report: Callable[[RunReport], None]) -> None:
        """Bring searcher, memory, fingerprints and counts to where the stored trials end."""
        batches, checkpoint = self.history, self._stored.checkpoint
        start = 0
        if checkpoint is not None and batches:
            self._searcher.restore(checkpoint["searcher"])
            start = checkpoint["batches"]
            untold = [record for batch in batches[:start] for record in batch if record.trial.number >= checkpoint["told"]]
            space = self._setting.simulator.space
            self._take_up(untold, [space.validate(values) for values in checkpoint.get("batch", ())][len(untold) :])
        for i, records in enumerate(batches):
            if i >= start:
                self._ask_again(records)
            self._remember(records)
            self._tally.add(records)
            report(self._tally.report())
        self._batches = len(batches) - bool(self._waiting)
        if self._stored.progress is not None:
            self._fingerprints.restore(self._stored.progress["fingerprints"])

    def _ask_again(self, records: Sequence[Record]) -> None:
        designs = self._searcher.ask(self._setting.batch)
        if [design.literal for design in designs[: len(records)]] != [record.trial.design.literal for record in records]:
            raise StoreError(
                f"run {self._name!r} of study {self._study!r} cannot go on: its searcher, in the state stored, proposes other designs "
                "than it did (another version of a library?); start the study afresh, or under another name"
            )
        self._take_up(records, designs[len(records) :])

    def _take_up(self, records: Sequence[Record], waiting: Sequence[Design]) -> None:
        """Go on in, or after, a batch of which the records are stored."""
        self._untold, self._waiting = list(records), list(waiting)
        self._end_batch()

    def _remember(self, records: Sequence[Record]) -> None:
        for record in records:
            if record.trial.keys.functional is not None:
                self._probed.note(record.trial.keys.canonical, record.trial.keys.functional)
        # a functional hit is another design's result, unless it is what this run took from another run for that behaviour
        own = [trial for record in records if (trial := record.trial).obtained != "functional hit" or self._is_first(trial)]
        results = [trial for trial in own if is_result(trial.metrics)]
        self._memory.preload([(trial.keys.canonical, trial.metrics) for trial in results])
        self._memory.link({trial.keys.functional: trial.keys.canonical for trial in reversed(results) if trial.keys.functional})
        if (behaviours := self._measuring.behaviours) is not None:
            behaviours.note(trial.keys.canonical for trial in results)
        self._evaluator.recall(record.trial for record in records)
        for record in records:
            self._is_duplicate(record.trial)

    def _is_first(self, trial: Trial) -> bool:
        """Return whether no earlier trial of this run had the functional key."""
        return trial.keys.functional is not None and self._behaviours.get(trial.keys.functional, (trial.number,))[0] == trial.number
