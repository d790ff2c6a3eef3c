"""The real Timeloop as a simulator, for those who have it: same space and metrics as our own, on the mappings that our mapper finds."""

from __future__ import annotations

import math
import os
import re
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from blake3 import blake3

from designgym.core.design import Design
from designgym.core.errors import NotInstalledError, shorten
from designgym.core.external import run_program
from designgym.core.metrics import Metrics
from designgym.core.program_results import OutputError, measured, require_seconds
from designgym.core.protocols import Resources
from designgym.core.user_program import executable, given_path
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.loopnest.accelerator import EyerissAccelerator
from designgym.simulators.accelerator.loopnest.architecture import Architecture
from designgym.simulators.accelerator.loopnest.architecture_text import architecture_text
from designgym.simulators.accelerator.loopnest.energy import AREA_NODE_NM
from designgym.simulators.accelerator.loopnest.mapper import Goal
from designgym.simulators.accelerator.loopnest.mapping import LoopMapping
from designgym.simulators.accelerator.loopnest.mapping_text import mapping_text
from designgym.simulators.accelerator.loopnest.problem import DIMS, bounds
from designgym.simulators.accelerator.network import Network

__all__ = ["VARIABLE", "TimeloopModel", "parsed_statistics", "problem_text"]

VARIABLE = "DESIGNGYM_TIMELOOP"
"""Environment variable with the path of the executable timeloop-model."""

_HOW_TO_GET_IT = f"Build https://github.com/NVlabs/timeloop (tested: v3.0.3) and set {VARIABLE} to its executable timeloop-model"
_STATS = "timeloop-model.stats.txt"
_LIBRARY, _SEARCHED = "libtimeloop-mapper.so", "LD_LIBRARY_PATH"  # a build leaves it beside the executable, and does not look there
_CYCLES = re.compile(r"^Cycles: (\S+)$", re.MULTILINE)
_TOTAL = re.compile(r"^Energy: (\S+) uJ$", re.MULTILINE)
_PART = re.compile(r"^.*\bEnergy \(total\) *: (\S+) pJ$", re.MULTILINE)
_DIGITS_UJ = 0.006  # the total is printed with two decimals


class TimeloopModel(EyerissAccelerator):
    """Evaluates hardware with the user's timeloop-model, one process per layer, each in a folder of its own with a time limit.

    Mappings come from our own mapper, so a design has the same ones as in `EyerissAccelerator`. Energies are those of Timeloop's built-in
    table; it has no areas there, so areas are ours.

    Args:
        path: The executable; None takes the environment variable ``DESIGNGYM_TIMELOOP``.
        mapper_goal: As for `EyerissAccelerator`; likewise mapper_evaluations, mapper_seed, node_nm and clock_ghz.
        mapper_evaluations: Mappings that the mapper evaluates per layer.
        mapper_seed: Of the mapper's random choices.
        node_nm: Technology node of areas.
        clock_ghz: Clock.
        timeout_s: Seconds that one run may take.

    Raises:
        InputError: For a value that cannot be.
    """

    name = "timeloop"
    resources = Resources(cpus=1.0, memory_bytes=100 << 20)

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        mapper_goal: Goal = "edp",
        mapper_evaluations: int = 2000,
        mapper_seed: int = 0,
        node_nm: float = AREA_NODE_NM,
        clock_ghz: float = 1.0,
        timeout_s: float = 60.0,
    ) -> None:
        super().__init__(
            mapper_goal=mapper_goal, mapper_evaluations=mapper_evaluations, mapper_seed=mapper_seed, node_nm=node_nm, clock_ghz=clock_ghz
        )
        self._timeout_s = require_seconds(timeout_s)
        self.path = given_path(path, VARIABLE)
        self.version = f"{self.version}+{_digest(self.path)}"  # so that different results are never mixed

    def installed(self) -> tuple[bool, str]:
        """Return whether the executable is there, and its path or how to get it."""
        return executable(self.path, VARIABLE, _HOW_TO_GET_IT)

    def run(self, layer: Layer, architecture: Architecture, mapping: LoopMapping) -> tuple[float, float]:
        """Run timeloop-model once, and return cycles and pJ.

        Raises:
            NotInstalledError: If the executable is missing or cannot be started.
            ProgramError: If it failed; `ProgramTimeout` if it took too long, `OutputError` if it ended without figures.
        """
        found, where = self.installed()
        if not found:
            raise NotInstalledError(f"Timeloop is not installed: {where}")
        files = {
            "architecture.yaml": architecture_text(architecture),
            "problem.yaml": problem_text(layer),
            "mapping.yaml": mapping_text(mapping, architecture),
        }
        libraries = {_SEARCHED: os.pathsep.join(filter(None, (str(Path(where).parent), os.environ.get(_SEARCHED))))}
        result = run_program([where, *files], timeout_s=self._timeout_s, files=files, collect=[_STATS], environment=libraries)
        return parsed_statistics(result.files[_STATS])

    def _one(self, design: Design, network: Network, evaluations: int) -> Metrics:
        return measured(partial(self._values, design, network, evaluations))

    def _costs(self, layer: Layer, architecture: Architecture, evaluations: int) -> tuple[float, float]:
        return self.run(layer, architecture, self._mapper.map(layer, architecture, evaluations).mapping)


