"""``designgym/HeterogeneousCluster-v0``: pools as designs, their canonical form, what is refused, and searches."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designgym.core.design import Design
from designgym.core.errors import InputError
from designgym.core.metrics import Metrics
from designgym.core.testing import check_env, check_simulator
from designgym.envs import environment, make_evaluator
from designgym.simulators.cluster.heterogeneous import HeterogeneousCluster
from designgym.simulators.cluster.pool_space import pool_cluster_of
from designgym.simulators.cluster.simulator import SplitwiseCluster
from designgym.simulators.cluster.space import paper_design

ID = "designgym/HeterogeneousCluster-v0"
FEW = "azure-conv:rate=4,requests=160"
TABLES = HeterogeneousCluster()
BATCHED = HeterogeneousCluster(token_costs="batched", model="bloom-176b")


def pool(role: str, machine: str, machines: int, **engine: Any) -> dict[str, Any]:
    return {"role": role, "machine": machine, "machines": machines} | engine


def design(simulator: HeterogeneousCluster, pools: list[dict[str, Any]], **values: Any) -> Design:
    usual = simulator.space.default().to_dict()
    return simulator.space.validate(usual | {"pools": [usual["pools"][0] | each for each in pools]} | values)


def evaluate(simulator: HeterogeneousCluster, designs: list[Design], workload: str = FEW) -> list[Metrics]:
    return simulator.evaluate(designs, environment(ID).workload(workload))


def test_it_passes_the_kit() -> None:
    check_env(ID)


@pytest.mark.parametrize("options", [{"token_costs": "batched"}, {"token_costs": "paper", "most_pools": 3}, {"rate": "highest"}])
def test_with_options_it_passes_the_kit(options: dict[str, Any]) -> None:
    check_simulator(HeterogeneousCluster(**options), environment(ID).workload("azure-conv:rate=10,requests=100"), samples=20, twins=6)


def test_pools_of_any_kinds_in_each_role() -> None:
    mixture = [
        pool("prompt", "h100", 10), pool("prompt", "a100", 20), pool("token", "a100", 30), pool("token", "h100_capped", 5),
        pool("mixed", "h100", 4),
    ]  # fmt: skip
    [found] = evaluate(BATCHED, [design(BATCHED, mixture)])
    assert found.ok and found["machines"] == 69
    assert found["cost_usd_per_h"] == pytest.approx(8 * (19 * 4.76 + 50 * 2.21))
    words = BATCHED.describe(design(BATCHED, mixture))
    assert "10 x h100 for prompts; 20 x a100 for prompts; 5 x h100_capped for tokens; 30 x a100 for tokens; 4 x h100 for both" in words


@pytest.mark.parametrize("costs", ["batched", "paper"])
def test_one_kind_in_each_role_is_the_cluster_of_the_paper(costs: Any) -> None:
    ours, theirs = HeterogeneousCluster(token_costs=costs, model="bloom-176b"), SplitwiseCluster(token_costs=costs)
    limits = {"max_batch_size": 512, "max_batch_tokens": 2048}
    for kinds, name in ((("h100", "a100"), "Splitwise-HA"), (("h100", "h100_capped"), "Splitwise-HHcap")):
        [here] = evaluate(ours, [design(ours, [pool("prompt", kinds[0], 3), pool("token", kinds[1], 2)], **limits)])
        paper = theirs.space.validate(theirs.space.default().to_dict() | paper_design(name, 3, 2))
        [there] = theirs.evaluate([paper], environment(ID).workload(FEW))
        assert here.ok and {key: here[key] for key in there.values if key != "power_units"} == {
            key: there[key] for key in there.values if key != "power_units"
        }


ALIKE: list[tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, Any]]] = [
    ([pool("token", "a100", 2), pool("prompt", "h100", 1)], [pool("prompt", "h100", 1), pool("token", "a100", 2)], {}),
    ([pool("mixed", "a100", 2), pool("mixed", "a100", 1)], [pool("mixed", "a100", 3)], {}),
    ([pool("prompt", "a100", 2), pool("token", "a100", 1)], [pool("mixed", "a100", 3)], {"scheduler": "token_jsq"}),
    ([pool("mixed", "h100", 60), pool("mixed", "h100", 70)], [pool("mixed", "h100", 30), pool("mixed", "h100", 100)], {}),
]


@pytest.mark.parametrize("case", range(len(ALIKE)))
@pytest.mark.parametrize("simulator", [TABLES, BATCHED], ids=["tables", "batched"])
def test_clusters_that_are_alike_are_measured_once(simulator: HeterogeneousCluster, case: int) -> None:
    *pair, values = ALIKE[case]
    one, two = (design(simulator, pools, **values) for pools in pair)
    options = {} if simulator is TABLES else {"token_costs": "batched", "model": "bloom-176b"}
    trials = make_evaluator(ID, workload=FEW, options=options).evaluate([one, two])
    assert [trial.obtained for trial in trials] == ["measured", "exact hit"]
    results = evaluate(simulator, [one, two])
    assert results[0].ok and results[0] == results[1] == trials[0].metrics


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_the_canonical_form_behaves_alike(seed: int) -> None:
    simulator = (TABLES, BATCHED)[seed % 2]
    [some] = simulator.space.sample(np.random.default_rng(seed), 1)
    canonical = simulator.space.canonical(some)
    assert simulator.space.canonical(canonical) == canonical
    assert pool_cluster_of(some).machines == pool_cluster_of(canonical).machines
    one, two = evaluate(simulator, [some, canonical])
    assert one == two


def test_impossible_designs_are_refused_with_the_reason() -> None:
    cases: list[tuple[list[dict[str, Any]], str]] = [
        ([pool("token", "h100", 2)], "there is no machine for prompts: add a pool of role prompt or mixed"),
        ([pool("prompt", "h100", 2)], "there is no machine for output tokens"),
        ([pool("mixed", "a100", 2, kv_cache_dtype="fp8")], "KV cache in fp8 was not measured on an A100"),
        ([pool("mixed", "h100", 2, tensor_parallel_size=1)], "does not fit on 1 x h100_sxm"),
        ([pool("mixed", "h200", 2), pool("mixed", "l40s", 1, tensor_parallel_size=2)], "does not fit on 2 x l40s"),
    ]
    for pools, words in cases:
        [found] = evaluate(TABLES, [design(TABLES, pools)])
        assert found.status == "infeasible" and words in found.reasons[0]
    [small] = evaluate(TABLES, [design(TABLES, [pool("mixed", "l40s", 2, tensor_parallel_size=4, quantization="fp8")])])
    assert small.ok


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"token_costs": "free"}, "token_costs is 'free', expected batched or paper or tables"),
        ({"model": "gpt"}, "model"),
        ({"token_costs": "paper", "model": "Llama-2-70b"}, "unknown model 'Llama-2-70b'"),
        ({"rate": 5}, "rate is 5, expected given or highest"),
        ({"most_pools": 1}, "most_pools is 1, expected a whole number from 2 to 20"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        environment(ID).simulator(**options)


def test_more_machines_do_not_lower_the_highest_rate() -> None:
    """Not a law, since the first of equal machines is taken and batches differ: but within what the search for the rate resolves."""
    simulator = HeterogeneousCluster(rate="highest")
    pools = [pool("prompt", "h100", 1), pool("token", "a100", 2), pool("token", "l40s", 1, tensor_parallel_size=4)]
    larger = [pools] + [[*pools[:i], each | {"machines": each["machines"] + 1}, *pools[i + 1 :]] for i, each in enumerate(pools)]
    rates = [
        found["rate_rps"] for found in evaluate(simulator, [design(simulator, each) for each in larger], "azure-conv:rate=4,requests=240")
    ]
    assert min(rates[1:]) > 0.95 * rates[0] and max(rates[1:]) > 1.2 * rates[0]


def test_gymnasium_makes_it() -> None:
    env = gymnasium.make(ID, workload=FEW, most_pools=3)
    env.reset(seed=0)
    _, reward, _, _, info = env.step(env.action_space.sample())
    assert np.isfinite(float(reward)) and info["trial"] is not None
    env.close()
