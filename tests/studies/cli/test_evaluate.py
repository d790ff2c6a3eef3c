import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

Run = Callable[..., Result]
Write = Callable[..., Path]

GOOD = {"ways": 4, "line_bytes": 64, "policy": "lru", "prefetcher": "stride", "degree": 2}
SHORT = {"ways": 4, "line_bytes": 64, "policy": "fifo", "prefetcher": "none"}  # degree is inactive


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("form", ["object", "indented object", "array", "indented array", "lines", "lines with blanks", "crlf", "bom"])
def test_the_forms_of_a_designs_file(run: Run, write: Write, form: str) -> None:
    several = [GOOD, SHORT]
    text = {
        "object": json.dumps(GOOD),
        "indented object": json.dumps(GOOD, indent=2),
        "array": json.dumps(several),
        "indented array": json.dumps(several, indent=1) + "\n",
        "lines": "\n".join(map(json.dumps, several)),
        "lines with blanks": "\n" + "\n\n".join(map(json.dumps, several)) + "\n \n",
        "crlf": "\r\n".join(map(json.dumps, several)) + "\r\n",
        "bom": "\ufeff" + json.dumps(several),
    }[form]
    result = run("evaluate", "toy/Cache-v0", "--designs", write(text), "--jsonl")
    assert result.exit_code == 0, result.stderr
    printed = lines(result.stdout)
    assert [line["design"] for line in printed] == ([GOOD] if "object" in form else [GOOD, SHORT | {"degree": 1}])
    assert printed[0] | {"cost_s": 0} == {
        "design": GOOD, "status": "ok", "metrics": {"latency_ns": 26.0, "area_mm2": 0.64, "hit_rate": 0.5},
        "obtained": "measured", "cost_s": 0,
    }  # fmt: skip
    assert all(line["cost_s"] > 0 for line in printed)


def test_standard_input_and_plugin_after_the_command(run: Run, plugin: Path) -> None:
    result = run("evaluate", "toy/Cache-v0", "--designs", "-", "--jsonl", "--plugin", plugin, plugin=False, stdin=json.dumps(GOOD))
    assert (result.exit_code, lines(result.stdout)[0]["metrics"]["latency_ns"]) == (0, 26.0)


def test_infeasible_is_a_result_and_failed_is_not(run: Run, write: Write) -> None:
    designs = [GOOD | {"ways": ways} for ways in (15, 13, 14, 4)]
    result = run("evaluate", "toy/Cache-v0", "--designs", write(designs), "--jsonl")
    assert result.exit_code == 1
    infeasible, failed, timeout, ok = lines(result.stdout)
    assert (infeasible["status"], infeasible["reasons"], infeasible["metrics"]) == ("infeasible", ["fifteen ways have no LRU tree"], {})
    assert failed["status"] == "failed" and "thirteen ways crash" in failed["error"]
    assert timeout["status"] == "timeout" and "1 s" in timeout["error"]
    assert ok["status"] == "ok" and "error" not in ok and "reasons" not in ok
    assert run("evaluate", "toy/Cache-v0", "--designs", write(designs[:1]), "--jsonl").exit_code == 0


def test_equivalent_designs_are_measured_once_unless_told_otherwise(run: Run, write: Write) -> None:
    path = write([GOOD, GOOD, GOOD | {"degree": 4}])  # gcc has no strides: any degree is the same
    arguments = ["evaluate", "toy/Cache-v0", "--designs", path, "--jsonl"]
    assert [line["obtained"] for line in lines(run(*arguments).stdout)] == ["measured", "exact hit", "exact hit"]
    assert [line["obtained"] for line in lines(run(*arguments, "--workload", "mcf").stdout)] == ["measured", "exact hit", "measured"]
    assert [line["obtained"] for line in lines(run(*arguments, "--no-cache").stdout)] == ["measured"] * 3


