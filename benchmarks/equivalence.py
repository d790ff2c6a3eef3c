"""What equivalence hashing does for DRAM controllers: random designs per trace, each key's recognition, false merges and time.

The second table runs the same designs as a search would, in batches, through an evaluator without a cache, with the cache, and with
functional fingerprints in "auto" as well.

Run: python benchmarks/equivalence.py [--designs N] [--seed S] [--workload NAME ...] [--keys-only]
ArchGym's traces are used where DESIGNGYM_DATA has them, generated ones otherwise.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd

from designgym.core.evaluator import Evaluator
from designgym.core.protocols import Simulator
from designgym.core.workload import Workload
from designgym.envs import environment
from designgym.hashing import AuditedFingerprints, LocalCache, equivalence_report

ENVIRONMENT = "designgym/DramController-v0"
PREFERRED = ("stream", "random", "cloud-1", "cloud-2")
GENERATED = ("stream-like", "random-like", "cloud-like", "mixed", "bursts", "pointer-chase", "strided")
BATCH = 20


def search_row(simulator: Simulator, workload: Workload, designs: int, seed: int) -> dict[str, object]:
    """Return wall seconds of one and the same random search with and without cache and fingerprints, run in turn."""
    drawn = simulator.space.sample(np.random.default_rng(seed), designs)
    batches = [drawn[i : i + BATCH] for i in range(0, designs, BATCH)]
    policy = AuditedFingerprints("auto")
    evaluators = {
        "no cache": Evaluator(simulator, workload),
        "cache": Evaluator(simulator, workload, cache=LocalCache()),
        "cache, functional auto": Evaluator(simulator, workload, cache=LocalCache(), fingerprints=policy),
    }
    seconds = dict.fromkeys(evaluators, 0.0)
    for batch in batches:  # in turn, so that a busy moment of the machine hits all three alike
        for name, evaluator in evaluators.items():
            started = time.perf_counter()
            evaluator.evaluate(batch)
            seconds[name] += time.perf_counter() - started
    row: dict[str, object] = {"workload": workload.name, **{f"{name} (s)": value for name, value in seconds.items()}}
    counts = evaluators["cache, functional auto"].counts
    return row | {
        "measured": counts.measured, "exact": counts.exact_hits, "functional": counts.functional_hits,
        "probes": int(policy.statistics()["probes"]), "stopped because": policy.reason,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--designs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workload", action="append", help="name; repeat for several")
    parser.add_argument("--keys-only", action="store_true", help="leave out the searches")
    options = parser.parse_args()
    spec = environment(ENVIRONMENT)
    names = options.workload or [name for name in PREFERRED if name in spec.workloads.names()] or list(GENERATED)
    simulator = spec.simulator()
    keys, searches = [], []
    for name in names:
        workload = spec.workload(name)
        keys.append(equivalence_report(simulator, workload, n=options.designs, seed=options.seed).to_pandas())
        if not options.keys_only:
            searches.append(search_row(simulator, workload, options.designs, options.seed))
    frame = pd.concat(keys)
    frame["recognised"], frame["missed"] = 100 * frame["recognised"], 100 * frame["missed"]
    frame = frame.rename(columns={"recognised": "recognised (%)", "missed": "missed (%)"})
    frame = frame.rename(columns={name: f"{name.removesuffix('_s')} (s)" for name in frame.columns if name.endswith("_s")})
    print(frame.to_string(index=False, float_format=lambda x: f"{x:.4g}"))
    if searches:
        print(f"\nrandom search, {options.designs} designs in batches of {BATCH}:")
        print(pd.DataFrame(searches).to_string(index=False, float_format=lambda x: f"{x:.3f}"))


if __name__ == "__main__":
    main()
