"""Runs on other hosts write to a store in a file through an actor beside it: the same trials, the same errors."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from designgym.core.errors import StoreError
from designgym.studies import sweep
from designgym.studies.ray_session import node_here
from designgym.studies.remote_store import RemoteStore, start_keeper
from designgym.studies.store import Store, open_store
from designgym.studies.study import Study

ENV = "test/Counting-v0"


@pytest.fixture(scope="module", autouse=True)
def ray_around() -> Iterator[None]:
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    yield
    ray.shutdown()


def study(**more: Any) -> Study:
    return Study("s", ENV, searchers=["random", "evolution"], budget=16, functional="off", **more)


def test_a_study_through_the_actor_gives_the_same_trials_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "is_one_host", lambda: False)
    opened: list[str] = []

    def start(store: Store, node: str) -> RemoteStore:
        opened.append(node)
        return start_keeper(store, node)

    monkeypatch.setattr(sweep, "start_keeper", start)
    monkeypatch.chdir(tmp_path)
    remote = study().run(store="remote.db")  # relative to this process
    local = study().run(store="local.db", backend="local")
    columns = ["run", "number", "duplicate", "status", "score", "key_literal"]
    one, two = (r.frame.sort_values(["run", "number"]).reset_index(drop=True)[columns] for r in (remote, local))
    pd.testing.assert_frame_equal(one, two)
    assert [report.evaluations for report in study(seeds=2).run(store="remote.db").reports] == [16] * 4
    assert opened == [node_here()] * 2


def test_a_cluster_without_a_node_here_is_refused_with_the_remedies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "elsewhere")
    with pytest.raises(StoreError, match=r"no node that could write it.*ray start.*PostgreSQL"):
        study().run(store=tmp_path / "s.db")


def test_errors_of_the_store_and_the_end_of_its_actor_are_store_errors(tmp_path: Path) -> None:
    import ray

    study().run(store=tmp_path / "s.db", backend="local")
    with open_store(tmp_path / "s.db") as store:
        node = node_here()
        assert node is not None
        remote = start_keeper(store, node)
        run = store.runs("s")[0]
        with pytest.raises(StoreError) as here:
            store.append(run.id, "nobody", [], progress={}, checkpoint=None)
        with pytest.raises(StoreError) as there:
            remote.append(run.id, "nobody", [], progress={}, checkpoint=None)
        assert str(there.value) == str(here.value)
        remote.stop()
        with pytest.raises(StoreError, match=r"keeps store .*s\.db for other hosts has ended"):
            while True:
                remote.measured(["key"])
        assert ray.is_initialized()
