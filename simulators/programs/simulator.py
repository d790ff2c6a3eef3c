"""`AutoMLZero`: learning algorithms, written as programs, as a simulator of designs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from designgym.core.design import Design
from designgym.core.errors import InputError
from designgym.core.fingerprint import fingerprint
from designgym.core.metrics import Metrics, MetricSpec, metric
from designgym.core.protocols import Resources
from designgym.core.workload import Workload
from designgym.simulators.programs.canonical import canonical_program
from designgym.simulators.programs.instructions import LISTS, RECORD_BYTES, Packed, pack
from designgym.simulators.programs.runner import MAX_ABS_ERROR, Run, run_batch, run_packed
from designgym.simulators.programs.space import program_space
from designgym.simulators.programs.tasks import TaskSet, probe_tasks

PROBED_EXAMPLES = 10  # to train on, and as many to validate on, as in AutoML-Zero's functional equivalence checking
REPETITIONS = 8  # of the probe, each with other examples and other random numbers; they run side by side, so that few more cost little
MANTISSA_BITS = 32  # that count of a prediction: less, and slow learners look like those that do not learn
ATOL = 1e-30  # predictions that are all below this are zeros; smaller ones of a program than its largest are told apart by MANTISSA_BITS

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
        """Return the digest of what each program predicts on a few fixed examples of as many features, while it learns and after.

        How a task stops makes no difference to its fitness, so it makes none here. What a program does only after more than 10 examples
        is not seen.
        """
        arrays = probe_tasks(_tasks(workload).features, PROBED_EXAMPLES, REPETITIONS)
        programs = [_canonical(design) for design in designs]
        runs = run_batch(programs, arrays, n_train=PROBED_EXAMPLES, seed=seed, threads=1, keep_answers=True)
        return [fingerprint(run.answers, mantissa_bits=MANTISSA_BITS, atol=ATOL).key for run in runs]


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
