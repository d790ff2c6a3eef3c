"""What kits report of things that cannot work at all: the cause, once."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import gymnasium
import pytest

import designgym as dg
from designgym.core import registry
from designgym.core.design import Design
from designgym.core.metrics import Metrics
from designgym.core.testing import ConformanceError, check_env, check_searcher, check_simulator, check_space
from designgym.core.testing.wrappers import Wrapped as Defective
from designgym.core.trial import Trial
from designgym.core.workload import Workload
from designgym.searchers import GeneticAlgorithm

SPACE = dg.DesignSpace(a=dg.Integer(0, 7), b=dg.Integer(0, 7), constraints=[dg.Constraint("a + b <= 12", "too much")])
WORKLOAD = Workload("w", 2.0)

counter = itertools.count()


@dg.simulator(space=SPACE, metrics=["cost", "area"], version="1")
def good(design: Any, workload: Any, *, seed: int) -> dict[str, float]:
    """Keeps every law."""
    return {"cost": (design["a"] - 3) ** 2 + (design["b"] - 3) ** 2 * workload, "area": 1.0}


def only_finding(check: Callable[[], None]) -> str:
    with pytest.raises(ConformanceError) as caught:
        check()
    (sentence,) = caught.value.findings
    return sentence


@pytest.fixture
def id() -> Iterator[str]:
    yield "test/Hopeless-v0"
    registry._environments.pop("test/Hopeless-v0", None)
    gymnasium.registry.pop("test/Hopeless-v0", None)


class NoFidelity(Defective):
    """Evaluates when asked directly, but never as the evaluator asks."""

    evaluate: Any = lambda self, designs, workload, *, seed=0: self.inner.evaluate(designs, workload)


class Halves(Defective):
    """Breaks down at lower fidelity."""

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
        results = self.inner.evaluate(designs, workload)
        return results if fidelity == 1 else results[: int(len(designs) * fidelity)]


class Spoiling(Defective):
    """Keeps notes in the workload."""

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
        workload.data["calls"] += 1
        return self.inner.evaluate(designs, Workload("w", 2.0))


def test_evaluate_is_called_with_a_fidelity_and_a_workload_that_stays() -> None:
    assert "unexpected keyword argument 'fidelity'" in only_finding(lambda: check_simulator(NoFidelity(good), WORKLOAD))
    assert "at any fidelity" in only_finding(lambda: check_simulator(Halves(good), WORKLOAD))
    assert "leave the workload as it is" in only_finding(lambda: check_simulator(Spoiling(good), Workload("w", {"calls": 0})))


def test_one_fault_is_one_finding() -> None:
    class NotANumber(Defective):
        def _changed(self, design: Design, result: Metrics, workload: Workload, seed: int) -> Metrics:
            return replace(result, values={"cost": float("nan"), "area": 1.0})

    class Dicts(GeneticAlgorithm):
        def ask(self, n: int = 1) -> Any:
            return [dict(design) for design in GeneticAlgorithm.ask(self, n)]

    class Nothing(GeneticAlgorithm):
        def ask(self, n: int = 1) -> Any:
            return [None] * n

    class Deaf(GeneticAlgorithm):
        def tell(self, trials: Sequence[Trial]) -> None:
            raise KeyError("cost")

    cycle = dg.DesignSpace(a=dg.Integer(0, 7), symmetries=[dg.Rewrite("a", to="7 - a")])
    assert "cost = nan" in only_finding(lambda: check_simulator(NotANumber(good), WORKLOAD))
    assert "must return Design objects: {" in only_finding(lambda: check_searcher(Dicts))
    assert "must return Design objects: None" in only_finding(lambda: check_searcher(Nothing))
    assert "searching must not raise: KeyError" in only_finding(lambda: check_searcher(Deaf))
    assert "they form a cycle" in only_finding(lambda: check_space(cycle))


def text_metric(design: Any, workload: Any, *, seed: int) -> Any:
    return Metrics({"cost": "1"})  # type: ignore[dict-item]


def never_feasible(design: Any, workload: Any, *, seed: int) -> Any:
    return Metrics.infeasible(["too small"])


HOPELESS: dict[str, tuple[Callable[..., Any], str, str]] = {
    "text": (text_metric, "cost", "cost = '1', expected a finite number"),
    "another metric": (lambda design, workload, *, seed: {"price": 1.0}, "cost", "missing ['cost'], undeclared ['price']"),
    "all infeasible": (never_feasible, "cost", "sampled designs must succeed: the first one is infeasible: too small"),
    "noise": (lambda design, workload, *, seed: {"cost": float(next(counter))}, "cost", "the same call must give the same results"),
    "an objective without values": (lambda design, workload, *, seed: {"cost": 1.0}, "1 / (cost - 1)", "must have a value"),
}


@pytest.mark.parametrize("defect", HOPELESS)
def test_environments_in_which_nothing_can_be_evaluated_are_found(defect: str, id: str) -> None:
    function, goal, expected = HOPELESS[defect]
    made = dg.simulator(space=SPACE, metrics=["cost"], version="1", name="hopeless")(function)
    dg.register(id, made, workloads={"w": None}, objective=dg.minimize(goal))
    assert expected in only_finding(lambda: check_env(id))


def test_an_environment_whose_simulator_knows_no_fidelity_is_found(id: str) -> None:
    dg.register(id, NoFidelity(good), workloads={"w": 2.0}, objective=dg.minimize("cost"))
    assert "unexpected keyword argument 'fidelity'" in only_finding(lambda: check_env(id))
