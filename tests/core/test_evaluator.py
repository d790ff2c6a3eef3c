"""`Evaluator`: measured only where nothing equal is known, and nothing left behind whatever happens."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from designgym.core.batch import ProbeMemory
from designgym.core.design import Design
from designgym.core.errors import EvaluationError, InputError
from designgym.core.evaluator import Evaluator
from designgym.core.external import ProgramTimeout
from designgym.core.metrics import Metrics, MetricSpec, metric
from designgym.core.parameters import Categorical, Integer
from designgym.core.protocols import Resources, Simulator
from designgym.core.rules import Condition, Constraint
from designgym.core.space import DesignSpace
from designgym.core.trial import Trial
from designgym.core.workload import Workload
from designgym.hashing.fingerprints import AuditedFingerprints
from designgym.hashing.local_cache import LocalCache

SPACE = DesignSpace(
    size=Integer(0, 99),
    mode=Categorical("plain", "fancy"),
    depth=Integer(1, 8),  # has an effect in fancy mode only
    conditions=[Condition("depth", "mode == 'fancy'")],
    constraints=[Constraint("size != 13", "13 brings bad luck")],
)
WORKLOAD = Workload("w", [1, 2, 3])


class Counting:
    """latency = size + depth if fancy; records every call. The probe sees ``size // 10`` unless told otherwise."""

    name = "counting"
    space = SPACE
    metrics: tuple[MetricSpec, ...] = (metric("latency_ns", goal="min"),)
    resources = Resources()

    def __init__(self, *, version: str = "1", deterministic: bool = True, before: Callable[[Design], Any] = lambda design: None) -> None:
        self.version, self.deterministic, self._before = version, deterministic, before
        self.calls: list[tuple[list[Design], int]] = []
        self.see: Callable[[Design], bytes] | None = None

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
        self.calls.append((list(designs), seed))
        for design in designs:
            self._before(design)
        noise = 0 if self.deterministic else seed % 1000
        return [Metrics({"latency_ns": float(d["size"] + (d["depth"] if d["mode"] == "fancy" else 0) + noise)}) for d in designs]

    def probe(self, designs: Sequence[Design], workload: Workload, *, seed: int = 0) -> list[bytes] | None:
        return None if self.see is None else [self.see(design) for design in designs]

    @property
    def measured(self) -> list[Design]:
        return [design for designs, _ in self.calls for design in designs]


def design(size: int, mode: str = "plain", depth: int = 1) -> Design:
    return SPACE.validate({"size": size, "mode": mode, "depth": depth})


def latencies(trials: Sequence[Trial]) -> list[float | None]:
    return [trial.metrics.values.get("latency_ns") for trial in trials]


def held(cache: LocalCache) -> float:
    return cache.statistics()["reservations"]


def test_order_is_kept_and_equal_designs_in_a_batch_are_measured_once() -> None:
    simulator, cache = Counting(), LocalCache()
    assert isinstance(simulator, Simulator)
    trials = Evaluator(simulator, WORKLOAD, cache=cache).evaluate(
        [design(5), design(3), design(5, depth=7), design(4, "fancy", 2), design(3)]
    )
    assert latencies(trials) == [5, 3, 5, 6, 3]
    assert [trial.design["depth"] for trial in trials] == [1, 1, 7, 2, 1]
    assert [trial.obtained for trial in trials] == ["measured", "measured", "exact hit", "measured", "exact hit"]
    assert simulator.calls == [([design(5), design(3), design(4, "fancy", 2)], 0)]
    assert held(cache) == 0


def test_an_empty_batch_is_no_work() -> None:
    simulator = Counting()
    assert Evaluator(simulator, WORKLOAD, cache=LocalCache()).evaluate([]) == []
    assert not simulator.calls


def test_results_are_found_again_in_a_later_batch_and_by_another_evaluator() -> None:
    simulator, cache = Counting(), LocalCache()
    evaluator = Evaluator(simulator, WORKLOAD, cache=cache)
    evaluator.evaluate([design(5)])
    other = Counting()
    trials = Evaluator(other, WORKLOAD, cache=cache).evaluate([design(5, depth=3), design(6)])
    assert [trial.obtained for trial in trials] == ["exact hit", "measured"]
    assert other.measured == [design(6)]
    assert evaluator.counts.measured == 1
    assert trials[0].provenance.wall_s == 0


