"""Designs that the space declares equivalent behave alike in everything; the simulator keeps its contract."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from designgym.core.design import Design
from designgym.core.errors import InputError
from designgym.core.testing import check_simulator, check_space
from designgym.simulators.dram.controller import ControllerConfig
from designgym.simulators.dram.memory import MemorySpec
from designgym.simulators.dram.simulate import default_memory, simulate_batch
from designgym.simulators.dram.simulator import DramController, make_workload
from designgym.simulators.dram.space import controller_space
from designgym.simulators.dram.trace import Trace
from designgym.simulators.dram.workloads import find_workload

SPACE = controller_space(allow_no_refresh=True)
_TRACES = Path(__file__).resolve().parents[4] / "shared" / "oracle" / "dramsys" / "traces"


def _designs(rng: np.random.Generator, n: int) -> list[Design]:
    """Return random designs, many of them where the rules about small buffers and few transactions apply."""
    designs = []
    for design in SPACE.sample(rng, n):
        values = dict(design)
        if rng.random() < 0.3:
            values["RequestBufferSize"] = int(rng.integers(1, 3))
        if rng.random() < 0.4:
            values["MaxActiveTransactions"] = int(rng.choice([1, 2, 4, 8]))
        designs.append(SPACE.validate(values))
    return designs


def _check_canonical_forms_behave_alike(trace: Trace, designs: list[Design]) -> int:
    traits = make_workload(trace).traits
    pairs = [(design, SPACE.canonical(design, traits)) for design in designs]
    pairs = [(design, canonical) for design, canonical in pairs if design != canonical]
    configs = [[ControllerConfig.from_mapping(pair[side]) for pair in pairs] for side in (0, 1)]
    results = [simulate_batch(side, trace, record_commands=True, keep_requests=True) for side in configs]
    for (design, canonical), a, b in zip(pairs, *results, strict=True):
        assert a.commands is not None and b.commands is not None and a.requests is not None and b.requests is not None
        assert np.array_equal(a.commands, b.commands), (design, canonical)
        for field in ("presented", "accepted", "response", "row_hit"):
            assert np.array_equal(getattr(a.requests, field), getattr(b.requests, field)), (design, canonical)
        assert (a.energy_pj, a.latency, a.counts) == (b.energy_pj, b.latency, b.counts)
    return len(pairs)


def test_canonical_forms_behave_alike_on_random_traces(random_trace: Callable[..., Trace]) -> None:
    rng = np.random.default_rng(11)
    checked = sum(_check_canonical_forms_behave_alike(random_trace(rng), _designs(rng, 25)) for _ in range(60))
    assert checked > 1_000


@pytest.mark.skipif(not _TRACES.is_dir(), reason=f"reference traces are not at {_TRACES}")
@pytest.mark.parametrize("name", ["stream", "random", "cloud-1", "mix-b2b-pub", "mix-gap-pub", "ddr3_example"])
def test_canonical_forms_behave_alike_on_reference_traces(name: str) -> None:
    trace = find_workload(name, directories=[_TRACES])
    assert _check_canonical_forms_behave_alike(trace, _designs(np.random.default_rng(12), 40)) > 20


def test_pulled_in_limits_do_not_matter_on_back_to_back_traces_with_many_responses_at_the_end() -> None:
    rng = np.random.default_rng(13)
    designs = [
        SPACE.validate(
            {**design, "RefreshPolicy": "AllBank", "RefreshMaxPostponed": 1, "MaxActiveTransactions": 128, "RefreshMaxPulledin": q}
        )
        for design in SPACE.sample(rng, 12)
        for q in range(1, 9)
    ]
    for n in (1400, 1563, 1700):  # the run ends around a refresh interval of 6,240 ticks, with all answers on their way
        trace = Trace("tail", np.zeros(n, dtype=np.int64), rng.random(n) < 0.2, rng.integers(0, 1 << 24, n) << 6)
        assert _check_canonical_forms_behave_alike(trace, designs) > 50


def test_a_memory_that_recovers_quickly_keeps_its_pulled_in_limits_apart() -> None:
    quick = replace(default_memory(), timings=replace(default_memory().timings, rfc=30))
    design = SPACE.default()
    traits = frozenset({"back_to_back"})
    other = {**design, "RefreshMaxPulledin": 3}
    assert controller_space().canonical(other, traits) == controller_space().canonical(design, traits)
    assert controller_space(quick).canonical(other, traits) != controller_space(quick).canonical(design, traits)


def test_the_space_is_archgyms() -> None:
    assert SPACE.size() == 1_769_472
    assert list(SPACE.parameters) == list(ControllerConfig().to_dict())
    check_space(SPACE)
    check_space(controller_space(), traits=frozenset({"read_only"}))


def test_designs_without_refresh_are_infeasible_unless_allowed(random_trace: Callable[..., Trace]) -> None:
    workload = make_workload(random_trace(np.random.default_rng(1)))
    design = SPACE.validate({**SPACE.default(), "RefreshPolicy": "NoRefresh"})
    refused, accepted = (DramController(allow_no_refresh=allow).evaluate([design], workload)[0] for allow in (False, True))
    assert refused.status == "infeasible" and "never refreshed loses its content" in refused.reasons[0]
    assert accepted.ok and accepted["n_refa"] == 0


@pytest.mark.parametrize("write_share", [0.0, 0.4])
def test_the_simulator_keeps_its_contract(random_trace: Callable[..., Trace], write_share: float) -> None:
    trace = random_trace(np.random.default_rng(2), write_share=write_share)
    check_simulator(DramController(threads=2), make_workload(trace))


def test_probes_never_merge_designs_with_other_metrics_than_the_whole_trace_shows() -> None:
    rng = np.random.default_rng(5)
    n = 3000
    addresses = np.where(rng.random(n) < 0.6, np.arange(n) << 6, rng.integers(0, 1 << 24, n) << 6)
    workload = make_workload(Trace("mixed", np.arange(n), rng.random(n) < 0.3, addresses))
    simulator = DramController()
    designs = list({simulator.space.canonical(design): None for design in simulator.space.sample(rng, 800)})
    probes = simulator.probe(designs, workload)
    seen: dict[bytes, tuple[object, Design]] = {}
    for design, probe, metrics in zip(designs, probes, simulator.evaluate(designs, workload), strict=True):
        values, other = seen.setdefault(probe, (metrics.values, design))
        assert values == metrics.values, (design, other)


def test_fidelity_is_a_share_of_the_trace(random_trace: Callable[..., Trace]) -> None:
    trace = random_trace(np.random.default_rng(3))
    simulator, workload = DramController(), make_workload(trace)
    design = simulator.space.default()
    half = simulator.evaluate([design], workload, fidelity=0.5)[0]
    assert half == simulator.evaluate([design], make_workload(trace.head(round(len(trace) / 2))))[0]
    with pytest.raises(InputError, match="must be in"):
        simulator.evaluate([design], workload, fidelity=0.0)


def test_another_memory_is_another_version() -> None:
    other = replace(default_memory(), voltage_v=1.35)
    assert DramController(other).version != DramController().version == DramController(MemorySpec.load()).version
