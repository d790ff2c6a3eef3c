"""Whether fingerprints are made: as the environment declares, or found out once by measured times, counting all that was simulated."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import designgym as dg
from designgym.core import registry
from designgym.core.errors import InputError
from designgym.core.registry import EnvironmentSpec, FixedWorkloads
from designgym.envs import BUILT_IN
from designgym.studies.calibration import QUESTION, calibration_words
from designgym.studies.cli.study_tables import print_summary
from designgym.studies.store import open_store
from designgym.studies.study import Study

DRAM = "designgym/DramController-v0"


class Probed:
    """cost = a // 2, which the probe sees; counts its calls by design."""

    name, version, deterministic = "probed", "1", True
    space = dg.DesignSpace(a=dg.Integer(0, 7))
    metrics = (dg.metric("cost_ns", goal="min"),)
    resources = dg.Resources()

    def __init__(self) -> None:
        self.measured: list[int] = []

    def evaluate(self, designs: Sequence[dg.Design], workload: dg.Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[dg.Metrics]:
        self.measured += [design["a"] for design in designs]
        return [dg.Metrics({"cost_ns": float(design["a"] // 2)}) for design in designs]

    def probe(self, designs: Sequence[dg.Design], workload: dg.Workload, *, seed: int = 0) -> list[bytes]:
        return [b"%d" % (design["a"] // 2) for design in designs]


def environment(simulator: Any, **more: Any) -> EnvironmentSpec:
    return EnvironmentSpec("test/Here-v0", lambda: simulator, FixedWorkloads({"w": 1}), {"cost": dg.minimize("cost_ns")}, "w", **more)


def test_an_environment_declares_it_and_a_study_may_say_otherwise() -> None:
    assert all(registry.spec(name).functional != "auto" for name in BUILT_IN)  # the same seed gives the same trials on every machine
    assert Study("s", DRAM).definition.functional == "off"
    assert Study("s", DRAM, functional="auto").definition.functional == "auto"
    assert Study("s", environment(Probed(), functional="on")).definition.functional == "on"
    assert Study("s", environment(Probed())).definition.functional == "auto"
    with pytest.raises(InputError, match="'auto', 'on' or 'off'"):
        registry.register("test/Bad-v0", Probed(), workloads={"w": 1}, objective=dg.minimize("cost_ns"), functional="perhaps")  # type: ignore[arg-type]


@pytest.mark.parametrize("reuse", [True, False])
def test_what_the_calibration_measured_counts_as_measured_by_the_first_run_that_uses_it(tmp_path: Path, reuse: bool) -> None:
    simulator = Probed()
    study = Study("one", environment(simulator, functional="auto"), searchers="grid", budget=8, seeds=1, reuse=reuse)
    with open_store(tmp_path / "s.db") as store:
        result = study.run(backend="local", store=store, progress=False)
        frame = result.frame
        held = frame[frame["obtained"].isin(["measured", "audited"])]
        assert len(held) == held["key_canonical"].nunique() == result.reports[0].measured
        if not store.decisions("one")[f"{QUESTION}w"]["answer"]:
            assert len(held) == frame["key_canonical"].nunique() == 8
        if reuse:
            assert sorted(simulator.measured) == sorted(set(simulator.measured))
        calls = len(simulator.measured)
        again = Study("two", environment(simulator), searchers="grid", budget=8, functional="off").run(
            backend="local", store=store, progress=False
        )
        assert set(again.frame["obtained"][again.frame["key_canonical"].isin(held["key_canonical"])]) == {"exact hit"}
        assert len(simulator.measured) == calls + 8 - len(held)


def test_with_several_runs_each_calibrated_behaviour_is_measured_by_one_of_them(tmp_path: Path) -> None:
    simulator = Probed()
    study = Study("s", environment(simulator, functional="auto"), searchers=["random", "grid"], budget=8, seeds=2, duplicate_cap=500)
    frame = study.run(backend="local", store=tmp_path / "s.db", progress=False).frame
    measured = frame[frame["obtained"] == "measured"]
    assert measured["key_canonical"].is_unique
    assert set(simulator.measured) >= set(measured["design.a"]) and len(simulator.measured) == len(set(simulator.measured))


def test_a_decision_by_measured_times_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = Study("s", environment(Probed()), budget=4)
    result = study.run(backend="local", store=tmp_path / "s.db")
    captured = capsys.readouterr()
    [words] = calibration_words(result.decisions)
    assert f"fingerprints {words}" in captured.err and "s: 1 run, 4 evaluations each" in captured.err
    assert "a probe costs" in words and "decided by measured times: write functional='o" in words
    print_summary(result)
    assert words in capsys.readouterr().out


def test_the_words_of_decisions_name_workloads_and_reasons() -> None:
    decisions = {
        f"{QUESTION}a": {"answer": False, "has_probe": False},
        f"{QUESTION}b": {"answer": True, "has_probe": True, "probe_s": 0.002, "cost_s": 1.5, "share": 0.25},
        "something else": {"answer": 1},
    }
    assert calibration_words(decisions) == [
        "on on b: a probe costs 2 ms, a simulation 1.5 s, and 25 % of sampled designs behave like another; decided by measured times: "
        "write functional='on' to repeat exactly on another machine",
    ]
