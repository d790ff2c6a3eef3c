"""``designgym/ServingEndpoint-v0``: a server that runs already, under the load that a design says."""

from __future__ import annotations

from designgym.core.registry import register
from designgym.envs.serving_load_options import LIVE_OBJECTIVES, LOAD_OPTIONS
from designgym.envs.serving_workloads import ServingWorkloads
from designgym.simulators.serving.live.endpoint import VARIABLE, ServingEndpoint

register(
    "designgym/ServingEndpoint-v0",
    ServingEndpoint,
    workloads=ServingWorkloads(),
    objectives=LIVE_OBJECTIVES,
    default_workload="short-chat:requests=100,rate=4",
    description="An OpenAI-compatible endpoint that runs already: at which rate, with how many requests under way, it serves most",
    options={
        "url": f"its base, with /v1; default: the environment variable {VARIABLE}",
        "model": "the model's name there; default the first that it offers",
        "vocabulary": "token ids to draw prompts from; default 32000",
        "key_variable": "environment variable with the API key; default none",
        "timeout_s": "seconds that looking for it may take; default 30",
    }
    | LOAD_OPTIONS,
    installed=lambda: ServingEndpoint().installed(),
    functional="off",
)
