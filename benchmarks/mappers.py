"""Our mapper and timeloop-mapper on the same layers and chips, at equal evaluations and at equal time.

Run: DESIGNGYM_TIMELOOP=.../timeloop-model python benchmarks/mappers.py [--evaluations N] [--seeds N]

timeloop-mapper must lie beside timeloop-model. Both have the same mappings to choose from (perfect factors; each level keeps what Eyeriss
keeps there), the same rules and energies, one core each, and look for the least energy-delay product; timeloop-mapper's products are its
own. An evaluation is a mapping that fits: timeloop-mapper's others are not counted. As it comes, it gives up after 1,000 mappings in a row
that do not fit, or after 500 without an improvement.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import numpy as np
import yaml
from loopnest import CHIPS, LAYERS

from designgym.core.errors import InputError
from designgym.core.external import ProgramError, run_program
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.loopnest.architecture import Architecture
from designgym.simulators.accelerator.loopnest.architecture_text import architecture_text
from designgym.simulators.accelerator.loopnest.eyeriss import DATAFLOW
from designgym.simulators.accelerator.loopnest.mapper import Mapper
from designgym.simulators.accelerator.loopnest.problem import TENSORS
from designgym.simulators.accelerator.loopnest.timeloop_binary import TimeloopModel, parsed_statistics, problem_text
from designgym.simulators.accelerator.networks import layer

STATS = "timeloop-mapper.stats.txt"
LIMIT_S = 3600.0


def constraints(chip: Architecture) -> str:
    """Return what each level keeps, as timeloop-mapper reads it."""
    entries = [
        {"target": name, "type": "bypass", "keep": sorted(kept), "bypass": sorted(set(TENSORS) - kept)}
        for name, kept in zip(chip.names, DATAFLOW, strict=True)
    ]
    text: str = yaml.safe_dump({"mapspace_constraints": entries})
    return text


def timeloop_mapper(program: Path, of: Layer, chip: Architecture, settings: dict[str, object]) -> tuple[float, float]:
    """Return the energy-delay product that timeloop-mapper finds on one core, in pJ cycles, not a number if none, and the seconds."""
    mapper = {"num-threads": 1, "optimization-metrics": ["edp"], "live-status": False, "timeout": 1_000_000_000, **settings}
    files = {
        "architecture.yaml": architecture_text(chip), "problem.yaml": problem_text(of), "constraints.yaml": constraints(chip),
        "mapper.yaml": yaml.safe_dump({"mapper": mapper}),
    }  # fmt: skip
    libraries = {"LD_LIBRARY_PATH": str(program.parent)}
    started = time.perf_counter()
    try:
        run = run_program([program, *files], timeout_s=LIMIT_S, files=files, collect=[STATS], environment=libraries)
    except ProgramError as error:
        if "STATEMENT" not in str(error):
            raise
        return math.nan, time.perf_counter() - started  # it has found none, and writes no figures then
    cycles, energy_pj = parsed_statistics(run.files[STATS])
    return energy_pj * cycles, run.wall_s


def ours(of: Layer, chip: Architecture, evaluations: int, seeds: int) -> tuple[float, float]:
    """Return the geometric mean over seeds of the energy-delay products that our mapper finds, in pJ cycles, and its mean seconds."""
    products, started = [], time.perf_counter()
    for seed in range(seeds):
        found = Mapper("edp", evaluations=evaluations, seed=seed, keep=DATAFLOW).map(of, chip)
        products.append(found.energy_pj * found.cycles)
    return float(np.exp(np.log(products).mean())), (time.perf_counter() - started) / seeds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--evaluations", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=3, help="seeds of our mapper; timeloop-mapper has none")
    parser.add_argument("--hybrid", action="store_true", help="also by its default algorithm, which finds less and takes up to 5 minutes")
    arguments = parser.parse_args()
    model = TimeloopModel()
    found, where = model.installed()
    program = Path(where).with_name("timeloop-mapper")
    if not found or not program.is_file():
        raise InputError(f"timeloop-mapper is expected beside timeloop-model: {program if found else where}")

    few: dict[str, object] = {"search-size": arguments.evaluations, "victory-condition": 0}
    runs: dict[str, dict[str, object]] = {
        "random-pruned": {"algorithm": "random-pruned", **few},
        "as it comes": {"timeout": 1000},
    }
    if arguments.hybrid:
        runs["hybrid"] = {"algorithm": "hybrid", **few}
    print(f"\n{'energy-delay product, ours = 1':<47}{'s, ours':>9}" + "".join(f"{name:>15}{'s':>7}" for name in runs))
    ratios, seconds = [], []
    ours(layer(*LAYERS[0]), next(iter(CHIPS.values())), 100, 1)  # so that no import is timed
    for network, name in LAYERS:
        for chip_name, chip in CHIPS.items():
            of = layer(network, name)
            best, own_s = ours(of, chip, arguments.evaluations, arguments.seeds)
            theirs = [timeloop_mapper(program, of, chip, settings) for settings in runs.values()]
            ratios.append([product / best for product, _ in theirs])
            seconds.append([own_s, *(wall_s for _, wall_s in theirs)])
            columns = "".join(f"{product / best:>15.2f}{wall_s:>7.1f}" for product, wall_s in theirs)
            print(f"{network + '/' + name:<33}{chip_name:<14}{own_s:>9.2f}{columns}", flush=True)
    means, times = np.exp(np.nanmean(np.log(ratios), axis=0)), np.mean(seconds, axis=0)
    print(
        f"{'geometric mean, mean seconds':<47}{times[0]:>9.2f}"
        + "".join(f"{m:>15.2f}{t:>7.1f}" for m, t in zip(means, times[1:], strict=True))
    )


if __name__ == "__main__":
    main()
