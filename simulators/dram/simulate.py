"""Simulating memory controllers from Python: one design, or a batch of them on several threads."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from designgym.core.errors import InputError
from designgym.simulators.dram.controller import ControllerConfig
from designgym.simulators.dram.kernel import run
from designgym.simulators.dram.memory import MemorySpec
from designgym.simulators.dram.run import DramRun, summarise_run
from designgym.simulators.dram.state import HEAP_FULL
from designgym.simulators.dram.trace import Trace
from designgym.simulators.dram.workspace import Workspace, decode_trace

__all__ = ["DramRun", "default_memory", "simulate", "simulate_batch"]


@cache
def default_memory() -> MemorySpec:
    """Return the DDR3-1600 module that ships with the package."""
    return MemorySpec.load()


def simulate(
    config: ControllerConfig,
    trace: Trace,
    memory: MemorySpec | None = None,
    *,
    record_commands: bool = False,
    stop_commands: int | None = None,
) -> DramRun:
    """Return the run of one controller, with the times of every request.

    Args:
        config: The controller.
        trace: The requests.
        memory: The memory, by default `default_memory`.
        record_commands: Also keep every command.
        stop_commands: Stop after this many commands.

    Raises:
        InputError: If the trace does not fit the memory.
    """
    return simulate_batch([config], trace, memory, record_commands=record_commands, stop_commands=stop_commands, keep_requests=True)[0]


def simulate_batch(
    configs: Sequence[ControllerConfig],
    trace: Trace,
    memory: MemorySpec | None = None,
    *,
    threads: int = 1,
    record_commands: bool = False,
    stop_commands: int | None = None,
    keep_requests: bool = False,
) -> list[DramRun]:
    """Return the runs of several controllers on one trace, in the order of `configs`.

    Args:
        configs: The controllers.
        trace: The requests.
        memory: The memory, by default `default_memory`.
        threads: Simulations that run at a time; they do not hold the interpreter lock.
        record_commands: Also keep every command (40 bytes each).
        stop_commands: Stop each run after this many commands.
        keep_requests: Also keep the times of every request (25 bytes each).

    Raises:
        InputError: If the trace does not fit the memory, or `threads` or `stop_commands` is less than 1.
    """
    for name, value in (("threads", threads), ("stop_commands", stop_commands)):
        if value is not None and value < 1:
            raise InputError(f"{name} must be 1 or more, but is {value}.")
    memory = default_memory() if memory is None else memory
    decoded = decode_trace(trace, memory)
    # Three commands a request, refreshes, and rows closed by them; if that is too little, the run is repeated.
    capacity = min(4 * len(trace) + 1024, stop_commands or 1 << 62) if record_commands else 0
    todo = iter(range(len(configs)))  # shared by the threads; taking the next number is one step of the interpreter
    runs: list[DramRun | None] = [None] * len(configs)

    def work() -> None:
        workspace = Workspace.allocate(decoded, memory, record_capacity=capacity)
        for index in todo:
            config = configs[index]
            while not _run(workspace, config, stop_commands, record_commands):
                pass
            runs[index] = summarise_run(workspace, config, memory, keep_requests=keep_requests, keep_commands=record_commands)

    if threads == 1 or len(configs) < 2:
        work()
    else:
        with ThreadPoolExecutor(threads) as pool:
            for future in [pool.submit(work) for _ in range(min(threads, len(configs)))]:
                future.result()
    return [result for result in runs if result is not None]


def _run(workspace: Workspace, config: ControllerConfig, stop_commands: int | None, record_commands: bool) -> bool:
    """Simulate one design; return False after growing an array that turned out too small."""
    w = workspace
    w.configure(config, stop_commands=stop_commands)
    run(w.state, w.banks, w.queues, w.heap, w.trace, w.requests, w.record, w.bins, w.latencies)
    if int(w.state["status"][0]) == HEAP_FULL:
        w.grow_heap()
        return False
    n_commands = int(w.state["n_commands"][0])
    if record_commands and n_commands > w.record.size:
        w.grow_record(n_commands)
        return False
    return True
