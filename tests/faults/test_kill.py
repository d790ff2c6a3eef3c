"""SIGKILL at random moments: what was stored stays, a resumed study equals an uninterrupted one, and nothing is measured again."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from designgym.studies.plugins import load_plugin
from designgym.studies.results import StudyResult
from designgym.studies.store import open_store

HERE = Path(__file__).parent
PROGRAM = HERE / "killed_study.py"
ENV_FILE = HERE.parent / "studies" / "counting_env.py"
SEARCHERS = "random,regularized_evolution"
BUDGET = 60


def start(backend: str, store: Path, log: Path, pause_s: float, searchers: str = SEARCHERS, budget: int = BUDGET) -> subprocess.Popen[str]:
    variables = {"DESIGNGYM_TEST_LOG": str(log), "DESIGNGYM_TEST_PAUSE_S": str(pause_s)}
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), backend, str(store), searchers, str(budget)],
        env={**os.environ, **variables}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def trials(store: Path) -> int:
    try:
        with open_store(store, create=False, read_only=True) as opened:
            return sum(study["trials"] for study in opened.studies())
    except Exception:
        return 0


def finish(process: subprocess.Popen[str], timeout: float = 120) -> None:
    out, err = process.communicate(timeout=timeout)
    assert process.returncode == 0, f"stdout: {out[-2000:]}\nstderr: {err[-4000:]}"


def comparable(store: Path) -> pd.DataFrame:
    with open_store(store, read_only=True) as opened:
        result = StudyResult.load(opened, "killed")
    assert result.finished
    frame = result.frame.sort_values(["run", "number"]).reset_index(drop=True)
    kept = [c for c in frame.columns if c.startswith(("design.", "metrics.", "key_"))]
    return frame[["run", "number", "searcher", "duplicate", "status", "score", "feasible", *kept]]


def uninterrupted(tmp_path: Path, searchers: str = SEARCHERS, budget: int = BUDGET) -> pd.DataFrame:
    store, log = tmp_path / "whole.db", tmp_path / "whole.log"
    finish(start("local", store, log, 0, searchers, budget))
    assert max(Counter(log.read_text().splitlines()).values()) == 1
    return comparable(store)


def kill_and_resume(
    tmp_path: Path, backend: str, kills: int, pause_s: float, seed: int, searchers: str = SEARCHERS, budget: int = BUDGET
) -> None:
    """Kill the program ``kills`` times at random moments of its work, let it finish, and compare."""
    rng = random.Random(seed)
    store, log = tmp_path / "killed.db", tmp_path / "killed.log"
    done = 0
    work_s = 4 * budget * pause_s / (2 if backend == "ray" else 1)
    while done < kills:
        process = start(backend, store, log, pause_s, searchers, budget)
        before = trials(store)
        while trials(store) == before and process.poll() is None:  # until it does something
            time.sleep(0.02)
        time.sleep(rng.uniform(0, 1.6 * work_s / (kills + 1)) * 0.6)
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.communicate()
        done += 1
    finish(start(backend, store, log, pause_s, searchers, budget))
    assert done >= 1
    expected = uninterrupted(tmp_path, searchers, budget)
    pd.testing.assert_frame_equal(comparable(store), expected)
    lines = Counter(log.read_text().splitlines())
    again = sum(count - 1 for count in lines.values())
    print(f"{backend}: killed {done} times, {len(lines)} behaviours measured, {again} again")
    # a call that is in progress when its process is killed has no result yet; everything that returned is kept
    assert again <= done * (2 if backend == "ray" else 1), lines.most_common(5)


@pytest.fixture(autouse=True, scope="module")
def environment() -> None:
    load_plugin(ENV_FILE)


def test_killed_driver_local(tmp_path: Path) -> None:
    kill_and_resume(tmp_path, "local", kills=3, pause_s=0.01, seed=1)


def test_killed_driver_ray(tmp_path: Path) -> None:
    kill_and_resume(tmp_path, "ray", kills=1, pause_s=0.02, seed=2)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_killed_driver_local_ten_times(tmp_path: Path, seed: int) -> None:
    kill_and_resume(tmp_path, "local", kills=10, pause_s=0.03, seed=seed)


@pytest.mark.slow
def test_killed_driver_ray_ten_times(tmp_path: Path) -> None:
    kill_and_resume(tmp_path, "ray", kills=10, pause_s=0.1, seed=3)


def kill_workers(tmp_path: Path, kills: int, pause_s: float, seed: int) -> None:
    """Kill the worker of a run, not the driver: Ray starts another one, which goes on from the store."""
    rng = random.Random(seed)
    store, log = tmp_path / "killed.db", tmp_path / "killed.log"
    process = start("ray", store, log, pause_s)
    killed: set[int] = set()
    while len(killed) < kills and process.poll() is None:
        time.sleep(rng.uniform(0.02, 0.1) + pause_s)
        if not trials(store):
            continue
        with open_store(store, read_only=True) as opened:
            owners = [run.owner for run in opened.runs("killed") if run.status == "running" and run.owner]
        pids = [int(owner.split("|")[1]) for owner in owners if int(owner.split("|")[1]) not in killed]
        if pids:
            pid = rng.choice(pids)
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
            time.sleep(rng.uniform(0, 0.5))
    finish(process)
    assert killed
    pd.testing.assert_frame_equal(comparable(store), uninterrupted(tmp_path))
    again = sum(count - 1 for count in Counter(log.read_text().splitlines()).values())
    print(f"workers killed: {len(killed)}, measured again: {again}")
    assert again <= len(killed)


def test_killed_worker(tmp_path: Path) -> None:
    kill_workers(tmp_path, kills=1, pause_s=0.03, seed=4)


@pytest.mark.slow
def test_killed_workers_ten_times(tmp_path: Path) -> None:
    kill_workers(tmp_path, kills=10, pause_s=0.15, seed=5)
