"""The real DRAMSys 4.0 as a simulator, for those who have it: same space and same metric names as our own simulator."""

import os
from collections.abc import Sequence
from functools import cached_property, partial

from blake3 import blake3

from designgym.core.design import Design
from designgym.core.errors import InputError, NotInstalledError
from designgym.core.external import run_program
from designgym.core.metrics import Metrics, MetricSpec, metric
from designgym.core.program_results import measured, require_seconds
from designgym.core.protocols import Resources
from designgym.core.user_program import executable, given_path
from designgym.core.workload import Workload
from designgym.simulators.dram.controller import ControllerConfig
from designgym.simulators.dram.dramsys_files import (
    RESOURCES,
    SIMULATION_FILE,
    Report,
    ReportError,
    input_files,
    parse_report,
)
from designgym.simulators.dram.memory import MemorySpec
from designgym.simulators.dram.simulate import default_memory
from designgym.simulators.dram.space import controller_space
from designgym.simulators.dram.trace import Trace

__all__ = ["VARIABLE", "DramSysBinary"]

VARIABLE = "DESIGNGYM_DRAMSYS"
"""Environment variable with the path of the DRAMSys executable."""
_HOW_TO_GET_IT = (
    "Clone https://github.com/srivatsankrishnan/oss-arch-gym, which holds a DRAMSys 4.0 executable for Linux at "
    f"sims/DRAM/binary/DRAMSys/DRAMSys, make it executable, and set {VARIABLE} to its path"
)


class DramSysBinary:
    """Evaluates memory controllers with the user's DRAMSys 4.0 executable, one process per design.

    Every run gets a fresh folder with configuration files written from our own memory data, a process group of its own and a
    time limit. DRAMSys reports no latency and no command counts, so these metrics of our own simulator are missing here.
    """

    name = "dramsys"
    deterministic = True
    metrics: tuple[MetricSpec, ...] = (
        metric("total_time_ns", goal="min", doc="time until the last response"),
        metric("energy_pj", goal="min", doc="energy of all devices, without I/O"),
        metric("power_mw", goal="min", doc="average power, as rounded by DRAMSys"),
        metric("bandwidth_gbps", goal="max", doc="all data moved, divided by the total time"),
    )
    resources = Resources(cpus=1.0, memory_bytes=100 << 20)

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        memory: MemorySpec | None = None,
        timeout_s: float = 300.0,
        allow_no_refresh: bool = False,
    ) -> None:
        """Note where the executable is; nothing is run yet.

        Args:
            path: The executable; None takes the environment variable DESIGNGYM_DRAMSYS.
            memory: The memory; None means the DDR3-1600 module that ships with the package.
            timeout_s: Limit on one run in seconds.
            allow_no_refresh: Whether designs that never refresh are legal, see `controller_space`.

        Raises:
            InputError: The limit is not more than 0 s.
        """
        self.path = given_path(path, VARIABLE)
        self.memory = default_memory() if memory is None else memory
        self.timeout_s = require_seconds(timeout_s)
        self.space = controller_space(self.memory, allow_no_refresh=allow_no_refresh)

    @cached_property
    def version(self) -> str:
        """Name the executable by its content when first asked, and the memory, so that different results are never mixed."""
        if self.path is None or not self.path.is_file():
            return "1+missing"
        hasher = blake3(self.path.read_bytes())
        if self.memory != default_memory():
            hasher.update(repr(self.memory).encode())
        return f"1+{hasher.hexdigest(length=8)}"

    def installed(self) -> tuple[bool, str]:
        """Return whether the executable is there, and its path or how to get it."""
        return executable(self.path, VARIABLE, _HOW_TO_GET_IT)

    def run(self, config: ControllerConfig, trace: Trace) -> Report:
        """Run DRAMSys once.

        Raises:
            NotInstalledError: The executable is missing or cannot be started.
            ProgramTimeout: It ran longer than the limit and was killed.
            ProgramError: It failed; exit code and stderr come first.
            ReportError: It ended normally, but its output is not a report.
        """
        found, where = self.installed()
        if not found:
            raise NotInstalledError(f"DRAMSys is not installed: {where}")
        files = input_files(config, trace, self.memory)
        result = run_program([where, SIMULATION_FILE, RESOURCES], timeout_s=self.timeout_s, files=files)
        try:
            return parse_report(result.stdout)
        except ReportError as error:
            stderr = result.stderr.strip()[-200:] or "(empty)"
            shown = result.stdout.strip()[-200:] or "(empty)"
            raise ReportError(f"DRAMSys exited with code 0; stderr: {stderr}; {error}; output ends: {shown}") from None

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
        """Return one result per design, in order; a failed or stopped run is a status.

        Args:
            designs: Designs of `space`.
            workload: Its data are a `Trace`.
            fidelity: Share of the trace's requests to simulate, more than 0 to 1.
            seed: Has no effect.

        Raises:
            NotInstalledError: The executable is missing.
            InputError: The workload or the fidelity cannot be used.
        """
        trace = workload.data
        if not isinstance(trace, Trace):
            raise InputError(f"workload {workload.name!r} must hold a DRAM trace, but got {type(trace).__name__}")
        if not 0 < fidelity <= 1:
            raise InputError(f"fidelity must be more than 0 and at most 1, but got {fidelity}")
        self.memory.decode(trace.addresses)  # refuses addresses of which DRAMSys would silently ignore the upper bits
        part = trace if fidelity == 1 else trace.head(max(1, round(fidelity * len(trace))))
        return [self._evaluate(design, part) for design in designs]

    def probe(self, designs: Sequence[Design], workload: Workload, *, seed: int = 0) -> list[bytes] | None:
        """Return None: every look at the tool's behaviour costs a whole process."""
        return None

    def _evaluate(self, design: Design, trace: Trace) -> Metrics:
        if reasons := self.space.violations(design):
            return Metrics.infeasible(reasons)
        return measured(partial(self._values, design, trace))

    def _values(self, design: Design, trace: Trace) -> dict[str, float]:
        report = self.run(ControllerConfig.from_mapping(design), trace)
        # DRAMSys forgets the last request in its bandwidth, so that figure is computed as our own simulator does.
        return vars(report) | {"bandwidth_gbps": len(trace) * self.memory.burst_bytes * 8 / report.total_time_ns}
