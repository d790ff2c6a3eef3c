"""Designs that the space declares equivalent behave alike in everything; the simulator keeps its contract."""

from collections.abc import Callable

import numpy as np
import pytest

from designgym.core.design import Design
from designgym.core.errors import InputError
from designgym.core.testing import check_simulator, check_space
from designgym.core.workload import Workload
from designgym.simulators.dram.simulator import make_workload
from designgym.simulators.dram.system.config import PARAMETER_NAMES, MemorySystemConfig
from designgym.simulators.dram.system.simulate import simulate_system
from designgym.simulators.dram.system.simulator import MemorySystem
from designgym.simulators.dram.system.space import system_space
from designgym.simulators.dram.system.standard import STANDARDS
from designgym.simulators.dram.trace import Trace
from designgym.simulators.dram.workloads import generate

SPACE = system_space(allow_no_refresh=True)


def _designs(rng: np.random.Generator, n: int) -> list[Design]:
    """Return random legal designs, many of them where the rules about small buffers, few transactions and watermarks apply."""
    designs = []
    for design in SPACE.sample(rng, n):
        values = dict(design)
        if rng.random() < 0.4:
            values["RequestBufferSize"] = int(rng.integers(1, 4))
        if rng.random() < 0.3:
            values["MaxActiveTransactions"] = int(rng.choice([1, 2, 4]))
        designs.append(SPACE.validate(values))
    return designs


@pytest.mark.parametrize("write_share", [0.0, 0.3, 0.7])
def test_canonical_forms_behave_alike(write_share: float, random_trace: Callable[..., Trace]) -> None:
    rng = np.random.default_rng(5)
    checked = 0
    for _ in range(25):
        trace = random_trace(rng, write_share=write_share)
        traits = make_workload(trace).traits
        for design in _designs(rng, 20):
            canonical = SPACE.canonical(design, traits)
            if canonical == design:
                continue
            assert not SPACE.violations(canonical)
            a, b = (simulate_system(MemorySystemConfig.from_mapping(d), trace, record_commands=True) for d in (design, canonical))
            assert a.commands is not None and b.commands is not None and a.requests is not None and b.requests is not None
            assert a.commands.keys() == b.commands.keys()
            assert all(np.array_equal(a.commands[channel], b.commands[channel]) for channel in a.commands), (design, canonical)
            for field in ("presented", "accepted", "response", "row_hit"):
                assert np.array_equal(getattr(a.requests, field), getattr(b.requests, field)), (design, canonical)
            assert (a.energy, a.latency, a.counts, a.n_drains) == (b.energy, b.latency, b.counts, b.n_drains)
            checked += 1
    assert checked > 400


def test_the_space() -> None:
    assert tuple(SPACE.parameters) == PARAMETER_NAMES
    assert dict(SPACE.default()) == MemorySystemConfig().to_dict()
    assert not SPACE.violations(SPACE.default())
    for traits in (frozenset[str](), frozenset({"read_only"})):
        check_space(SPACE, traits=traits)


@pytest.mark.parametrize("memories", [(name,) for name in STANDARDS] + [("LPDDR4-3200", "LPDDR5-6400"), ("DDR3-1600", "DDR4-2400")])
def test_spaces_of_some_memories(memories: tuple[str, ...]) -> None:
    space = system_space(memories=memories)
    check_space(space)
    assert space.default()["Memory"] == ("DDR4-2400" if "DDR4-2400" in memories else memories[0])
    rng, trace = np.random.default_rng(1), generate("mixed", requests=60)
    for design in space.sample(rng, 10):
        assert design["Memory"] in memories
        assert simulate_system(MemorySystemConfig.from_mapping(design), trace).status == "finished"
    check_simulator(MemorySystem(memories=memories), make_workload(trace), samples=4, twins=2)


def test_memories_that_cannot_be_used_are_refused() -> None:
    for memories in ((), ("HBM2", "HBM2")):
        with pytest.raises(InputError, match="each once"):
            system_space(memories=memories)
    with pytest.raises(InputError, match="DDR6"):
        system_space(memories=("DDR6",))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"RefreshPolicy": "Bank"}, "only DDR5-4800, LPDDR4-3200, LPDDR5-6400, HBM2 refresh banks one by one"),
        ({"WriteDrain": "Eager", "WriteHighWatermark": 3, "WriteLowWatermark": 3}, "must have a lower one"),
        ({"Memory": "DDR5-4800", "RefreshMaxPostponed": 5, "RefreshMaxPulledin": 1}, "DDR5-4800 allows 4 refreshes"),
        ({"RefreshPolicy": "NoRefresh"}, "loses its content"),
    ],
)
def test_illegal_designs_say_why(changes: dict[str, object], words: str) -> None:
    simulator = MemorySystem()
    design = simulator.space.validate(simulator.space.default().replace(**changes))
    [result] = simulator.evaluate([design], make_workload(generate("mixed", requests=50)))
    assert result.status == "infeasible" and any(words in reason for reason in result.reasons)


def test_parameters_without_effect_are_inactive() -> None:
    design = SPACE.default().replace(Memory="DDR3-1600", Arbiter="Simple")
    inactive = set(SPACE.parameters) - set(SPACE.active(design))
    assert inactive == {
        "MaxActiveTransactions", "BankGroupBits", "RankBits", "ChannelBits", "WriteHighWatermark", "WriteLowWatermark", "PowerDownIdle",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["mixed", "stream-like", "bursts"])
def test_the_simulator_keeps_its_contract(name: str) -> None:
    check_simulator(MemorySystem(), make_workload(generate(name, requests=600)), samples=16, twins=4)


def test_bad_input_is_refused() -> None:
    simulator = MemorySystem()
    with pytest.raises(InputError, match="must be a Trace"):
        simulator.evaluate([], Workload("other", 3))
    with pytest.raises(InputError, match="fidelity"):
        simulator.evaluate([], make_workload(generate("mixed", requests=5)), fidelity=0.0)
    with pytest.raises(InputError, match="threads"):
        MemorySystem(threads=0)


def test_fidelity_is_the_share_of_the_trace() -> None:
    simulator, trace = MemorySystem(), generate("mixed", requests=400)
    [part] = simulator.evaluate([simulator.space.default()], make_workload(trace), fidelity=0.25)
    [head] = simulator.evaluate([simulator.space.default()], make_workload(trace.head(100)))
    assert dict(part.values) == dict(head.values)
