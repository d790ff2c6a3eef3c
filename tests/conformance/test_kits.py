"""The kits themselves: good things pass, and every planted defect is found."""

import itertools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest

import designgym as dg
from designgym.core import registry
from designgym.core.design import Design
from designgym.core.metrics import Metrics, MetricSpec
from designgym.core.parameters import Integer
from designgym.core.protocols import Resources
from designgym.core.testing import (
    ConformanceError,
    Crashing,
    Infeasible,
    Noisy,
    Shifted,
    check_env,
    check_searcher,
    check_simulator,
    check_space,
    equivalent_designs,
)
from designgym.core.testing.searcher_kit import synthetic_space
from designgym.core.testing.wrappers import Wrapped
from designgym.core.trial import Trial
from designgym.core.workload import Workload
from designgym.searchers import GeneticAlgorithm

SPACE = dg.DesignSpace(
    a=dg.Integer(0, 7), b=dg.Categorical("x", "y"), c=dg.Integer(0, 7), d=dg.Integer(1, 4),
    conditions=[dg.Condition("d", "b == 'y'")], constraints=[dg.Constraint("a + c <= 12", "too much")],
    symmetries=[dg.Interchangeable("a", "c")],
)  # fmt: skip
WORKLOAD = Workload("w", 2.0)


@dg.simulator(space=SPACE, metrics=["cost", "area"], version="1")
def good(design: Any, workload: Any, *, seed: int) -> dict[str, float]:
    """Keeps every law."""
    return {"cost": (design["a"] - 3) ** 2 + (design["c"] - 3) ** 2 + (design["d"] if design["b"] == "y" else 0) * workload, "area": 1.0}


def findings(check: Callable[[], None]) -> str:
    with pytest.raises(ConformanceError) as caught:
        check()
    assert caught.value.findings and "breaks its contract" in str(caught.value)
    return str(caught.value)


# ---- spaces ----------------------------------------------------------------------------------------------------------


class Broken(Integer):
    """An Integer in which one method is wrong."""


BROKEN_PARAMETERS: dict[str, tuple[str, Callable[..., Any], str]] = {
    "encoding out of range": ("encode", lambda self, value: [2.0], "encodings must be in"),
    "decoding to another value": ("decode", lambda self, x: min(int(x[0] * 8) + 1, 7), "decode(encode(design)) must be the design"),
    "decoding to no value": ("decode", lambda self, x: self.high + 1, "valid"),
    "mutating to no value": ("mutate", lambda self, value, rng: self.high + 1, "mutate must give valid designs"),
    "crossing to no value": ("crossover", lambda self, a, b, rng: -99, "crossover must give valid designs"),
    "its own neighbour": ("neighbours", lambda self, value: iter([value]), "neighbours must differ"),
    "validating to a neighbour": ("validate", lambda self, value: min(int(value) + 1, self.high), "validate must return a sampled design"),
    "an exception": ("neighbours", lambda self, value: 1 / 0, "must not raise: ZeroDivisionError"),
    "values that JSON lacks": ("to_json", lambda self: {"kind": "integer", "low": {1}}, "JSON round trip"),
    "private randomness": ("sample", lambda self, rng: int(np.random.default_rng().integers(8)), "equal seeds must give equal samples"),
}


