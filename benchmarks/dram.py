"""Speed of the DRAM controller simulation: requests and commands per second, batches, threads, compilation, and a lower bound.

Run: python benchmarks/dram.py [--designs N] [--batch N]

Traces are ArchGym's, where DESIGNGYM_DATA has them, and generated ones otherwise. Rates are per second of CPU time of one core, the best
of three runs; batches on threads are measured in wall time, so that they need an idle machine. With DESIGNGYM_DRAMSYS set, the real tool
runs the same designs and traces for comparison.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from designgym.core.errors import InputError
from designgym.simulators.dram.compiled import Array, entry_point
from designgym.simulators.dram.controller import CHOICES, ControllerConfig
from designgym.simulators.dram.dramsys_binary import DramSysBinary
from designgym.simulators.dram.event_heap import advance, clear_heap, set_alarm
from designgym.simulators.dram.kernel import run
from designgym.simulators.dram.simulate import default_memory, simulate, simulate_batch
from designgym.simulators.dram.system.config import MemorySystemConfig
from designgym.simulators.dram.system.kernel import run_channel
from designgym.simulators.dram.system.simulate import simulate_systems
from designgym.simulators.dram.system.space import system_space
from designgym.simulators.dram.system.standard import STANDARDS, standard
from designgym.simulators.dram.system.workspace import ChannelWorkspace, split_trace
from designgym.simulators.dram.trace import Trace
from designgym.simulators.dram.workloads import find_workload, generate
from designgym.simulators.dram.workspace import Workspace, decode_trace

REPEATS = 3
WORKLOADS = {"stream": "stream-like", "random": "random-like", "cloud-1": "cloud-like", "cloud-2": "cloud-like"}
MIXED = ("mixed", "bursts")


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU time of the fastest of a few runs."""
    seconds = []
    for _ in range(REPEATS):
        started = time.thread_time()
        work()
        seconds.append(time.thread_time() - started)
    return min(seconds)


def wall_seconds(work: Callable[[], object]) -> float:
    """Return the wall time of the fastest of a few runs."""
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def traces() -> list[Trace]:
    """Return ArchGym's traces where they are at hand, generated ones like them otherwise, and two with writes."""
    found = []
    for name, substitute in WORKLOADS.items():
        try:
            found.append(find_workload(name))
        except InputError:
            found.append(generate(substitute))
    distinct = {trace.digest: trace for trace in [*found, *map(generate, MIXED)]}
    return list(distinct.values())


def random_configs(rng: np.random.Generator, n: int) -> list[ControllerConfig]:
    """Return random designs of ArchGym's space."""
    return [
        ControllerConfig.from_mapping(
            {name: str(rng.choice(values)) for name, values in CHOICES.items()}
            | {name: int(rng.integers(1, 9)) for name in ("RequestBufferSize", "RefreshMaxPostponed", "RefreshMaxPulledin")}
            | {"MaxActiveTransactions": 1 << int(rng.integers(8))}
        )
        for _ in range(n)
    ]


class Runner:
    """Runs the compiled simulation alone, without making results of it."""

    def __init__(self, trace: Trace) -> None:
        self.w = Workspace.allocate(decode_trace(trace, default_memory()), default_memory())

    def __call__(self, config: ControllerConfig) -> None:
        """Simulate one design."""
        w = self.w
        w.configure(config)
        run(w.state, w.banks, w.queues, w.heap, w.trace, w.requests, w.record, w.bins, w.latencies)

    def commands(self) -> int:
        """Return the commands of the last run."""
        return int(self.w.state["n_commands"][0])

    def settings(self) -> int:
        """Return the timed alarms that the last run set."""
        return int(self.w.state["n_settings"][0])


def requests_per_second(trace: Trace, configs: Sequence[ControllerConfig]) -> float:
    """Return the requests simulated per second of CPU time."""
    runner = Runner(trace)
    return len(trace) * len(configs) / cpu_seconds(lambda: [runner(config) for config in configs])


def class_table(all_traces: Sequence[Trace], designs: int) -> pd.DataFrame:
    """Return million requests per second by page policy and scheduler, one column per trace."""
    rng = np.random.default_rng(1)
    rows = {}
    for policy in CHOICES["PagePolicy"]:
        for scheduler in CHOICES["Scheduler"]:
            configs = [replace(c, PagePolicy=policy, Scheduler=scheduler) for c in random_configs(rng, designs)]
            rows[f"{policy} {scheduler}"] = [requests_per_second(trace, configs) / 1e6 for trace in all_traces]
    return pd.DataFrame.from_dict(rows, orient="index", columns=[trace.name for trace in all_traces])


@entry_point
def only_events(state: Array, heap: Array, settings: int) -> None:
    """Set and take timed alarms, as many as a run does, and do nothing else."""
    s = state[0]
    clear_heap(heap)
    for i in range(settings):
        set_alarm(s, heap, i % 6, s.now + 1 + i % 7)
        if i % 3 == 2:
            advance(s, heap)


