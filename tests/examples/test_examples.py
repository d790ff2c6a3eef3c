"""Every example runs, shortened, from a folder that is not the repository, and prints what it promises."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
RUNS: dict[str, tuple[list[str], list[str]]] = {
    "own_simulator.py": (["30"], ["latency_ns = ", " ns", " mm^2", "score", "best_score"]),
    "external_program.py": (["8"], ["exited with code 1; stderr: ERROR 17", "longer than 2 s", "runtime_ns = ", " ns"]),
    "dram_study.py": (["24", "1"], ["energy_delay", "total_time_ns = ", "pJ", "report: "]),
    "accelerator_codesign.py": (["6", "1", "alexnet/conv3"], ["like Eyeriss: ", "found: ", "energy-delay product: ", "figure: "]),
    "llama_edge.py": (["3", "1"], ["for the request: ", " tokens/s, ", "figure: "]),
    "tune_vllm.py": (
        ["--simulate", "20", "--requests", "40"],
        ["simulated 2", "nothing was measured: ", "ttft_p90_s", "\nvllm serve meta-llama/Meta-Llama-3.1-8B --max-num-seqs "],
    ),
    "retuning.py": (["5"], ["l40s to h100_sxm", "mean over models, two knobs (model results):", "figure: retuning.html"]),
    "serving_figures.py": (["10"], [" per user with ", " steps of azure-conv", "figure: serving.html"]),
    "serving_cluster.py": (
        ["30", "1", "day-conv:rate=8,hours=0.5"],
        ["found: ", "always on: ", "cost_usd", "worst_part_slowdown", "figure: serving-cluster.html"],
    ),
    "archon_search.py": (["40"], ["code-contests, by the model: ", "\ntaken: ", "layer 0: generator, ", "figure: archon-search.html"]),
    "soc_budgets.py": (
        ["150", "1"],
        [
            "audio_decoder within 21 ms, 8.737 mW, 17.475 mm^2",
            "budgets met after ",
            "not within 150 by 1 of 1 seeds",
            "duplicates skipped",
            "figure: ",
        ],
    ),
    "tuner_decorator.py": ([], ["measured=36", "duplicates=28"]),
    "tuner_optuna.py": ([], ["Counts(asked=100, measured=", "'first': 3, 'second': 7"]),
    "tuner_nevergrad.py": ([], ["(7, 3)", "measured=40"]),
    "tuner_ray_tune.py": ([], ["12 trials: Counts(asked=", "measured=12"]),
    "rl_agent.py": (["200"], ["designs tried", "the agent's design", "total_time_ns = ", " ns"]),
}
NOT_RUN = {"dram_sweep.py", "accelerator_figures.py"}  # a Ray sweep of minutes, which `make demo` runs; and what two examples draw with


def run(example: str, arguments: list[str], folder: Path) -> str:
    environment = os.environ | {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "DESIGNGYM_STORE": str(folder / "store.db")}
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / example), *arguments], cwd=folder, capture_output=True, text=True, timeout=240, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("example", RUNS)
def test_example(example: str, tmp_path: Path) -> None:
    if example == "rl_agent.py" and importlib.util.find_spec("sb3_contrib") is None:
        pytest.skip("sb3-contrib is not installed: pip install designgym[rl]")
    arguments, expected = RUNS[example]
    printed = run(example, arguments, tmp_path)
    for text in expected:
        assert text in printed, printed
    if example == "dram_study.py":
        assert "<html" in (tmp_path / "cloud-controller.html").read_text()[:2000].lower()


def test_every_example_is_run() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == RUNS.keys() | NOT_RUN


def test_an_own_environment_takes_well_under_sixty_lines() -> None:
    lines = (EXAMPLES / "own_simulator.py").read_text().split("if __name__")[0].splitlines()
    assert sum(1 for line in lines if line.strip()) < 45
    assert len((EXAMPLES / "own_simulator.py").read_text().splitlines()) < 60


def test_the_sweep_is_defined_without_being_run() -> None:
    spec = importlib.util.spec_from_file_location("dram_sweep_example", EXAMPLES / "dram_sweep.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.study.name == "dram-sweep"
