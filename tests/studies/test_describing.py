"""What designs amount to: said by the simulator, shown in tables and reports, with the design itself within reach."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import designgym as dg
from designgym.core.describing import described
from designgym.core.registry import environments
from designgym.envs import environment
from designgym.simulators.programs.known_programs import linear_regressor
from designgym.simulators.symbolic import table
from designgym.studies.results import StudyResult

SPACE = dg.DesignSpace(gain=dg.Integer(0, 9), offset=dg.Integer(0, 9))


def say(design: dg.Design) -> str:
    if design["gain"] == 9:
        raise ValueError("no words")
    return f"{design['gain']} * x\n+ <{design['offset']}>"


@dg.simulator(space=SPACE, metrics=["cost_ns"], version="1", describe=say)
def amplifier(design: dg.Design, workload: object, *, seed: int) -> dict[str, float]:
    return {"cost_ns": 1.0 + design["gain"] + design["offset"]}


dg.register("test/Described-v0", amplifier, workloads={"w": 1}, objective=dg.minimize("cost_ns"))


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    study = dg.Study("described", env="test/Described-v0", searchers="random", budget=30, store=tmp_path_factory.mktemp("s") / "s.db")
    return study.run(backend="local", progress=False)


def test_the_best_design_is_shown_in_words_and_kept_whole(result: StudyResult) -> None:
    best = result.best()[0]
    assert best.description == say(best.design) and "\n    + <" in str(best) and "gain=" not in str(best)
    assert best.to_json()["design"] == best.design.to_dict() and "description" not in best.to_json()


def test_the_report_shows_words_escaped_and_the_designs_folded_away(result: StudyResult, tmp_path: Path) -> None:
    html = result.report(tmp_path / "r.html").read_text()
    best = result.best()[0].design
    assert f"{best['gain']} * x\n+ &lt;{best['offset']}&gt;</pre>" in html
    folded = html[html.index("<details>") : html.index("</details>")]
    assert "gain" in folded and "offset" in folded and ">gain" not in html[html.index("<main>") : html.index("<details>")]


def test_data_given_by_hand_is_described_as_long_as_it_is_at_hand(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(1, 2, (64, 2))
    study = dg.Study(
        "own", env="designgym/SymbolicRegression-v0", workload=table(x, 3 * x[:, 0] * x[:, 1], names=["mass", "speed"]),
        searchers="random", budget=20, store=tmp_path / "s.db",
    )  # fmt: skip
    here = study.run(backend="local", progress=False).best()[0].description
    assert ("mass" in here or "speed" in here) and "x0" not in here and "without its data" not in here
    with dg.open_store(tmp_path / "s.db") as store:
        assert "without its data" in StudyResult.load(store, "own").best()[0].description


def test_a_description_that_fails_costs_nothing_but_itself(caplog: pytest.LogCaptureFixture) -> None:
    silent = SPACE.validate({"gain": 9, "offset": 0})
    assert described(amplifier, silent) == described(amplifier, silent) == ""
    assert [record.getMessage() for record in caplog.records] == [
        "amplifier cannot describe a design (ValueError: no words): it is shown as it is"
    ]


def test_a_store_whose_environment_is_not_here_or_changed_shows_designs_as_they_are(result: StudyResult) -> None:
    for change in ({"env": "test/Gone-v0"}, {"space": dg.DesignSpace(gain=dg.Integer(0, 9), offset=dg.Integer(0, 8)).to_json()}):
        other = StudyResult(result.definition | change, result.runs, result.frame)
        assert other.describe(result.best()[0].design, "w") == "" and "gain=" in str(other.best())


def test_every_built_in_description_is_of_the_canonical_form() -> None:
    told = []
    for spec in environments():
        if not spec.id.startswith("designgym/") or not spec.installed()[0]:
            continue
        simulator = spec.simulator()
        legal = [d for d in simulator.space.sample(np.random.default_rng(0), 40) if not simulator.space.violations(d)]
        workload = spec.workload()
        for design in legal[:8]:
            text = described(simulator, design, workload)
            told.append((spec.id, bool(text)))
            canonical = simulator.space.canonical(design, workload.traits)
            lines, again = text.splitlines(), described(simulator, canonical, workload).splitlines()
            assert lines[:-1] == again[:-1]  # a program ends with how many instructions there were
    assert {name for name, found in told if found} == {
        f"designgym/{n}-v0"
        for n in (
            "AcceleratorCodesign",
            "Archon",
            "AutoMLZero",
            "AutoscaledCluster",
            "BatchAndParallelism",
            "FarsiSoc",
            "HeterogeneousCluster",
            "NasCell",
            "SplitwiseCluster",
            "SplitwiseClusterRate",
            "SymbolicRegression",
            "VllmServing",
        )
    }


def test_programs_are_numbered_instructions_without_dead_ones() -> None:
    simulator = environment("designgym/AutoMLZero-v0").simulator()
    program = linear_regressor()
    program["learn"].append({"op": "s_exp", "in1": 3, "out": 5})
    text = described(simulator, simulator.space.validate(program))
    assert "setup (once)\n   1  s2 = 0.05\n" in text and "\n   1  s1 = dot(v0, v1)\n" in text
    assert "\n   1  s3 = s0 - s1\n   2  s2 = " not in text and "exp(" not in text
    assert text.endswith("6 of 7 instructions have an effect")


def test_cells_are_a_line_per_live_vertex() -> None:
    simulator = environment("designgym/NasCell-v0").simulator()
    edges = dict.fromkeys([name for name in simulator.space.parameters if name.startswith("edge")], False)
    cell = (
        simulator.space.default().to_dict()
        | edges
        | {"edge_0_3": True, "edge_3_6": True, "edge_0_6": True, "edge_2_6": True, "op_3": "maxpool3x3"}
    )
    assert described(simulator, simulator.space.validate(cell)).splitlines() == [
        "v1 = maxpool3x3(input)", "output = v1 + input", "1 operation, 3 edges",
    ]  # fmt: skip


def test_commands_show_words_and_keep_what_they_print_for_programs(
    result: StudyResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from designgym.studies.cli.app import app

    def run(*arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            app(list(arguments))
        assert not ended.value.code
        return capsys.readouterr().out

    (file := tmp_path / "d.json").write_text('{"gain": 2, "offset": 3}')
    shown = run("evaluate", "test/Described-v0", "--designs", str(file))
    assert "design 1:\n    2 * x\n    + <3>\n" in shown and "gain" not in shown
    line = json.loads(run("evaluate", "test/Described-v0", "--designs", str(file), "--jsonl"))
    assert line["design"] == {"gain": 2, "offset": 3} and "description" not in line
    keys = json.loads(run("hash", "test/Described-v0", "--designs", str(file)))
    told = json.loads(run("hash", "test/Described-v0", "--designs", str(file), "--describe"))
    assert keys.keys() == {"literal", "canonical", "functional"} and told == keys | {"description": "2 * x\n+ <3>"}
