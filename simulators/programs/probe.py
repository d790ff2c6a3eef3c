"""What a program observably does: its functional key.

Ten examples show what a program learns, but not that a register which doubles with each of them overflows after a thousand and turns, times
a zero, into NaN. Few programs have such registers, and they can be told by their growth; those are run on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from designgym.core.fingerprint import Fingerprint, fingerprint
from designgym.simulators.programs.instructions import Packed
from designgym.simulators.programs.operations import FEATURES, LABEL, REGISTERS
from designgym.simulators.programs.runner import run_packed
from designgym.simulators.programs.tasks import TRAIN_EXAMPLES, probe_tasks

VERSION: Final = 2  # part of every functional key: raise it with any change of what is observed
EXAMPLES: Final = 10  # to train on, and as many to validate on, as in AutoML-Zero's functional equivalence checking
REPETITIONS: Final = 8  # with other examples and other random numbers; they run side by side, so that few more cost little
MANTISSA_BITS: Final = 32  # that count of a prediction: less, and slow learners look like those that do not learn
ATOL: Final = 1e-30  # predictions all below this are zeros; smaller ones of a program than its largest are told apart by MANTISSA_BITS
GROWTH: Final = 4.0  # from the 5th example to the 10th: what grows more slowly does not overflow within 2,500, 4 ** (2500 / 5) < 2 ** 1024

# A register that is written before every use carries nothing from one example to the next.
_CARRY: Final = np.array([register not in (LABEL, FEATURES) for register in range(REGISTERS)])


@dataclass(frozen=True)
class Behaviour:
    """What a program does on `probe_tasks`.

    Attributes:
        answers: Every prediction, shape ``(train + valid examples, REPETITIONS)``, NaN from where a task stops: how it stops makes no
            difference to its fitness.
        stops: After how many predictions each task stops when it is trained for long, shape ``(REPETITIONS,)``; 0 for one that does not,
            or that stopped among the answers. Looked for only if a register grows by `GROWTH`.
    """

    answers: NDArray[np.float64]
    stops: NDArray[np.int64]

    def fingerprint(self, *, mantissa_bits: int = MANTISSA_BITS, atol: float = ATOL) -> Fingerprint:
        """Return the digest, by default that of the functional key."""
        seen = (self.answers, self.stops) if self.stops.any() else self.answers
        return fingerprint(seen, mantissa_bits=mantissa_bits, atol=atol)

    @property
    def key(self) -> bytes:
        """What `AutoMLZero.probe` answers."""
        return bytes([VERSION]) + self.fingerprint().key


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
    stops = np.zeros(REPETITIONS, np.int64)
    train_examples = min(train_examples, TRAIN_EXAMPLES)
    if train_examples > examples and (_CARRY & (run.scales[1] > GROWTH * run.scales[0])).any():
        tasks = probe_tasks(features, examples, REPETITIONS, train_examples=train_examples)
        later = run_packed(packed, tasks, seed=seed, keep_answers=True)
        missing = np.isnan(later.answers).sum(axis=0)
        stops[run.finished & (missing > 0)] = (len(later.answers) - missing)[run.finished & (missing > 0)]
    return Behaviour(run.answers, stops)
