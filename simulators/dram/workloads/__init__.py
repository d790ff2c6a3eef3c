"""Workloads of the memory controller: generated ones, and traces from files."""

from designgym.simulators.dram.workloads.catalogue import CATALOGUE, GeneratedWorkload, generate
from designgym.simulators.dram.workloads.formats import read_trace, write_trace
from designgym.simulators.dram.workloads.imports import ImportedTrace, import_traces
from designgym.simulators.dram.workloads.library import ARCHGYM_TRACES, available_workloads, find_workload

__all__ = [
    "ARCHGYM_TRACES",
    "CATALOGUE",
    "GeneratedWorkload",
    "ImportedTrace",
    "available_workloads",
    "find_workload",
    "generate",
    "import_traces",
    "read_trace",
    "write_trace",
]
