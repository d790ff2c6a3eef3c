"""What a model on GPUs costs: step times as tables for the compiled simulation, memory, power, rent."""

from designgym.simulators.serving.costs.aiconfigurator import aiconfigurator_step_costs
from designgym.simulators.serving.costs.assemble import step_costs_for, step_costs_of
from designgym.simulators.serving.costs.deployment import KV_CACHE_DTYPES, QUANTIZATIONS, Deployment
from designgym.simulators.serving.costs.gpus import GPUS, Gpu, gpu_named
from designgym.simulators.serving.costs.grid import GridStepCosts
from designgym.simulators.serving.costs.measured import measured_step_costs
from designgym.simulators.serving.costs.models import MODELS, ModelShape, model_named
from designgym.simulators.serving.costs.steps import step_features, step_seconds_by

__all__ = [
    "GPUS",
    "KV_CACHE_DTYPES",
    "MODELS",
    "QUANTIZATIONS",
    "Deployment",
    "Gpu",
    "GridStepCosts",
    "ModelShape",
    "aiconfigurator_step_costs",
    "gpu_named",
    "measured_step_costs",
    "model_named",
    "step_costs_for",
    "step_costs_of",
    "step_features",
    "step_seconds_by",
]
