import json
from collections.abc import Callable

import pytest
from typer.testing import Result

Run = Callable[..., Result]


def test_what_is_declared_is_marked_and_what_is_new_is_suggested(run: Run) -> None:
    result = run("equivalences", "toy/Cache-v0", "--workload", "mcf", "--samples", "400", "--budget", "20000")
    assert result.exit_code == 0, result.stderr
    text = result.stdout
    assert "toy/Cache-v0 on mcf" in text and "wrong on at most (95 %)" in text and "one in twenty is exceeded" in text
    lines = {line.split("  ")[0]: line for line in text.splitlines()}
    assert "declared already" in lines["policy makes no difference where ways == 1"]
    assert "new" in lines["prefetcher makes no difference"] and "new" in lines["degree makes no difference"]
    assert "  Rewrite('prefetcher', to=\"'none'\")" in text and "Rewrite('policy'" not in text
    assert "pairs of designs: none contradicted them" in text
    start, end = text.index("from designgym import"), text.index("# DesignSpace(..., ")
    pasted: dict[str, object] = {}
    exec(text[start:end], pasted)
    assert pasted["symmetries"]
    assert "evaluations failed" in text, "thirteen ways crash"


def test_as_json_and_with_what_is_declared(run: Run) -> None:
    arguments = ["equivalences", "toy/Cache-v0", "--samples", "60", "--budget", "6000", "--seed", "1"]
    data = json.loads(run(*arguments, "--json").stdout)
    assert (data["env"], data["workload"], data["traits"]) == ("toy/Cache-v0", "gcc", ["no_strides"])
    assert "Rewrite('prefetcher', to=\"'none'\", when=\"'no_strides' in traits\")" in data["suggestions"]
    degree = next(one for one in data["findings"] if one["words"] == "degree makes no difference")
    assert degree["declared"] and degree["designs"] >= 50 and 0 < degree["upper_95"] < 0.06
    assert data["evaluations"] <= 6000 and data["contradictions"] == []
    assert json.loads(run(*arguments, "--json").stdout) == data
    text = run(*arguments, "--include-declared").stdout
    assert "Rewrite('degree', to=\"1\", when=\"'no_strides' in traits\")" in text and "on workloads that are no_strides" in text


def test_a_wrong_rule_ends_with_exit_code_1(run: Run, tmp_path: object) -> None:
    from pathlib import Path

    plugin = Path(str(tmp_path)) / "wrong.py"
    plugin.write_text(
        """
import designgym as dg

SPACE = dg.DesignSpace(a=dg.Integer(1, 4), b=dg.Integer(1, 4), symmetries=[dg.Interchangeable("a", "b")])

@dg.simulator(space=SPACE, metrics=["cost"], version="1")
def wrong(design, workload, *, seed):
    return {"cost": design["a"] + 2 * design["b"]}

dg.register("wrong/Wrong-v0", wrong, workloads={"none": None}, objective=dg.minimize("cost"))
"""
    )
    result = run("equivalences", "wrong/Wrong-v0", "--plugin", plugin)
    assert result.exit_code == 1 and "nothing was found that makes no difference\n" in result.stdout
    assert "declared equivalent, but not equal: {" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["toy/Nothing-v0"], "unknown environment"),
        (["toy/Cache-v0", "--workload", "x"], "unknown workload"),
        (["toy/Cache-v0", "--budget", "50"], "a budget of 50 evaluations is too small"),
        (["toy/Cache-v0", "--budget", "0"], "got '0'"),
        (["toy/Cache-v0", "--samples", "no"], "got 'no'"),
        (["toy/Cache-v0", "--fidelity", "0"], "fidelity must be in (0, 1], got 0.0"),
        (["toy/Cache-v0", "--tolerance", "-1"], "got '-1'"),
    ],
)
def test_bad_input(run: Run, arguments: list[str], words: str) -> None:
    result = run("equivalences", *arguments)
    assert result.exit_code == 2 and words in result.stderr, result.stderr


def test_a_missing_simulator_is_exit_code_1(run: Run) -> None:
    result = run("equivalences", "toy/Missing-v0")
    assert result.exit_code == 1 and "https://example.org/toy-tool" in result.stderr
