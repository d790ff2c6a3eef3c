"""How good the mapper's mappings are after how many evaluations; `benchmarks/mapping_models.py` has the speed of the model.

Run: python benchmarks/loopnest.py [--known N] [--random N]

The mapper's energy-delay products are divided by the best that is known: of `--known` evaluations under each of three seeds, of
everything that is measured here, and of `--random` random mappings that fit.
"""

from __future__ import annotations

import argparse

import numpy as np

from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.loopnest.architecture import Architecture
from designgym.simulators.accelerator.loopnest.batch import HardwareBatch
from designgym.simulators.accelerator.loopnest.costs import evaluate
from designgym.simulators.accelerator.loopnest.eyeriss import DATAFLOW, Buffer, eyeriss_like
from designgym.simulators.accelerator.loopnest.mapper import Mapper
from designgym.simulators.accelerator.loopnest.mapspace import MapSpace
from designgym.simulators.accelerator.networks import layer

BUDGETS = (500, 1000, 2000, 4000)
LAYERS = (
    ("resnet18", "conv2_1"), ("resnet18", "conv3_1"), ("alexnet", "conv3"), ("vgg16", "conv3_2"), ("mobilenetv2", "block2_depthwise"),
    ("mobilenetv2", "block2_expand"), ("resnet18", "fc"),
)  # fmt: skip


def eyeriss(pes: int, mesh_x: int, psum: int, weights: int, ifmap: int, glb: int) -> Architecture:
    spads = {name: Buffer(depth, 1, 2, 2) for name, depth in (("psum", psum), ("weights", weights), ("ifmap", ifmap))}
    return eyeriss_like(pes=pes, mesh_x=mesh_x, glb=Buffer(glb, 4, 16, 16), **spads)


CHIPS = {"168 elements": eyeriss(168, 14, 16, 192, 12, 16384), "56 elements": eyeriss(56, 7, 64, 64, 64, 4096)}


def quality(known: int, random: int) -> None:
    print(f"\n{'layer':<32} {'chip':<14}" + "".join(f"{budget:>8}" for budget in BUDGETS) + f"{'random':>8}")
    every = []
    for network, name in LAYERS:
        for chip_name, chip in CHIPS.items():
            found = row(layer(network, name), chip, known, random)
            every.append(found)
            print(f"{network + '/' + name:<32} {chip_name:<14}" + "".join(f"{value:8.3f}" for value in found))
    print(f"{'geometric mean':<47}" + "".join(f"{value:8.3f}" for value in np.exp(np.log(every).mean(axis=0))))
    print(f"{'largest':<47}" + "".join(f"{value:8.3f}" for value in np.max(every, axis=0)))


def row(of: Layer, chip: Architecture, known: int, random: int) -> list[float]:
    """Return the energy-delay products after each budget (geometric mean of three seeds) and of random mappings, relative to the best."""
    runs = [dict(Mapper(evaluations=max(BUDGETS), seed=seed, keep=DATAFLOW).map(of, chip).history) for seed in range(3)]
    after = [[min(edp for n, edp in run.items() if n <= budget + 64) for run in runs] for budget in BUDGETS]
    space, rng = MapSpace(of, chip, DATAFLOW), np.random.default_rng(0)
    drawn = np.inf
    for _ in range(0, random, 10_000):
        costs = evaluate(space.batch(space.sample(rng, 10_000)), HardwareBatch.of(chip))
        drawn = min(drawn, float((costs.energy_pj * costs.cycles).min()))
    long = [Mapper(evaluations=known, seed=seed, keep=DATAFLOW).map(of, chip).history[-1][1] for seed in range(10, 13)]
    best = min(*long, drawn, *(min(run.values()) for run in runs))
    return [float(np.exp(np.log(values).mean())) / best for values in (*after, [drawn])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--known", type=int, default=30_000, metavar="N", help="evaluations of the searches for the best known")
    parser.add_argument("--random", type=int, default=100_000, metavar="N", help="random mappings")
    options = parser.parse_args()
    quality(options.known, options.random)


if __name__ == "__main__":
    main()
