"""What a program observably does: its functional key.

Ten examples show what a program learns, but not that a register which doubles with each of them overflows after a thousand and turns, times
a zero, into NaN. Few programs have such registers, and they can be told by their growth; those are run on. Eight tasks show what is
predicted, but not that one task in thirty stops, or does not; so more of them are watched for when they stop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from designgym.core.fingerprint import fingerprint
from designgym.simulators.programs.instructions import Packed
from designgym.simulators.programs.operations import FEATURES, LABEL, REGISTERS
from designgym.simulators.programs.runner import Run, run_packed
from designgym.simulators.programs.tasks import TRAIN_EXAMPLES, probe_tasks

VERSION: Final = 3  # part of every functional key: raise it with any change of what is observed
EXAMPLES: Final = 10  # to train on, and as many to validate on, as in AutoML-Zero's functional equivalence checking
REPETITIONS: Final = 32  # with other examples and other random numbers; they run side by side, so that more cost little
SHOWN: Final = 8  # repetitions of which the predictions count; of the others, when they stop
MANTISSA_BITS: Final = 32  # that count of a prediction: less, and slow learners look like those that do not learn
ATOL: Final = 1e-30  # predictions all below this are zeros; smaller ones of a program than its largest are told apart by MANTISSA_BITS
GROWTH: Final = 4.0  # from the 5th example to the 10th: what grows more slowly does not overflow within 2,500, 4 ** (2500 / 5) < 2 ** 1024

NEVER: Final = -1

# A register that is written before every use carries nothing from one example to the next.
_CARRY: Final = np.array([register not in (LABEL, FEATURES) for register in range(REGISTERS)])


@dataclass(frozen=True)
class Behaviour:
    """What a program does on `probe_tasks`.

    Attributes:
        answers: Predictions, shape ``(train + valid examples, SHOWN)``, NaN from where a task stops: how it stops makes no difference to
            its fitness.
        stops: After how many predictions each task stops, shape ``(REPETITIONS,)``, `NEVER` for one that does not. If a register grows
            by `GROWTH`, the tasks that are shown are trained for long, to see whether they will.
    """

    answers: NDArray[np.float64]
    stops: NDArray[np.int64]

    @property
    def key(self) -> bytes:
        """What `AutoMLZero.probe` answers."""
        answers = fingerprint(self.answers, mantissa_bits=MANTISSA_BITS, atol=ATOL)
        return bytes([VERSION]) + answers.key + self.stops.astype("<i4").tobytes()


def behaviour(packed: Packed, features: int, *, examples: int = EXAMPLES, train_examples: int = TRAIN_EXAMPLES, seed: int = 0) -> Behaviour:
    """Return what a packed program does, as it stands.

    Args:
        packed: The program.
        features: Length of the feature vector.
        examples: To train on, and as many to validate on.
        train_examples: To train on at most, `TRAIN_EXAMPLES` or less, where a register grows.
        seed: Of the random numbers that it draws.
    """
    tasks = probe_tasks(features, examples, REPETITIONS)
    run = run_packed(packed, tasks, seed=seed, keep_answers=True, keep_scales=True)
    stops = _stops(run)
    train_examples = min(train_examples, TRAIN_EXAMPLES)
    if train_examples > examples and (_CARRY & (run.scales[1] > GROWTH * run.scales[0])).any():
        tasks = probe_tasks(features, examples, SHOWN, train_examples=train_examples)
        later = _stops(run_packed(packed, tasks, seed=seed, keep_answers=True))
        stops[:SHOWN] = np.where(run.finished[:SHOWN], later, stops[:SHOWN])
    return Behaviour(run.answers[:, :SHOWN], stops)


def _stops(run: Run) -> NDArray[np.int64]:
    return np.where(run.finished, NEVER, len(run.answers) - np.isnan(run.answers).sum(axis=0))