def bound_table(all_traces: Sequence[Trace], configs: Sequence[ControllerConfig]) -> pd.DataFrame:
    """Return, by trace, the rate of requests and commands and how much longer a run takes than its timed events alone."""
    rows = {}
    for trace in all_traces:
        runner = Runner(trace)
        commands = settings = 0
        for config in configs:
            runner(config)
            commands += runner.commands()
            settings += runner.settings()
        seconds = cpu_seconds(lambda r=runner: [r(c) for c in configs])  # type: ignore[misc]
        w = Runner(trace).w
        w.configure(configs[0])
        only_events(w.state, w.heap, 10)
        bound = cpu_seconds(lambda w=w, n=settings: only_events(w.state, w.heap, n))  # type: ignore[misc]
        requests = len(trace) * len(configs)
        rows[trace.name] = [requests / seconds / 1e6, commands / seconds / 1e6, settings / requests, seconds / bound]
    columns = ["M requests/s", "M commands/s", "timed events per request", "time / events alone"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def batch_table(all_traces: Sequence[Trace], configs: Sequence[ControllerConfig]) -> pd.DataFrame:
    """Return the cost of a design in a batch, results included, and what a second thread brings."""
    rows = {}
    for trace in all_traces:
        one, two = (wall_seconds(lambda t=t, trace=trace: simulate_batch(configs, trace, threads=t)) for t in (1, 2))  # type: ignore[misc]
        rows[trace.name] = [1e3 * one / len(configs), 1e3 * two / len(configs), one / two / 2]
    return pd.DataFrame.from_dict(rows, orient="index", columns=["ms/design, 1 thread", "ms/design, 2 threads", "parallel efficiency"])


def dramsys_table(all_traces: Sequence[Trace], configs: Sequence[ControllerConfig]) -> pd.DataFrame:
    """Compare with the user's own DRAMSys in this run: CPU time of its whole process, start and reading of the trace included."""
    tool = DramSysBinary()

    def child_seconds(trace: Trace) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        for config in configs:
            tool.run(config, trace)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    rows = {}
    for trace in all_traces:
        theirs = min(child_seconds(trace) for _ in range(REPEATS))
        ours = cpu_seconds(partial(simulate_batch, configs, trace))
        requests = len(configs) * len(trace)
        rows[trace.name] = [requests / theirs / 1e6, requests / ours / 1e6, theirs / ours]
    return pd.DataFrame.from_dict(rows, orient="index", columns=["DRAMSys, M requests/s", "this, M requests/s", "this is faster by"])


def random_systems(memory: str, n: int) -> list[MemorySystemConfig]:
    """Return random designs of `designgym/DramController-v1` with one memory."""
    space = system_space()
    designs = (space.validate(design.replace(Memory=memory)) for design in space.sample(np.random.default_rng(4), 20 * n))
    return [MemorySystemConfig.from_mapping(design) for design in designs if not space.violations(design)][:n]


def system_seconds(config: MemorySystemConfig, trace: Trace) -> float:
    """Return the CPU time of the compiled simulation of all channels alone."""
    memory = standard(config.Memory)
    spaces = [ChannelWorkspace.allocate(part.bursts, memory) for part in split_trace(trace, memory, config.mapping)]

    def work() -> None:
        for w in spaces:
            w.configure(config)
            run_channel(w.state, w.banks, w.queues, w.groups, w.ranks, w.units, w.heap, w.trace, w.requests, w.record)

    return cpu_seconds(work)


def standards_table(all_traces: Sequence[Trace], designs: int) -> pd.DataFrame:
    """Return million requests (lines of 64 bytes) per second by memory and trace, and the milliseconds of a design with its results."""
    rows = {}
    for memory in STANDARDS:
        configs = random_systems(memory, designs)
        rates = [len(trace) * len(configs) / sum(system_seconds(c, trace) for c in configs) / 1e6 for trace in all_traces]
        whole = cpu_seconds(lambda configs=configs: [simulate_systems(configs, trace) for trace in all_traces])  # type: ignore[misc]
        rows[memory] = [*rates, 1e3 * whole / len(configs) / len(all_traces)]
    return pd.DataFrame.from_dict(rows, orient="index", columns=[*(trace.name for trace in all_traces), "ms/design, with results"])


def compile_seconds() -> tuple[float, float]:
    """Return the CPU seconds of the first simulation of a process: with compiling, and reading compiled code from disk."""
    code = (
        "import time; from designgym.simulators.dram.simulate import simulate; from designgym.simulators.dram.controller import *;"
        "from designgym.simulators.dram.trace import Trace; t = Trace('one', [0], [False], [0]); s = time.process_time();"
        "simulate(ControllerConfig(), t); print(time.process_time() - s)"
    )
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"NUMBA_CACHE_DIR": folder}
        cold, cached = (
            float(subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True).stdout)
            for _ in range(2)
        )
    return cold, cached


def show(title: str, table: pd.DataFrame) -> None:
    print(f"\n{title}\n{table.round(2).to_string()}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--designs", type=int, default=10, help="random designs per cell of the first table")
    parser.add_argument("--batch", type=int, default=1000, help="designs of a batch")
    options = parser.parse_args()
    all_traces = traces()
    simulate(ControllerConfig(), all_traces[0])  # compiles, or reads the compiled code
    table = class_table(all_traces, options.designs)
    show("Million requests per second of CPU time, the simulation alone", table)
    table = standards_table(all_traces, options.designs)
    show(
        f"Memory systems: million requests per second of CPU time by memory, {options.designs} random designs, the simulation alone", table
    )
    configs = random_configs(np.random.default_rng(2), 60)
    show("60 random designs, the simulation alone", bound_table(all_traces, configs))
    if DramSysBinary().installed()[0]:
        show("20 random designs on the installed DRAMSys and here, CPU time", dramsys_table(all_traces, configs[:20]))
    batch = random_configs(np.random.default_rng(3), options.batch)
    show(f"A batch of {options.batch} random designs, wall time", batch_table(all_traces, batch))
    print("\nFirst simulation of a process: {:.1f} s of CPU time with compiling, {:.2f} s with code from disk".format(*compile_seconds()))


if __name__ == "__main__":
    main()
