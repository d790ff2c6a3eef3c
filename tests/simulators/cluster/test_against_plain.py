"""The compiled simulation and the plain one, which shares no code with it, agree in every bit: calm, overloaded, short of memory."""

from __future__ import annotations

from collections import Counter
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from designgym.simulators.cluster.config import ClusterConfig, Pool, Scheduler
from designgym.simulators.cluster.machines import MACHINES, MODELS, MachineType, ServedModel, measured_curves
from designgym.simulators.cluster.simulate import ClusterRun, simulate
from designgym.simulators.cluster.times import TokenCosts
from designgym.simulators.serving.request_trace import RequestTrace


def requests(seed: int, n: int, rate_rps: float, *, longest_prompt: int = 3000, longest_output: int = 200) -> RequestTrace:
    """Return random requests, some of which arrive at the same time."""
    rng = np.random.default_rng(seed)
    arrivals = np.cumsum(rng.exponential(1 / rate_rps, n) * (rng.random(n) < 0.9)) + 0.001
    prompts = rng.integers(1, longest_prompt, n)
    outputs = np.maximum(rng.integers(0, longest_output, n), 1)
    return RequestTrace.make(arrivals, prompts, outputs)


def run_plain(plain: ModuleType, config: ClusterConfig, trace: RequestTrace, model: ServedModel, costs: TokenCosts) -> Any:
    """Return the plain cluster after its run; iteration times are worked out here, by NumPy."""
    machines = []
    for pool in config.pools:
        curves = measured_curves(model.name, pool.machine)

        def at(xs: Any, milliseconds: Any, x: float) -> float:
            ys = np.array(milliseconds) / 1000
            i = min(max(int(np.searchsorted(xs, x)), 1), len(xs) - 1)
            return float((ys[i] - ys[i - 1]) / (xs[i] - xs[i - 1]) * (x - xs[i - 1]) + ys[i - 1])

        def cost(prompt_tokens: int, decoding: int, context: int, t: Any = curves, at: Any = at) -> tuple[float, float]:
            paper = costs == "paper"
            growth = 0.0 if paper else t.decode_us_per_context_token / 1000 / 1000
            decode = at(t.tokens, t.token_ms, decoding) if paper else at(t.decode_requests, t.decode_ms, decoding) + growth * context
            if not prompt_tokens:
                return decode, growth * decoding
            if not decoding:
                return at(t.tokens, t.prompt_ms, prompt_tokens), 0.0
            both = 1.1 * at(t.tokens, t.prompt_ms, prompt_tokens + decoding)
            return both if paper else both + (decode - t.decode_ms[0] / 1000), 0.0

        role = pool.role if config.scheduler == "mixed_pool" else "mixed"
        machines += [plain.Machine(pool.machine, role, model.weights_bytes, cost) for _ in range(pool.count)]
    memory = {config.machine_types[pool.machine].memory_bytes for pool in config.pools}
    cluster = plain.PlainCluster(
        machines,
        list(zip(trace.arrival_s.tolist(), trace.prompt_tokens.tolist(), trace.output_tokens.tolist(), strict=True)),
        scheduler=config.scheduler,
        memory=memory.pop(),
        kv_bytes=model.kv_bytes_per_token,
        max_batch_tokens=config.max_batch_tokens,
        max_batch_size=config.max_batch_size,
        max_preemptions=config.max_preemptions,
        prompt_queue=config.prompt_queue_tokens,
        bandwidth=config.kv_bandwidth_gib_per_s * 2**30,
    )
    cluster.run()
    return cluster


def require_equal(plain_cluster: Any, run: ClusterRun) -> None:
    for ours, name in ((run.first_token_s, "first"), (run.finish_s, "end")):
        np.testing.assert_array_equal(ours, [getattr(request, name) for request in plain_cluster.requests])
    assert run.runs is not None
    assert [(start, machine, len(batch)) for start, machine, batch in plain_cluster.log] == [
        (float(r["start_s"]), int(r["machine"]), int(r["requests"])) for r in run.runs
    ]
    counts = {"n_preemptions": "preempted", "n_retries": "retries", "n_transfers": "transfers"}
    assert {name: run.counts[name] for name in counts} == {name: getattr(plain_cluster, theirs) for name, theirs in counts.items()}
    assert run.counts["n_prompt_machines_lent"] + run.counts["n_token_machines_lent"] == plain_cluster.moves
    assert run.most_used_bytes.tolist() == [machine.most for machine in plain_cluster.machines]


SMALL = MachineType(360 * 10**9, 1.0, 1.0)  # room for some 7,700 tokens beside BLOOM's weights
CASES: list[tuple[Scheduler, float, dict[str, Any]]] = [
    ("mixed_pool", 8.0, {}),
    ("mixed_pool", 30.0, {}),
    ("mixed_pool", 30.0, {"max_preemptions": 1, "max_batch_tokens": 700}),
    ("mixed_pool", 12.0, {"max_batch_size": 4, "prompt_queue_tokens": 1000}),
    ("mixed_pool", 6.0, {"machine_types": {name: SMALL for name in MACHINES}, "kv_bandwidth_gib_per_s": 2.0}),
    ("token_jsq", 10.0, {}),
    ("token_jsq", 25.0, {"max_batch_size": 3, "max_preemptions": 2}),
    ("token_jsq", 8.0, {"machine_types": {name: SMALL for name in MACHINES}}),
]


def case_runs(case: int, costs: TokenCosts) -> list[tuple[ClusterConfig, RequestTrace, ClusterRun]]:
    scheduler, rate_rps, settings = CASES[case]
    found = []
    for seed in range(3):
        pools = (Pool("h100", 2, "prompt"), Pool("a100", 2, "token"), Pool("h100_capped", seed % 2, "mixed"))
        config = ClusterConfig(pools, scheduler, **settings)
        trace = requests(100 * case + seed, 150, rate_rps)
        found.append((config, trace, simulate(config, trace, token_costs=costs, keep_timeline=True)))
    return found


@pytest.mark.parametrize("costs", ["paper", "batched"])
@pytest.mark.parametrize("case", range(len(CASES)))
def test_both_simulations_agree(plain: ModuleType, case: int, costs: TokenCosts) -> None:
    for config, trace, run in case_runs(case, costs):
        require_equal(run_plain(plain, config, trace, MODELS["bloom-176b"], costs), run)


def test_the_cases_reach_every_rule() -> None:
    """What no case exercises would be compared in vain."""
    total: Counter[str] = Counter()
    names: set[str] = {"stuck"}
    for case in range(len(CASES)):
        for _, _, run in case_runs(case, "paper"):
            names |= set(run.counts)
            total += Counter(run.counts)
            total["stuck"] += int(np.isnan(run.finish_s).sum())
    assert total.keys() >= names and min(total.values()) > 0, total
