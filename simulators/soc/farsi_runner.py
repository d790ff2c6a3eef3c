"""Simulates one system with a checkout of FARSI: a script of its own, that imports nothing of ours.

Reads ``job.json``, writes ``result.json``. FARSI is of 2022: what newer versions of its packages took away is put back, packages that it
only draws and searches with are replaced by nothing, and all that it would write into its own folder goes into the current one.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.machinery
import json
import math
import os
import shutil
import sys
import types
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

REPLACED = ("matplotlib", "mpl_toolkits", "pygraphviz", "pygmo", "deap", "seaborn", "plotly", "dill", "psutil", "sympy", "pptx", "graphviz")
"""Packages that FARSI imports, and does not need for a simulation."""
CLOCKS = [1, 4, 6, 8]  # in units of FARSI's
SCALES = {"perf": 1, "energy": {"non_gpp": 0.064, "gpp": 1}, "area": {"non_mem": 0.0374, "mem": 0.07, "gpp": 1}}  # as ArchGym sets them
KNOBS = {
    "ip_freq_correction_ratio": 1,
    "gpp_freq_correction_ratio": 1,
    "ip_spawn": {"ip_loop_unrolling": {"incr": 2, "max_spawn_ip": 17, "spawn_mode": "geometric"}, "ip_freq_range": CLOCKS},
    "mem_spawn": {"mem_freq_range": CLOCKS},
    "ic_spawn": {"ic_freq_range": CLOCKS},
    "tech_node_SF": SCALES,
    "base_budget_scaling": {"latency": 1, "power": 1, "area": 1},
    "queue_available_size": [1, 2, 4, 8, 16],
    "burst_size_options": [1024],
    "task_spawn": {"parallel_task_cnt": 2, "serial_task_cnt": 3},
}


class Replacement(types.ModuleType):
    """A package that has everything, and does nothing."""

    __all__ = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return MagicMock(name=name)


class Replacements(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the packages to be replaced before the real ones are."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        """Return what makes a replacement, if it is to be one."""
        if name.partition(".")[0] not in REPLACED:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        """Return the replacement."""
        return Replacement(spec.name)  # that it is a package is said by its specification

    def exec_module(self, module: types.ModuleType) -> None:
        """Do nothing."""


def put_back() -> None:
    """Give numpy and pandas what FARSI expects of them."""
    import numpy as np
    import pandas as pd

    for name, value in (("Inf", np.inf), ("float", float), ("int", int), ("bool", bool)):
        if name not in vars(np):
            setattr(np, name, value)
    if not hasattr(pd.DataFrame, "append"):
        appended = lambda self, other, ignore_index=False: pd.concat([self, other], ignore_index=ignore_index)  # noqa: E731
        setattr(pd.DataFrame, "append", appended)  # noqa: B010


def project_folder(checkout: Path) -> Path:
    """Return the folder of FARSI in a checkout of itself, or of ArchGym."""
    for folder in (checkout / "Project_FARSI", checkout):
        if (folder / "SIM_utils" / "SIM.py").is_file():
            return folder
    raise SystemExit(f"{checkout} is no checkout of FARSI: it has no SIM_utils/SIM.py")


def load(project: Path, table: list[list[Any]]) -> Any:
    """Make FARSI importable, with its files here, and return its configuration.

    Args:
        project: FARSI's folder.
        table: CACTI's figures: kind, bytes, J/byte read and written, m2. FARSI looks here before it runs CACTI.
    """
    here = Path.cwd()
    home = types.ModuleType("home_settings")
    home.home_dir = str(here) + "/"  # type: ignore[attr-defined]
    sys.modules["home_settings"] = home
    sys.meta_path.insert(0, Replacements())
    sys.path[:0] = [str(project.parent), str(project), str(project / "data_collection" / "collection_utils")]
    put_back()
    import top.main_FARSI  # type: ignore[import-not-found] # noqa: F401  # the one that can be first: its modules import each other
    from settings import config  # type: ignore[import-not-found]

    config.database_data_dir = str(project / "specs" / "database_data")
    config.transformation_selection_mode = "random"
    config.SA_depth = 1
    config.heuristic_type = "simple_greedy_one_sample"
    config.cact_bin_addr = str(project / "cacti_for_FARSI" / "cacti")
    config.cacti_param_addr = str(here / "farsi_gen.cfg")
    config.cacti_data_log_file = str(here / "cacti.csv")
    given = project / "cacti_for_FARSI" / "farsi_gen.cfg"
    if given.is_file():
        shutil.copy(given, config.cacti_param_addr)
    rows = [",".join([*config.cacti_input_col_order, *config.cacti_output_col_order])]
    rows += [",".join(map(str, row)) for row in table]
    Path(config.cacti_data_log_file).write_text("\n".join(rows) + "\n", encoding="utf-8")
    return config


def simulated(workload: str, soc: dict[str, Any]) -> tuple[Any, Any]:
    """Build the system out of FARSI's blocks, and return FARSI's simulation of it, and its hardware graph."""
    from design_utils.components.hardware import HardwareGraph  # type: ignore[import-not-found]
    from design_utils.design import ExDesignPoint  # type: ignore[import-not-found]
    from specs.database_input import database_input_class  # type: ignore[import-not-found]
    from top.main_FARSI import set_up_FARSI_with_arch_gym  # pyright: ignore[reportMissingImports]

    exact = {"latency": 1, "energy": 1, "area": 1, "one_over_area": 1}
    sampling = {
        "mode": "exact", "population_size": 1, "reduction": "most_likely",
        "accuracy_percentage": dict.fromkeys(("sram", "dram", "ic", "gpp", "ip"), exact),
    }  # fmt: skip
    population = {"db_mode": "parse", "hw_graph_mode": "generated_from_scratch", "workloads": {workload}, "misc_knobs": KNOBS}
    handler = set_up_FARSI_with_arch_gym("", "1", "simple_run", database_input_class(population), sampling, "generated_from_scratch")
    database = handler.database
    kind = min(database.SOCsL, key=lambda soc: soc.get_budget("latency")).type

    def block(name: str) -> Any:
        made = database.sample_similar_block(database.get_block_by_name(name))
        made.set_SOC(kind, database.SOC_id)
        return made

    pes, memories, buses = ([block(name) for name in soc[part]] for part in ("pes", "mems", "buses"))
    for pe, bus in zip(pes, soc["pe_to_bus"], strict=True):
        pe.connect(buses[bus])
    for a, b in soc["bus_links"]:
        buses[a].connect(buses[b])
    for memory, bus in zip(memories, soc["mem_to_bus"], strict=True):
        buses[bus].connect(memory)
    tasks = {name: database.get_task_by_name(name) for name in soc["task_to_pe"]}
    for name, pe in soc["task_to_pe"].items():
        pes[pe].load_improved(tasks[name], tasks[name])
    for name, memory in soc["task_to_mem"].items():
        for child in tasks[name].get_children():
            memories[memory].load_improved(tasks[name], child)
    point = ExDesignPoint(HardwareGraph(pes[0]))
    handler.dse.dh.load_tasks_to_read_mem_and_ic(point)
    point.hardware_graph.update_graph()
    point.hardware_graph.pipe_design()
    return handler.dse.eval_design(point, database), point.hardware_graph


def figures(simulation: Any, graph: Any) -> dict[str, float]:
    """Return FARSI's figures, in SI units."""
    stats = simulation.dp.dp_stats
    latency, chips = stats.get_system_complex_metric("latency"), simulation.dp.get_designs_SOCs()
    found = {
        "latency_s": max(latency.values()) if isinstance(latency, dict) else latency,
        "power_w": stats.get_system_complex_metric("power"),
        "area_m2": stats.get_system_complex_metric("area"),
        "energy_j": stats.get_system_complex_metric("energy"),
        "cost": stats.get_system_complex_metric("cost"),
        "pe_area_m2": sum(stats.get_SOC_area_base_on_type("pe", kind, number) for kind, number in chips),
        "memory_area_m2": sum(stats.get_SOC_area_base_on_type("mem", kind, number) for kind, number in chips),
        "phases": len(simulation.dp.phase_latency_dict),
        "buses": len([block for block in graph.get_blocks() if block.type == "ic"]),
    }
    return {name: float(value) for name, value in found.items()}


def main() -> None:
    """Run the job."""
    job = json.loads(Path("job.json").read_text(encoding="utf-8"))
    result = Path("result.json").absolute()  # CACTI is run in its own folder
    load(project_folder(Path(job["checkout"])), job["table"])
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # it says much
        found = figures(*simulated(job["workload"], job["soc"]))
    if not all(math.isfinite(value) for value in found.values()):
        raise SystemExit(f"FARSI's figures are no numbers: {found}")
    result.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except SystemExit as ended:  # FARSI's doing, or ours: an exit code of 0 would look like success
        sys.exit(ended.code if isinstance(ended.code, str) else f"FARSI ended its process with exit({ended.code!r})")
