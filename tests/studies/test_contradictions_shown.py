"""A study that searches against a declared direction says so on the terminal and in its report."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import designgym as dg
from designgym.studies.cli.describe_command import describe
from designgym.studies.cli.study_tables import print_summary
from designgym.studies.store import open_store


@dg.simulator(space=dg.DesignSpace(a=dg.Integer(0, 9)), metrics=[dg.metric("accuracy", goal="max")], version="1")
def graded(design: Mapping[str, Any], workload: Any, *, seed: int) -> dict[str, float]:
    """An accuracy."""
    return {"accuracy": design["a"] / 9}


def test_it_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    env = dg.register("test/Graded-v0", graded, workloads={"w": 1}, objective=dg.minimize("accuracy"))
    said = "accuracy is minimised, although its metric is declared with goal='max'"
    describe(env.id)
    assert f"attention: default: {said}" in capsys.readouterr().out
    with open_store(tmp_path / "s.db") as store:
        result = dg.Study("s", env, budget=5).run(backend="local", store=store, progress=False)
    print_summary(result)
    assert said in capsys.readouterr().out
    assert "Attention: accuracy is minimised" in result.report(tmp_path / "r.html").read_text()
