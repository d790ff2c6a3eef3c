"""Clusters that serve a language model, prompts and output tokens on the same or on different machines (Splitwise).

`simulate` runs a trace of requests through a cluster, event by event. With ``token_costs="paper"`` its results are those of splitwise-sim
(Patel et al., "Splitwise: Efficient generative LLM inference using phase splitting", ISCA 2024; commit 8f99e7dc); with ``"tables"``
iterations take what the step costs of `designgym.simulators.serving` say, on more kinds of GPUs, with vLLM's arguments for each pool.
"""

from designgym.simulators.cluster.config import ClusterConfig, Pool
from designgym.simulators.cluster.engines import Engine
from designgym.simulators.cluster.machines import MACHINES, MODELS, SERVERS, MachineType, ServedModel, TimeCurves
from designgym.simulators.cluster.scaling import Scaling, ScalingPolicy
from designgym.simulators.cluster.simulate import ClusterRun, simulate

__all__ = [
    "MACHINES",
    "MODELS",
    "SERVERS",
    "ClusterConfig",
    "ClusterRun",
    "Engine",
    "MachineType",
    "Pool",
    "Scaling",
    "ScalingPolicy",
    "ServedModel",
    "TimeCurves",
    "simulate",
]