def test_more_designs_than_a_batch_in_order(run: Run, write: Write) -> None:
    designs = [GOOD | {"ways": 1 + i % 8, "degree": 1 + i % 4} for i in range(700)]
    printed = lines(run("evaluate", "toy/Cache-v0", "--designs", write(designs), "--jsonl", "--workload", "mcf").stdout)
    assert [line["design"] for line in printed] == designs


def test_options_seed_and_fidelity_reach_the_simulator(run: Run, write: Write) -> None:
    fast = run("evaluate", "toy/Cache-v0", "--designs", write([GOOD]), "--jsonl", "--option", "speed=2")
    assert lines(fast.stdout)[0]["metrics"]["latency_ns"] == 13.5
    analog = [{"gain": 0.5, "stages": [{"width": 1, "kind": "nmos"}], "order": ["b", "a", "c"]}]
    result = run("evaluate", "toy/Analog-v0", "--designs", write(analog), "--jsonl", "--seed", "7", "--fidelity", "0.5")
    assert lines(result.stdout)[0] | {"cost_s": 0} == {
        "design": analog[0], "status": "ok", "metrics": {"power_mw": 1.257}, "obtained": "measured", "cost_s": 0,
    }  # fmt: skip


def test_the_table_of_few_designs_has_everything_with_units(run: Run, write: Write) -> None:
    result = run("evaluate", "toy/Cache-v0", "--designs", write([GOOD, GOOD | {"ways": 15}]))
    assert result.exit_code == 0
    rows = {line.split("  ")[0]: line.split() for line in result.stdout.splitlines()[2:]}
    assert rows["latency_ns"] == ["latency_ns", "ns", "26", "-"]
    assert rows["line_bytes"] == ["line_bytes", "B", "64", "64"]
    assert rows["status"] == ["status", "ok", "infeasible"]
    assert "fifteen ways have no LRU tree" in result.stdout


def test_the_table_of_many_designs_has_a_row_each_and_says_why(run: Run, write: Write) -> None:
    result = run("evaluate", "toy/Cache-v0", "--designs", write([GOOD | {"ways": ways} for ways in (1, 2, 13, 15)]))
    assert result.exit_code == 1
    text = result.stdout
    assert "latency_ns [ns]" in text and "area_mm2 [mm^2]" in text
    assert "design 3: failed: RuntimeError: thirteen ways crash" in text and "design 4: infeasible: fifteen ways" in text


def test_all_problems_of_all_designs_are_listed_and_nothing_is_evaluated(run: Run, write: Write) -> None:
    designs = [GOOD, {"ways": 99, "line_bytes": 65, "polcy": "lru", "prefetcher": "none"}, 5, SHORT | {"policy": "plru"}]
    result = run("evaluate", "toy/Cache-v0", "--designs", write(designs), "--jsonl")
    assert (result.exit_code, result.stdout) == (2, "")
    for part in ("3 of 4 designs", "nothing was evaluated", "line 2: ", "did you mean 'policy'?", "ways: got 99", "line_bytes: got 65",
                 "line 3: got 5", "line 4: policy: got 'plru'"):  # fmt: skip
        assert part in result.stderr, part


def test_an_invalid_element_of_an_array_is_named_and_very_many_are_summed_up(run: Run, write: Write) -> None:
    result = run("evaluate", "toy/Cache-v0", "--designs", write(json.dumps([GOOD, {"ways": 1}])))
    assert result.exit_code == 2 and "element 2: line_bytes: missing" in result.stderr
    result = run("evaluate", "toy/Cache-v0", "--designs", write([{"ways": 0}] * 60))
    assert "line 50: " in result.stderr and "and 10 more: line 51, line 52" in result.stderr


def test_an_environment_that_is_not_installed_says_how_to_get_it(run: Run, write: Write) -> None:
    result = run("evaluate", "toy/Missing-v0", "--designs", write([GOOD]))
    assert result.exit_code == 1 and "https://example.org/toy-tool" in result.stderr
