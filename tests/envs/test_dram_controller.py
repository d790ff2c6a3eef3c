import csv
from pathlib import Path

import gymnasium
import numpy as np
import pytest

import designgym.envs
from designgym.core.errors import InputError, NotInstalledError
from designgym.core.metrics import Metrics
from designgym.envs import environment, make_env, make_evaluator
from designgym.envs.dram_controller import REFERENCE
from designgym.simulators.dram.run import COUNTED_COMMANDS

ID = "designgym/DramController-v0"
ORACLE = Path(__file__).resolve().parents[3] / "shared" / "oracle"
VALUES = {
    "PagePolicy": ["Open", "OpenAdaptive", "Closed", "ClosedAdaptive"],
    "Scheduler": ["Fifo", "FrFcfsGrp", "FrFcfs"],
    "SchedulerBuffer": ["Bankwise", "ReadWrite", "Shared"],
    "RequestBufferSize": list(range(1, 9)),
    "RespQueue": ["Fifo", "Reorder"],
    "RefreshPolicy": ["NoRefresh", "AllBank"],
    "RefreshMaxPostponed": list(range(1, 9)),
    "RefreshMaxPulledin": list(range(1, 9)),
    "Arbiter": ["Simple", "Fifo", "Reorder"],
    "MaxActiveTransactions": [1, 2, 4, 8, 16, 32, 64, 128],
}


def test_names_and_values_are_archgyms() -> None:
    space = environment(ID).simulator().space
    for name, parameter in space.parameters.items():
        assert set(parameter.values()) == set(VALUES[name]), name  # type: ignore[call-overload,attr-defined]
    assert space.size() == 1_769_472
    assert list(space.parameters) == list(VALUES)


def test_no_refresh_needs_the_option() -> None:
    design = environment(ID).simulator().space.default().replace(RefreshPolicy="NoRefresh")
    for allow, status in ((False, "infeasible"), (True, "ok")):
        evaluator = make_evaluator(ID, options={"allow_no_refresh": allow})
        [trial] = evaluator.evaluate([evaluator.simulator.space.validate(design)])
        assert trial.metrics.status == status
    env = make_env(ID, form="sequential")
    env.reset()
    for _ in range(5):
        env.step(0)
    assert env.action_masks()[:2].tolist() == [False, True]  # the mask knows the constraint


def test_objectives_score_better_designs_higher() -> None:
    spec = environment(ID)
    evaluator = make_evaluator(ID, functional="off")
    space = evaluator.simulator.space
    good = space.default()
    bad = space.validate(good.replace(PagePolicy="Closed", Scheduler="Fifo", RequestBufferSize=1, Arbiter="Simple"))
    results = [trial.metrics for trial in evaluator.evaluate([good, bad])]
    assert results[0]["total_time_ns"] < results[1]["total_time_ns"] and results[0]["energy_pj"] < results[1]["energy_pj"]
    for name in ("energy_delay", "low_latency", "low_energy", "pareto"):
        scores = [spec.objective(name).score(result) for result in results]
        assert scores[0] > scores[1]
    assert spec.objective().name == "energy_delay"
    assert spec.objective("low_power").score(results[0]) == -results[0]["power_mw"]
    assert spec.objective("energy_delay").score(results[0]) == pytest.approx(-results[0]["energy_pj"] * results[0]["total_time_ns"])


def test_archgyms_rewards_are_as_published() -> None:
    spec = environment(ID)
    result = Metrics({"power_mw": 1250.0, "total_time_ns": 51_595.0, "energy_pj": 1.0})
    power, latency = 1.0 / abs(1.25 - 1.0), 0.1 / abs(51_595e-9 - 0.1)
    assert spec.objective("archgym_low_power").score(result) == pytest.approx(power)
    assert spec.objective("archgym_low_latency").score(result) == pytest.approx(latency)
    assert spec.objective("archgym_both").score(result) == pytest.approx(power * latency)
    slower = Metrics({"power_mw": 1250.0, "total_time_ns": 500_000.0, "energy_pj": 1.0})
    assert spec.objective("archgym_low_latency").score(slower) > spec.objective("archgym_low_latency").score(result)  # the flaw


def test_generated_workloads_lie_inside_the_reference_box() -> None:
    spec = environment(ID)
    simulator = spec.simulator()
    designs = simulator.space.sample(np.random.default_rng(3), 12)
    for name in ("stream-like", "cloud-like", "pointer-chase"):
        for result in simulator.evaluate(designs, spec.workload(name)):
            assert all(result[metric] < limit for metric, limit in REFERENCE.items())
            assert 0 < spec.objective("pareto").score(result) < 1


