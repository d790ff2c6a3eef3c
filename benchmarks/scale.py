"""One sweep of very many designs: time, memory, size of the store, and how long its results take to open.

Run: python benchmarks/scale.py [--designs N] [--store FILE]

Random search and evolution, five seeds each, share ``--designs`` evaluations of `designgym/MaestroMapping-v0` on Ray. *One run* is one of
evolution in a process of its own: it holds what a worker of the sweep holds. *Simulator alone* is the CPU time that the model takes for
as many random designs, in batches as large as the study's. A store that is there already is gone on with.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import designgym as dg

BATCH, SEEDS = 256, 5
STUDY = """import designgym as dg

study = dg.Study("scale", env="designgym/MaestroMapping-v0", searchers={searchers}, seeds={seeds}, budget={budget}, batch={batch})
"""


def step(title: str, *command: str, whole: bool = True) -> None:
    """Run a Python command and print what it took; of one that hands its work to Ray, whose workers are not its own, the time alone."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} ended with status {os.waitstatus_to_exitcode(status)}")
    rest = f"{usage.ru_utime + usage.ru_stime:10.1f}{usage.ru_maxrss / 2**20:12.2f}" if whole else ""
    print(f"{title:<28}{time.perf_counter() - began:10.1f}{rest}", flush=True)


def simulator_alone(designs: int) -> float:
    """Return the CPU time in s that the model takes for so many designs, from a sample of them."""
    spec = dg.envs.environment("designgym/MaestroMapping-v0")
    simulator, workload = spec.installed_simulator(None), spec.workload(None)
    batches = [simulator.space.sample(np.random.default_rng(seed), BATCH) for seed in range(8)]
    simulator.evaluate(batches[0], workload)
    began = time.process_time()
    for batch in batches:
        simulator.evaluate(batch, workload)
    return (time.process_time() - began) / (BATCH * len(batches)) * designs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--designs", type=int, default=1_000_000, metavar="N", help="evaluations of the sweep (default 1,000,000)")
    parser.add_argument("--store", type=Path, metavar="FILE", help="where the study is kept; a temporary file unless given")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = str(options.store or Path(folder) / "scale.db")
        sweep, single, page = (Path(folder) / name for name in ("sweep.py", "single.py", "scale.html"))
        budget = options.designs // (2 * SEEDS)
        sweep.write_text(STUDY.format(searchers=["random", "evolution"], seeds=SEEDS, budget=budget, batch=BATCH))
        one = STUDY.format(searchers="'evolution'", seeds=1, budget=budget, batch=BATCH)
        single.write_text(f'{one}study.run(backend="local", store=":memory:", progress=False)\n')
        print(f"{'':<28}{'wall, s':>10}{'CPU, s':>10}{'memory, GiB':>12}")
        designgym = ("-m", "designgym")
        step("sweep", *designgym, "run", str(sweep), "--store", store, whole=False)
        step("one run", str(single))
        step("designgym studies", *designgym, "studies", "--store", store)
        step("designgym show", *designgym, "show", "scale", "--store", store)
        step("designgym report", *designgym, "report", "scale", "--store", store, "--html", str(page))
        step("run again: nothing to do", *designgym, "run", str(sweep), "--store", store)
        size = Path(store).stat().st_size
        print(f"store {size / 1e6:,.0f} MB, {size / options.designs:,.0f} bytes per evaluation; report {page.stat().st_size / 1e6:.1f} MB")
    print(f"simulator alone: {simulator_alone(options.designs):,.1f} s of CPU time")


if __name__ == "__main__":
    main()
