"""Speed of the data-centric and the loop-nest model: numpy and torch on one core, and a GPU where there is one.

Run: python benchmarks/mapping_models.py [--batch N] [--large N ...]

Mappings of ResNet-18's conv2_1: random designs of `designgym/MaestroMapping-v0` in both accountings, and random mappings that fit an
Eyeriss of 168 elements.
Rates are mappings per second, the best of three runs: of CPU time of one core in batches of ``--batch``, of wall time on a GPU, for that
batch and for those of ``--large``, which repeat it. *Difference*: the largest relative one between a GPU's results and numpy's.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from designgym.simulators.accelerator.arrays import to_numpy
from designgym.simulators.accelerator.datacentric.batch import Batch as Dataflows
from designgym.simulators.accelerator.datacentric.design_batch import layer_batches
from designgym.simulators.accelerator.datacentric.exact import count as count_dataflows
from designgym.simulators.accelerator.datacentric.model import evaluate as evaluate_dataflows
from designgym.simulators.accelerator.datacentric.space import mapping_space
from designgym.simulators.accelerator.loopnest.batch import HardwareBatch, MappingBatch
from designgym.simulators.accelerator.loopnest.costs import evaluate as evaluate_loops
from designgym.simulators.accelerator.loopnest.eyeriss import DATAFLOW, Buffer, eyeriss_like
from designgym.simulators.accelerator.loopnest.mapspace import MapSpace
from designgym.simulators.accelerator.network import Network
from designgym.simulators.accelerator.networks import layer

REPEATS = 3
Convert = Callable[[Any], Any]
Results = Mapping[str, Any]


@dataclass(frozen=True)
class Model:
    """A model with a batch of mappings.

    Attributes:
        name: What it is called in the table.
        length: Mappings of the batch.
        prepare: Returns, for the mappings to take (indices) and a conversion of arrays, what evaluates them.
    """

    name: str
    length: int
    prepare: Callable[[Any, Convert], Callable[[], Results]]


def datacentric(n: int, *, printed: bool) -> Model:
    network = Network("conv2_1", ((layer("resnet18", "conv2_1"), 1),))
    designs = mapping_space(network).sample(np.random.default_rng(0), n)
    ((_, batch),) = layer_batches(designs, network, (64, 16, 1, 1))

    def prepare(which: Any, convert: Convert) -> Callable[[], Results]:
        chosen: Dataflows = batch.part(which).converted(convert)

        def work() -> Results:
            if not printed:
                return count_dataflows(chosen)
            costs = evaluate_dataflows(chosen)
            return {**costs.counts, "rejected": costs.rejected}

        return work

    return Model("data-centric, as printed" if printed else "data-centric, full", n, prepare)


def loopnest(n: int) -> Model:
    spads = {name: Buffer(depth, 1, 2, 2) for name, depth in (("psum", 16), ("weights", 192), ("ifmap", 12))}
    chip = eyeriss_like(pes=168, mesh_x=14, glb=Buffer(16384, 4, 16, 16), **spads)
    space = MapSpace(layer("resnet18", "conv2_1"), chip, DATAFLOW)
    batch, hardware = space.batch(space.sample(np.random.default_rng(0), n)), HardwareBatch.of(chip)

    def prepare(which: Any, convert: Convert) -> Callable[[], Results]:
        chosen: MappingBatch = batch[which].map(convert)
        on = hardware.map(convert)
        return lambda: vars(evaluate_loops(chosen, on))

    return Model("loop nest", n, prepare)


def best(work: Callable[[], object], clock: Callable[[], float]) -> float:
    work()
    taken = []
    for _ in range(REPEATS):
        started = clock()
        work()
        taken.append(clock() - started)
    return min(taken)


def difference(ours: Results, theirs: Results) -> float:
    """Return the largest relative difference between the results of two runs."""
    pairs = [(np.asarray(ours[name], dtype=float), to_numpy(theirs[name]).astype(float)) for name in ours]
    return max(float(np.max(np.abs(a - b) / np.maximum(np.abs(a), 1e-300), initial=0.0, where=a != b)) for a, b in pairs)


def on_gpu(model: Model, sizes: list[int], per_core: float) -> None:
    def to(array: Any) -> Any:
        return torch.as_tensor(np.ascontiguousarray(array), device="cuda")

    every = np.arange(model.length)
    gap = difference(model.prepare(every, lambda array: array)(), model.prepare(every, to)())
    for n in (model.length, *sizes):
        work = model.prepare(np.resize(every, n), to)

        def timed(work: Callable[[], object] = work) -> None:
            work()
            torch.cuda.synchronize()

        torch.cuda.reset_peak_memory_stats()
        taken = best(timed, time.perf_counter)
        memory = torch.cuda.max_memory_allocated() / 2**30
        print(
            f"{model.name:<26}{torch.cuda.get_device_name():<24}{n:>12,}{n / taken:>14,.0f}{n / taken / per_core:>10.1f}"
            f"   difference {gap:.0e}, {memory:.1f} GiB"
        )  # fmt: skip


def compare(model: Model, sizes: list[int]) -> None:
    every = slice(None)
    per_core = model.length / best(model.prepare(every, lambda array: array), time.process_time)
    print(f"{model.name:<26}{'numpy, one core':<24}{model.length:>12,}{per_core:>14,.0f}{1:>10.1f}")
    with_torch = model.length / best(model.prepare(every, torch.as_tensor), time.process_time)
    print(f"{model.name:<26}{'torch, one core':<24}{model.length:>12,}{with_torch:>14,.0f}{with_torch / per_core:>10.1f}")
    if torch.cuda.is_available():
        on_gpu(model, sizes, per_core)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=10_000, metavar="N", help="mappings of a batch (default 10,000)")
    parser.add_argument("--large", type=int, nargs="*", default=[100_000, 1_000_000], metavar="N", help="of larger ones, on a GPU only")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'model':<26}{'on':<24}{'batch':>12}{'mappings/s':>14}{'x numpy':>10}")
    for model in (datacentric(options.batch, printed=False), datacentric(options.batch, printed=True), loopnest(options.batch)):
        compare(model, options.large)
    if not torch.cuda.is_available():
        print("no GPU here")


if __name__ == "__main__":
    main()
