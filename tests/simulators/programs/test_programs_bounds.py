"""Memory safety with every index checked: numba compiles the checks in if it is told before it is imported, so in another process."""

import os
import subprocess
import sys
from pathlib import Path

FUZZ = """
import sys
import numpy as np
from designgym.simulators.programs import TaskSet
from designgym.simulators.programs.instructions import FIELDS
from designgym.simulators.programs.kernel import BLOCKS, memory_size, run_program
from designgym.simulators.programs.operations import REGISTERS

def run(rng, instructions, missing):
    features, tasks = int(rng.integers(1, 5)), int(rng.integers(1, 4))
    code = rng.integers(-(2**63), 2**63 - 1, (instructions, FIELDS), dtype=np.int64)  # any 64 bits
    usual = rng.random(code.shape) < 0.7
    code[usual] = rng.integers(-3, 80, usual.sum())
    bounds = np.array([0, *sorted(rng.integers(0, instructions + 1, 2)), instructions])
    examples = TaskSet("linear", features, tasks=tasks, train_examples=4, valid_examples=3).arrays()
    run_program(
        code, code.view(np.float64)[:, 4], bounds, *examples.flat, 4, np.nan, np.uint64(0),
        np.zeros(memory_size(features, tasks) - missing), np.zeros(BLOCKS, np.int64), np.zeros((instructions, 8), np.int64),
        np.zeros(tasks, np.int64), np.zeros(tasks), np.zeros((7, tasks)), np.zeros((2, REGISTERS)),
    )

rng = np.random.default_rng(0)
for _ in range(1000):
    run(rng, int(rng.integers(0, 30)), 0)
print("all in bounds")
try:
    for _ in range(100):
        run(rng, 30, 1)
except IndexError:
    print("one number less is noticed")
"""


def test_no_program_reads_or_writes_out_of_bounds(tmp_path: Path) -> None:
    """Programs of any 64 bits; that the checks are at work is seen from memory that is too small by a number."""
    environment = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}  # code without checks is kept elsewhere
    done = subprocess.run([sys.executable, "-c", FUZZ], capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.stdout.splitlines() == ["all in bounds", "one number less is noticed"], done.stderr
