"""``designgym/ArchonEndpoint-v0``: inference-time architectures, scored with answers of a real endpoint, or of a recording."""

from __future__ import annotations

from designgym.core.objectives import maximize, pareto
from designgym.core.registry import register
from designgym.envs.archon_tasks import TaskWorkloads
from designgym.simulators.archon.live import VARIABLE, EndpointArchitectures

REFERENCE = {"score_pct": 0.0, "calls": 200.0}

register(
    "designgym/ArchonEndpoint-v0",
    EndpointArchitectures,
    workloads=TaskWorkloads(),
    objectives={
        "score": maximize("score_pct"),
        "ten_calls": maximize("score_pct", subject_to={"calls": "<= 10"}),
        "pareto": pareto("score_pct", "calls", reference=REFERENCE, maximize=["score_pct"]),
        "cost": pareto("score_pct", "cost_usd", reference={"score_pct": 0.0, "cost_usd": 1.0}, maximize=["score_pct"]),
        "latency": pareto("score_pct", "latency_s", reference={"score_pct": 0.0, "latency_s": 300.0}, maximize=["score_pct"]),
    },
    default_workload="word-problems",
    description="Compositions of generators, fusers, critics, rankers, checks and votes, scored on tasks with a real endpoint's answers",
    options={
        "url": f"base of an OpenAI-compatible endpoint, with /v1; default: the environment variable {VARIABLE}",
        "models": "names of models there, best first, with commas between; designs are compared with one call of the first",
        "judge": "the model that criticises, ranks, checks and fuses in the preset paper; default the first",
        "preset": "wide (default): any sources, then stages that criticise, rank, check and fuse; paper: Archon's own space",
        "sources": "kinds of sources in the wide space, with commas between: generator (default), plan_search, particle_filter, ...",
        "key_variable": "environment variable with the API key; default none",
        "prices": "a file with a price table (JSON or CSV); default published prices",
        "calls": "where answers are kept, so that each is paid for once; default $DESIGNGYM_CALLS, or designgym-calls.db here",
        "recorded": "true: answer from what is kept alone, and ask nobody; default false",
        "identity": "what tells the endpoint's models from others of the same names, if its URL may change",
        "max_tokens": "most tokens of an answer; default 512",
        "most_calls": "calls of a query at most: designs that may need more are infeasible, and cost nothing; default no limit",
        "budget_usd": "limit of money, over all searches that share the store; default none",
        "budget_calls": "limit of calls; default none",
        "budget_tokens": "limit of tokens, read and written; default none",
        "budget_s": "limit of seconds; default none",
        "concurrency": "calls under way at most; default 32",
        "requests_per_minute": "requests in a minute at most; default no limit",
        "tokens_per_minute": "tokens in a minute at most, read and written; default no limit",
        "streaming": "true: receive answers in pieces, for servers between that close silent connections; default false",
        "attempts": "times that a call is tried; default 5",
        "timeout_s": "seconds that an attempt may take; default 120",
        "early": "false: score designs on all queries also if they are clearly worse than one call; default true",
    },
    installed=lambda: EndpointArchitectures().installed(),
    functional="off",  # the cache of calls saves more than a probe finds; turn it on to count behaviours
)
