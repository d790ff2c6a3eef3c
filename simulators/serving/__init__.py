"""Serving of large language models: engines that form a batch per model step, simulated request by request.

`simulate` runs a trace of requests through an engine's scheduler on a model of step costs. Engines: vLLM v1, and the rules of vLLM v0,
Sarathi and Orca as Vidur states them.
"""

from designgym.simulators.serving.config import ClassicConfig, VllmConfig
from designgym.simulators.serving.cost_tables import LinearStepCosts, StepCosts, VidurStepCosts
from designgym.simulators.serving.request_trace import RequestTrace
from designgym.simulators.serving.simulate import ServingRun, simulate, simulate_steps

__all__ = [
    "ClassicConfig",
    "LinearStepCosts",
    "RequestTrace",
    "ServingRun",
    "StepCosts",
    "VidurStepCosts",
    "VllmConfig",
    "simulate",
    "simulate_steps",
]
