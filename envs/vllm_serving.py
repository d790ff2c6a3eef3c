"""``designgym/VllmServing-v0``: engine arguments of vLLM on a model of GPUs, for requests of one's own or like published traces.

Beside it two of them alone, and the same on the user's own vLLM.
"""

from __future__ import annotations

from designgym.core.objectives import Objective, maximize, minimize, pareto
from designgym.core.registry import register
from designgym.envs.serving_load_options import LIVE_OBJECTIVES, LOAD_OPTIONS
from designgym.envs.serving_validation import ServingValidator
from designgym.envs.serving_workloads import ServingWorkloads
from designgym.simulators.serving.batch_and_parallelism import BatchAndParallelism
from designgym.simulators.serving.engine import ACCEPTANCE, VllmServing
from designgym.simulators.serving.live.vllm_server import VARIABLE, VllmServer

REFERENCE = {"tokens_per_s_per_user": 1.0, "tokens_per_s_per_gpu": 1.0}
"""Reference point of the Pareto objective: a token a second is less than anybody waits for, or pays a GPU for."""

OBJECTIVES: dict[str, Objective] = {
    "goodput": maximize("goodput_rps / gpus", name="goodput_rps_per_gpu", subject_to={"slo_attainment": ">= 0.9"}),
    "throughput": maximize("total_throughput_tps"),
    "latency": minimize("e2e_p50_s"),
    "cost": minimize("usd_per_million_tokens", subject_to={"slo_attainment": ">= 0.9"}),
    "energy": minimize("energy_j_per_token", subject_to={"slo_attainment": ">= 0.9"}),
    "pareto": pareto("tokens_per_s_per_user", "tokens_per_s_per_gpu", reference=REFERENCE, maximize=tuple(REFERENCE)),
}


_DEPLOYMENT = {
    "model": "name of a model such as meta-llama/Meta-Llama-3.1-8B (default), or path of a config.json",
    "gpu": "a100_sxm, h100_sxm (default), h200_sxm or l40s",
    "gpus": "how many there are at most; default 8, of one's own vLLM 1",
}

register(
    "designgym/VllmServing-v0",
    VllmServing,
    workloads=ServingWorkloads(),
    objectives=OBJECTIVES,
    default_workload="azure-conv:requests=500,rate=20",
    description="Engine arguments of vLLM 0.32 on A100, H100, H200 or L40S, simulated step by step",
    options=_DEPLOYMENT
    | {
        "ttft_s": "target of goodput: time to first token in seconds; default 1",
        "tpot_s": "target of goodput: time per output token in seconds; default 0.05",
        "ngram_acceptance": f"probability that a draft of ngram speculation is accepted; default {ACCEPTANCE['ngram']}",
        "eagle_acceptance": f"probability that a draft of EAGLE is accepted; default {ACCEPTANCE['eagle']}",
    },
    validator=ServingValidator(),
    functional="off",  # a probe takes as long as the evaluation
)

register(
    "designgym/BatchAndParallelism-v0",
    BatchAndParallelism,
    workloads=ServingWorkloads(),
    objectives={
        "throughput": maximize("output_throughput_tps"),
        "throughput_per_gpu": maximize("tokens_per_s_per_gpu"),
        "cost": minimize("usd_per_million_tokens"),
    },
    default_workload="infilling-like:requests=164",
    description="Number of GPUs and batch size of an LLM, as in Martinez (2024), simulated as in VllmServing-v0",
    options=_DEPLOYMENT,
    functional="off",  # a probe takes as long as the evaluation
)

register(
    "designgym/VllmServingVllm-v0",
    VllmServer,
    workloads=ServingWorkloads(),
    objectives=LIVE_OBJECTIVES,
    default_workload="azure-conv:requests=500,rate=20",
    description="The same engine arguments on the user's vLLM and GPUs, every evaluation a measurement under load",
    options=_DEPLOYMENT
    | {
        "served": "what vllm serve is given as the model; default the same as model",
        "draft_model": "model that EAGLE's drafts come from; without one, designs with EAGLE are refused",
        "path": f"path of the executable vllm; default: the environment variable {VARIABLE}, else the search path",
        "extra": "further arguments of vllm serve, separated by spaces",
        "start_timeout_s": "seconds that a start may take; default 900",
    }
    | LOAD_OPTIONS,
    installed=lambda: VllmServer().installed(),
    functional="on",  # a probe takes milliseconds, a start minutes
)
