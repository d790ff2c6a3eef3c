"""`Averaged`: a mean has less noise than what it is the mean of, and is not taken for it."""

import statistics
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from designgym.core.averaging import Averaged
from designgym.core.design import Design
from designgym.core.errors import EvaluationError, InputError
from designgym.core.keys import KeyMaker
from designgym.core.metrics import Metrics, metric
from designgym.core.parameters import Integer
from designgym.core.protocols import Resources, Simulator
from designgym.core.space import DesignSpace
from designgym.core.testing import check_simulator
from designgym.core.workload import Workload

WORKLOAD = Workload("w")
SPACE = DesignSpace(a=Integer(0, 200))


class Noisy:
    """a, with noise of standard deviation 1 that depends on the design and the seed alone."""

    name, version, deterministic = "noisy", "7", False
    space, metrics, resources = SPACE, (metric("x"),), Resources(cpus=2, gpus=1)

    def __init__(self, change: Callable[[Design, int, Metrics], Metrics] = lambda design, call, metrics: metrics) -> None:
        self.change = change
        self.calls: list[tuple[int, list[int]]] = []

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
        call = len(self.calls)
        self.calls.append((seed, [design["a"] for design in designs]))
        noise = [float(np.random.default_rng([seed, design["a"]]).normal()) for design in designs]
        return [self.change(d, call, Metrics({"x": d["a"] + e}, cost_s=2.0)) for d, e in zip(designs, noise, strict=True)]

    def probe(self, designs: Sequence[Design], workload: Workload, *, seed: int = 0) -> list[bytes]:
        return [f"{design['a']} {seed}".encode() for design in designs]


def designs(*values: int) -> list[Design]:
    return [SPACE.validate({"a": value}) for value in values]


def test_it_is_a_simulator_that_measures_under_different_seeds_the_first_of_which_is_the_given_one() -> None:
    noisy = Noisy()
    averaged: Simulator = Averaged(noisy, 4)
    results = averaged.evaluate(designs(3, 8), WORKLOAD, seed=11)
    seeds = [seed for seed, _ in noisy.calls]
    assert seeds[0] == 11 and len(set(seeds)) == 4 and all(values == [3, 8] for _, values in noisy.calls)
    singles = [Noisy().evaluate(designs(3, 8), WORKLOAD, seed=seed) for seed in seeds]
    assert [r["x"] for r in results] == [statistics.fmean(single[i]["x"] for single in singles) for i in range(2)]
    assert [r.cost_s for r in results] == [8.0, 8.0]  # all of them were paid for
    assert averaged.probe(designs(3), WORKLOAD, seed=5) == [b"3 5"] and averaged.resources.gpus == 1
    check_simulator(Averaged(Noisy(), 2), WORKLOAD)


def test_the_spread_falls_with_the_square_root_of_the_number_of_measurements() -> None:
    everywhere = designs(*range(200))

    def spread(simulator: Simulator) -> float:
        return statistics.pstdev(r["x"] - d["a"] for d, r in zip(everywhere, simulator.evaluate(everywhere, WORKLOAD, seed=1), strict=True))

    once = spread(Noisy())
    assert 0.85 < once < 1.15
    for measurements in (4, 16):
        assert spread(Averaged(Noisy(), measurements)) == pytest.approx(once / measurements**0.5, rel=0.2)


def test_a_failure_or_an_infeasible_measurement_is_the_result_and_costs_what_it_cost() -> None:
    def change(design: Design, call: int, metrics: Metrics) -> Metrics:
        if call == 1 and design["a"] == 1:
            return Metrics.failed("fell over", 1.0)
        return Metrics.infeasible(["too hot"]) if call == 0 and design["a"] == 2 else metrics

    noisy = Noisy(change)
    failed, infeasible, fine = Averaged(noisy, 3).evaluate(designs(1, 2, 3), WORKLOAD)
    assert (failed.status, failed.error, failed.cost_s) == ("failed", "fell over", 3.0)
    assert (infeasible.status, infeasible.reasons, infeasible.cost_s) == ("infeasible", ("too hot",), 4.0)
    assert fine.ok and [values for _, values in noisy.calls] == [[1, 2, 3], [1, 2, 3], [2, 3]]
    always = Noisy(lambda design, call, metrics: Metrics.failed("no"))
    assert Averaged(always, 3).evaluate(designs(1), WORKLOAD)[0].status == "failed" and len(always.calls) == 1


def test_means_of_different_numbers_have_keys_of_their_own() -> None:
    (design,) = designs(1)
    simulators: list[Simulator] = [Noisy(), Averaged(Noisy(), 2), Averaged(Noisy(), 3)]
    assert len({KeyMaker(simulator, WORKLOAD).keys(design).canonical for simulator in simulators}) == 3


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(InputError, match="expected 2 or more"):
        Averaged(Noisy(), 1)
    sure = Noisy()
    sure.deterministic = True
    with pytest.raises(InputError, match=r"measurements of noisy are all the same.*leave measurements= out"):
        Averaged(sure, 3)

    class Short(Noisy):
        def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
            return []

    with pytest.raises(EvaluationError, match="0 results for 1 designs"):
        Averaged(Short(), 2).evaluate(designs(1), WORKLOAD)
