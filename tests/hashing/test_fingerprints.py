"""`AuditedFingerprints`: probes that pay go on, others stop early, those that lie are found out. Costs are counted, not timed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
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
from designgym.hashing.fingerprints import FIRST_AUDITS, REFUTED_HITS, TRIAL_PROBES, AuditedFingerprints, upper_bound
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
    """A fifth of the outcomes is mistaken for another one's, far above the limit of 5 %."""
    simulator = Simulated(clock, measure_s=1.0, probe_s=0.01, merge=10, see=lambda d: str(d["a"] // 10 - (d["a"] // 10 % 5 == 4)).encode())
    policy = AuditedFingerprints("auto", audit_share=0.2)
    search(simulator, policy, batch=10, batches=300, span=2000)
    assert not policy.statistics()["trusted"]
    assert "limit 0.05" in policy.reason and "rate at least 0.0" in policy.reason


def test_one_unlucky_early_false_merge_does_not_end_fingerprints(clock: Clock) -> None:
    """One of 100 outcomes is mistaken for another, and it happens to be met first."""
    simulator = Simulated(clock, measure_s=1.0, probe_s=0.01, merge=10, see=lambda d: str(max(d["a"] // 10, 1)).encode())
    policy = AuditedFingerprints("auto")
    cache = LocalCache()
    evaluator = Evaluator(simulator, Workload("w"), cache=cache, fingerprints=policy)
    first = [evaluator.evaluate([simulator.space.validate({"a": a, "b": 0})])[0] for a in (11, 1)]
    assert [(trial.obtained, trial.metrics["x"]) for trial in first] == [("measured", 1.0), ("audited", 0.0)]
    assert policy.statistics()["in_doubt"] and policy.wants_probes(5) == 5 and not policy.reason
    rng, served = np.random.default_rng(0), []
    for i in range(60):
        doubted = bool(policy.statistics()["in_doubt"])
        designs = [simulator.space.validate({"a": int(rng.integers(1000)), "b": 1 + i * 10 + j}) for j in range(10)]
        trials = evaluator.evaluate(designs)
        assert [trial.metrics["x"] for trial in trials] == [float(design["a"] // 10) for design in designs]
        served.append(sum(trial.obtained == "functional hit" for trial in trials))
        assert not (doubted and policy.statistics()["in_doubt"] and served[-1])  # nothing is served on the word of what is in doubt
    figures = policy.statistics()
    assert not figures["in_doubt"] and figures["trusted"] and policy.reason == ""
    assert figures["doubted"] > 60 and sum(served[:10]) == 0 and sum(served[-20:]) > 100
    assert (figures["false_merges"], figures["false_merge_upper_95"] < 0.05) == (1, True)


def test_nothing_is_served_before_the_first_audits_are_through(clock: Clock) -> None:
    """All hits of a large batch come at once: that the first ten are measured would help nobody if the others were served meanwhile."""
    simulator = Simulated(clock, measure_s=1.0, probe_s=0.01, merge=10, see=lambda d: str(d["a"] % 500).encode())
    policy = AuditedFingerprints("on")
    evaluator = Evaluator(simulator, Workload("w"), cache=LocalCache(), fingerprints=policy)
    trials = evaluator.evaluate([simulator.space.validate({"a": a, "b": 0}) for a in range(1000)])
    assert not any(trial.obtained == "functional hit" for trial in trials) and not policy.statistics()["trusted"]
    assert [trial.metrics["x"] for trial in trials] == [float(a // 10) for a in range(1000)]


def test_a_probe_that_tells_nothing_apart_ends_too(clock: Clock) -> None:
    """Its one key is ignored after the first false merge, so that there is no second one."""
    simulator = Simulated(clock, measure_s=1.0, probe_s=0.01, merge=1, see=lambda d: b"same")
    policy = AuditedFingerprints("on")
    trials = search(simulator, policy, batch=5, batches=40, span=100_000)
    assert policy.reason.startswith("fingerprints are not trusted: the latest 32 functional hits were all on fingerprints that")
    assert simulator.probed <= 2 + REFUTED_HITS + 5 and len(trials) == simulator.measured == 200


def test_hits_that_doubt_made_audits_are_worth_nothing() -> None:
    """After a false merge the hits save nothing until doubt is over, so probes that find many are not paid by them."""

    def policy_with(doubt: bool) -> AuditedFingerprints:
        policy = AuditedFingerprints("auto", audit_share=0.0, first_audits=1)
        policy.measured(1, 1.0)
        policy.probed(1, 0.5)
        policy.measured(100, 100.0)
        for i in range(60):
            policy.probed(1, 0.5)
            if policy.verdict(f"f{i}", f"c{i}") == "audit":
                policy.audited(f"f{i}", agreed=not (doubt and i == 0))
        return policy

    sure, doubting = policy_with(doubt=False), policy_with(doubt=True)
    assert sure.reason == "" and sure.statistics()["served"] == 59
    assert doubting.reason.startswith("probing does not pay: 32 probes took 16 s, their 31 functional hits are worth 0 s (30 of them")
    assert doubting.statistics()["trusted"] and doubting.statistics()["saved_s"] == 0


class PlainPolicy:
    """What `AuditedFingerprints("on", audit_share=0)` promises, in a few lines; audits are answered one after the other."""

    def __init__(self, limit: float) -> None:
        self.limit, self.audits, self.lies, self.bad, self.ended, self.refuted = limit, 0, 0, set[str](), False, 0

    def bounds(self) -> tuple[float, float]:
        n, k = self.audits, self.lies
        return float(beta.ppf(0.05, k, n - k + 1)) if k else 0.0, float(beta.ppf(0.95, k + 1, n - k)) if k < n else 1.0

    def hit(self, key: str, agreed: bool) -> str:
        doubt = self.lies > 0 and self.bounds()[1] > self.limit
        if self.ended:
            return "ignore"
        if key in self.bad:
            self.refuted += 1
            self.ended = doubt and self.refuted >= REFUTED_HITS
            return "ignore"
        self.refuted = 0
        if self.audits >= FIRST_AUDITS and not doubt:
            return "serve"
        self.audits += 1
        if not agreed:
            self.lies += 1
            self.bad.add(key)
        self.ended = self.bounds()[0] > self.limit + 1e-9
        return "audit"


@settings(deadline=None, max_examples=60)
@given(
    limit=st.sampled_from([0.0, 0.01, 0.05, 0.3]),
    hits=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 60), st.booleans()), max_size=200),
    quiet=st.integers(0, 400),
)
def test_trust_is_that_of_a_plain_model(limit: float, hits: list[tuple[int, int, bool]], quiet: int) -> None:
    policy, plain = AuditedFingerprints("on", audit_share=0.0, false_merge_limit=limit), PlainPolicy(limit)
    events = [
        *((key, lies != 0, again) for key, lies, again in hits),
        *((100 + i, True, False) for i in range(quiet)),
        *((7, False, True),) * 5,
    ]
    for number, (key, agreed, again) in enumerate(events):
        if again:  # the run is interrupted and goes on
            state = json.loads(json.dumps(policy.state()))
            policy = AuditedFingerprints("on", audit_share=0.0, false_merge_limit=limit)
            policy.restore(state)
        verdict = policy.verdict(f"f{key}", f"c{number}")
        if verdict == "audit":
            assert policy.audited(f"f{key}", agreed)
        assert verdict == plain.hit(f"f{key}", agreed)
        figures = policy.statistics()
        assert (figures["audits"], figures["false_merges"], bool(figures["trusted"])) == (plain.audits, plain.lies, not plain.ended)
        assert bool(policy.reason) == plain.ended == (policy.wants_probes(3) == 0)
        assert figures["hits"] == figures["served"] + figures["audits"] and figures["doubted"] <= figures["audits"]
        assert figures["false_merge_lower_95"] == pytest.approx(plain.bounds()[0], abs=1e-9)
        in_doubt = not plain.ended and plain.lies > 0 and plain.bounds()[1] > limit
        assert bool(figures["in_doubt"]) == in_doubt


def test_audits_without_a_finding_leave_no_trace() -> None:
    policy = AuditedFingerprints("on", audit_share=0.0, first_audits=2)
    before = policy.state()
    assert [policy.verdict(f, f) for f in "abc"] == ["audit", "audit", "wait"]
    assert not policy.audited("a", None) and policy.verdict("c", "c") == "audit"  # another one in its place
    assert not policy.audited("b", None) and not policy.audited("c", None)
    assert policy.state() == before
    for _ in range(2):  # two of one key were under way when the first one found it out
        assert policy.verdict("d", "d") == "audit"
    assert policy.audited("d", False) and not policy.audited("d", False)
    assert (policy.statistics()["audits"], policy.statistics()["hits"]) == (1, 1)


def test_a_state_of_the_version_that_stopped_at_the_first_doubt_goes_on_or_is_refused() -> None:
    policy = AuditedFingerprints("on")
    old = {name: value for name, value in policy.state().items() if name not in ("_doubted", "_refuted_in_a_row", "in_doubt")}
    policy.restore(old | {"_hits": 30, "_audits": 12, "_served": 18})
    assert policy.statistics()["audits"] == 12 and policy.wants_probes(4) == 4
    stopped = old | {
        "_hits": 1,
        "_audits": 1,
        "_false_merges": 1,
        "_trusted": False,
        "bad": ["f"],
        "reason": "fingerprints are not trusted: 1 of 1",
    }
    policy.restore(stopped)
    assert (policy.wants_probes(4), policy.verdict("g", "c"), policy.statistics()["in_doubt"]) == (0, "ignore", 0)
    for state in ({}, {"_hits": 1}):
        with pytest.raises(InputError, match=r"not a state of fingerprints: it lacks _audits, .*bad"):
            policy.restore(state)


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
            policy.audited("f", agreed=True)
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


@pytest.mark.parametrize(
    "options",
    [
        {"mode": "sometimes"},
        {"audit_share": 1.5},
        {"false_merge_limit": -1.0},
        {"first_audits": -1},
        {"first_audits": 1.5},
        {"audit_share": "x"},
    ],
    ids=str,
)
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"got|must be"):
        AuditedFingerprints(**options)
