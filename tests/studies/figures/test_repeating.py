"""The lines that repeat a study make the same study."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import designgym as dg
from designgym.studies.repeating import commands_of, versions

REFERENCE = {"total_time_ns": 2e5, "bandwidth_gbps": 1.0}
OBJECTIVES: dict[str, Any] = {
    "named": "low_energy",
    "minimised": dg.minimize("energy_pj * total_time_ns", subject_to={"power_mw": "<= 2500.5"}, name="edp_pj_ns"),
    "maximised": dg.maximize("bandwidth_gbps"),
    "target": dg.target({"power_mw": 1500.0, "total_time_ns": 90000.0}, bonus=0.2),
    "weighted": dg.weighted({"energy_pj": 1.0, "total_time_ns": 2.0}, scales={"energy_pj": 1e8, "total_time_ns": 1e5}),
    "pareto": dg.pareto("total_time_ns", "bandwidth_gbps", reference=REFERENCE, maximize=["bandwidth_gbps"]),
}


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_file_makes_an_equal_study(objective: str, tmp_path: Path) -> None:
    study = dg.Study(
        "a 'quoted' study", env="designgym/DramController-v0", workload="stream-like", objective=OBJECTIVES[objective],
        searchers=["random",
        dg.searchers.recipe("regularized_evolution", population=50)], budget=77, seeds=[3, 5], batch=4, functional="off",
        store=tmp_path / "x.db",
    )  # fmt: skip
    lines = commands_of(study.to_json())
    assert "--plugin" not in "\n".join(lines)
    source = "\n".join(lines[: lines.index("# then, in a shell")])
    made: dict[str, Any] = {}
    exec(source, made)  # the text is our own, from a definition made two lines above
    assert made["study"].to_json() == study.to_json()


def test_the_commands_repeat_a_study_of_the_users_own(tmp_path: Path) -> None:
    plugin = Path(__file__).parents[1] / "counting_env.py"
    study = dg.Study("own", "test/Counting-v0", objective="latency", searchers="random", budget=4)
    lines = commands_of(study.to_json())
    shell = lines.index("# then, in a shell")
    assert "test/Counting-v0 is not part of designgym" in "\n".join(lines[:shell])
    (tmp_path / "own.py").write_text("\n".join(lines[:shell]))
    for command in lines[shell + 1 :]:
        words = [str(plugin) if word == "FILE.py" else word for word in shlex.split(command)]
        words += ["--local"] if words[1] == "run" else []
        done = subprocess.run([sys.executable, "-m", *words], cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "own.html").is_file()


def test_versions_name_what_is_installed() -> None:
    found = versions()
    assert found["designgym"] == dg.__version__
    assert {"Python", "numpy", "plotly"} <= set(found)