def test_without_a_cache_every_design_is_measured() -> None:
    simulator = Counting()
    evaluator = Evaluator(simulator, WORKLOAD, cache=None)
    trials = evaluator.evaluate([design(5), design(5), design(13)])
    assert [trial.obtained for trial in trials[:2]] == ["measured", "measured"]
    assert simulator.measured == [design(5), design(5)]
    assert trials[2].metrics.status == "infeasible"


def test_single_flight_between_threads() -> None:
    both_ask, release = threading.Barrier(2), threading.Event()

    def hold(_: Design) -> None:
        release.wait(10)

    simulator, cache = Counting(before=hold), LocalCache()
    results: list[list[Trial]] = []

    def search() -> None:
        evaluator = Evaluator(simulator, WORKLOAD, cache=cache)
        both_ask.wait(10)
        results.append(evaluator.evaluate([design(5), design(6)]))

    threads = [threading.Thread(target=search) for _ in range(2)]
    for thread in threads:
        thread.start()
    while not cache.statistics()["waits"]:  # until one of the two sleeps on the other's reservation
        threading.Event().wait(0.001)
    release.set()
    for thread in threads:
        thread.join(10)
    assert simulator.measured == [design(5), design(6)]
    assert [latencies(trials) for trials in results] == [[5, 6], [5, 6]]
    assert sorted(trial.obtained for trials in results for trial in trials) == ["exact hit", "exact hit", "measured", "measured"]


