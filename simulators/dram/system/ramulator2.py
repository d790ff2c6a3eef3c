"""The real Ramulator 2.1 as a simulator, for those who have it: the part of our space that it has, with the same names."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path

from blake3 import blake3

from designgym.core.design import Design
from designgym.core.errors import InputError, NotInstalledError
from designgym.core.external import run_program
from designgym.core.metrics import Metrics, MetricSpec, metric
from designgym.core.parameters import Categorical, Integer
from designgym.core.program_results import measured, require_seconds
from designgym.core.protocols import Resources
from designgym.core.rules import Condition, Constraint
from designgym.core.space import DesignSpace
from designgym.core.user_program import given_path
from designgym.core.workload import Workload
from designgym.simulators.dram.system.config import CHOICES, MemorySystemConfig
from designgym.simulators.dram.system.ramulator2_files import (
    PRESETS,
    PROGRAM,
    SETTINGS_FILE,
    TRACE_FILE,
    ReportError,
    Statistics,
    check_saturating,
    parse_statistics,
    settings_text,
    trace_text,
)
from designgym.simulators.dram.system.standard import LINE_BYTES, STANDARDS, standard
from designgym.simulators.dram.system.workspace import split_trace
from designgym.simulators.dram.trace import Trace

__all__ = ["VARIABLE", "Ramulator2", "counterpart", "ramulator_space"]

VARIABLE = "DESIGNGYM_RAMULATOR2"
"""Environment variable with the folder of a built Ramulator 2.1."""
_HOW_TO_GET_IT = (
    "Clone https://github.com/CMU-SAFARI/ramulator2 (version 2.1), build it with its Python bindings as its README says, with the Python "
    f"that runs this, and set {VARIABLE} to the clone's folder"
)

# What Ramulator always does, in the words of `MemorySystemConfig`.
_ALWAYS: dict[str, str | int] = {
    "PagePolicy": "Open",
    "Scheduler": "FrFcfs",
    "SchedulerBuffer": "ReadWrite",
    "RespQueue": "Fifo",
    "Arbiter": "Simple",
    "WriteDrain": "Batch",
    "PowerDown": "Off",
    "RefreshMaxPostponed": 1,
    "RefreshMaxPulledin": 1,
}


def ramulator_space() -> DesignSpace:
    """Return the part of `designgym/DramController-v1`'s space that Ramulator has; what is left out is as in `counterpart`."""
    default = MemorySystemConfig()
    names = ("AddressOrder", "BankGroupBits", "RankBits", "ChannelBits", "BankXor")
    choices = {name: Categorical(*CHOICES[name], default=getattr(default, name)) for name in names}
    memories = {name: standard(name).organisation for name in PRESETS}

    def several(what: str) -> str:
        found = [name for name, org in memories.items() if getattr(org, what) > 1]
        return f"Memory in ({', '.join(repr(name) for name in found)},)"

    return DesignSpace(
        RequestBufferSize=Integer(1, 8, default=default.RequestBufferSize),
        RefreshPolicy=Categorical("NoRefresh", "AllBank", default="AllBank"),
        Memory=Categorical(*(name for name in STANDARDS if name in PRESETS), default=default.Memory),
        AddressOrder=choices["AddressOrder"],
        BankGroupBits=choices["BankGroupBits"],
        RankBits=choices["RankBits"],
        ChannelBits=choices["ChannelBits"],
        BankXor=choices["BankXor"],
        WriteHighWatermark=Integer(1, 8, default=default.WriteHighWatermark),
        WriteLowWatermark=Integer(0, 7, default=default.WriteLowWatermark),
        version="1",
        conditions=(
            Condition("BankGroupBits", several("bank_groups")),
            Condition("RankBits", several("ranks")),
            Condition("ChannelBits", several("channels")),
        ),
        constraints=(
            Constraint(
                "WriteLowWatermark < WriteHighWatermark", "writes that are drained from the high watermark on must have a lower one"
            ),
            Constraint("WriteHighWatermark <= RequestBufferSize", "a high watermark beyond the buffer is never reached"),
            Constraint("RefreshPolicy != 'NoRefresh'", "a memory that is never refreshed loses its content: choose AllBank"),
        ),
    )


def counterpart(design: Design) -> MemorySystemConfig:
    """Return the memory system of our own simulator that a design of `ramulator_space` stands for."""
    return MemorySystemConfig.from_mapping({**_ALWAYS, **design})


