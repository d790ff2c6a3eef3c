"""`designgym/DramController-v1` as users meet it."""

import subprocess
import sys

import gymnasium
import numpy as np
import pytest

import designgym.envs
from designgym.core.errors import InputError, NotInstalledError
from designgym.envs import environment, make_evaluator
from designgym.envs.dram_controller_v1 import REFERENCE
from designgym.simulators.dram.system.standard import STANDARDS

ID, V0, RAMULATOR = "designgym/DramController-v1", "designgym/DramController-v0", "designgym/DramControllerRamulator2-v1"


def test_it_has_v0s_parameters_and_their_values() -> None:
    v0, v1 = environment(V0).simulator().space.parameters, environment(ID).simulator().space.parameters
    for name, parameter in v0.items():
        assert set(parameter.values()) <= set(v1[name].values()), name  # type: ignore[attr-defined]
    assert set(v1) - set(v0) == {
        "Memory", "AddressOrder", "BankGroupBits", "RankBits", "ChannelBits", "BankXor", "WriteDrain", "WriteHighWatermark",
        "WriteLowWatermark", "PowerDown", "PowerDownIdle",
    }  # fmt: skip
    assert set(v1["Memory"].values()) == set(STANDARDS)  # type: ignore[attr-defined]


def test_v0s_designs_give_v0s_results_on_ddr3() -> None:
    old, new = environment(V0).simulator(), environment(ID).simulator()
    workload = environment(V0).workload("mixed")
    designs = old.space.sample(np.random.default_rng(2), 8)
    theirs = old.evaluate(designs, workload)
    ours = new.evaluate([new.space.validate({**new.space.default(), **design, "Memory": "DDR3-1600"}) for design in designs], workload)
    for a, b in zip(theirs, ours, strict=True):
        for name in a.values:
            if name not in ("energy_pj", "power_mw"):  # which end with the last command there and with the last response here
                assert a[name] == b[name], name
        assert b["energy_pj"] == pytest.approx(a["energy_pj"], rel=0.01)


def test_v0_is_not_called_out_of_date() -> None:
    program = f"import designgym, gymnasium; gymnasium.make({V0!r})"
    result = subprocess.run([sys.executable, "-W", "default", "-c", program], capture_output=True, text=True, check=True)
    assert "out of date" not in result.stderr


def test_workloads_lie_inside_the_reference_box() -> None:
    spec = environment(ID)
    simulator = spec.simulator()
    designs = simulator.space.sample(np.random.default_rng(3), 21)
    for name in spec.workloads.names():
        for result in simulator.evaluate(designs, spec.workload(name)):
            assert result.ok and all(result[metric] < limit for metric, limit in REFERENCE.items())
            assert 0 < spec.objective("pareto").score(result) < 1


def test_objectives_and_options() -> None:
    spec = environment(ID)
    assert spec.objective().name == "energy_delay"
    evaluator = make_evaluator(ID, functional="off", options={"threads": 2})
    space = evaluator.simulator.space
    good = space.validate(
        space.default().replace(Memory="DDR4-3200", BankGroupBits="Low", Scheduler="FrFcfs", Arbiter="Fifo", MaxActiveTransactions=64)
    )
    bad = space.validate(good.replace(PagePolicy="Closed", Scheduler="Fifo", RequestBufferSize=1))
    results = [trial.metrics for trial in evaluator.evaluate([good, bad])]
    for name in ("energy_delay", "low_time", "low_energy", "pareto"):
        scores = [spec.objective(name).score(result) for result in results]
        assert scores[0] > scores[1], name
    for memory in ("DDR5-4800, HBM2", ["DDR5-4800", "HBM2"]):
        assert list(spec.simulator(memory=memory).space.parameters["Memory"].values()) == ["DDR5-4800", "HBM2"]  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="option memory must be the name"):
        spec.simulator(memory=3)
    with pytest.raises(InputError, match="threads must be a whole number"):
        spec.simulator(threads="two")
    env = gymnasium.make(ID, form="sequential")
    env.reset(seed=1)
    assert env.unwrapped.action_masks().any()  # type: ignore[attr-defined]


def test_ramulator_is_listed_as_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DESIGNGYM_RAMULATOR2", raising=False)
    spec = environment(RAMULATOR)
    found, remedy = spec.installed()
    assert not found and "DESIGNGYM_RAMULATOR2" in remedy
    with pytest.raises(NotInstalledError):
        spec.simulator().evaluate([spec.simulator().space.default()], spec.workload())
    names = designgym.envs.environment(ID).simulator().space.parameters
    assert set(spec.simulator().space.parameters) <= set(names)
    for option, value in (("path", 3), ("python", 3), ("timeout_s", "soon")):
        with pytest.raises(InputError, match=f"option {option}"):
            spec.simulator(**{option: value})
