"""The adapter of the user's MAESTRO: a program in its place that behaves well or badly, and the real one where it is named."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

import designgym.envs
from designgym.core.errors import NotInstalledError
from designgym.core.metrics import Metrics
from designgym.simulators.accelerator.datacentric.maestro_binary import _COLUMNS, VARIABLE, MaestroBinary
from designgym.simulators.accelerator.datacentric.simulator import MaestroMapping

WORKLOAD = designgym.envs.environment("designgym/MaestroMapping-v0").workload()


def program(folder: Path, body: str) -> MaestroBinary:
    """Return the adapter of a Python program; ``header`` and ``write(values)`` are there for it."""
    path = folder / "maestro"
    lines = [
        f"#!{sys.executable}",
        "import os, sys, time",
        f"header = {list(_COLUMNS.values())!r}",
        "def write(values): open('mapping.csv', 'w').write(', '.join(header) + '\\n' + ', '.join(map(str, values)) + '\\n')",
        body,
    ]
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o755)
    return MaestroBinary(path, timeout_s=5)


def result(simulator: MaestroBinary) -> Metrics:
    (found,) = simulator.evaluate([simulator.space.default()], WORKLOAD)
    return found


def test_what_it_prints_becomes_metrics(tmp_path: Path) -> None:
    found = result(
        program(tmp_path, "assert 'num_pes: 256' in open('hardware.m').read(); write([1000, 5.5, 128, 3, 10, 20, *range(1, 7)])")
    )
    assert found.ok, found
    assert (found["latency_cycles"], found["energy_nj"], found["utilisation"]) == (1000, 5.5, 0.5)
    assert (found["l1_bytes"], found["l2_bytes"], found["noc_bw_required"]) == (10, 20, 3)
    assert (found["l2_accesses"], found["dram_accesses"]) == (1 + 2 + 3 + 4 + 6, 2 + 4 + 5)
    assert set(found.values) == {spec.name for spec in MaestroMapping.metrics}


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ("print('no', file=sys.stderr); sys.exit(255)", "failed", "255"),
        ("os.kill(os.getpid(), 8)", "failed", "code -8"),
        ("pass", "failed", "mapping.csv"),
        ("open('mapping.csv', 'w').write('garbage')", "failed", "its table has 1 lines"),
        ("write(['many'] * 12)", "failed", "lacks a number"),
        ("header = header[:3]; write([1, 2, 3])", "failed", "lacks a number"),
        ("write([0] * 12)", "failed", "computed nothing"),
        ("time.sleep(60)", "timeout", ""),
    ],
)
def test_crashes_hangs_and_garbage_are_statuses(tmp_path: Path, body: str, status: str, message: str) -> None:
    simulator = program(tmp_path, body)
    simulator._timeout_s = 1 if status == "timeout" else 20
    found = result(simulator)
    assert found.status == status and message in found.error


def test_a_missing_program_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(NotInstalledError, match=r"there is no file .*none\. Build https://github.com/maestro-project"):
        result(MaestroBinary(tmp_path / "none"))


def test_illegal_designs_are_not_run(tmp_path: Path) -> None:
    simulator = program(tmp_path, "sys.exit(1)")
    (found,) = simulator.evaluate([simulator.space.validate({**simulator.space.default(), "R_l1": 2})], WORKLOAD)
    assert found.status == "infeasible"


@pytest.mark.skipif(not os.environ.get(VARIABLE), reason=f"{VARIABLE} does not name a MAESTRO executable")
@pytest.mark.parametrize("name", ["resnet18/conv2_1", "resnet18/conv3_1", "mobilenetv2/block3_depthwise", "alexnet"])
def test_the_real_program_gives_what_our_own_model_gives(name: str) -> None:
    real, ours = MaestroBinary(noc_bw=32, hop_latency=2), MaestroMapping(noc_bw=32, hop_latency=2, accounting="as_printed")
    designs = ours.space.sample(np.random.default_rng(0), 5)
    workload = designgym.envs.environment("designgym/MaestroMapping-v0").workload(name)
    for theirs, mine in zip(real.evaluate(designs, workload), ours.evaluate(designs, workload), strict=True):
        assert theirs.ok, theirs
        for spec in MaestroMapping.metrics:
            tolerance = 6e-6 if spec.name in ("energy_nj", "utilisation") else 1e-12
            assert theirs[spec.name] == pytest.approx(mine[spec.name], rel=tolerance), spec.name