def test_workloads_from_the_users_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.stl").write_text("".join(f"{i}:\tread\t0x{64 * i:x}\n" for i in range(40)))
    monkeypatch.setenv("DESIGNGYM_DATA", str(tmp_path))
    spec = environment(ID)
    assert "mine" in spec.workloads.names()
    workload = spec.workload("mine")
    assert len(workload.data) == 40 and "read_only" in workload.traits
    assert spec.workload(str(tmp_path / "mine.stl")).digest == workload.digest
    env = gymnasium.make(ID, workload="mine")
    env.reset()
    assert env.step(np.array([0, 0, 0, 0, 0, 1, 0, 0, 0, 0]))[4]["metrics"]["n_rd"] == 40
    with pytest.raises(InputError, match="DESIGNGYM_DATA"):
        spec.workload("cloud-1")


@pytest.mark.skipif(not (ORACLE / "dramsys" / "traces").is_dir(), reason=f"reference outputs of DRAMSys are not at {ORACLE}")
def test_a_reference_trace_whose_times_go_back_gives_what_it_gives_in_dramsys(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DESIGNGYM_DATA", str(ORACLE / "dramsys" / "traces"))
    with (ORACLE / "dramsys_ddr3_mixed_public.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["trace"] == "ddr3_example"]
    evaluator = make_evaluator(ID, workload="ddr3_example", functional="off", options={"allow_no_refresh": True})
    space = evaluator.simulator.space
    designs = [space.validate({name: int(row[name]) if row[name].isdigit() else row[name] for name in VALUES}) for row in rows]
    columns = {"total_time_ns": "time_ns", "energy_pj": "energy_pJ"} | {f"n_{name.lower()}": f"n_{name}" for name in COUNTED_COMMANDS}
    for row, trial in zip(rows, evaluator.evaluate(designs), strict=True):
        assert {name: trial.metrics[name] for name in columns} == {name: float(row[column]) for name, column in columns.items()}
        assert trial.metrics["power_mw"] == pytest.approx(float(row["power_mW"]), abs=0.005001)
    assert len(rows) == 150
    assert sum("times that go back" in record.getMessage() for record in caplog.records) <= 1  # none if it was read before


def test_another_memory_is_another_simulator(tmp_path: Path) -> None:
    from importlib.resources import files

    text = (files("designgym.simulators.dram") / "data" / "ddr3_1600.json").read_text()
    slow = tmp_path / "slow.json"
    slow.write_text(text.replace('"rcd": 10', '"rcd": 20'))
    assert slow.read_text() != text
    plain, slower = environment(ID).simulator(), environment(ID).simulator(memory=str(slow))
    assert plain.version != slower.version
    workload = environment(ID).workload("random-like")
    [a], [b] = (simulator.evaluate([simulator.space.default()], workload) for simulator in (plain, slower))
    assert b["total_time_ns"] > a["total_time_ns"]
    slow.write_text("{")
    for path in (slow, tmp_path / "absent.json"):
        with pytest.raises(InputError, match="memory file"):
            environment(ID).simulator(memory=path)


def test_dramsys_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DESIGNGYM_DRAMSYS", raising=False)
    spec = environment("designgym/DramControllerDramSys-v0")
    installed, remedy = spec.installed()
    assert not installed and "oss-arch-gym" in remedy
    with pytest.raises(NotInstalledError, match="DESIGNGYM_DRAMSYS"):
        make_evaluator(spec)
    assert spec.simulator(path="/no/such/program").space == environment(ID).simulator().space


def test_names_of_the_folder_load_when_used() -> None:
    assert designgym.envs.DesignEnv is type(make_env(ID))
    assert {spec.id for spec in designgym.envs.environments()} >= set(designgym.envs.BUILT_IN)
    with pytest.raises(AttributeError):
        _ = designgym.envs.no_such_thing


@pytest.mark.parametrize(
    "arguments", [{"functional": "maybe"}, {"cache": "elsewhere"}, {"options": {"speed": 1}}, {"workload": "nope"}, {"fidelity": 2.0}]
)
def test_evaluators_refuse_what_does_not_exist(arguments: dict[str, object]) -> None:
    with pytest.raises(InputError):
        make_evaluator(ID, **arguments)  # type: ignore[arg-type]


def test_evaluators_with_and_without_cache_and_fingerprints() -> None:
    design = environment(ID).simulator().space.default()
    for cache in ("local", None):
        for functional in ("auto", "on", "off"):
            evaluator = make_evaluator(ID, cache=cache, functional=functional)
            first, second = (evaluator.evaluate([design])[0] for _ in range(2))
            assert first == second and second.obtained == ("measured" if cache is None else "exact hit")
            assert (evaluator.fingerprints is None) == (functional == "off" or cache is None)
