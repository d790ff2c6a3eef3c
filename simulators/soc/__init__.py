"""Systems on chip: task graphs on processors, accelerators, memories and a tree of buses, phase by phase (after FARSI)."""

from designgym.simulators.soc.blocks import Blocks
from designgym.simulators.soc.simulate import SocRun, simulate, simulate_batch
from designgym.simulators.soc.soc import Bus, Memory, ProcessingElement, Soc
from designgym.simulators.soc.task_graph import Accelerator, Task, TaskGraph
from designgym.simulators.soc.workload import SocWorkload

__all__ = [
    "Accelerator",
    "Blocks",
    "Bus",
    "Memory",
    "ProcessingElement",
    "Soc",
    "SocRun",
    "SocWorkload",
    "Task",
    "TaskGraph",
    "simulate",
    "simulate_batch",
]
