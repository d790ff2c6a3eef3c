"""Speed of the serving simulation: runs of 300 and 10,000 requests, and against Vidur and the real vLLM scheduler.

Run: python benchmarks/serving.py [--vidur ROWS.csv] [--vllm-python PYTHON]

Times are CPU time of one core, the best of three runs. `--vidur` takes rows of Vidur's outputs with its own time in the column
wall_sim_s, beside which its operator times and traces lie. `--vllm-python` is the Python of an environment with vLLM 0.32: the same random
schedules then run in vLLM's scheduler and in ours, in this very run (see `vllm_schedules.py`).
"""

import argparse
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from designgym.simulators.serving import ClassicConfig, LinearStepCosts, RequestTrace, VllmConfig, simulate
from designgym.simulators.serving.config import SchedulerConfig
from designgym.simulators.serving.schedule_trace import read_cases
from designgym.simulators.serving.simulate import simulate_steps

REPEATS = 3
COSTS = LinearStepCosts(step_s=0.008, token_s=3e-5, request_s=1e-5, context_s=2e-8)
ENGINES: dict[str, SchedulerConfig] = {
    "vllm v1": VllmConfig(num_gpu_blocks=30_000, max_model_len=8192),
    "vllm v1, little memory": VllmConfig(num_gpu_blocks=2_000, max_model_len=8192),
    "vllm v1, speculation": VllmConfig(
        num_gpu_blocks=30_000, max_model_len=8192, num_speculative_tokens=3, speculative_method="eagle", acceptance_rate=0.7
    ),
    "sarathi": ClassicConfig("sarathi", num_blocks=30_000, max_num_batched_tokens=1024, max_model_len=8192),
}


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU time of the fastest of a few runs, after one that may compile."""
    work()
    seconds = []
    for _ in range(REPEATS):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def requests(n: int, rate: float) -> RequestTrace:
    """Return Poisson arrivals with log-normal lengths, of about 1,000 prompt and 200 output tokens on average."""
    rng = np.random.default_rng(1)
    prompts = np.clip(rng.lognormal(6.4, 1.0, n), 1, 4000).astype(int)
    outputs = np.clip(rng.lognormal(5.0, 0.8, n), 1, 1000).astype(int)
    return RequestTrace.make(np.cumsum(rng.exponential(1 / rate, n)), prompts, outputs)


def own_speed() -> pd.DataFrame:
    """Return the time of a run per engine and load."""
    rows = []
    for n in (300, 10_000):
        for rate in (2.0, 8.0, 30.0):
            trace = requests(n, rate)
            for name, config in ENGINES.items():
                seconds = cpu_seconds(lambda config=config, trace=trace: simulate(config, trace, COSTS))  # type: ignore[misc]
                totals = simulate(config, trace, COSTS).totals
                work = totals["batch_requests"]
                rows.append((n, rate, name, seconds * 1e3, totals["n_steps"], totals["preemptions"], seconds / work * 1e9))
    return pd.DataFrame(rows, columns=["requests", "per s", "engine", "ms", "steps", "preemptions", "ns per request and step"])


def against_vidur(path: Path) -> str:
    """Return our time per row beside the time that Vidur recorded, without the fitting of its predictors."""
    from designgym.simulators.serving.vidur_reference import MODELS, load_costs, load_trace, make_config

    table = pd.read_csv(path)
    ours = []
    for row in table.to_dict("records"):
        budget = row["max_tokens_in_batch"] if row["scheduler"] == "vllm" else row["chunk_size"]
        config = make_config(
            row["model"], row["scheduler"], tensor_parallel=row["tp"], batch_cap=row["batch_cap"],
            tokens=None if np.isnan(budget) else int(budget), mem_margin=row["mem_margin"],
        )  # fmt: skip
        attention = "aic" if row["attn_table"] == "aic_vllm_interp" else "vidur2024"
        key = f"{row['device']}_{row['model']}_tp{row['tp']}_{attention}"
        costs = load_costs(path.parent, key, layers=MODELS[row["model"]].layers, tensor_parallel=row["tp"])
        trace = load_trace(path.parent / row["trace_file"], row["qps"])
        ours.append(cpu_seconds(lambda c=config, t=trace, k=costs: simulate(c, t, k)))  # type: ignore[misc]
    ratio = table["wall_sim_s"] / np.array(ours)
    return (
        f"{len(table)} rows of Vidur: ours {np.median(ours) * 1e3:.1f} ms median, {max(ours) * 1e3:.1f} ms longest; "
        f"Vidur's recorded time / ours: median {ratio.median():,.0f}, least {ratio.min():,.0f}"
    )


def against_vllm(python: str) -> str:
    """Return scheduling calls per second of vLLM's scheduler, and of our simulation of the same schedules."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "schedules.jsonl"
        script = Path(__file__).with_name("vllm_schedules.py")
        done = subprocess.run([python, str(script), "--cases", "60", "--out", str(out)], check=True, capture_output=True, text=True)
        cases = list(read_cases(out))
    calls = sum(len(case.steps) for case in cases)
    seconds = cpu_seconds(lambda: [simulate_steps(case.config, case.trace) for case in cases])
    theirs = float(done.stdout.rpartition(": ")[2])
    ours = calls / seconds
    figures = f"vLLM {theirs:,.0f}, ours {ours:,.0f}, ratio {ours / theirs:,.0f}"
    return f"scheduling calls per second (ours with all arrays made and the timeline kept): {figures}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--vidur", type=Path)
    parser.add_argument("--vllm-python")
    options = parser.parse_args()
    print(own_speed().to_string(index=False, float_format=lambda x: f"{x:,.1f}"))
    if options.vidur is not None:
        print(against_vidur(options.vidur))
    if options.vllm_python is not None:
        print(against_vllm(options.vllm_python))


if __name__ == "__main__":
    main()
