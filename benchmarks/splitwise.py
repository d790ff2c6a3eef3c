"""The cluster simulation: speed, growth, splitwise-sim beside it, and what Splitwise's designs serve at given power and cost.

Run: python benchmarks/splitwise.py [--rows ROWS.csv] [--splitwise-sim CHECKOUT [--python PYTHON]] [--headline]

Times are CPU time of one core, of ours the best of three runs with all arrays made anew. `--rows` takes rows of splitwise-sim's outputs,
with its own time in the column wall_s, beside which its traces lie. `--splitwise-sim` takes a checkout of Mutinifni/splitwise-sim, and
`--python` a Python that has its packages: every row is then run by it here, too, and compared request by request. `--headline` takes
minutes.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from serving import cpu_seconds

from designgym.core.workload import Workload
from designgym.envs.splitwise_cluster import ClusterWorkloads
from designgym.simulators.cluster import SERVERS, ClusterConfig, Pool, Scaling, simulate
from designgym.simulators.cluster.config import Role
from designgym.simulators.cluster.designs import DESIGNS, splitwise_cluster
from designgym.simulators.cluster.machines import MACHINES
from designgym.simulators.cluster.simulator import SplitwiseCluster
from designgym.simulators.cluster.space import MOST_MACHINES, paper_design
from designgym.simulators.cluster.times import StepTimes
from designgym.simulators.serving.request_trace import RequestTrace
from designgym.simulators.serving.workloads.catalogue import azure_lengths
from designgym.simulators.serving.workloads.files import read_requests

SIZES = ((10, 10_000), (10, 100_000), (100, 10_000), (100, 100_000), (1000, 100_000), (1000, 1_000_000))
RATE_PER_MACHINE = 1.7
POWER_UNITS, COST_USD_PER_H = 40 * MACHINES["h100"].power_units, 40 * MACHINES["h100"].cost_usd_per_h
ENDLESS = float("inf")
# Most power and cost of phase-split designs, and of the baselines. The last row is at power and cost of 70 A100 machines, the baseline
# that Splitwise's claim of 2.35 times the throughput at the same power and cost refers to.
BUDGETS = {
    "equal power": ((POWER_UNITS, ENDLESS), (POWER_UNITS, ENDLESS)),
    "equal cost": ((ENDLESS, COST_USD_PER_H), (ENDLESS, COST_USD_PER_H)),
    "0.8 of the cost": ((ENDLESS, 0.8 * COST_USD_PER_H), (ENDLESS, COST_USD_PER_H)),
    "equal power and cost": 2 * ((70 * MACHINES["a100"].power_units, 70 * MACHINES["a100"].cost_usd_per_h),),
}

# Runs splitwise-sim in its own folder, without the launcher on other hosts, and prints the CPU time of its loop over events.
RUNNER = """
import runpy, sys, time
import simulator
loop = simulator.Simulator.run
def timed(self):
    started = time.process_time()
    loop(self)
    print("SIMULATED", time.process_time() - started, flush=True)
simulator.Simulator.run = timed
sys.argv[0] = "run.py"
runpy.run_path("run.py", run_name="__main__")
"""


def requests(n: int, rate: float) -> RequestTrace:
    """Return requests with lengths like Azure's conversations."""
    rng = np.random.default_rng(0)
    prompts, outputs = azure_lengths("conv").draw(n, rng)
    return RequestTrace.make(np.cumsum(rng.exponential(1 / rate, n)), prompts, outputs)


def growth() -> pd.DataFrame:
    """Return time and memory by machines and requests."""
    rows = []
    for machines, n in SIZES:
        prompt = round(0.6 * machines)
        kinds: tuple[tuple[str, int, Role], ...] = (("h100", prompt, "prompt"), ("a100", machines - prompt, "token"))
        trace = requests(n, RATE_PER_MACHINE * machines)
        clusters: tuple[tuple[str, ClusterConfig, str, StepTimes], ...] = (
            ("mixed pool", ClusterConfig(tuple(Pool(*kind) for kind in kinds)), "llama2-70b", "batched"),
            ("token JSQ", ClusterConfig((Pool("h100", machines),), "token_jsq"), "llama2-70b", "batched"),
            ("mixed pool, tables", ClusterConfig(tuple(Pool(*kind) for kind in kinds), machine_types=SERVERS), "Llama-2-70b", "tables"),
            ("mixed pool, scaled", ClusterConfig(tuple(Pool(*kind, None, Scaling(1, 0.5)) for kind in kinds)), "llama2-70b", "batched"),
        )
        for name, config, model, costs in clusters:
            seconds = cpu_seconds(lambda c=config, t=trace, m=model, k=costs: simulate(c, t, m, token_costs=k))  # type: ignore[misc]
            run = simulate(config, trace, model, token_costs=costs)
            mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            rows.append((machines, n, name, seconds, seconds / n * 1e6, run.counts["n_runs"], run.counts["n_batch_requests"], mib))
    columns = ["machines", "requests", "scheduler", "s", "us per request", "runs", "requests in them", "MiB of the process so far"]
    return pd.DataFrame(rows, columns=columns)


