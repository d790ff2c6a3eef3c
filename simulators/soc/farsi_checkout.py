"""The real FARSI as a simulator, for those who have it: same spaces and metrics as our own with ``model="as_farsi"``."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from blake3 import blake3

from designgym.core.design import Design
from designgym.core.errors import InputError, NotInstalledError, shorten
from designgym.core.external import run_program
from designgym.core.metrics import Metrics
from designgym.core.program_results import OutputError, measured, require_seconds
from designgym.core.protocols import Resources
from designgym.core.user_program import given_path
from designgym.simulators.soc.blocks import MEMORY_KINDS
from designgym.simulators.soc.farsi_names import farsi_design
from designgym.simulators.soc.library import NAMES, built_in
from designgym.simulators.soc.simulator import SocSimulator
from designgym.simulators.soc.systems import BlockFigures
from designgym.simulators.soc.workload import SocWorkload

__all__ = ["VARIABLE", "FarsiCheckout"]

VARIABLE = "DESIGNGYM_FARSI"
"""Environment variable with the folder of a checkout of FARSI, or of ArchGym, which has a copy."""

CACTI = ("table", "run")
_PARTS = ("SIM_utils", "design_utils", "specs", "settings", "misc", "top", "DSE_utils")  # what results depend on
_HOW_TO_GET_IT = (
    "Clone https://github.com/srivatsankrishnan/oss-arch-gym (tested: commit 53f745a), which has FARSI in Project_FARSI, "
    f"and set {VARIABLE} to its folder"
)
_RUNNER = Path(__file__).with_name("farsi_runner.py")
_CACTI_NAMES = {"sram": "ram", "dram": "main memory"}
_FIGURES = {
    "latency_ms": ("latency_s", 1e3), "power_mw": ("power_w", 1e3), "area_mm2": ("area_m2", 1e6), "energy_mj": ("energy_j", 1e3),
    "cost": ("cost", 1.0), "pe_area_mm2": ("pe_area_m2", 1e6), "memory_area_mm2": ("memory_area_m2", 1e6), "phases": ("phases", 1.0),
    "buses": ("buses", 1.0),
}  # fmt: skip


class FarsiCheckout(SocSimulator):
    """Evaluates systems with the user's FARSI, a process and a folder per design; nothing is written into the checkout.

    Designs of which our own model knows that FARSI fails on them, or simulates only a part, are refused with the reason, unrun.

    Args:
        path: The folder; None takes the environment variable ``DESIGNGYM_FARSI``.
        space: As for `SocSimulator`; likewise load_order and tasks.
        load_order: In which the tasks of a PE are loaded.
        tasks: For how many tasks the space has entries.
        cacti: Where memories' energies and areas come from: ``table``, CACTI's as they are in our own data, or ``run``: FARSI's CACTI,
            which takes seconds for each size of a memory.
        timeout_s: Seconds that one run may take.

    Raises:
        InputError: For an option that cannot be.
    """

    name = "farsi"
    resources = Resources(cpus=1.0, memory_bytes=300 << 20)

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        space: str = "structured",
        load_order: str | Sequence[str] = "alphabetical",
        tasks: int | None = None,
        cacti: str = "table",
        timeout_s: float = 120.0,
    ) -> None:
        if cacti not in CACTI:
            raise InputError(f"option cacti is {shorten(cacti)}, expected {' or '.join(CACTI)}")
        self._cacti, self._timeout_s = cacti, require_seconds(timeout_s)
        self.path = given_path(path, VARIABLE)
        super().__init__(space=space, model="as_farsi", load_order=load_order, tasks=tasks)
        self._project = _project_of(self.path)
        self.version = f"{self.version}+{cacti}+{_digest(self._project)}"  # so that different results are never mixed

    def installed(self) -> tuple[bool, str]:
        """Return whether the checkout is there, and its path or how to get it."""
        if self.path is None:
            return False, f"{VARIABLE} is not set. {_HOW_TO_GET_IT}."
        if self._project is None:
            return False, f"{self.path} has no FARSI (SIM_utils/SIM.py, or Project_FARSI/SIM_utils/SIM.py). {_HOW_TO_GET_IT}."
        return True, str(self.path)

    def run(self, soc: Mapping[str, Any], workload: SocWorkload) -> dict[str, float]:
        """Simulate a system once.

        Args:
            soc: As FARSI names it; see `farsi_soc`.
            workload: What it runs, one of the built-in ones.

        Raises:
            InputError: If FARSI does not have the workload.
            NotInstalledError: If the checkout is missing.
            ProgramError: If FARSI failed; `ProgramTimeout` if it took too long, `OutputError` if it ended without figures.
        """
        found, where = self.installed()
        if not found:
            raise NotInstalledError(f"FARSI is not installed: {where}")
        name = next((name for name in NAMES if built_in(name).digest == workload.digest), None)
        if name is None:
            raise InputError(f"FARSI itself has the workloads {', '.join(NAMES)}; for others use designgym/FarsiSoc-v0")
        order = [workload.graph.names[i] for i in workload.load_order(self.load_order).tolist()]
        tables = zip(MEMORY_KINDS, workload.blocks.memory_table, strict=True)
        job = {
            "checkout": where,
            "workload": name,
            "soc": {**soc, "task_to_pe": {task: soc["task_to_pe"][task] for task in order}},
            "table": [[_CACTI_NAMES[kind], int(size), *rest] for kind, table in tables for size, *rest in table] * (self._cacti == "table"),
        }
        files = {"runner.py": _RUNNER.read_text(encoding="utf-8"), "job.json": json.dumps(job)}
        environment = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        result = run_program(
            [sys.executable, "runner.py"], timeout_s=self._timeout_s, files=files, collect=["result.json"], environment=environment
        )
        return _figures_of(result.files["result.json"])

    def _run(self, designs: list[Design], data: SocWorkload, figures: BlockFigures) -> list[Metrics]:
        batch, _ = self._systems(designs, data, figures)
        results = []
        for number, expected in enumerate(super()._run(designs, data, figures)):
            if not expected.ok:
                results.append(expected)
            else:
                results.append(measured(partial(self.run, farsi_design(batch, number, data, figures), data)))
        return results


def _project_of(path: Path | None) -> Path | None:
    """Return FARSI's folder in a checkout of itself or of ArchGym."""
    folders = () if path is None else (path / "Project_FARSI", path)
    return next((folder for folder in folders if (folder / "SIM_utils" / "SIM.py").is_file()), None)


def _digest(project: Path | None) -> str:
    """Return a digest of FARSI's programs and figures."""
    if project is None:
        return "missing"
    hasher = blake3()
    for folder in _PARTS:
        for file in sorted((project / folder).rglob("*")):
            if file.suffix in (".py", ".csv") and file.is_file():
                hasher.update(file.read_bytes())
    return hasher.hexdigest(8)


def _figures_of(text: str) -> dict[str, float]:
    """Return the metrics of FARSI's answer."""
    try:
        answer = json.loads(text)
        values = {metric: float(answer[name]) * scale for metric, (name, scale) in _FIGURES.items()}
    except (ValueError, TypeError, KeyError) as error:
        raise OutputError(f"FARSI exited with code 0, but its answer lacks figures: {error!r}: {shorten(text, 200)}") from None
    if not all(math.isfinite(value) for value in values.values()) or not values["latency_ms"] > 0:
        raise OutputError(f"FARSI exited with code 0, but computed nothing: {shorten(values, 200)}")
    return {**values, "average_power_mw": values["energy_mj"] / values["latency_ms"] * 1e3}
