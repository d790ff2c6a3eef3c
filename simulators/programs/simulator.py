"""`AutoMLZero`: learning algorithms, written as programs, as a simulator of designs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from designgym.core.design import Design
from designgym.core.errors import InputError
from designgym.core.metrics import Metrics, MetricSpec, metric
from designgym.core.protocols import Resources
from designgym.core.workload import Workload
from designgym.simulators.programs.canonical import canonical_program
from designgym.simulators.programs.instructions import LISTS, RECORD_BYTES, Packed, pack
from designgym.simulators.programs.listing import listing
from designgym.simulators.programs.probe import behaviour
from designgym.simulators.programs.runner import MAX_ABS_ERROR, Run, run_batch, run_packed
from designgym.simulators.programs.space import program_space
from designgym.simulators.programs.tasks import TaskSet, probe_tasks

_METRICS = (
    metric("fitness", goal="max", doc="mean over tasks of 1 - 2 arctan(RMS error) / pi, 0 for a stopped task; 1 is perfect"),
    metric("loss", goal="min", doc=f"mean over tasks of the RMS error of the validation labels; {MAX_ABS_ERROR:g} for a stopped task"),
    metric("stopped_tasks", goal="min", doc=f"tasks ended by a prediction that is NaN or off by more than {MAX_ABS_ERROR:g}"),
)


class AutoMLZero:
    """Programs that set up, predict and learn, trained and scored on regression tasks.

    What is run is the canonical form of a program, and its k-th drawing instruction takes the k-th stream of random numbers: so
    equivalent programs give equal results. The seed is that of those numbers; programs that draw none give one result for every seed.

    Metrics say what a program does, not what it looks like: its length is not among them, for programs of all lengths share a functional
    key. `effective_instructions` tells the length.

    Fidelity is the share of the training examples, from the first.

    Args:
        operations: Which programs: ``all``, or ``linear`` (what linear regression by gradient descent needs).
        threads: Programs of a batch that are run at a time.
    """

    name = "automl-zero"
    version = "1"
    metrics: tuple[MetricSpec, ...] = _METRICS
    deterministic = False

    def __init__(self, operations: str = "all", *, threads: int = 1) -> None:
        if threads < 1:
            raise InputError(f"threads must be 1 or more, got {threads}")
        self.space = program_space(operations)
        self.threads = threads
        self.resources = Resources(cpus=float(threads))

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
        """Train and score every program on the workload, a `TaskSet`.

        Raises:
            InputError: If the workload is not a `TaskSet`, or the fidelity not in (0, 1].
        """
        if not 0 < fidelity <= 1:
            raise InputError(f"fidelity, the share of the training examples, must be in (0, 1], got {fidelity}")
        tasks = _tasks(workload)
        n_train = max(round(fidelity * tasks.train_examples), 1)
        arrays = tasks.arrays()
        _compile()
        started = time.perf_counter()
        programs = [_canonical(design) for design in designs]
        runs = run_batch(programs, arrays, n_train=n_train, seed=seed, threads=self.threads)
        cost_s = (time.perf_counter() - started) / max(len(designs), 1)
        return [_measured(run, cost_s) for run in runs]

    def probe(self, designs: Sequence[Design], workload: Workload, *, seed: int = 0) -> list[bytes]:
        """Return a digest of each program's `Behaviour` on fixed examples of as many features as the workload's."""
        tasks = _tasks(workload)
        return [behaviour(_canonical(design), tasks.features, train_examples=tasks.train_examples, seed=seed).key for design in designs]

    def describe(self, design: Design, workload: Workload | None = None) -> str:
        """Return the instructions that have an effect, numbered, as people write them."""
        return listing(design)


def effective_instructions(design: Design) -> int:
    """Return how many instructions of a program have an effect on what it predicts."""
    return sum(len(each) for each in _canonical(design)) // RECORD_BYTES


@lru_cache(maxsize=1)
def _compile() -> None:
    """Compile, or load what was compiled before, so that no program's cost includes it."""
    nothing: Packed = (b"", b"", b"")
    run_packed(canonical_program(nothing), probe_tasks(1, 1, 1))


def _canonical(design: Design) -> Packed:
    return canonical_program(pack([design[name] for name in LISTS]))


def _tasks(workload: Workload) -> TaskSet:
    if not isinstance(workload.data, TaskSet):
        raise InputError(f"workload {workload.name!r} of programs must be a TaskSet, got {type(workload.data).__name__}")
    return workload.data


def _measured(run: Run, cost_s: float) -> Metrics:
    stopped = int(np.count_nonzero(~run.finished))
    values = {"fitness": run.fitness, "loss": float(np.mean(run.rms_error)), "stopped_tasks": float(stopped)}
    return Metrics(values, cost_s=cost_s)