def cluster_of_row(row: Any) -> ClusterConfig:
    split = DESIGNS[row["design"]].token_machine is not None
    return splitwise_cluster(row["design"], int(row["num_prompt"]), int(row["num_token"]) if split else 0)


def by_row(path: Path, checkout: Path | None, python: str) -> pd.DataFrame:
    """Return our time for each row beside splitwise-sim's: as recorded, and as it is on this machine."""
    rows = []
    for row in pd.read_csv(path).to_dict("records"):
        config, trace = cluster_of_row(row), read_requests(path.parent / row["trace_file"])
        seconds = cpu_seconds(lambda c=config, t=trace, m=row["model"]: simulate(c, t, m, token_costs="paper"))  # type: ignore[misc]
        found = [row["config_id"], row["design"], len(trace), seconds * 1e3, row["wall_s"], row["wall_s"] / seconds]
        if checkout is not None:
            loop_s, worst_s = beside_splitwise_sim(row, trace, path.parent, checkout, python)
            found += [loop_s, loop_s / seconds, worst_s]
        rows.append(found)
        print(".", end="", file=sys.stderr, flush=True)
    columns = ["row", "design", "requests", "ours ms", "recorded s", "ratio", "here s", "ratio here", "largest difference s"]
    return pd.DataFrame(rows, columns=columns[: len(rows[0])])


def beside_splitwise_sim(row: Any, trace: RequestTrace, traces: Path, checkout: Path, python: str) -> tuple[float, float]:
    """Return the time of splitwise-sim's loop over events, and the largest difference to ours in TTFT or E2E of any request."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "splitwise-sim"
        shutil.copytree(checkout, folder, ignore=shutil.ignore_patterns(".git", "results", "notebooks", "__pycache__"))
        config = folder / "configs" / "config.yaml"
        kept = config.read_text().partition("\n  launcher:")[0].splitlines()
        config.write_text("\n".join(line for line in kept if "hydra/launcher" not in line) + "\n")
        table = pd.read_csv(traces / row["trace_file"]).assign(request_type=2, application_id=0, batch_size=1)
        table.to_csv(folder / "traces" / "here.csv", index=False)
        (folder / "timed.py").write_text(RUNNER)
        command = [python, "timed.py", *overrides(row), "trace.filename=here", f"output_dir={place}/out"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        theirs = pd.read_csv(Path(place) / "out" / "detailed" / "0.csv")
    loop_s = float(done.stdout.partition("SIMULATED ")[2].split()[0])
    run = simulate(cluster_of_row(row), trace, row["model"], token_costs="paper")
    which = theirs["request_ids"].astype(int).to_numpy()
    off = [np.abs(run.ttft_s[which] - theirs["ttft_times"]).max(), np.abs(run.e2e_s[which] - theirs["response_times"]).max()]
    assert len(which) == run.counts["n_completed"]
    return loop_s, float(max(off))


def overrides(row: Any) -> Iterator[str]:
    """Yield the settings of a row for splitwise-sim's command line."""
    prompt, token = int(row["num_prompt"]), int(row["num_token"])
    yield from ("performance_model=db", "seed=0", f"applications.0.model_architecture={row['model']}")
    yield f"applications.0.model_size={row['model']}-fp16"
    design, capped = DESIGNS[row["design"]], row["design"] == "Splitwise-HHcap"
    yield f"cluster={'hhcap_half_half' if capped else 'half_half'}"
    yield f"applications.0.scheduler={design.scheduler}"
    if design.token_machine is None:
        counts = (prompt, 0) if design.prompt_machine == "a100" else (0, prompt)
        yield "start_state=baseline"
    elif design.token_machine == design.prompt_machine:
        counts = (prompt + token, 0) if design.prompt_machine == "a100" else (0, prompt + token)
        yield from ("start_state=splitwise", f"start_state.prompt.num_instances={prompt}", f"start_state.token.num_instances={token}")
    else:
        counts = (token, prompt)
        yield from (f"start_state=splitwise{'_hhcap' if capped else ''}", "start_state.split_type=heterogeneous")
    yield from (f"cluster.servers.{i}.count={count}" for i, count in enumerate(counts))


