"""What a program observably does: its functional key.

Ten examples show what a program learns, but not what only a thousand do. A register that doubles with each of them overflows and turns,
times a zero, into NaN; one that grows in some tasks only drowns, late, what is added to it; and where predictions stand still while
registers move, a single large label may make a register run away. The first two can be told by their growth, the last by its silence.
They are few, and are run on, with labels of many scales, since where a register runs away depends on them. Eight tasks show what is
predicted, but not that one task in thirty stops, or does not; so more of them are watched for when they stop.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from designgym.core.fingerprint import fingerprint
from designgym.simulators.programs.instructions import Packed
from designgym.simulators.programs.operations import FEATURES, LABEL, REGISTERS
from designgym.simulators.programs.runner import Run, run_packed
from designgym.simulators.programs.tasks import TRAIN_EXAMPLES, TaskArrays, probe_tasks

VERSION: Final = 4  # part of every functional key: raise it with any change of what is observed
EXAMPLES: Final = 10  # to train on, and as many to validate on, as in AutoML-Zero's functional equivalence checking
REPETITIONS: Final = 32  # with other examples and other random numbers; they run side by side, so that more cost little
SHOWN: Final = 8  # repetitions of which the predictions count; of the others, when they stop
MANTISSA_BITS: Final = 32  # that count of a prediction: less, and slow learners look like those that do not learn
ATOL: Final = 1e-30  # predictions all below this are zeros; smaller ones of a program than its largest are told apart by MANTISSA_BITS
GROWTH: Final = 4.0  # from the 5th example to the 10th: what grows more slowly does not overflow within 2,500, 4 ** (2500 / 5) < 2 ** 1024
SCALES: Final = np.geomspace(0.5, 4.0, REPETITIONS)  # of the labels in long runs
SILENT_EXAMPLES: Final = 500  # of the long run of a program that grows nowhere: growth needs the time, bad luck large labels

NEVER: Final = -1

# A register that is written before every use carries nothing from one example to the next.
_CARRY: Final = np.array([register not in (LABEL, FEATURES) for register in range(REGISTERS)])


@dataclass(frozen=True)
class Behaviour:
    """What a program does on `probe_tasks`.

    Attributes:
        answers: Predictions, shape ``(train + valid examples, SHOWN)``, NaN from where a task stops: how it stops makes no difference to
            its fitness.
        stops: After how many predictions each task stops, `NEVER` for one that does not, shape ``(2, REPETITIONS)``: in the short run,
            and in the long one where a register grows, or moves while predictions stand still.
        moves: Sum of squared changes of the predictions of each task that comes to the end of the long run, shape ``(REPETITIONS,)``; 0
            without one, as if they stood still.
    """

    answers: NDArray[np.float64]
    stops: NDArray[np.int64]
    moves: NDArray[np.float64]

    @property
    def key(self) -> bytes:
        """What `AutoMLZero.probe` answers."""
        parts = [bytes([VERSION]), self.stops.astype("<i4").tobytes(), _key(self.answers)]
        return b"".join([*parts, _key(self.moves)] if self.moves.any() else parts)


def _key(values: NDArray[np.float64]) -> bytes:
    return fingerprint(values, mantissa_bits=MANTISSA_BITS, atol=ATOL).key


def behaviour(packed: Packed, features: int, *, examples: int = EXAMPLES, train_examples: int = TRAIN_EXAMPLES, seed: int = 0) -> Behaviour:
    """Return what a packed program does, as it stands.

    Args:
        packed: The program.
        features: Length of the feature vector.
        examples: To train on, and as many to validate on.
        train_examples: Of the long run, `TRAIN_EXAMPLES` or less.
        seed: Of the random numbers that it draws.
    """
    tasks = probe_tasks(features, examples, REPETITIONS)
    run = run_packed(packed, tasks, seed=seed, keep_answers=True, keep_scales=True)
    stops, moves = np.full((2, REPETITIONS), NEVER), np.zeros(REPETITIONS)
    stops[0] = _stops(run)
    train_examples = min(train_examples, _long_run(run))
    if train_examples > examples:
        long = run_packed(packed, _long_tasks(features, examples, train_examples), seed=seed, keep_answers=True)
        stops[1] = _stops(long)
        changes = np.diff(long.answers[examples:], axis=0)
        moves = np.where(long.finished, np.einsum("ij,ij->j", changes, changes), 0.0)
    return Behaviour(run.answers[:, :SHOWN], stops, moves)


def _stops(run: Run) -> NDArray[np.int64]:
    stops = np.full(len(run.finished), NEVER)
    stopped = ~run.finished
    stops[stopped] = len(run.answers) - np.isnan(run.answers[:, stopped]).sum(axis=0)
    return stops


def _long_run(run: Run) -> int:
    """Return how long to train: not at all unless a register grows, or registers move while the last predictions do not."""
    before, after = run.scales
    if (_CARRY & (after > GROWTH * before)).any():
        return TRAIN_EXAMPLES
    last = run.answers[len(run.answers) // 4 :, run.finished]
    silent = last.size > 0 and bool((last == last[-1]).all())
    return SILENT_EXAMPLES if silent and (_CARRY & (after != before)).any() else 0


@lru_cache(maxsize=16)
def _long_tasks(features: int, examples: int, train_examples: int) -> TaskArrays:
    """Return more examples of the tasks, with labels of other scales."""
    tasks = probe_tasks(features, examples, REPETITIONS, train_examples=train_examples)
    return replace(tasks, train_y=tasks.train_y * SCALES, valid_y=tasks.valid_y * SCALES)