def problem_text(layer: Layer) -> str:
    """Return a layer as Timeloop reads it; a depthwise one has its outputs by input channel."""
    projections = {
        "Weights": [[["C"]], [["M"]], [["R"]], [["S"]]],
        "Inputs": [[["N"]], [["C"]], [["R", "Wdilation"], ["P", "Wstride"]], [["S", "Hdilation"], ["Q", "Hstride"]]],
        "Outputs": [[["N"]], [["C" if layer.depthwise else "M"]], [["Q"]], [["P"]]],
    }
    spaces: list[dict[str, Any]] = [{"name": name, "projection": projection} for name, projection in projections.items()]
    spaces[-1]["read-write"] = True
    shape = {
        "name": "layer",
        "dimensions": [*DIMS, "N"],
        "coefficients": [{"name": name, "default": 1} for name in ("Wstride", "Hstride", "Wdilation", "Hdilation")],
        "data-spaces": spaces,
    }
    sizes = dict(zip(DIMS, bounds(layer), strict=True)) | {"N": 1, "Wstride": layer.stride, "Hstride": layer.stride}
    text: str = yaml.safe_dump({"problem": {"shape": shape, "instance": {**sizes, "Wdilation": 1, "Hdilation": 1}}}, sort_keys=False)
    return text


def _digest(path: Path | None) -> str:
    """Return a digest of the executable, and of the library that it is a small front of."""
    if path is None or not path.is_file():
        return "missing"
    hasher = blake3(path.read_bytes())
    if (library := path.with_name(_LIBRARY)).is_file():
        hasher.update(library.read_bytes())
    return hasher.hexdigest(8)


def parsed_statistics(text: str) -> tuple[float, float]:
    """Return cycles and pJ of Timeloop's statistics: the sum of all parts, which has more digits than the total."""
    try:
        (cycles,), (total_uj,) = ([float(number) for number in pattern.findall(text)] for pattern in (_CYCLES, _TOTAL))
        energy_pj = sum(float(number) for number in _PART.findall(text))
    except ValueError:
        raise OutputError(f"Timeloop exited with code 0, but its statistics lack cycles or energy: {shorten(text[-300:], 300)}") from None
    if not cycles > 0 or not math.isfinite(cycles) or not abs(energy_pj * 1e-6 - total_uj) <= _DIGITS_UJ + 1e-6 * total_uj:
        raise OutputError(
            f"Timeloop exited with code 0, but its figures make no sense: {cycles} cycles, {total_uj} uJ in total, {energy_pj} pJ in parts"
        )
    return cycles, energy_pj