def affordable(kind: str, power_units: float, cost_usd_per_h: float) -> int:
    """Return how many machines of a kind a budget pays for."""
    machine = MACHINES[kind]
    return int(min(power_units / machine.power_units, cost_usd_per_h / machine.cost_usd_per_h) + 1e-9)


def sizes(design: str, budget: tuple[float, float]) -> Iterator[tuple[int, int]]:
    """Yield sizes of a design that spend a budget of power and cost: of a baseline one, of the others each way to divide it."""
    kinds, (power, cost) = DESIGNS[design], budget
    most = affordable(kinds.prompt_machine, power, cost)
    if kinds.token_machine is None:
        yield most, 0
        return
    machine = MACHINES[kinds.prompt_machine]
    for prompt in range(1, most):
        token = affordable(kinds.token_machine, power - prompt * machine.power_units, cost - prompt * machine.cost_usd_per_h)
        if token:
            yield prompt, min(token, MOST_MACHINES)


def best_size(simulator: SplitwiseCluster, workload: Workload, design: str, budget: tuple[float, float]) -> tuple[float, tuple[int, int]]:
    """Return the highest rate of a design within a budget, and its size: a dozen ways to divide it, then those beside the best."""
    every = list(sizes(design, budget))
    step = max(len(every) // 12, 1)
    tried: dict[int, float] = {}
    while True:
        at = max(tried, key=lambda i: tried[i]) if tried else 0
        wanted = [at - step, at + step] if tried else [*range(step // 2, len(every), step)]
        fresh = [i for i in wanted if 0 <= i < len(every) and i not in tried]
        designs = [simulator.space.validate(simulator.space.default().to_dict() | paper_design(design, *every[i])) for i in fresh]
        results = simulator.evaluate(designs, workload)
        tried |= {i: result["rate_rps"] if result.ok else 0.0 for i, result in zip(fresh, results, strict=True)}
        if step == 1 and not fresh:
            return tried[at], every[at]
        step = max(step // 2, 1)


def headline(model: str = "bloom-176b") -> pd.DataFrame:
    """Return the highest rate within all nine limits of each design within `BUDGETS`, over how these are divided."""
    rows = []
    for costs in ("paper", "batched"):
        simulator = SplitwiseCluster(model=model, token_costs=costs, rate="highest")
        for kind in ("azure-conv", "azure-code"):
            workload: Workload = ClusterWorkloads().get(kind)
            for within, (of_split, of_baseline) in BUDGETS.items():
                rates = {
                    design: best_size(simulator, workload, design, of_baseline if chosen.token_machine is None else of_split)
                    for design, chosen in DESIGNS.items()
                }
                row: dict[str, Any] = {"token costs": costs, "requests": kind, "within": within}
                for design, (rate, size) in rates.items():
                    row[design] = f"{rate:.0f} ({'+'.join(map(str, filter(None, size)))})"
                split = max(rate for design, (rate, _) in rates.items() if DESIGNS[design].token_machine is not None)
                rows.append(row | {f"best split / {name}": f"{split / rates[name][0]:.2f}" for name in ("Baseline-A100", "Baseline-H100")})
                print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=Path)
    parser.add_argument("--splitwise-sim", type=Path)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--headline", action="store_true")
    options = parser.parse_args()
    print(growth().to_string(index=False, float_format=lambda x: f"{x:,.2f}"))
    if options.rows is not None:
        table = by_row(options.rows, options.splitwise_sim, options.python)
        print(table.to_string(index=False, float_format=lambda x: f"{x:,.2f}"))
        for name in ("ratio", "ratio here"):
            if name in table:
                print(f"{name}: median {table[name].median():,.0f}, least {table[name].min():,.0f}, most {table[name].max():,.0f}")
    if options.headline:
        print("requests/s within all limits, machines for prompts + for tokens")
        print(headline().to_string(index=False))


if __name__ == "__main__":
    main()
