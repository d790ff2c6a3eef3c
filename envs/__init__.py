"""Environments: a simulator, its workloads and its objectives under a versioned id, and as a `gymnasium.Env`.

Built-in environments are registered by name only; a simulator is imported when its environment is first used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from designgym.core import registry
from designgym.core.lazy import lazy_names
from designgym.core.registry import EnvironmentSpec

if TYPE_CHECKING:
    from designgym.envs.design_env import DesignEnv as DesignEnv
    from designgym.envs.design_env import make_env as make_env
    from designgym.envs.evaluators import make_evaluator as make_evaluator

BUILT_IN: dict[str, str] = {
    "designgym/AcceleratorCodesign-v0": "designgym.envs.accelerator_codesign",
    "designgym/Archon-v0": "designgym.envs.archon",
    "designgym/ArchonEndpoint-v0": "designgym.envs.archon_endpoint",
    "designgym/AutoMLZero-v0": "designgym.envs.automl_zero",
    "designgym/AutoscaledCluster-v0": "designgym.envs.serving_clusters",
    "designgym/BatchAndParallelism-v0": "designgym.envs.vllm_serving",
    "designgym/DramController-v0": "designgym.envs.dram_controller",
    "designgym/DramController-v1": "designgym.envs.dram_controller_v1",
    "designgym/DramControllerDramSys-v0": "designgym.envs.dram_controller",
    "designgym/DramControllerRamulator2-v1": "designgym.envs.dram_controller_v1",
    "designgym/EyerissAccelerator-v0": "designgym.envs.eyeriss_accelerator",
    "designgym/EyerissAcceleratorTimeloop-v0": "designgym.envs.eyeriss_accelerator",
    "designgym/FarsiSoc-v0": "designgym.envs.farsi_soc",
    "designgym/FarsiSocFarsi-v0": "designgym.envs.farsi_soc",
    "designgym/HeterogeneousCluster-v0": "designgym.envs.serving_clusters",
    "designgym/LlamaCppServing-v0": "designgym.envs.llama_cpp_serving",
    "designgym/MaestroMapping-v0": "designgym.envs.maestro_mapping",
    "designgym/MaestroMappingMaestro-v0": "designgym.envs.maestro_mapping",
    "designgym/NasCell-v0": "designgym.envs.nas_cell",
    "designgym/ScaleSim-v0": "designgym.envs.scalesim",
    "designgym/ServingEndpoint-v0": "designgym.envs.serving_endpoint",
    "designgym/SplitwiseCluster-v0": "designgym.envs.splitwise_cluster",
    "designgym/SplitwiseClusterRate-v0": "designgym.envs.splitwise_cluster",
    "designgym/SymbolicRegression-v0": "designgym.envs.symbolic_regression",
    "designgym/VllmServing-v0": "designgym.envs.vllm_serving",
    "designgym/VllmServingVllm-v0": "designgym.envs.vllm_serving",
    "designgym/ZigZag-v0": "designgym.envs.zigzag",
}
"""Ids of our own environments and the module that registers each."""

for _id, _module in BUILT_IN.items():
    registry.register_lazily(_id, _module)

_HOMES = {"DesignEnv": "design_env", "make_env": "design_env", "make_evaluator": "evaluators"}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)

__all__ = ["BUILT_IN", "DesignEnv", "environment", "environments", "make_env", "make_evaluator"]


def environment(id: str) -> EnvironmentSpec:
    """Return the environment of that id, built in or registered by the user; raises `UnknownNameError` if there is none."""
    return registry.spec(id)


def environments() -> Iterator[EnvironmentSpec]:
    """Yield all environments, sorted by id."""
    return registry.environments()