class Ramulator2:
    """Evaluates memory systems with the user's Ramulator 2.1, one process per design and channel.

    Every run gets a fresh folder with settings (our timings, put on Ramulator's own memories) and requests, a process group of its own and
    a time limit. Requests carry addresses that Ramulator's mapping takes to where ours would lie, so that all our mappings can be used.
    """

    name = "ramulator2"
    deterministic = True
    metrics: tuple[MetricSpec, ...] = (
        metric("total_time_ns", goal="min", doc="until the last request is accepted; the program stops there"),
        metric("latency_from_accept_avg_ns", goal="min", doc="mean over the reads: data received minus request accepted"),
        metric("bandwidth_gbps", goal="max", doc="all data asked for, divided by the total time"),
        metric("row_hit_rate", doc="share of requests that found their row open"),
        metric("n_refa", doc="refreshes of all banks of a rank"),
    )
    resources = Resources(cpus=1.0, memory_bytes=200 << 20)

    def __init__(
        self, path: str | os.PathLike[str] | None = None, *, python: str | os.PathLike[str] | None = None, timeout_s: float = 300.0
    ) -> None:
        """Note where the program is; nothing is run yet.

        Args:
            path: Folder of a built Ramulator 2.1; None takes the environment variable DESIGNGYM_RAMULATOR2.
            python: The Python that it was built for; None means the one that runs this.
            timeout_s: Limit on one run in seconds.

        Raises:
            InputError: The limit is not more than 0 s.
        """
        self.path = given_path(path, VARIABLE)
        self.python = sys.executable if python is None else os.fspath(python)
        self.timeout_s = require_seconds(timeout_s)
        self.space = ramulator_space()

    @cached_property
    def version(self) -> str:
        """Name the program by its content when first asked, so that different results are never mixed."""
        if not self.installed()[0]:
            return "1+missing"
        hasher = blake3()
        for file in sorted({*self._package.glob("_ramulator.*"), *self._folder.glob("libramulator.*"), *self._package.rglob("*.py")}):
            hasher.update(file.read_bytes())
        hasher.update(repr([standard(name) for name in PRESETS]).encode())
        return f"1+{hasher.hexdigest(length=8)}"

    @property
    def _folder(self) -> Path:
        assert self.path is not None
        return self.path

    @property
    def _package(self) -> Path:
        return self._folder / "python" / "ramulator"

    def installed(self) -> tuple[bool, str]:
        """Return whether the program is there, and its folder or how to get it."""
        if self.path is None:
            return False, f"{VARIABLE} is not set. {_HOW_TO_GET_IT}."
        if not (self._package / "__init__.py").is_file():
            return False, f"there is no python/ramulator in {self.path}. {_HOW_TO_GET_IT}."
        if not any(self._package.glob("_ramulator.*")):
            return False, f"{self._package} has no compiled _ramulator: it was not built with its Python bindings. {_HOW_TO_GET_IT}."
        return True, str(self.path)

    def run(self, config: MemorySystemConfig, trace: Trace) -> list[Statistics]:
        """Run the program once per channel that has requests.

        Raises:
            NotInstalledError: It is missing or cannot be started.
            InputError: The trace has pauses, or an address lies beyond the memory.
            ProgramTimeout: It ran longer than the limit and was killed.
            ProgramError: It failed; exit code and stderr come first.
            ReportError: It ended normally, but its output are no statistics.
        """
        found, where = self.installed()
        if not found:
            raise NotInstalledError(f"Ramulator 2 is not installed: {where}")
        memory = standard(config.Memory)
        parts = split_trace(trace, memory, config.mapping)
        for part in parts:
            check_saturating(part, trace, memory)
        settings, results = settings_text(config, memory), []
        for part in parts:
            files = {SETTINGS_FILE: settings, TRACE_FILE: trace_text(part, trace, memory, config)}
            environment = {"PYTHONPATH": str(self._folder / "python"), "PYTHONDONTWRITEBYTECODE": "1"}
            result = run_program([self.python, "-c", PROGRAM], timeout_s=self.timeout_s, files=files, environment=environment)
            try:
                results.append(parse_statistics(result.stdout))
            except ReportError as error:
                stderr = result.stderr.strip()[-200:] or "(empty)"
                raise ReportError(f"Ramulator exited with code 0; stderr: {stderr}; {error}") from None
        return results

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
        """Return one result per design, in order; a failed or stopped run is a status.

        Args:
            designs: Designs of `space`.
            workload: Its data are a `Trace` without pauses.
            fidelity: Share of the trace's requests to simulate, more than 0 to 1.
            seed: Has no effect.

        Raises:
            NotInstalledError: The program is missing.
            InputError: The workload or the fidelity cannot be used.
        """
        trace = workload.data
        if not isinstance(trace, Trace):
            raise InputError(f"workload {workload.name!r} must hold a DRAM trace, but got {type(trace).__name__}")
        if not 0 < fidelity <= 1:
            raise InputError(f"fidelity must be more than 0 and at most 1, but got {fidelity}")
        part = trace if fidelity == 1 else trace.head(max(1, round(fidelity * len(trace))))
        if part.is_write.all():
            raise InputError(
                f"the {len(part)} requests of workload {workload.name!r} are all writes: Ramulator tells the latency of reads only, so "
                "choose a trace that reads, or the environment designgym/DramController-v1"
            )
        return [self._evaluate(design, part) for design in designs]

    def probe(self, designs: Sequence[Design], workload: Workload, *, seed: int = 0) -> list[bytes] | None:
        """Return None: every look at the tool's behaviour costs a whole process."""
        return None

    def _evaluate(self, design: Design, trace: Trace) -> Metrics:
        if reasons := self.space.violations(design):
            return Metrics.infeasible(reasons)
        return measured(partial(self._values, design, trace))

    def _values(self, design: Design, trace: Trace) -> dict[str, float]:
        config = counterpart(design)
        channels = self.run(config, trace)
        clock_ns = standard(config.Memory).clock_ns
        total_time_ns = max(channel.clocks for channel in channels) * clock_ns
        reads, hits = sum(channel.reads for channel in channels), sum(channel.row_hits for channel in channels)
        others = sum(channel.row_others for channel in channels)
        if not reads:
            raise ReportError(f"Ramulator counts no read, though {int((~trace.is_write).sum())} requests are reads")
        return {
            "total_time_ns": total_time_ns,
            "bandwidth_gbps": len(trace) * LINE_BYTES * 8 / total_time_ns,
            "row_hit_rate": hits / max(hits + others, 1),
            "n_refa": float(sum(channel.refreshes for channel in channels)),
            "latency_from_accept_avg_ns": sum(channel.read_clocks for channel in channels) / reads * clock_ns,
        }
