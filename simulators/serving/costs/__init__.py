"""What a model on GPUs costs: step times as tables for the compiled simulation, memory, power, rent."""

from designgym.simulators.serving.costs.deployment import KV_CACHE_DTYPES, QUANTIZATIONS, Deployment
from designgym.simulators.serving.costs.gpus import GPUS, Gpu, gpu_named
from designgym.simulators.serving.costs.models import MODELS, ModelShape, model_named

__all__ = ["GPUS", "KV_CACHE_DTYPES", "MODELS", "QUANTIZATIONS", "Deployment", "Gpu", "ModelShape", "gpu_named", "model_named"]
