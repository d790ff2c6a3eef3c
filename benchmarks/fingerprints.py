"""False splits and false merges of fingerprints: answers that differ by rounding, and answers that differ in one number.

Run: python benchmarks/fingerprints.py [--answers N]
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd

from designgym.core.fingerprint import ATOL, fingerprint
from designgym.hashing.fingerprints import upper_bound


def rates(*, answers: int, numbers: int, rounding: float, change: float, mantissa_bits: int, seed: int = 0) -> dict[str, float]:
    """Return how often fingerprints are wrong about pairs of random answers.

    Args:
        answers: Pairs of each kind.
        numbers: Real numbers in an answer, normally distributed, times a power of ten from 10^-6 to 10^6.
        rounding: Largest relative difference of each number in the pairs that are to match.
        change: Difference of one number, the largest, in the pairs that are not to match; in cells.
        mantissa_bits: As of `fingerprint`.
        seed: Seed of the answers.
    """
    rng = np.random.default_rng(seed)
    split_keys = splits = merges = 0
    spent_s = 0.0
    for _ in range(answers):
        answer = rng.standard_normal(numbers) * 10.0 ** rng.integers(-6, 7)
        rounded = answer * (1 + rng.uniform(-rounding, rounding, numbers))
        changed = answer.copy()
        largest = np.abs(answer).argmax()
        changed[largest] += change * (np.abs(answer[largest]) * 2.0**-mantissa_bits + ATOL)
        started = time.perf_counter()
        first, same, other = (fingerprint(values, mantissa_bits=mantissa_bits) for values in (answer, rounded, changed))
        spent_s += time.perf_counter() - started
        split_keys += first != same
        splits += not first.matches(same)
        merges += first.matches(other)
    return {
        "numbers": numbers, "mantissa_bits": mantissa_bits, "rounding": rounding, "change": change,
        "key_splits": split_keys / answers, "splits": splits / answers, "splits_upper_95": upper_bound(splits, answers),
        "false_merges": merges / answers, "false_merges_upper_95": upper_bound(merges, answers), "us_each": spent_s / 3 / answers * 1e6,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=int, default=10_000, help="pairs of each kind")
    options = parser.parse_args()
    double, single = 4 * 2.0**-53, 4 * 2.0**-24  # rounding errors of a few operations
    rows = [
        rates(answers=options.answers, numbers=numbers, rounding=rounding, change=1.1, mantissa_bits=bits)
        for rounding, bits in ((double, 24), (double, 36), (single, 12), (single, 10), (single, 24))
        for numbers in (1, 10, 100)
    ]
    with pd.option_context("display.width", 200, "display.max_columns", 20, "display.float_format", "{:.3g}".format):
        print(pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