def test_one_evaluator_shared_by_many_threads_counts_right() -> None:
    simulator = Counting()
    evaluator = Evaluator(simulator, WORKLOAD, cache=LocalCache())
    threads = [threading.Thread(target=lambda: [evaluator.evaluate([design(size)]) for size in range(12)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (evaluator.counts.asked, evaluator.counts.measured, evaluator.counts.exact_hits) == (96, 12, 84)
    assert len(simulator.measured) == 12


def test_infeasible_designs_never_reach_the_simulator() -> None:
    simulator = Counting()
    evaluator = Evaluator(simulator, WORKLOAD, cache=LocalCache())
    trials = evaluator.evaluate([design(13), design(1)])
    assert trials[0].metrics.status == "infeasible"
    assert trials[0].metrics.reasons == ("13 brings bad luck",)
    assert simulator.measured == [design(1)]
    assert (evaluator.counts.infeasible, evaluator.counts.measured) == (1, 1)


def _guilty(design: Design) -> None:
    if design["size"] == 66:
        raise RuntimeError("no such table")


def test_a_raising_simulator_fails_only_the_guilty_design() -> None:
    simulator, cache = Counting(before=_guilty), LocalCache()
    evaluator = Evaluator(simulator, WORKLOAD, cache=cache)
    trials = evaluator.evaluate([design(1), design(66), design(2)])
    assert [trial.metrics.status for trial in trials] == ["ok", "failed", "ok"]
    assert trials[1].metrics.error == "counting raised RuntimeError: no such table"
    assert (evaluator.counts.failed, evaluator.counts.measured, held(cache)) == (1, 3, 0)
    assert cache.statistics()["entries"] == 2


def test_failures_are_not_cached_but_given_up_after_two_crashes_in_a_row() -> None:
    simulator = Counting(before=_guilty)
    cache = LocalCache()
    evaluator = Evaluator(simulator, WORKLOAD, cache=cache)
    trials = [evaluator.evaluate([design(66)])[0] for _ in range(4)]
    assert [trial.obtained for trial in trials] == ["measured", "measured", "exact hit", "exact hit"]
    assert {trial.metrics.status for trial in trials} == {"failed"}
    assert len(simulator.calls) == 2
    assert cache.statistics()["entries"] == held(cache) == 0


def test_a_success_between_two_crashes_clears_the_memory() -> None:
    outcomes = iter([True, False, True, False])

    def flaky(_: Design) -> None:
        if next(outcomes):
            raise OSError("disk is busy")

    cache = LocalCache(forget=0.999999)
    evaluator = Evaluator(Counting(before=flaky), WORKLOAD, cache=cache)
    statuses = []
    for _ in range(5):
        statuses.append(evaluator.evaluate([design(5)])[0].metrics.status)
    assert statuses == ["failed", "ok", "ok", "failed", "ok"]  # the third is served, then forgotten


def test_a_program_that_ran_out_of_time_is_a_timeout() -> None:
    def slow(_: Design) -> None:
        raise ProgramTimeout("tool was stopped after 3 s")

    trial = Evaluator(Counting(before=slow), WORKLOAD, cache=LocalCache()).evaluate([design(5)])[0]
    assert trial.metrics.status == "timeout"


@pytest.mark.parametrize("returned", [[], [Metrics({"latency_ns": 1.0})] * 3, None, [{"latency_ns": 1.0}] * 2], ids=str)
def test_a_simulator_that_breaks_its_contract_is_an_error_and_leaves_no_reservation(returned: Any) -> None:
    cache = LocalCache()
    evaluator = Evaluator(Counting(), WORKLOAD, cache=cache, execute=lambda *_: returned)
    with pytest.raises(EvaluationError, match=r"counting returned .*expected"):
        evaluator.evaluate([design(1), design(2)])
    assert held(cache) == 0


def test_undeclared_metrics_and_values_that_are_no_numbers_fail_the_design() -> None:
    answers = [Metrics({"other": 1.0}), Metrics({"latency_ns": float("nan")}), Metrics({"latency_ns": "5"}), Metrics({"latency_ns": 5.0})]  # type: ignore[dict-item]
    trials = Evaluator(Counting(), WORKLOAD, cache=LocalCache(), execute=lambda *_: answers).evaluate([design(i) for i in range(4)])
    assert [trial.metrics.status for trial in trials] == ["failed", "failed", "failed", "ok"]


def test_misuse_of_the_simulator_is_raised_and_leaves_no_reservation() -> None:
    def refuse(_: Design) -> None:
        raise InputError("this simulator has no fidelities")

    cache = LocalCache()
    with pytest.raises(InputError, match="no fidelities"):
        Evaluator(Counting(before=refuse), WORKLOAD, cache=cache, fidelity=0.5).evaluate([design(1), design(2)])
    assert held(cache) == 0


def test_an_exit_inside_the_simulator_fails_its_design_only_unless_it_is_the_process_that_ends() -> None:
    def leave(design: Design) -> None:
        if design["size"] == 2:
            raise SystemExit(3)

    trials = Evaluator(Counting(before=leave), WORKLOAD).evaluate([design(1), design(2), design(3)])
    assert [trial.metrics.status for trial in trials] == ["ok", "failed", "ok"]
    assert trials[1].metrics.error == "counting raised SystemExit: 3"

    def end(_: Design) -> None:
        error = SystemExit(0)
        error.ray_terminate_msg = "terminated"  # type: ignore[attr-defined]
        raise error

    with pytest.raises(SystemExit):
        Evaluator(Counting(before=end), WORKLOAD).evaluate([design(1)])


def test_an_interrupt_inside_the_simulator_leaves_no_reservation() -> None:
    def interrupt(design: Design) -> None:
        if design["size"] == 2:
            raise KeyboardInterrupt

    cache = LocalCache()
    with pytest.raises(KeyboardInterrupt):
        Evaluator(Counting(before=interrupt), WORKLOAD, cache=cache).evaluate([design(1), design(2), design(3)])
    assert held(cache) == 0
    assert latencies(Evaluator(Counting(), WORKLOAD, cache=cache).evaluate([design(2)])) == [2]


def test_a_noisy_simulator_is_measured_m_times_with_different_seeds_and_averaged() -> None:
    simulator, cache = Counting(deterministic=False), LocalCache(measurements=3)
    evaluator = Evaluator(simulator, WORKLOAD, cache=cache, seed=5)
    trials = [evaluator.evaluate([design(0)])[0] for _ in range(5)]
    seeds = [seed for _, seed in simulator.calls]
    assert len(seeds) == len(set(seeds)) == 3
    assert seeds[0] == 5
    noise = [seed % 1000 for seed in seeds]
    expected = [noise[0], sum(noise[:2]) / 2] + [sum(noise) / 3] * 3
    assert latencies(trials) == pytest.approx(expected)
    assert [trial.obtained for trial in trials] == ["measured"] * 3 + ["exact hit"] * 2
    again = Counting(deterministic=False)
    repeat = Evaluator(again, WORKLOAD, cache=LocalCache(measurements=3), seed=5)
    assert latencies([repeat.evaluate([design(0)])[0] for _ in range(5)]) == latencies(trials)


CONTEXTS: dict[str, Callable[[LocalCache], Evaluator]] = {
    "fidelity": lambda cache: Evaluator(Counting(), WORKLOAD, cache=cache, fidelity=0.5),
    "version": lambda cache: Evaluator(Counting(version="2"), WORKLOAD, cache=cache),
    "workload": lambda cache: Evaluator(Counting(), Workload("w", [1, 2, 4]), cache=cache),
    "simulator": lambda cache: Evaluator(_renamed(), WORKLOAD, cache=cache),
    "space version": lambda cache: Evaluator(_respaced(version="2"), WORKLOAD, cache=cache),
    "constraints": lambda cache: Evaluator(_respaced(constraints=()), WORKLOAD, cache=cache),
    "conditions": lambda cache: Evaluator(_respaced(conditions=()), WORKLOAD, cache=cache),
    "traits": lambda cache: Evaluator(Counting(), Workload("w", [1, 2, 3], frozenset({"read_only"})), cache=cache),
}


def _renamed() -> Counting:
    simulator = Counting()
    simulator.name = "other"
    return simulator


def _respaced(**changes: Any) -> Counting:
    simulator = Counting()
    rules: dict[str, Any] = {"conditions": SPACE.conditions, "constraints": SPACE.constraints}
    simulator.space = DesignSpace(SPACE.parameters, **(rules | changes))
    return simulator


@pytest.mark.parametrize("change", CONTEXTS)
def test_what_could_alter_results_gives_other_keys(change: str) -> None:
    cache = LocalCache()
    base = Evaluator(Counting(), WORKLOAD, cache=cache)
    base.evaluate([design(5)])
    changed = CONTEXTS[change](cache)
    assert changed.evaluate([design(5)])[0].obtained == "measured"
    keys, other = base.keys([design(5)])[0], changed.keys([design(5)])[0]
    assert keys.literal != other.literal
    assert keys.canonical != other.canonical


def test_the_seed_is_part_of_the_key_only_where_it_has_an_effect() -> None:
    cache = LocalCache()
    for seed, obtained in ((1, "measured"), (2, "exact hit")):
        assert Evaluator(Counting(), WORKLOAD, cache=cache, seed=seed).evaluate([design(5)])[0].obtained == obtained
    for seed, obtained in ((1, "measured"), (2, "measured"), (2, "exact hit")):
        noisy = Evaluator(Counting(deterministic=False), WORKLOAD, cache=cache, seed=seed)
        assert noisy.evaluate([design(5)])[0].obtained == obtained


def test_the_name_of_the_workload_is_not_part_of_the_key() -> None:
    cache = LocalCache()
    Evaluator(Counting(), WORKLOAD, cache=cache).evaluate([design(5)])
    assert Evaluator(Counting(), Workload("renamed", [1, 2, 3]), cache=cache).evaluate([design(5)])[0].obtained == "exact hit"


# ---- functional hits -----------------------------------------------------------------------------------------------------


class Believing(AuditedFingerprints):
    """Serves every hit at once, so that single steps can be tested."""

    def verdict(self, functional_key: str, canonical_key: str, *, patient: bool = True) -> Any:
        return "ignore" if functional_key in self._bad else "serve"


def _behaviour(design: Design) -> bytes:
    return repr(design["size"] + (design["depth"] if design["mode"] == "fancy" else 0)).encode()


def test_a_functional_hit_is_served_without_measuring_also_within_a_batch() -> None:
    simulator, cache = Counting(), LocalCache()
    simulator.see = _behaviour
    evaluator = Evaluator(simulator, WORKLOAD, cache=cache, fingerprints=Believing("on"))
    trials = evaluator.evaluate([design(5), design(4, "fancy", 1), design(9)])
    assert latencies(trials) == [5, 5, 9]
    assert [trial.obtained for trial in trials] == ["measured", "functional hit", "measured"]
    assert evaluator.evaluate([design(8, "fancy", 1)])[0].obtained == "functional hit"
    assert simulator.measured == [design(5), design(9)]
    assert trials[0].keys.functional == trials[1].keys.functional is not None
    assert held(cache) == 0
    assert evaluator.counts.functional_hits == 2


def test_a_design_that_was_served_what_another_one_did_is_not_probed_again() -> None:
    simulator, probed = Counting(), []

    def see(design: Design) -> bytes:
        probed.append(design)
        return _behaviour(design)

    simulator.see = see
    evaluator = Evaluator(simulator, WORKLOAD, cache=LocalCache(), fingerprints=Believing("on"))
    batch = [design(5), design(4, "fancy", 1)]
    for _ in range(3):
        assert latencies(evaluator.evaluate(batch)) == [5, 5]
    assert probed == batch
    assert evaluator.counts.functional_hits == 3 and evaluator.counts.exact_hits == 2


def test_a_remembered_probe_is_no_evidence_of_what_probing_costs() -> None:
    simulator, policy = Counting(), AuditedFingerprints("on", audit_share=0.0)
    simulator.see = lambda design: _behaviour(design)
    evaluator = Evaluator(simulator, WORKLOAD, cache=LocalCache(), fingerprints=policy)
    for latency in (30, 40):  # the first hits are audited
        evaluator.evaluate([design(latency), *(design(latency - depth, "fancy", depth) for depth in range(1, 8))])
    before, again = policy.statistics(), design(32, "fancy", 8)
    assert evaluator.evaluate([again])[0].obtained == "functional hit"
    probed = policy.statistics()
    for _ in range(3):
        evaluator.evaluate([again])
    assert probed["probes"] == before["probes"] + 1
    assert (policy.statistics()["probes"], policy.statistics()["probe_s"]) == (probed["probes"], probed["probe_s"])


def test_only_so_many_probes_are_remembered() -> None:
    memory = ProbeMemory(limit=2)
    for key in ("a", "b", "a", "c"):
        memory.note(key, f"behaviour of {key}")
    assert [memory.recall(key) for key in "abc"] == [None, "behaviour of b", "behaviour of c"]


def test_first_functional_hits_are_audited_and_a_false_merge_is_found_out() -> None:
    simulator, policy = Counting(), AuditedFingerprints("on")
    simulator.see = lambda design: b"all alike"
    evaluator = Evaluator(simulator, WORKLOAD, cache=LocalCache(), fingerprints=policy)
    assert evaluator.evaluate([design(5)])[0].obtained == "measured"
    trial = evaluator.evaluate([design(6)])[0]
    assert (trial.obtained, latencies([trial])) == ("audited", [6])
    figures = evaluator.statistics()
    assert (figures["fingerprint_audits"], figures["fingerprint_false_merges"], figures["fingerprint_in_doubt"]) == (1, 1, 1)
    assert evaluator.evaluate([design(7)])[0].obtained == "measured"


def test_an_audit_that_crashes_says_nothing_about_the_fingerprint() -> None:
    simulator, policy = Counting(before=_guilty), AuditedFingerprints("on")
    simulator.see = lambda design: b"all alike"
    evaluator = Evaluator(simulator, WORKLOAD, cache=LocalCache(), fingerprints=policy)
    evaluator.evaluate([design(5)])
    trial = evaluator.evaluate([design(66)])[0]
    assert (trial.metrics.status, trial.obtained) == ("failed", "measured")
    assert policy.statistics()["audits"] == 0


def test_agreement_sets_what_an_audit_calls_equal() -> None:
    for agreement, merges in ((0.0, 1), (0.25, 0)):
        simulator, policy = Counting(), AuditedFingerprints("on")
        simulator.see = lambda design: b"all alike"
        evaluator = Evaluator(simulator, WORKLOAD, cache=LocalCache(), fingerprints=policy, agreement=agreement)
        evaluator.evaluate([design(5)])
        evaluator.evaluate([design(6)])
        assert policy.statistics()["false_merges"] == merges


def test_a_twin_whose_elder_failed_is_measured_itself() -> None:
    simulator, cache = Counting(before=_guilty), LocalCache()
    simulator.see = lambda design: b"all alike"
    trials = Evaluator(simulator, WORKLOAD, cache=cache, fingerprints=Believing("on")).evaluate([design(66), design(5), design(6)])
    assert [trial.metrics.status for trial in trials] == ["failed", "ok", "ok"]
    assert trials[2].obtained == "functional hit"
    assert held(cache) == 0


def test_a_simulator_without_a_probe_is_not_asked_twice() -> None:
    policy = AuditedFingerprints("on")
    evaluator = Evaluator(Counting(), WORKLOAD, cache=LocalCache(), fingerprints=policy)
    evaluator.evaluate([design(5)])
    assert policy.reason == "counting has no probe"
    assert policy.wants_probes(5) == 0
    assert evaluator.keys([design(5)], probe=True)[0].functional is None


def test_a_probe_that_raises_costs_fingerprints_not_results(caplog: pytest.LogCaptureFixture) -> None:
    def broken(design: Design) -> bytes:
        raise ZeroDivisionError("in the probe")

    simulator, policy, cache = Counting(), AuditedFingerprints("on"), LocalCache()
    simulator.see = broken
    trials = Evaluator(simulator, WORKLOAD, cache=cache, fingerprints=policy).evaluate([design(5), design(6)])
    assert latencies(trials) == [5, 6]
    assert "ZeroDivisionError: in the probe" in policy.reason
    assert "ZeroDivisionError" in caplog.text
    assert held(cache) == 0


def test_a_probe_with_the_wrong_number_of_responses_is_an_error() -> None:
    simulator, cache = Counting(), LocalCache()
    simulator.probe = lambda *_, **__: [b"one"]  # type: ignore[method-assign]
    with pytest.raises(EvaluationError, match="1 probe responses for 2 designs"):
        Evaluator(simulator, WORKLOAD, cache=cache, fingerprints=AuditedFingerprints("on")).evaluate([design(1), design(2)])
    assert held(cache) == 0


def test_functional_keys_are_only_made_of_legal_designs() -> None:
    simulator = Counting()
    simulator.see = _behaviour
    keys = Evaluator(simulator, WORKLOAD).keys([design(13), design(5), design(4, "fancy", 1)], probe=True)
    assert keys[0].functional is None
    assert keys[1].functional == keys[2].functional is not None
    assert len({keys[1].canonical, keys[1].functional, keys[1].literal}) == 3


@pytest.mark.parametrize("options", [{"fidelity": 0.0}, {"fidelity": 1.5}, {"seed": -1}, {"agreement": -0.1}], ids=str)
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        Evaluator(Counting(), WORKLOAD, **options)


def test_a_mapping_is_not_a_design() -> None:
    with pytest.raises(InputError, match=r"expected a Design: make one with DesignSpace.validate"):
        Evaluator(Counting(), WORKLOAD).evaluate([{"size": 1}])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"z": 1}, r"unknown parameter 'z'.*size: missing"),
        ({"size": 5000, "mode": "plain", "depth": 1}, r"size: got 5000, expected an integer from 0 to 99"),
        ({"size": 5, "mode": "zz", "depth": True}, r"mode: got 'zz'.*depth: got True"),
        ({"size": 5, "mode": "plain"}, r"it lacks depth"),
        ({"size": 5, "mode": "plain", "depth": 1, "more": 2}, r"unknown parameter 'more'"),
    ],
)
def test_a_design_of_another_space_is_refused_before_anything_is_measured(values: dict[str, Any], problem: str) -> None:
    simulator = Counting()
    evaluator = Evaluator(simulator, WORKLOAD, cache=LocalCache())
    for refused in (lambda: evaluator.evaluate([design(1), Design(values)]), lambda: evaluator.keys([Design(values)])):
        with pytest.raises(InputError, match=r"expected a design of counting: .*" + problem + r".*; make designs with the validate\(\)"):
            refused()
    assert not simulator.calls
    assert evaluator.evaluate([Design({"size": 5.0, "mode": "fancy", "depth": 2})])[0].metrics.ok  # equal numbers count, as in validate


def test_provenance_and_statistics() -> None:
    evaluator = Evaluator(Counting(version="7"), WORKLOAD, cache=LocalCache(), fingerprints=AuditedFingerprints("off"), seed=9)
    trial = evaluator.evaluate([design(1)], searcher="random", run="random-s1")[0]
    base = trial.provenance
    assert (base.simulator, base.simulator_version, base.workload, base.workload_digest) == ("counting", "7", "w", WORKLOAD.digest)
    assert (base.seed, base.searcher, base.run, base.fidelity) == (0, "random", "random-s1", 1.0)
    assert base.wall_s == trial.metrics.cost_s > 0
    figures = evaluator.statistics()
    assert figures["measured"] == figures["cache_misses"] == 1
    assert figures["total_s"] >= figures["measure_s"] > 0
    assert figures["fingerprint_probes"] == 0
