"""The store on PostgreSQL: a server of one's own for the time of the test, where PostgreSQL and psycopg are installed."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from designgym.core.errors import InputError, StoreError
from designgym.studies.store import open_store
from designgym.studies.study import Study

psycopg: Any = pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'designgym[postgres]'")
if shutil.which("initdb") is None or shutil.which("pg_ctl") is None:
    pytest.skip("no PostgreSQL server is installed (initdb, pg_ctl)", allow_module_level=True)

ENV = "test/Counting-v0"
SAME = ["run", "number", "duplicate", "status", "score", "feasible", "key_literal", "key_canonical"]


def _call(*arguments: str) -> None:
    as_user: dict[str, Any] = {}
    if os.geteuid() == 0:  # the server refuses to run as root
        try:
            as_user = {"user": pwd.getpwnam("postgres").pw_uid}
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, cwd="/", **as_user)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="dg-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = str(folder / "data")
    _call("initdb", "-D", data, "-U", "dg", "--auth=trust", "--no-sync")
    _call("pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", f"-p {port} -k {folder} -h 127.0.0.1 -F", "start")
    try:
        yield f"postgresql://dg:secret@127.0.0.1:{port}/postgres"
    finally:
        _call("pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder)


def test_the_same_trials_as_on_sqlite_and_resuming(url: str) -> None:
    study = Study("s", ENV, searchers=["random", "evolution"], budget=30)
    there = study.run(backend="local", store=url)
    here = study.run(backend="local", store=":memory:")
    pd.testing.assert_frame_equal(there.frame[SAME], here.frame[SAME])
    again = Study("s", ENV, searchers=["random", "evolution"], budget=40).run(backend="local", store=url)
    assert [report.evaluations for report in again.reports] == [40, 40]
    with open_store(url) as store:
        assert store.studies()[0]["trials"] == 80 and store.studies()[0]["finished"] == 2
        assert "secret" not in store.shown


def test_failures_have_a_score_of_minus_infinity_there_too(url: str) -> None:
    import designgym as dg
    from designgym.core.registry import EnvironmentSpec, FixedWorkloads

    @dg.simulator(space=dg.DesignSpace(a=dg.Integer(0, 9)), metrics=["cost_ns"], version="1")
    def half(design: dg.Design, workload: int, *, seed: int) -> dict[str, float]:
        return {"cost_ns": float("nan") if design["a"] % 2 else 1.0}

    env = EnvironmentSpec("mine/Half-v0", lambda: half, FixedWorkloads({"w": 1}), {"cost": dg.minimize("cost_ns")}, "w")
    frame = Study("half", env, searchers="random", budget=10).run(backend="local", store=url).frame
    assert (frame["score"] == -float("inf")).sum() == 5


def test_on_ray(url: str) -> None:
    result = Study("ray", ENV, searchers=["random", "evolution"], budget=24).run(store=url)
    local = Study("ray", ENV, searchers=["random", "evolution"], budget=24).run(backend="local", store=":memory:")
    pd.testing.assert_frame_equal(result.frame[SAME], local.frame[SAME])


def test_bad_addresses_and_foreign_databases(url: str) -> None:
    with pytest.raises(StoreError, match=r"cannot be reached|refuses") as caught:
        open_store("postgresql://dg:secret@127.0.0.1:1/none")
    assert "secret" not in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(StoreError, match="does not exist"):
        open_store(url.replace("/postgres", "/nowhere").replace("postgresql", "postgresql"))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE other")
    other = url.removesuffix("/postgres") + "/other"
    with pytest.raises(StoreError, match="not a designgym store"):
        open_store(other, create=False)
    with psycopg.connect(other, autocommit=True) as connection:
        connection.execute("CREATE TABLE trials (id int)")
    with pytest.raises(StoreError, match="its table 'trials' is somebody else's"):
        open_store(other)
    with pytest.raises(InputError):
        open_store("postgresql//typo://x")
