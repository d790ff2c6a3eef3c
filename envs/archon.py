"""``designgym/Archon-v0``: Archon's search over inference-time architectures, on a statistical model of how language models answer."""

from __future__ import annotations

from designgym.core.objectives import maximize, pareto
from designgym.core.registry import FixedWorkloads, register
from designgym.envs.archon_validation import ArchonValidator
from designgym.simulators.archon.responder import PURPOSE
from designgym.simulators.archon.simulated import ARCHON, Questions, SimulatedArchitectures

register(
    "designgym/Archon-v0",
    SimulatedArchitectures,
    workloads=FixedWorkloads({name: Questions(name) for name in ARCHON}),
    objectives={
        "score": maximize("score_pct"),
        "ten_calls": maximize("score_pct", subject_to={"calls": "<= 10"}),
        "fifty_calls": maximize("score_pct", subject_to={"calls": "<= 50"}),
        "cost": pareto("score_pct", "cost_usd", reference={"score_pct": 0.0, "cost_usd": 2.0}, maximize=["score_pct"]),
        "latency": pareto("score_pct", "latency_s", reference={"score_pct": 0.0, "latency_s": 600.0}, maximize=["score_pct"]),
    },
    default_workload="mt-bench",
    description=f"Archon's search over compositions of LLM calls, on {PURPOSE}",
    options={
        "preset": "paper (default): Archon's own space of 18,750 designs; wide: sources, then stages that criticise, rank, check, fuse",
        "models": "all (default), open or closed models of Archon, the best on the benchmark first; or names with commas between",
        "judge": "the model that criticises, ranks, checks and fuses last in Archon's space; default the best on the benchmark",
        "sources": "kinds of sources in the wide space, with commas between; default all",
        "queries": "questions; default 128",
        "question_seed": "draws other questions of the same difficulty; default 0",
    },
    validator=ArchonValidator(),
    functional="off",  # an evaluation takes milliseconds, a probe nearly as long
)
