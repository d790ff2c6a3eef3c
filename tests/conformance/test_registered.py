"""Every registered environment and searcher goes through the kits; a new one is found by itself."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import designgym.envs
import designgym.searchers  # registers the built-in searchers
from designgym.core.errors import InputError, NotInstalledError
from designgym.core.objectives import Objective, minimize, pareto, target
from designgym.core.registry import searcher_class, searchers
from designgym.core.testing import Crashing, Infeasible, Noisy, Shifted, check_env, check_searcher, check_simulator, check_space
from designgym.core.testing.searcher_kit import synthetic_space
from designgym.core.workload import Workload
from designgym.simulators.accelerator.network import Network
from designgym.simulators.serving.request_trace import RequestTrace

ENVIRONMENTS = sorted(spec.id for spec in designgym.envs.environments() if not spec.id.startswith("test/"))
SECONDS_EACH = {"designgym/AutoscaledCluster-v0", "designgym/LlamaCppServing-v0", "designgym/ScaleSim-v0", "designgym/ZigZag-v0"}
SLOW = {"botorch"}  # fits a Gaussian process per batch: fewer rounds
LIGHTER: dict[str, dict[str, object]] = {"designgym/AcceleratorCodesign-v0": {"mapper_evaluations": 200}}
"""Options with which the simulator takes less than a second per design: its own tests show what the others give."""
OBJECTIVES = {
    "single": minimize("cost", subject_to={"area": "<= 4"}),
    "target": target({"cost": 1.5}),
    "pareto": pareto("cost", "area", reference={"cost": 5, "area": 7}),
}


def installed(id: str) -> designgym.envs.EnvironmentSpec:
    spec = designgym.envs.environment(id)
    found, remedy = spec.installed()
    if not found:
        pytest.skip(f"the simulator of {id} is not installed: {remedy}")
    return spec


def quick(id: str) -> designgym.envs.EnvironmentSpec:
    if id in SECONDS_EACH:
        pytest.skip(f"{id} takes seconds per design: it goes through the kit on a stand-in or a small workload, in its own tests")
    spec = installed(id)
    return replace(spec, make_simulator=partial(spec.make_simulator, **LIGHTER[id])) if id in LIGHTER else spec


def small(workload: Workload, requests: int = 1500) -> Workload:
    """Return the beginning of a workload that can be cut short."""
    if isinstance(workload.data, Network):  # accelerators take their layers one after the other
        return Workload(workload.name, Network(workload.data.name, workload.data.layers[:2]), workload.traits)
    if isinstance(workload.data, RequestTrace):  # of which each takes many steps
        return Workload(workload.name, workload.data.first(min(requests // 8, len(workload.data))), workload.traits)
    if not hasattr(workload.data, "head"):
        return workload
    return Workload(workload.name, workload.data.head(requests), workload.traits)


@pytest.mark.parametrize("id", ENVIRONMENTS)
def test_environment(id: str) -> None:
    spec = quick(id)
    if id in LIGHTER:
        id = f"lighter/{id.split('/')[1]}"
        designgym.register(
            id, spec.make_simulator, workloads=spec.workloads, objectives=spec.objectives, default_workload=spec.default_workload,
            description=spec.description, options=spec.options, functional=spec.functional,
        )  # fmt: skip
    check_env(id)


@pytest.mark.parametrize("id", ENVIRONMENTS)
def test_space(id: str) -> None:
    spec = designgym.envs.environment(id)
    traits = {workload.traits for workload in map(spec.workload, spec.workloads.names())}
    for some in sorted(traits, key=sorted):
        check_space(spec.simulator().space, traits=some)


@pytest.mark.parametrize("id", ENVIRONMENTS)
def test_simulator_on_every_workload(id: str) -> None:
    spec = quick(id)
    for name in spec.workloads.names():
        check_simulator(spec.simulator(), small(spec.workload(name)), samples=12, twins=4)


@pytest.mark.parametrize("id", ENVIRONMENTS)
@pytest.mark.parametrize("wrapper", [Noisy, Infeasible, Crashing, Shifted])
def test_wrapped_simulator(id: str, wrapper: type[Noisy | Infeasible | Crashing | Shifted]) -> None:
    spec = quick(id)
    check_simulator(wrapper(spec.simulator()), small(spec.workload(), 400), samples=10)


@pytest.mark.parametrize("id", ENVIRONMENTS)
def test_not_installed_is_said_and_not_passed_over(id: str) -> None:
    spec = designgym.envs.environment(id)
    if spec.installed()[0]:
        pytest.skip(f"the simulator of {id} is installed here, so there is no refusal to be seen")
    with pytest.raises(NotInstalledError):
        check_env(id)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("name", [name for name in searchers() if name.isidentifier() and name != "confirm"])  # it needs a study
def test_searcher(name: str, objective: str) -> None:
    chosen: Objective = OBJECTIVES[objective]
    try:
        searcher_class(name)(synthetic_space(), chosen, seed=0)
    except InputError as error:
        assert objective == "pareto", error
        pytest.skip(f"refuses several objectives, as it may: {error}")
    if name in SLOW:
        check_searcher(searcher_class(name), objective=chosen, rounds=4, batch=2, other_process=False)
    else:  # what another process asks is compared in one process for all, in tests/searchers
        check_searcher(searcher_class(name), objective=chosen, other_process=False)


@pytest.mark.parametrize("id", ENVIRONMENTS)
def test_objectives_order_results_alike_in_another_process(id: str) -> None:
    """Scores depend on metrics only: a second objective of the same JSON scores the same."""
    spec = quick(id)
    simulator = spec.simulator()
    results = simulator.evaluate(simulator.space.sample(np.random.default_rng(0), 4), small(spec.workload(), 400))
    for name in spec.objectives:
        one, two = spec.objective(name), spec.objective(name)
        assert one.to_json() == two.to_json() and [one.score(r) for r in results] == [two.score(r) for r in results]
