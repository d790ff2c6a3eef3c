"""The search loop: determinism, what the budget counts, how a run ends, and going on exactly where it stopped."""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import designgym as dg
from designgym.core.errors import DesignGymError, InputError, StoreError
from designgym.core.registry import EnvironmentSpec, FixedWorkloads
from designgym.studies import loop, measuring
from designgym.studies.results import StudyResult
from designgym.studies.run_report import RunReport
from designgym.studies.store import open_store
from designgym.studies.study import Study

SAME = ["run", "number", "duplicate", "status", "score", "feasible", "key_literal", "key_canonical"]


class ProbedSimulator:
    """Designs with equal ``a // 4`` and ``b`` behave alike: the probe sees it, the canonical key does not. A lying one sees ``a`` only."""

    name, version, deterministic = "probed", "1", True
    space = dg.DesignSpace(a=dg.Integer(0, 15), b=dg.Integer(0, 7))
    metrics = (dg.metric("cost_ns", goal="min"),)
    resources = dg.Resources()

    def __init__(self, lie: bool = False) -> None:
        self.lie, self.calls = lie, 0

    def evaluate(self, designs: Sequence[dg.Design], workload: dg.Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[dg.Metrics]:
        self.calls += len(designs)
        return [dg.Metrics({"cost_ns": float((d["a"] // 4 - 2) ** 2 + (d["b"] - 3) ** 2)}) for d in designs]

    def probe(self, designs: Sequence[dg.Design], workload: dg.Workload, *, seed: int = 0) -> list[bytes]:
        return [b"%d" % (d["a"] // 4) if self.lie else b"%d %d" % (d["a"] // 4, d["b"]) for d in designs]


def environment(simulator: Any) -> EnvironmentSpec:
    return EnvironmentSpec("test/Here-v0", lambda: simulator, FixedWorkloads({"w": 1}), {"cost": dg.minimize("cost_ns")}, "w")


class Scripted:
    """Proposes given values of ``a`` (and ``b`` = 0), then nothing."""

    script: Sequence[int] = ()

    def __init__(self, space: dg.DesignSpace, objective: dg.Objective, *, seed: int) -> None:
        self.space, self.at, self.told = space, 0, 0

    def ask(self, n: int) -> list[dg.Design]:
        values = self.script[self.at : self.at + n]
        self.at += len(values)
        return [self.space.validate({"a": a, "b": 0}) for a in values]

    def tell(self, trials: Sequence[dg.Trial]) -> None:
        self.told += len(trials)

    def state(self) -> dict[str, Any]:
        return {"at": self.at, "told": self.told}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.at, self.told = state["at"], state["told"]


@pytest.fixture
def scripted() -> Callable[[Sequence[int]], str]:
    def make(script: Sequence[int]) -> str:
        from designgym.core import registry

        registry._searchers["scripted"] = type("ThisScript", (Scripted,), {"script": list(script)})
        return "scripted"

    return make


def run(study: Study, store: object = ":memory:") -> StudyResult:
    return study.run(backend="local", store=store)  # type: ignore[arg-type]


def test_same_seed_same_trials_whatever_others_found_first(tmp_path: Path) -> None:
    both = run(Study("s", "test/Counting-v0", searchers=["random", "evolution"], budget=48, seeds=[3, 4])).frame
    alone = run(Study("s", "test/Counting-v0", searchers=["evolution"], budget=48, seeds=[4])).frame
    isolated = run(Study("s", "test/Counting-v0", searchers=["evolution"], budget=48, seeds=[4], reuse=False)).frame
    again = both[both["run"] == "evolution-s4"].reset_index(drop=True)
    pd.testing.assert_frame_equal(again[SAME], alone[SAME])
    pd.testing.assert_frame_equal(again[SAME], isolated[SAME])
    assert (again["obtained"] == "exact hit").any() and (isolated["obtained"] == "measured").all()


def test_fingerprints_too_do_not_depend_on_other_runs() -> None:
    def frame(searchers: list[str]) -> pd.DataFrame:
        study = Study("s", environment(ProbedSimulator()), searchers=searchers, budget=30, functional="on")
        return run(study).frame

    both, alone = frame(["sobol", "random"]), frame(["random"])
    again = both[both["run"] == "random-s0"].reset_index(drop=True)
    pd.testing.assert_frame_equal(again[[*SAME, "key_functional"]], alone[[*SAME, "key_functional"]])
    assert (alone["obtained"] == "functional hit").any()


def test_what_was_illegal_in_one_study_is_measured_where_it_is_legal(tmp_path: Path, scripted: Callable[[Sequence[int]], str]) -> None:
    """Also if nobody raised the version of the space: an option of an environment may lift a constraint."""
    strict, free = ProbedSimulator(), ProbedSimulator()
    strict.space = dg.DesignSpace(free.space.parameters, constraints=[dg.Constraint("a != 5", "five is right out")])
    statuses = []
    for name, simulator in (("strict", strict), ("free", free)):
        study = Study(name, environment(simulator), searchers=scripted([4, 5]), budget=2, functional="off")
        statuses.append(run(study, tmp_path / "s.db").frame["status"].tolist())
    assert statuses == [["ok", "infeasible"], ["ok", "ok"]]


def test_budget_counts_behaviours_and_duplicates_are_free() -> None:
    simulator = ProbedSimulator()
    frame = run(Study("s", environment(simulator), searchers="random", budget=25, functional="on")).frame
    assert (~frame["duplicate"]).sum() == 25
    assert frame["duplicate"].any()
    assert frame[~frame["duplicate"]]["key_functional"].nunique() == 25
    assert frame[frame["obtained"] == "functional hit"]["duplicate"].all()


def test_a_searcher_that_breaks_its_contract_is_told_apart_from_a_bug_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    from designgym.searchers.random_search import Random

    study = Study("s", "test/Counting-v0", searchers="random", budget=10, batch=4)
    ask = Random.ask
    monkeypatch.setattr(Random, "ask", lambda self, n=1: ask(self, n + 1))
    with pytest.raises(DesignGymError, match="searcher 'random' proposed 5 designs, asked for 4 at most"):
        run(study)
    monkeypatch.undo()
    monkeypatch.setattr(Random, "state", lambda self: {"rng": self.rng})
    with pytest.raises(DesignGymError, match=r"state\(\) returns must be JSON data: Generator"):
        run(study)


def test_the_calibration_survives_a_simulator_and_a_probe_that_raise(caplog: pytest.LogCaptureFixture) -> None:
    class Raising(ProbedSimulator):
        probes = True

        def evaluate(self, designs: Sequence[dg.Design], *arguments: Any, **more: Any) -> list[dg.Metrics]:
            raise ZeroDivisionError("in the simulator")

        def probe(self, designs: Sequence[dg.Design], *arguments: Any, **more: Any) -> list[bytes]:
            if not self.probes:
                raise ZeroDivisionError("in the probe")
            return super().probe(designs, *arguments, **more)

    for probes in (True, False):
        simulator = Raising()
        simulator.probes = probes
        frame = run(Study("s", environment(simulator), searchers="random", budget=6)).frame
        assert (frame["status"] == "failed").all() and "in the simulator" in frame["error"][0]
    assert "ZeroDivisionError: in the probe; designs are measured without fingerprints" in caplog.text


def test_a_lying_probe_is_found_out_and_costs_no_result() -> None:
    frame = run(Study("s", environment(ProbedSimulator(lie=True)), searchers="random", budget=60, functional="on")).frame
    truth = (frame["design.a"] // 4 - 2) ** 2 + (frame["design.b"] - 3) ** 2
    audited = frame[frame["obtained"] == "audited"]
    assert len(audited) >= 1 and (audited["metrics.cost_ns"] == truth[audited.index]).all()
    refuted = audited[~audited["duplicate"]]
    assert len(refuted)  # what an audit refuted counts as a behaviour of its own


def test_equal_proposals_end_a_run_with_a_reason(scripted: Callable[[Sequence[int]], str]) -> None:
    result = run(
        Study(
            "s",
            environment(ProbedSimulator()),
            searchers=scripted([1, 2, 3] + [1] * 500),
            budget=50,
            batch=4,
            duplicate_cap=20,
            functional="off",
        )
    )
    assert (~result.frame["duplicate"]).sum() == 3
    assert result.runs[0].stop_reason.startswith("converged: ")
    assert 20 <= result.frame["duplicate"].sum() < 20 + 4
    assert result.runs[0].status == "finished"


def test_a_new_behaviour_resets_the_count_of_duplicates(scripted: Callable[[Sequence[int]], str]) -> None:
    script = [1] * 18 + [2] + [1] * 18 + [3] + [1] * 40
    result = run(
        Study("s", environment(ProbedSimulator()), searchers=scripted(script), budget=50, batch=1, duplicate_cap=20, functional="off")
    )
    assert len(result.frame) == 18 + 1 + 18 + 1 + 20


class Purse(ProbedSimulator):
    """Can pay for so many designs."""

    def __init__(self, designs: int) -> None:
        super().__init__()
        self.left = designs

    def exhausted(self) -> str:
        return "the budget of the purse is spent" if self.left <= 0 else ""

    def evaluate(self, designs: Sequence[dg.Design], workload: dg.Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[dg.Metrics]:
        found = []
        for design in designs:
            found += super().evaluate([design], workload) if self.left > 0 else [dg.Metrics.failed("the budget of the purse is spent")]
            self.left -= 1
        return found


def test_a_run_ends_with_the_best_so_far_when_its_simulator_can_pay_for_no_more(tmp_path: Path) -> None:
    purse = Purse(10)
    study = Study("s", environment(purse), searchers="random", budget=50, batch=4, functional="off")
    result = run(study, tmp_path / "s.db")
    assert result.runs[0].status == "finished" and result.runs[0].stop_reason == "the budget of the purse is spent"
    assert len(result.frame) == 12 and (result.frame["status"] == "ok").sum() == 10
    best = result.best()
    assert best is not None and best.score == result.frame["score"].max()


def test_a_searcher_with_nothing_more_to_propose_ends_its_run(scripted: Callable[[Sequence[int]], str]) -> None:
    result = run(Study("s", environment(ProbedSimulator()), searchers=scripted(range(11)), budget=50, batch=4, functional="off"))
    assert len(result.frame) == 11 and result.runs[0].stop_reason == "the searcher has nothing more to propose"


def test_default_cap_is_ten_batches_and_at_least_a_hundred() -> None:
    assert Study("s", "test/Counting-v0", batch=4).definition.duplicate_cap == 100
    assert Study("s", "test/Counting-v0", batch=40).definition.duplicate_cap == 400


class Interrupt(Exception):
    pass


@pytest.mark.parametrize("searcher", ["random", "evolution", "genetic", "tpe", "random_walk", "sobol"])
@pytest.mark.parametrize("checkpoints", ["always", "rarely"])
def test_interrupted_after_every_batch_it_equals_the_uninterrupted(
    tmp_path: Path, searcher: str, checkpoints: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with checkpoints so rare that most batches are asked again."""
    monkeypatch.setattr(loop, "CHECKPOINT_SHARE", 1e9 if checkpoints == "always" else -1.0)
    study = Study("s", "test/Counting-v0", searchers=searcher, budget=40, batch=7)
    whole = run(study).frame
    store, seen = tmp_path / "s.db", 0

    def stop(report: RunReport) -> None:
        if not report.stop_reason:
            raise Interrupt

    for _ in range(30):
        try:
            study.run(backend="local", store=store, progress=stop)
            break
        except Interrupt:
            seen += 1
    assert seen >= 5
    pd.testing.assert_frame_equal(study.result(store).frame[SAME], whole[SAME])


@pytest.mark.parametrize("searcher", ["random", "evolution", "genetic", "tpe", "sobol", "cmaes"])
@pytest.mark.parametrize("checkpoints", ["always", "rarely"])
def test_a_larger_budget_in_steps_gives_what_it_gives_at_once(
    tmp_path: Path, searcher: str, checkpoints: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Budgets that end within batches, once twice within the same one."""
    monkeypatch.setattr(loop, "CHECKPOINT_SHARE", 1e9 if checkpoints == "always" else -1.0)

    def study(budget: int) -> Study:
        return Study("s", "test/Counting-v0", searchers=searcher, budget=budget, batch=8)

    whole = run(study(45)).frame
    for budget in (3, 10, 12, 31, 45):
        extended = run(study(budget), tmp_path / "s.db").frame
        assert (~extended["duplicate"]).sum() == budget
    pd.testing.assert_frame_equal(extended[SAME], whole[SAME])


def test_a_larger_budget_in_steps_gives_the_same_with_fingerprints(tmp_path: Path) -> None:
    def study(budget: int) -> Study:
        return Study("s", environment(ProbedSimulator()), searchers="evolution", budget=budget, batch=8, functional="on")

    whole = run(study(45)).frame
    for budget in (11, 29, 45):
        extended = run(study(budget), tmp_path / "s.db").frame
    pd.testing.assert_frame_equal(extended[SAME], whole[SAME])
    assert extended["duplicate"].any()


@pytest.mark.parametrize("lie", [False, True])
def test_fingerprints_go_on_where_they_stopped(tmp_path: Path, lie: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Links, audits and trust are part of what resumes, also when the probe lies."""
    study = Study("s", environment(ProbedSimulator(lie)), searchers="random", budget=30, batch=3, functional="on")
    whole = run(study).frame

    def stop(report: RunReport) -> None:
        if not report.stop_reason:
            raise Interrupt

    for _ in range(200):
        try:
            study.run(backend="local", store=tmp_path / "s.db", progress=stop)
            break
        except Interrupt:
            pass
    columns = [*SAME, "obtained", "key_functional"]
    pd.testing.assert_frame_equal(study.result(tmp_path / "s.db").frame[columns], whole[columns])
    assert "audited" in set(whole["obtained"]) and (lie or "functional hit" in set(whole["obtained"]))


@pytest.mark.parametrize("where", ["before the append", "after the append", "in the simulator"])
def test_stopped_anywhere_in_a_batch_nothing_is_measured_again(tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[str] = []
    countdown = [13]

    @dg.simulator(space=dg.DesignSpace(a=dg.Integer(0, 63), b=dg.Integer(0, 63)), metrics=["cost_ns"], version="1")
    def slow(design: dg.Design, workload: int, *, seed: int) -> dict[str, float]:
        if where == "in the simulator":
            countdown[0] -= 1
            if countdown[0] == 0:
                raise KeyboardInterrupt
        measured.append(design.literal)
        return {"cost_ns": float(design["a"] * design["b"])}

    monkeypatch.setattr(measuring, "CALL_S", 1e-9)  # as if every design were expensive: one call each
    study = Study("s", environment(slow), searchers="random", budget=40, batch=8)
    with open_store(tmp_path / "s.db") as store:
        original = type(store).append

        def broken(self: Any, *arguments: Any, **options: Any) -> None:
            countdown[0] -= 4
            if countdown[0] < 0 and where == "before the append":
                countdown[0] = 1000
                raise KeyboardInterrupt
            original(self, *arguments, **options)
            if countdown[0] < 0 and where == "after the append":
                countdown[0] = 1000
                raise KeyboardInterrupt

        monkeypatch.setattr(type(store), "append", broken)
    with pytest.raises(KeyboardInterrupt):
        run(study, tmp_path / "s.db")
    frame = run(study, tmp_path / "s.db").frame
    assert len(measured) == len(set(measured)) == 40
    assert (frame["obtained"] == "measured").all()  # what the run noted before it was stopped is its own measurement


def test_results_of_other_studies_are_used_and_give_the_same_trials(tmp_path: Path) -> None:
    simulator = ProbedSimulator()
    first = run(Study("one", environment(simulator), searchers="random", budget=30, functional="off"), tmp_path / "s.db").frame
    calls = simulator.calls
    second = run(Study("two", environment(simulator), searchers="random", budget=30, functional="off"), tmp_path / "s.db").frame
    assert simulator.calls == calls and (second["obtained"] == "exact hit").all()
    pd.testing.assert_frame_equal(first[SAME], second[SAME])
    third = run(
        Study("three", environment(simulator), searchers="random", budget=30, reuse=False, functional="off"), tmp_path / "s.db"
    ).frame
    assert simulator.calls == 2 * calls
    pd.testing.assert_frame_equal(first[SAME], third[SAME])


def test_a_functional_hit_is_never_taken_for_a_measurement(tmp_path: Path) -> None:
    """A lying probe merges falsely; another study of the same store, without fingerprints, must see true results only."""
    simulator = ProbedSimulator(lie=True)
    run(Study("lied", environment(simulator), searchers="random", budget=4, functional="on", duplicate_cap=200), tmp_path / "s.db")
    frame = run(Study("true", environment(simulator), searchers="random", budget=100, functional="off"), tmp_path / "s.db").frame
    assert (frame["metrics.cost_ns"] == (frame["design.a"] // 4 - 2) ** 2 + (frame["design.b"] - 3) ** 2).all()


def test_failures_are_trials_and_the_search_goes_on(tmp_path: Path) -> None:
    @dg.simulator(space=dg.DesignSpace(a=dg.Integer(0, 99)), metrics=["cost_ns"], version="1")
    def moody(design: dg.Design, workload: int, *, seed: int) -> dict[str, float]:
        if design["a"] % 3 == 0:
            raise ValueError("divisible by three")
        return {"cost_ns": float(design["a"])}

    result = run(Study("s", environment(moody), searchers="random", budget=60), tmp_path / "s.db")
    failed = result.frame[result.frame["status"] == "failed"]
    assert len(failed) > 5 and (failed["design.a"] % 3 == 0).all()
    assert (failed["score"] == -np.inf).all() and failed["error"].str.contains("divisible by three").all()
    assert result.best()[0].metrics["cost_ns"] > 0 and result.reports[0].failed == len(failed)


def test_designs_given_up_stay_so_when_a_run_goes_on(tmp_path: Path, scripted: Callable[[Sequence[int]], str]) -> None:
    class Crashing(ProbedSimulator):
        def evaluate(self, designs: Sequence[dg.Design], workload: dg.Workload, **_: Any) -> list[dg.Metrics]:
            self.calls += len(designs)
            return [dg.Metrics.failed("always") for _ in designs]

    simulator = Crashing()
    study = Study("s", environment(simulator), searchers=scripted([1] * 9 + [2]), budget=2, batch=1, functional="off")
    whole = run(study).frame
    assert simulator.calls == 3  # two tries of the first design, then it is given up; one of the second
    assert list(whole["obtained"]) == ["measured"] * 2 + ["exact hit"] * 7 + ["measured"]

    def stop(report: RunReport) -> None:
        if not report.stop_reason:
            raise Interrupt

    for _ in range(11):
        with contextlib.suppress(Interrupt):
            study.run(backend="local", store=tmp_path / "s.db", progress=stop)
    pd.testing.assert_frame_equal(study.result(tmp_path / "s.db").frame[[*SAME, "obtained"]], whole[[*SAME, "obtained"]])
    assert simulator.calls == 6


def test_a_simulator_that_breaks_its_contract_is_an_error_not_a_result(tmp_path: Path) -> None:
    class Short(ProbedSimulator):
        def evaluate(self, designs: Sequence[dg.Design], workload: dg.Workload, **_: Any) -> list[dg.Metrics]:
            return [dg.Metrics({"cost_ns": 1.0})] * (len(designs) - 1)

    with pytest.raises(dg.core.errors.EvaluationError, match="expected one each"):
        run(Study("s", environment(Short()), searchers="random", budget=8, functional="off"), tmp_path / "s.db")
    with open_store(tmp_path / "s.db") as store:
        assert [r.status for r in store.runs("s")] == ["failed"] and not store.trial_rows("s")


def test_a_searcher_that_changed_its_mind_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from designgym.searchers.random_search import Random

    study = Study("s", "test/Counting-v0", searchers="random", budget=40, batch=8)
    monkeypatch.setattr(loop, "CHECKPOINT_SHARE", -1.0)

    def stop(report: RunReport) -> None:
        if report.evaluations >= 24:
            raise Interrupt

    with pytest.raises(Interrupt):
        study.run(backend="local", store=tmp_path / "s.db", progress=stop)
    monkeypatch.setattr(Random, "ask", lambda self, n=1: self.space.sample(np.random.default_rng(99), n))
    with pytest.raises(StoreError, match="proposes other designs than it did"):
        run(study, tmp_path / "s.db")


def test_pareto_reports_the_hypervolume_of_what_was_found(tmp_path: Path) -> None:
    reports: list[RunReport] = []
    study = Study("s", "test/Counting-v0", objective="both", searchers="random", budget=60)
    result = study.run(backend="local", store=":memory:", progress=reports.append)
    volumes = [report.hypervolume or 0.0 for report in reports]
    assert volumes == sorted(volumes) and 0 < volumes[-1] < 1
    assert result.reports[0].hypervolume == pytest.approx(volumes[-1], rel=1e-12)
    assert len(result.front()) >= 2
    for trial in result.front():
        dominated = (result.frame["metrics.latency_ns"] < trial.metrics["latency_ns"]) & (
            result.frame["metrics.area_mm2"] < trial.metrics["area_mm2"]
        )
        assert not dominated.any()


def test_a_noisy_simulator_is_repeatable_and_seeded() -> None:
    @dg.simulator(space=dg.DesignSpace(a=dg.Integer(0, 9)), metrics=["cost_ns"], version="1", deterministic=False)
    def noisy(design: dg.Design, workload: int, *, seed: int) -> dict[str, float]:
        return {"cost_ns": float(np.random.default_rng([seed, design["a"]]).normal(design["a"]))}

    frames = [run(Study("s", environment(noisy), searchers="random", budget=8, simulator_seed=seed)).frame for seed in (1, 1, 2)]
    assert frames[0]["score"].equals(frames[1]["score"]) and not frames[0]["score"].equals(frames[2]["score"])
    assert set(frames[0]["seed"]) == {1}


def test_progress_reports_add_up() -> None:
    reports: list[RunReport] = []
    Study("s", "test/Counting-v0", searchers="random", budget=20, batch=6).run(backend="local", store=":memory:", progress=reports.append)
    assert [report.evaluations for report in reports] == [6, 12, 18, 20, 20]
    assert [bool(report.stop_reason) for report in reports] == [False] * 4 + [True]
    with pytest.raises(InputError):
        Study("s", "test/Counting-v0", batch=0)


def test_a_run_says_that_it_lives_while_the_simulator_takes_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else another host would believe it dead, and take it over."""
    monkeypatch.setattr(loop, "BEAT_S", 0.01)
    beats = []

    @dg.simulator(space=dg.DesignSpace(a=dg.Integer(0, 9)), metrics=["cost_ns"], version="1")
    def slow(design: dg.Design, workload: int, *, seed: int) -> dict[str, float]:
        with open_store(tmp_path / "s.db", read_only=True) as store:
            began = store.runs("s")[0].heartbeat_s
            deadline = time.monotonic() + 20
            while store.runs("s")[0].heartbeat_s == began and time.monotonic() < deadline:
                time.sleep(0.01)
            beats.append(store.runs("s")[0].heartbeat_s - began)
        return {"cost_ns": 1.0}

    run(Study("s", environment(slow), searchers="random", budget=2, functional="off"), tmp_path / "s.db")
    assert len(beats) == 2 and min(beats) > 0
