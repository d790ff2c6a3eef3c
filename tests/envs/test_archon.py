"""``designgym/Archon-v0``: Archon's space on the simulated responder, and how near the responder is to published figures."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import designgym as dg
from designgym.core.errors import InputError
from designgym.core.testing import check_simulator
from designgym.envs import environment
from designgym.envs.archon_validation import GROUPS, ArchonValidator
from designgym.simulators.archon.simulated import ARCHON, PURPOSE, Questions, SimulatedArchitectures, models_for
from designgym.studies.cli.app import app

SPEC = environment("designgym/Archon-v0")


def test_it_says_what_it_is() -> None:
    assert "not for claims about LLMs" in PURPOSE and PURPOSE in SPEC.description
    assert SPEC.simulator().space.size() == 18_750


@pytest.mark.parametrize("preset", ["paper", "wide"])
def test_both_spaces_go_through_the_kit(preset: str) -> None:
    check_simulator(SimulatedArchitectures(preset=preset, queries=16), SPEC.workload("code-contests"), samples=10, twins=4)


@pytest.mark.parametrize("benchmark", ARCHON)
def test_figures_of_designs_agree_with_their_architectures(benchmark: str) -> None:
    ours = SimulatedArchitectures(queries=32)
    workload = SPEC.workload(benchmark)
    for design, found in zip(designs := ours.space.sample(np.random.default_rng(1), 6), ours.evaluate(designs, workload), strict=True):
        assert found.ok and 0 < found["score_pct"] < 100
        assert 0 < found["calls"] <= ours.architecture(design, benchmark).calls
        assert found["cost_usd"] > 0 and found["latency_s"] > 0


def test_results_are_equal_in_any_company_and_order() -> None:
    ours = SimulatedArchitectures(queries=16)
    designs = ours.space.sample(np.random.default_rng(2), 5)
    together = ours.evaluate(designs, SPEC.workload("math"))
    alone = [SimulatedArchitectures(queries=16).evaluate([design], SPEC.workload("math"))[0] for design in reversed(designs)]
    assert together == alone[::-1]


def test_the_landscape_has_better_and_worse_designs_and_the_best_depend_on_the_task() -> None:
    ours = SimulatedArchitectures(queries=64)
    designs = ours.space.sample(np.random.default_rng(3), 60)
    scores = {
        name: np.array([m["score_pct"] for m in ours.evaluate(designs, SPEC.workload(name))]) for name in ("mt-bench", "code-contests")
    }
    assert all(np.ptp(values) > 3 for values in scores.values())
    assert np.corrcoef(scores["mt-bench"], scores["code-contests"])[0, 1] < 0.9
    code = scores["code-contests"]
    checked = np.array([design["evaluation"] != "none" for design in designs])
    assert code[checked].mean() > code[~checked].mean()  # tests and verifiers help on code (tables 5 to 9)


def test_designs_that_differ_have_other_behaviours() -> None:
    ours = SimulatedArchitectures(queries=64)
    designs = ours.space.sample(np.random.default_rng(4), 20)
    different = {design.literal for design in designs}
    assert len(set(ours.probe(designs, SPEC.workload("math")))) == len(different)


def test_models_are_the_best_first_of_those_with_figures() -> None:
    every, open_ones = models_for("math"), models_for("math", "open")
    assert set(open_ones) < set(every) and "claude-3.5-sonnet" not in open_ones
    assert SimulatedArchitectures(models="gpt-4o,llama-3.1-8b").names("math") == ("gpt-4o", "llama-3.1-8b")
    assert len(models_for("code-contests")) >= 10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preset": "tall"}, "preset is 'tall', expected 'paper' or 'wide'"),
        ({"models": " ,"}, "models is ' ,', expected 'all', 'open', 'closed', or names"),
        ({"queries": 0}, "queries is 0, expected a whole number from 1"),
        ({"preset": "wide", "sources": "oracle"}, r"kinds of sources are \['oracle'\]"),
    ],
)
def test_options_that_cannot_be(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SPEC.simulator(**options)


def test_what_cannot_be_evaluated_is_said() -> None:
    ours = SimulatedArchitectures(queries=8)
    with pytest.raises(InputError, match="holds int, expected questions of a benchmark, such as 'mt-bench'"):
        ours.evaluate([ours.space.default()], dg.Workload("x", 3))
    (found,) = SimulatedArchitectures(models="nobody", queries=8).evaluate([ours.space.default()], SPEC.workload("math"))
    assert found.status == "infeasible" and "nobody" in found.reasons[0]
    with pytest.raises(InputError, match="unknown benchmark"):
        ours.evaluate([ours.space.default()], dg.Workload("x", Questions("chess")))


def test_coverage_is_within_two_points_and_most_gains_within_three() -> None:
    found = {group: ArchonValidator().compare(Path(group), folders=[], oracle=None) for group in GROUPS}
    assert found["coverage"].equal_rows == found["coverage"].rows == 115
    assert found["compositions"].equal_rows >= 0.9 * found["compositions"].rows
    with pytest.raises(InputError, match="unknown group of published figures"):
        ArchonValidator().compare(Path("mine.csv"), folders=[], oracle=None)


def test_validate_prints_the_fit_per_task_and_model_without_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["validate", "designgym/Archon-v0", "--reference", "coverage", "--out", "rows.jsonl"])
    assert result.exit_code == 0, result.output
    assert "against coverage: 115 of 115 rows equal" in result.output and "gsm8k, llama-3-8b-instruct" in result.output
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert len(rows) == 115 and all(row["within"] for row in rows)