@pytest.mark.parametrize("defect", BROKEN_PARAMETERS)
def test_planted_defects_of_parameters_are_found(defect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    method, wrong, expected = BROKEN_PARAMETERS[defect]
    space = dg.DesignSpace(a=Broken(0, 7, default=1), b=dg.Integer(0, 3))
    monkeypatch.setattr(Broken, method, wrong, raising=False)
    assert expected in findings(lambda: check_space(space))


def test_rules_that_break_legality_or_never_settle_are_found() -> None:
    up = dg.DesignSpace(
        a=dg.Integer(0, 7), symmetries=[dg.Rewrite("a", "7", when="a > 3")], constraints=[dg.Constraint("a <= 5", "too much")]
    )
    assert "keep a legal design legal" in findings(lambda: check_space(up))
    flip = dg.DesignSpace(a=dg.Integer(0, 1), symmetries=[dg.Rewrite("a", "1 - a")])
    assert "do not settle" in findings(lambda: check_space(flip))


def test_good_spaces_pass() -> None:
    check_space(SPACE)
    check_space(synthetic_space())


def test_equivalent_designs_come_from_every_kind_of_rule() -> None:
    inner = dg.DesignSpace(k=dg.Integer(0, 3), j=dg.Integer(0, 3), conditions=[dg.Condition("j", "k > 1")])
    space = dg.DesignSpace(
        a=dg.Integer(0, 7), b=dg.Integer(0, 7), p=dg.Integer(0, 7), q=dg.Integer(0, 1), layers=dg.Repeated(inner, 2, 3),
        conditions=[dg.Condition("p", "q == 1")],
        symmetries=[dg.Interchangeable("a", "b"), dg.Unordered("layers"), dg.Rewrite("a", "min(a, 4)"), dg.Rewrite("b", "min(b, 4)")],
    )  # fmt: skip
    start = space.validate({"a": 6, "b": 1, "p": 3, "q": 0, "layers": [{"k": 0, "j": 0}, {"k": 3, "j": 2}]})
    twins = list(equivalent_designs(space, start, np.random.default_rng(0), tries=400))
    assert {twin["p"] for twin in twins} > {0, 5} and {twin["a"] for twin in twins} >= {1, 4, 5, 7}
    assert any(twin["layers"] == start["layers"][::-1] for twin in twins)
    assert any(twin["layers"][0] not in start["layers"] for twin in twins)
    assert all(space.canonical(twin) == space.canonical(start) and twin != start for twin in twins)


# ---- simulators ------------------------------------------------------------------------------------------------------

counter = itertools.count()


class Defective(Wrapped):
    """Good, except for what a test overrides."""


def result(**changes: Any) -> Callable[[Any, Design, Metrics], Metrics]:
    return lambda self, design, metrics: replace(metrics, **changes)


CHANGED: dict[str, tuple[Callable[[Any, Design, Metrics], Metrics], str]] = {
    "not a number": (result(values={"cost": float("nan"), "area": 1.0}), "all finite"),
    "undeclared metric": (result(values={"cost": 1.0, "area": 1.0, "extra": 1.0}), "the declared ones"),
    "missing metric": (result(values={"cost": 1.0}), "the declared ones"),
    "values of a failure": (result(status="failed", error="x"), "must have no values"),
    "a number as text": (result(values={"cost": "12", "area": 1.0}), "cost = '12', expected a finite number"),
    "reasons of a success": (result(reasons=("why not",)), "must have no reasons"),
    "an unknown status": (result(status="great"), "status must be one of"),
    "no error": (result(status="failed", values={}), "must state its error"),
    "no reasons": (result(status="infeasible", values={}), "must state its reasons"),
    "negative cost": (result(cost_s=-1.0), "must not be negative"),
    "always fails": (result(status="failed", values={}, error="licence expired"), "licence expired"),
    "hidden state": (
        lambda self, design, metrics: replace(metrics, values=dict(metrics.values) | {"cost": float(next(counter))}), "the same call"
    ),
    "an unsound interchange": (
        lambda self, design, metrics: replace(metrics, values=dict(metrics.values) | {"cost": float(design["a"])}), "equal canonical forms"
    ),
    "an unsound condition": (
        lambda self, design, metrics: replace(metrics, values=dict(metrics.values) | {"cost": float(design["d"])}), "equal canonical forms"
    ),
}  # fmt: skip


@pytest.mark.parametrize("defect", CHANGED)
def test_planted_defects_of_results_are_found(defect: str) -> None:
    change, expected = CHANGED[defect]

    class Changed(Defective):
        def _changed(self, design: Design, result: Metrics, workload: Workload, seed: int) -> Metrics:
            return change(self, design, result)

    assert expected in findings(lambda: check_simulator(Changed(good), WORKLOAD))


EVALUATE: dict[str, tuple[Callable[..., Any], str]] = {
    "one result short": (lambda inner, designs, **_: inner(designs)[:-1], "one Metrics per design"),
    "a generator": (lambda inner, designs, **_: iter(inner(designs)), "one Metrics per design"),
    "an exception": (lambda inner, designs, **_: 1 / 0, "evaluate must not raise"),
    "sorted by cost": (lambda inner, designs, **_: sorted(inner(designs), key=lambda m: m["cost"]), "order of the designs"),
    "the batch's size": (
        lambda inner, designs, **_: [replace(m, values=dict(m.values) | {"area": float(len(designs))}) for m in inner(designs)],
        "one by one",
    ),
    "a hidden seed": (
        lambda inner, designs, seed, **_: [replace(m, values=dict(m.values) | {"area": float(seed)}) for m in inner(designs)],
        "the seed has an effect",
    ),
    "a result for different designs only": (lambda inner, designs, **_: inner(list(dict.fromkeys(designs))), "a batch with equal designs"),
    "an end of the process": (lambda inner, designs, **_: sys.exit(3), "evaluate must not raise: SystemExit: 3"),
    "the global seed": (lambda inner, designs, **_: (np.random.seed(0), inner(designs))[1], "global state of np.random"),
    "an exception for illegal designs": (
        lambda inner, designs, **_: inner(designs) if all(d["a"] + d["c"] <= 12 for d in designs) else 1 / 0,
        "evaluate of illegal designs must not raise",
    ),
}


@pytest.mark.parametrize("defect", EVALUATE)
def test_planted_defects_of_evaluate_are_found(defect: str) -> None:
    change, expected = EVALUATE[defect]

    class Changed(Defective):
        def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
            return change(lambda some: self.inner.evaluate(some, workload), designs, seed=seed)

    assert expected in findings(lambda: check_simulator(Changed(good), WORKLOAD))


PROBES: dict[str, tuple[Callable[..., Any], str]] = {
    "one answer short": (lambda designs: [b"x"] * (len(designs) - 1), "one bytes object per design"),
    "text": (lambda designs: ["x"] * len(designs), "one bytes object per design"),
    "random": (lambda designs: [str(next(counter)).encode() for _ in designs], "probe must be deterministic"),
    "the batch": (lambda designs: [str(len(designs)).encode() for _ in designs], "one by one"),
    "the design as written": (lambda designs: [design.literal.encode() for design in designs], "equal probe responses"),
}


@pytest.mark.parametrize("defect", PROBES)
def test_planted_defects_of_probes_are_found(defect: str) -> None:
    change, expected = PROBES[defect]

    class Changed(Defective):
        def probe(self, designs: Sequence[Design], workload: Workload, *, seed: int = 0) -> list[bytes] | None:
            return change(designs)

    assert expected in findings(lambda: check_simulator(Changed(good), WORKLOAD))


DECLARATIONS: dict[str, tuple[str, Any, str]] = {
    "no name": ("name", "", "name must be text"),
    "a number as version": ("version", 3, "version must be text"),
    "metrics as a list": ("metrics", [MetricSpec("cost", "1")], "tuple of different MetricSpec"),
    "metrics twice": ("metrics", (MetricSpec("cost", "1"),) * 2, "tuple of different MetricSpec"),
    "resources of None": ("resources", None, "resources must be Resources(...)"),
    "a deterministic of None": ("deterministic", None, "deterministic must be True or False"),
    "no space": ("space", "the final frontier", "space must be a DesignSpace"),
}


@pytest.mark.parametrize("defect", DECLARATIONS)
def test_planted_defects_of_declarations_are_found(defect: str) -> None:
    attribute, value, expected = DECLARATIONS[defect]
    simulator = Defective(good)
    setattr(simulator, attribute, value)
    assert expected in findings(lambda: check_simulator(simulator, WORKLOAD))


def test_what_is_no_simulator_or_cannot_travel_is_found() -> None:
    assert "must offer name, version" in findings(lambda: check_simulator(object(), WORKLOAD))  # type: ignore[arg-type]

    class Stuck(Defective):
        def __reduce__(self) -> Any:
            raise TypeError("holds an open socket")

    assert "open socket" in findings(lambda: check_simulator(Stuck(good), WORKLOAD))


def test_good_simulators_pass_and_so_do_their_wrappers() -> None:
    check_simulator(good, WORKLOAD)
    for wrapped in (Noisy(good), Infeasible(good), Crashing(good, 0.5), Shifted(good, 3)):
        check_simulator(wrapped, WORKLOAD)
        assert isinstance(wrapped, dg.Simulator) and wrapped.resources == Resources()
    best = min(m["cost"] for m in Shifted(good, 3).evaluate(SPACE.sample(np.random.default_rng(0), 200), WORKLOAD) if m.ok)
    assert best <= 2  # the optimum is still there


# ---- searchers -------------------------------------------------------------------------------------------------------


class Sloppy(GeneticAlgorithm):
    """A searcher that works, to be broken."""


def plant(method: str, wrong: Callable[..., Any]) -> type:
    return type("Sloppy", (Sloppy,), {method: wrong})


original = GeneticAlgorithm
SEARCHERS: dict[str, tuple[type, str]] = {
    "too many designs": (plant("ask", lambda self, n: original.ask(self, n + 1)), "a list of up to n designs"),
    "plain mappings": (plant("ask", lambda self, n: [dict(d) for d in original.ask(self, n)]), "must return Design objects"),
    "illegal designs": (
        plant("ask", lambda self, n: [Design(dict(d) | ({"a": 7, "c": 16} if "c" in d else {})) for d in original.ask(self, n)]),
        "asked designs must be legal",
    ),
    "values that do not exist": (
        plant("ask", lambda self, n: [Design(dict(d) | {"a": 99}) for d in original.ask(self, n)]), "must be valid"
    ),
    "private randomness": (
        plant("ask", lambda self, n: self.space.sample(np.random.default_rng(), n)), "equal seeds must ask equal designs"
    ),
    "an order that follows the hashes of texts": (
        plant("ask", lambda self, n: sorted(original.ask(self, n), key=lambda d: hash(d.literal))), "equal designs in any process"
    ),
    "the global seed": (plant("ask", lambda self, n: (np.random.seed(0), original.ask(self, n))[1]), "global state of np.random"),
    "the caller's list": (plant("tell", lambda self, trials: trials.clear()), "leave the list of trials"),
    "silence": (plant("ask", lambda self, n: []), "must ask something"),
    "a state that is no JSON": (plant("state", lambda self: {"rng": object()}), "must be JSON data"),
    "a state with infinities": (plant("state", lambda self: {"best": float("inf")}), "must be JSON data"),
    "a state that changes things": (
        plant("state", lambda self: (self.rng.random(), original.state(self))[1]), "state() must not change the searcher"
    ),
    "a restore that forgets": (plant("restore", lambda self, state: None), "a restored searcher must"),
    "failures": (
        plant("tell", lambda self, trials: original.tell(self, trials) if all(t.metrics.ok for t in trials) else 1 / 0),
        "odd tells must not raise"
    ),
}  # fmt: skip


@pytest.mark.parametrize("defect", SEARCHERS)
def test_planted_defects_of_searchers_are_found(defect: str) -> None:
    searcher, expected = SEARCHERS[defect]
    assert expected in findings(lambda: check_searcher(searcher))


class Minimal:
    """A searcher without our base class: random draws, remembered by their number."""

    def __init__(self, space: dg.DesignSpace, objective: dg.Objective, *, seed: int) -> None:
        self.space, self.seed, self.count = space, seed, 0

    def ask(self, n: int) -> list[Design]:
        self.count += n
        return [self.space.sample(np.random.default_rng([self.seed, i]))[0] for i in range(self.count - n, self.count)]

    def tell(self, trials: Sequence[Trial]) -> None:
        pass

    def state(self) -> dict[str, Any]:
        return {"seed": self.seed, "count": self.count}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.seed, self.count = state["seed"], state["count"]


def test_a_searcher_without_our_base_class_passes_and_its_options_are_strict() -> None:
    check_searcher(Minimal)

    class Lax(Minimal):
        def __init__(self, space: dg.DesignSpace, objective: dg.Objective, *, seed: int, **ignored: Any) -> None:
            super().__init__(space, objective, seed=seed)

    assert "unknown option must be refused" in findings(lambda: check_searcher(Lax))


# ---- environments ----------------------------------------------------------------------------------------------------


@pytest.fixture
def id() -> Iterator[str]:
    yield "test/Kit-v0"
    registry._environments.pop("test/Kit-v0", None)
    gymnasium.registry.pop("test/Kit-v0", None)


def test_a_good_environment_passes(id: str) -> None:
    dg.register(id, good, workloads={"w": 2.0}, objective=dg.minimize("cost"))
    check_env(id)


def test_planted_defects_of_environments_are_found(id: str) -> None:
    class Workloads:
        def names(self) -> list[str]:
            return ["fine", "renamed", "restless", "absent"]

        def get(self, name: str) -> Workload:
            if name == "absent":
                raise dg.core.errors.InputError("gone")
            data = next(counter) if name == "restless" else 2.0
            return Workload("other" if name == "renamed" else name, float(data))

    objectives = {"odd": dg.minimize("cost - cost", name="nothing")}
    dg.register(id, good, workloads=Workloads(), objectives=objectives, default_workload="fine")
    text = findings(lambda: check_env(id))
    for expected in ("must go by the name", "digest must not change", "workload 'absent' must not raise"):
        assert expected in text


def test_an_environment_that_is_another_one_each_time_is_found(id: str) -> None:
    def moody() -> dg.Simulator:
        offset = float(next(counter))

        @dg.simulator(space=SPACE, metrics=["cost"], version="1")
        def one(design: Any, workload: Any, *, seed: int) -> dict[str, float]:
            return {"cost": offset + design["a"] + design["c"]}

        return one

    dg.register(id, moody, workloads={"w": None}, objective=dg.minimize("cost"))
    assert "equal seeds and actions must give equal episodes" in findings(lambda: check_env(id))


def test_a_long_list_is_cut() -> None:
    error = ConformanceError("thing", [f"law {i}" for i in range(30)])
    assert "and 10 more" in str(error)
    import pickle

    assert pickle.loads(pickle.dumps(error)).findings == error.findings
