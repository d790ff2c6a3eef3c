"""Random designs and traces for memory systems, and what the checker needs to know of a run."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from designgym.simulators.dram.protocol_rules import Violation
from designgym.simulators.dram.system.checker import Bursts, Command, RefreshLimits, check_channel
from designgym.simulators.dram.system.config import CHOICES, MemorySystemConfig
from designgym.simulators.dram.system.simulate import SystemRun, simulate_system
from designgym.simulators.dram.system.standard import MemoryStandard, standard
from designgym.simulators.dram.system.state import COMMAND_NAMES
from designgym.simulators.dram.system.workspace import split_trace
from designgym.simulators.dram.trace import Trace


def _random_system(rng: np.random.Generator, **fixed: Any) -> MemorySystemConfig:
    """Return a random legal memory system; refresh limits may be 0."""
    values: dict[str, Any] = {name: str(rng.choice(choices)) for name, choices in CHOICES.items()}
    high = int(rng.integers(1, 17))
    values |= {
        "RequestBufferSize": int(rng.integers(1, 9)),
        "RefreshMaxPostponed": int(rng.integers(0, 9)),
        "RefreshMaxPulledin": int(rng.integers(0, 9)),
        "MaxActiveTransactions": int(rng.integers(1, 130)),
        "WriteHighWatermark": high,
        "WriteLowWatermark": int(rng.integers(0, high)),
        "PowerDownIdle": 1 << int(rng.integers(0, 11)),
    }
    values |= fixed
    if values["RefreshPolicy"] == "Bank" and standard(values["Memory"]).bank_refresh == "none":
        values["RefreshPolicy"] = "AllBank"
    return MemorySystemConfig.from_mapping(values)


def _violations(config: MemorySystemConfig, trace: Trace, wrong: MemoryStandard | None = None) -> list[Violation]:
    """Simulate, possibly on a wrong memory, and check every channel against the true one."""
    memory = standard(config.Memory)
    run = simulate_system(config, trace, wrong, record_commands=True)
    assert run.status == "finished"
    assert run.n_answered == len(trace)
    return violations_of(run, config, trace, memory)


def violations_of(run: SystemRun, config: MemorySystemConfig, trace: Trace, memory: MemoryStandard) -> list[Violation]:
    assert run.commands is not None and run.end_ticks is not None
    limits = None
    if config.RefreshPolicy != "NoRefresh":
        # Time to finish what is under way, close all banks, wake up, and let the other units' due refreshes pass.
        slack = memory.timings.rc + memory.timings.rfc + 600
        limits = RefreshLimits(config.RefreshPolicy == "Bank", config.RefreshMaxPostponed, config.RefreshMaxPulledin, slack)
    found = []
    for part in split_trace(trace, memory, config.mapping):
        commands = [
            Command(tick, COMMAND_NAMES[command], bank, row, burst)
            for tick, command, bank, row, burst in run.commands[part.channel][["tick", "command", "bank", "row", "request"]].tolist()
        ]
        b = part.bursts
        bursts = Bursts(b["bank"], b["row"], b["is_write"].astype(np.bool_), b["address"])
        found += check_channel(commands, memory, limits=limits, bursts=bursts, end_tick=run.end_ticks[part.channel])
    return found


@pytest.fixture(scope="session")
def random_system() -> Callable[..., MemorySystemConfig]:
    return _random_system


@pytest.fixture(scope="session")
def violations() -> Callable[..., list[Violation]]:
    return _violations
