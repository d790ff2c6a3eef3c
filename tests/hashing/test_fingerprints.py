"""`AuditedFingerprints`: probes that pay go on, others stop early, those that lie are found out. Costs are counted, not timed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from scipy.stats import beta

from designgym.core import batch as batch_module
from designgym.core import measuring as measuring_module
from designgym.core.design import Design
from designgym.core.errors import InputError
from designgym.core.evaluator import Evaluator
from designgym.core.metrics import Metrics, metric
from designgym.core.parameters import Integer
from designgym.core.protocols import Resources
from designgym.core.space import DesignSpace
from designgym.core.trial import Trial
from designgym.core.workload import Workload
from designgym.hashing.fingerprints import FIRST_AUDITS, TRIAL_PROBES, AuditedFingerprints, upper_bound
from designgym.hashing.local_cache import LocalCache


class Simulated:
    """Outcome ``a // merge``; a measurement and a probe advance a simulated clock, so that costs are exact."""

    name, version, deterministic, resources = "simulated", "1", True, Resources()
    space = DesignSpace(a=Integer(0, 1_000_000), b=Integer(0, 1_000_000))
    metrics = (metric("x"),)

    def __init__(self, clock: Clock, *, measure_s: float, probe_s: float, merge: int, see: Callable[[Design], bytes]) -> None:
        self.clock, self.measure_s, self.probe_s, self.merge, self.see = clock, measure_s, probe_s, merge, see
        self.measured = 0
        self.probed = 0

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
        self.measured += len(designs)
        self.clock.now += self.measure_s * len(designs)
        return [Metrics({"x": float(d["a"] // self.merge)}, cost_s=self.measure_s) for d in designs]

    def probe(self, designs: Sequence[Design], workload: Workload, *, seed: int = 0) -> list[bytes]:
        self.probed += len(designs)
        self.clock.now += self.probe_s * len(designs)
        return [self.see(design) for design in designs]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """Replace the clock that the evaluator reads."""
    clock = Clock()
    monkeypatch.setattr(batch_module, "time", clock)
    monkeypatch.setattr(measuring_module, "time", clock)
    yield clock


def search(simulator: Simulated, policy: AuditedFingerprints | None, *, batch: int, batches: int, span: int) -> list[Trial]:
    """A search over a space of ``span`` values of ``a``; ``b`` is new every time, so that canonical keys never help."""
    evaluator = Evaluator(simulator, Workload("w"), cache=LocalCache(), fingerprints=policy)
    rng = np.random.default_rng(0)
    trials: list[Trial] = []
    for i in range(batches):
        designs = [simulator.space.validate({"a": int(rng.integers(span)), "b": i * batch + j}) for j in range(batch)]
        trials += evaluator.evaluate(designs)
    return trials


def test_a_good_probe_pays_and_is_kept(clock: Clock) -> None:
    simulator = Simulated(clock, measure_s=1.0, probe_s=0.05, merge=10, see=lambda d: str(d["a"] // 10).encode())
    policy = AuditedFingerprints("auto")
    trials = search(simulator, policy, batch=10, batches=100, span=1000)  # 100 outcomes
    assert policy.reason == ""
    figures = policy.statistics()
    assert figures["false_merges"] == 0
    assert figures["net_saved_s"] > 500  # of 1000 s without a cache
    assert clock.now < 350
    assert figures["audits"] == sum(trial.obtained == "audited" for trial in trials)
    assert FIRST_AUDITS + 60 < figures["audits"] < FIRST_AUDITS + 120  # a tenth of about 900 hits
    assert [trial.metrics["x"] for trial in trials] == [float(trial.design["a"] // 10) for trial in trials]


def test_a_bad_probe_is_caught_by_the_audit_and_stood_down(clock: Clock) -> None:
    """The probe sees only whether the design is large: it merges what differs."""
    simulator = Simulated(clock, measure_s=1.0, probe_s=0.01, merge=10, see=lambda d: bytes([d["a"] > 500]))
    policy = AuditedFingerprints("auto")
    trials = search(simulator, policy, batch=5, batches=40, span=1000)
    assert not policy.statistics()["trusted"]
    assert policy.reason.startswith("fingerprints are not trusted: ")
    wrong = [trial for trial in trials if trial.metrics["x"] != trial.design["a"] // 10]
    assert wrong == []  # the first hits are audited, so not a single wrong result was served
    assert policy.statistics()["false_merges"] >= 1
    assert policy.wants_probes(100) == 0
    assert simulator.probed <= 15


def test_a_probe_that_is_wrong_now_and_then_is_caught_by_the_lasting_audit(clock: Clock) -> None:
    """Every eleventh outcome is mistaken for its neighbour: about 9 % of the merges are false, above the limit of 5 %."""
    simulator = Simulated(
        clock, measure_s=1.0, probe_s=0.01, merge=1, see=lambda d: str(d["a"] - (d["a"] % 22 == 21)).encode()
    )  # fmt: skip
    policy = AuditedFingerprints("auto")
    search(simulator, policy, batch=10, batches=200, span=200)
    assert not policy.statistics()["trusted"]
    assert "limit 0.05" in policy.reason


def test_rare_false_merges_below_the_limit_are_tolerated_but_the_caught_key_is_not() -> None:
    policy = AuditedFingerprints("on", audit_share=1.0, false_merge_limit=0.05)
    for i in range(300):
        assert policy.verdict(f"f{i}", f"c{i}") == "audit"
        policy.audited(f"f{i}", agreed=True)
    assert policy.verdict("bad", "c") == "audit"
    policy.audited("bad", agreed=False)
    assert policy.reason == ""
    assert policy.verdict("bad", "other") == "ignore"
    assert policy.verdict("good", "other") == "audit"
    assert policy.statistics()["false_merge_upper_95"] == pytest.approx(beta.ppf(0.95, 2, 300))


@pytest.mark.parametrize("batch", [1, 20, 1000])
@pytest.mark.parametrize("ratio", [0.2, 0.9, 1.0, 3.0])
def test_where_probing_does_not_pay_a_search_is_hardly_slower_than_without(clock: Clock, batch: int, ratio: float) -> None:
    """The probe recognises nothing: whatever its price, at most 32 probes and the warm-up are lost."""
    simulator = Simulated(clock, measure_s=1.0, probe_s=ratio, merge=1, see=lambda d: f"{d['a']}-{d['b']}".encode())
    policy = AuditedFingerprints("auto")
    search(simulator, policy, batch=batch, batches=2000 // batch, span=1_000_000)
    assert simulator.measured == 2000
    assert clock.now - 2000 <= (TRIAL_PROBES + 1) * ratio + 1e-6
    assert simulator.probed <= TRIAL_PROBES + 1
    if batch < 1000:
        assert policy.reason.startswith("probing does not pay: ")


def test_a_probe_dearer_than_measuring_stops_before_the_trial_is_over(clock: Clock) -> None:
    simulator = Simulated(clock, measure_s=1.0, probe_s=2.0, merge=1_000_000, see=lambda d: b"same")  # recognises everything
    policy = AuditedFingerprints("auto")
    search(simulator, policy, batch=1, batches=200, span=1000)
    assert simulator.probed < TRIAL_PROBES
    assert policy.reason == "probing does not pay: a probe takes 2 s, a measurement only 1 s"


def test_the_decision_to_stop_is_final() -> None:
    policy = AuditedFingerprints("auto")
    policy.measured(1, 1.0)
    policy.probed(1, 1.0)
    policy.measured(100, 1.0)
    policy.probed(10, 1.0)
    reason = policy.reason
    assert reason
    policy.measured(10_000, 1e6)
    assert (policy.reason, policy.wants_probes(10)) == (reason, 0)


def test_compilation_in_the_first_calls_is_no_evidence(clock: Clock) -> None:
    simulator = Simulated(clock, measure_s=1.0, probe_s=0.05, merge=10, see=lambda d: str(d["a"] // 10).encode())
    policy = AuditedFingerprints("auto")
    policy.measured(1, 20.0)
    assert policy.wants_probes(50) == 1
    policy.probed(1, 100.0)
    search(simulator, policy, batch=10, batches=100, span=1000)
    assert policy.reason == ""
    assert policy.statistics()["mean_probe_s"] == pytest.approx(0.05)
    assert policy.statistics()["mean_measure_s"] == pytest.approx(1.0)


def test_on_probes_whatever_it_costs_and_off_never() -> None:
    always, never = AuditedFingerprints("on"), AuditedFingerprints("off")
    for policy in (always, never):
        policy.probed(100, 1e6)
        policy.measured(100, 1e-6)
    assert (always.wants_probes(7), never.wants_probes(7)) == (7, 0)
    assert (always.reason, never.reason) == ("", "fingerprints are switched off")
    assert never.verdict("f", "c") == "ignore"


def test_which_hits_are_audited_depends_on_the_canonical_key_alone() -> None:
    def audited(order: Sequence[int]) -> set[int]:
        policy = AuditedFingerprints("on")
        for i in range(FIRST_AUDITS):
            assert policy.verdict("f", f"first{i}") == "audit"
        return {i for i in order if policy.verdict(f"f{i}", f"c{i}") == "audit"}

    chosen = audited(range(5000))
    assert chosen == audited(range(4999, -1, -1))
    assert 420 <= len(chosen) <= 580  # 500 expected, standard deviation 21


@pytest.mark.parametrize(("events", "trials"), [(0, 1), (0, 10), (1, 10), (5, 5), (3, 200), (0, 0)])
def test_upper_bound_is_clopper_pearson(events: int, trials: int) -> None:
    expected = beta.ppf(0.95, events + 1, trials - events) if events < trials else 1.0
    assert upper_bound(events, trials) == pytest.approx(expected, rel=1e-9)


def test_the_bound_covers_the_true_rate_at_least_95_times_in_100() -> None:
    rng = np.random.default_rng(1)
    covered = [upper_bound(int(events), 60) >= 0.07 for events in rng.binomial(60, 0.07, size=2000)]
    assert np.mean(covered) >= 0.94


def test_state_and_restore_continue_exactly() -> None:
    policy, copy = AuditedFingerprints("auto"), AuditedFingerprints("auto")
    policy.measured(1, 1.0)
    policy.probed(1, 1.0)
    policy.measured(9, 9.0)
    for i in range(8):
        policy.verdict(f"f{i}", f"c{i}")
        policy.audited(f"f{i}", agreed=True)
    copy.restore(json.loads(json.dumps(policy.state())))
    assert copy.statistics() == policy.statistics()
    for either in (policy, copy):
        either.probed(20, 30.0)
    assert [copy.verdict("f", f"d{i}") for i in range(50)] == [policy.verdict("f", f"d{i}") for i in range(50)]
    assert (copy.reason, copy.statistics()) == (policy.reason, policy.statistics())
    assert policy.reason


@pytest.mark.parametrize("options", [{"mode": "sometimes"}, {"audit_share": 1.5}, {"false_merge_limit": -1.0}], ids=str)
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"got|must be"):
        AuditedFingerprints(**options)
