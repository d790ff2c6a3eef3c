"""GPU workers: what is known already, exactly or by its fingerprint, never occupies one, and no two measure equivalent designs at once.

The GPUs are logical ones, that is, Ray's accounting without devices: which actor holds which is what Ray itself says inside the evaluation,
or what its control service has recorded of actors and tasks. `ray.util.state` would show the same records, but through a dashboard that
Ray's minimal installation lacks, so they are read where it reads them.
"""

import json
import os
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

import designgym as dg
from designgym.core.errors import InputError
from designgym.core.registry import EnvironmentSpec, FixedWorkloads
from designgym.studies.cli.study_tables import print_summary
from designgym.studies.figures.units import duration
from designgym.studies.pool import OnPool, room_for, start_pool
from designgym.studies.report_template import escape
from designgym.studies.results import StudyResult
from designgym.studies.study import Study

GPUS = 2
COST_S = 3.0  # what the simulator says that it took


@pytest.fixture(scope="module", autouse=True)
def ray_with_gpus() -> Iterator[None]:
    import ray

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(
        num_cpus=2, num_gpus=GPUS, include_dashboard=False, log_to_driver=False, configure_logging=False,
        # processes report what they did once a second, and what they did not report by the end of a sweep, when they are ended, is lost
        _system_config={"task_events_report_interval_ms": 50},
    )  # fmt: skip
    yield
    ray.shutdown()


def environment(log: Path, *, gpus: float) -> EnvironmentSpec:
    """Area of a rectangle: equal areas behave alike, which the probe shows; the grid's colour makes no difference if it has no lines."""

    class OnGpu:
        name, version, deterministic = "on-gpu", "1", True
        space = dg.DesignSpace(
            a=dg.Integer(1, 6), b=dg.Integer(1, 6), lines=dg.Categorical("no", "yes"), colour=dg.Categorical("red", "blue"),
            conditions=[dg.Condition("colour", "lines == 'yes'")],
        )  # fmt: skip
        metrics = (dg.metric("area_mm2", goal="min"),)

        def __init__(self) -> None:
            self.resources = dg.Resources(cpus=0.5, gpus=gpus)

        def _behaviour(self, design: dg.Design) -> str:
            return f"{design['a'] * design['b']} {design['lines']} {design['colour'] if design['lines'] == 'yes' else ''}"

        def _note(self, what: str, design: dg.Design, **more: Any) -> None:
            import ray

            line = {
                "what": what, "exact": self.space.canonical(design).literal, "behaviour": self._behaviour(design), "pid": os.getpid(),
                "gpus": ray.get_gpu_ids(), "visible": os.environ.get("CUDA_VISIBLE_DEVICES"), **more,
            }  # fmt: skip
            with open(log, "a") as file:
                file.write(json.dumps(line) + "\n")

        def evaluate(
            self, designs: Sequence[dg.Design], workload: dg.Workload, *, fidelity: float = 1.0, seed: int = 0
        ) -> list[dg.Metrics]:
            import time

            results = []
            for design in designs:
                began = time.time()
                time.sleep(0.02)
                results.append(dg.Metrics({"area_mm2": float(design["a"] * design["b"])}, cost_s=COST_S))
                self._note("evaluation", design, began=began, ended=time.time())
            return results

        def probe(self, designs: Sequence[dg.Design], workload: dg.Workload, *, seed: int = 0) -> list[bytes]:
            for design in designs:
                self._note("probe", design)
            return [self._behaviour(design).encode() for design in designs]

    return EnvironmentSpec("mine/OnGpu-v0", OnGpu, FixedWorkloads({"w": 1}), {"area": dg.minimize("area_mm2")}, "w")


def lines_of(log: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return [line for line in lines if line["what"] == "evaluation"], [line for line in lines if line["what"] == "probe"]


class Repeating:
    """A searcher as many are: it proposes at random and does not care what it has proposed before."""

    def __init__(self, space: dg.DesignSpace, objective: dg.Objective, *, seed: int) -> None:
        import numpy as np

        self.space, self.rng = space, np.random.default_rng(seed)

    def ask(self, n: int) -> list[dg.Design]:
        return self.space.sample(self.rng, n)

    def tell(self, trials: Sequence[dg.Trial]) -> None:
        pass

    def state(self) -> dict[str, Any]:
        return {"rng": self.rng.bit_generator.state}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.rng.bit_generator.state = state["rng"]


class Occupation(NamedTuple):
    """What an evaluation occupied, by Ray's records; ``design`` is None for a task that is no evaluation."""

    design: dict[str, Any] | None
    gpus: float
    pid: int
    began_s: float
    ended_s: float

    @property
    def behaviour(self) -> tuple[Any, ...]:
        assert self.design is not None
        with_lines = self.design["lines"] == "yes"
        return self.design["a"] * self.design["b"], with_lines, self.design["colour"] if with_lines else ""


def occupations(since_s: float, expected: int) -> list[Occupation]:
    """Return the tasks that actors with GPUs ran since a moment, as soon as Ray has recorded as many evaluations as expected."""
    state: Any = import_module("ray._private.state").state
    records: Any = import_module("ray.core.generated.gcs_pb2")
    status: Any = import_module("ray.core.generated.common_pb2").TaskStatus
    deadline = time.monotonic() + 60
    while True:
        accessor = state._connect_and_get_accessor()
        actors = [records.ActorTableData.FromString(record) for record in accessor.get_actor_table(None, None)]
        holders = {actor.actor_id: actor.required_resources.get("GPU", 0.0) for actor in actors}
        found = []
        for event in map(records.TaskEvents.FromString, accessor.get_task_events()):
            task, moments = event.task_info, event.state_updates.state_ts_ns
            if holders.get(task.actor_id) and status.FINISHED in moments and moments[status.RUNNING] / 1e9 >= since_s:
                kind, _, literal = task.name.partition(" ")
                design = json.loads(literal) if kind == "evaluate" else None
                times_s = (moments[status.RUNNING] / 1e9, moments[status.FINISHED] / 1e9)
                found.append(Occupation(design, holders[task.actor_id], event.state_updates.worker_pid, *times_s))
        if sum(one.design is not None for one in found) >= expected or time.monotonic() > deadline:
            return found
        time.sleep(0.2)


@pytest.mark.parametrize("functional", ["shared", "on"])
def test_what_ray_recorded_of_several_runs(tmp_path: Path, functional: Any) -> None:
    """No duplicate held a GPU; with shared functional keys no two workers measured equivalent designs at once, in no two runs."""
    dg.register_searcher("repeating", Repeating)
    log, began_s = tmp_path / "log", time.time()
    study = Study(
        "s", environment(log, gpus=1), searchers=["repeating", "random"], seeds=2, budget=30, functional=functional, duplicate_cap=1000
    )
    result = study.run(store=tmp_path / "s.db", progress=False, workers=4)
    frame, (evaluations, probes) = result.frame, lines_of(log)
    tasks = occupations(began_s, len(evaluations))
    held = [task for task in tasks if task.design is not None]
    assert len(held) == len(evaluations) and all(task.gpus == 1 for task in tasks)

    # literal and canonical duplicates never held one, in whatever run: each class of designs did once
    classes = Counter((task.behaviour, task.design["a"]) for task in held if task.design is not None)
    assert set(classes.values()) == {1} and len(classes) == frame.loc[frame["obtained"] != "functional hit", "key_canonical"].nunique()
    assert len(frame) > 1.5 * len(held)
    # fingerprints were made by processes that Ray gave no GPU to
    assert probes and not {line["pid"] for line in probes} & {task.pid for task in tasks}
    # what was served is what equals did, and GPU seconds are those that Ray saw
    assert (frame["metrics.area_mm2"] == frame["design.a"] * frame["design.b"]).all()
    ray_s = sum(task.gpus * (task.ended_s - task.began_s) for task in held)
    hits = int(frame["obtained"].isin(["exact hit", "functional hit"]).sum())
    assert result.gpu_s == pytest.approx(COST_S * len(held)) and result.saved_gpu_s == pytest.approx(COST_S * hits)
    assert 0 < sum(line["ended"] - line["began"] for line in evaluations) <= ray_s

    by_behaviour: dict[tuple[Any, ...], list[Occupation]] = defaultdict(list)
    for task in held:
        by_behaviour[task.behaviour].append(task)
    again = sum(len(of_one) - 1 for of_one in by_behaviour.values())  # evaluations of a behaviour that had been measured
    news = Counter(frame.loc[frame["obtained"] == "measured", "key_functional"])
    if functional == "shared":
        for of_one in by_behaviour.values():
            of_one.sort(key=lambda task: task.began_s)
            assert all(earlier.ended_s <= later.began_s for earlier, later in pairwise(of_one))
        assert 0 < again <= int((frame["obtained"] == "audited").sum()) and set(news.values()) == {1}  # only to check fingerprints
    else:
        assert max(news.values()) > 1  # runs measure what equivalent designs of other runs did


def check_holders(evaluations: list[dict[str, Any]], gpus: int) -> None:
    """Each evaluation held its GPUs, and at no moment did two hold the same one, or measure the same design."""
    assert all(len(line["gpus"]) == gpus and line["visible"] == ",".join(map(str, line["gpus"])) for line in evaluations)
    spans = defaultdict(list)
    for line in evaluations:
        for thing in (*line["gpus"], line["exact"]):
            spans[thing].append((line["began"], line["ended"]))
    for of_one in spans.values():
        assert all(earlier[1] <= later[0] for earlier, later in pairwise(sorted(of_one)))


def test_duplicates_of_a_run_never_hold_a_gpu(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dg.register_searcher("repeating", Repeating)
    log = tmp_path / "log"
    study = Study("s", environment(log, gpus=1), searchers="repeating", budget=40, functional="auto", duplicate_cap=1000)
    result = study.run(store=tmp_path / "s.db", progress=False)
    evaluations, probes = lines_of(log)
    frame = result.frame
    obtained = Counter(frame["obtained"])
    assert min(obtained["exact hit"], obtained["functional hit"], obtained["audited"]) >= 5
    # what held a GPU: behaviours new to the run, and audits, which measure what is known in order to check it
    assert len(evaluations) == obtained["measured"] + obtained["audited"]
    assert Counter(line["exact"] for line in evaluations).most_common(1)[0][1] == 1
    audits = Counter(frame.loc[frame["obtained"] == "audited", "key_functional"])
    for key, count in Counter(frame.loc[frame["obtained"].isin(["measured", "audited"]), "key_functional"]).items():
        assert count == 1 + audits[key]
    check_holders(evaluations, 1)
    assert {gpu for line in evaluations for gpu in line["gpus"]} == set(range(GPUS)) and len({line["pid"] for line in evaluations}) == GPUS
    # fingerprints were made where no GPU is held, nor seen
    assert probes and not {line["pid"] for line in evaluations} & {line["pid"] for line in probes}
    assert all(line["gpus"] == [] for line in probes) and all(line["visible"] == "" for line in probes if line["pid"] != os.getpid())
    # what that saved
    hits = obtained["exact hit"] + obtained["functional hit"]
    assert result.gpu_s == pytest.approx(COST_S * len(evaluations))
    assert result.saved_gpu_s == pytest.approx(COST_S * hits)
    summary = result.summary()
    assert summary["gpu_s"].sum() == pytest.approx(result.gpu_s) and summary["saved_gpu_s"].sum() == pytest.approx(result.saved_gpu_s)
    assert f"GPUs occupied for {result.gpu_s:.1f} s" in repr(result)
    page = result.report(tmp_path / "report.html").read_text()
    for words in ("GPU time saved", duration(result.saved_gpu_s), f"GPUs were occupied for {duration(result.gpu_s)}"):
        assert escape(words) in page
    print_summary(result)
    shown = capsys.readouterr().out
    assert "occupied" in shown and "on: an evaluation occupies 1 GPU, a probe none" in shown


def test_workers_of_different_runs_never_measure_the_same_design(tmp_path: Path) -> None:
    dg.register_searcher("repeating", Repeating)
    log = tmp_path / "log"
    env = environment(log, gpus=1)
    study = Study("s", env, searchers=["repeating", "random"], budget=40, functional="off", duplicate_cap=1000)
    result = study.run(store=tmp_path / "s.db", progress=False, workers=2)
    evaluations, _ = lines_of(log)
    check_holders(evaluations, 1)
    assert Counter(line["exact"] for line in evaluations).most_common(1)[0][1] == 1
    assert len(evaluations) == result.frame["key_canonical"].nunique() < result.frame["duplicate"].eq(False).sum()
    assert result.gpu_s == pytest.approx(COST_S * len(evaluations))
    again = StudyResult(result.definition, result.runs, pd.concat([result.frame]))  # from what the store says alone
    assert again.gpus == 1 and again.gpu_s == result.gpu_s


def test_an_evaluation_may_hold_several_gpus_and_a_worker_that_dies_costs_no_result(tmp_path: Path) -> None:
    env = environment(tmp_path / "log", gpus=GPUS)

    class Payload:
        workloads = {"w": dg.Workload("w", 1)}  # noqa: RUF012

        def simulator(self) -> Any:
            return env.make_simulator()

    import ray

    pool = start_pool(Payload(), dg.Resources(cpus=0.5, gpus=GPUS))
    designs = env.make_simulator().space.sample(np.random.default_rng(0), 12)
    found: dict[int, float] = {}

    def keep(positions: Sequence[int], results: Sequence[dg.Metrics]) -> None:
        if len(found) == 5:
            os.kill(lines_of(tmp_path / "log")[0][-1]["pid"], signal.SIGKILL)
        found.update((position, result["area_mm2"]) for position, result in zip(positions, results, strict=True))

    OnPool(pool)(designs, dg.Workload("w", 1), 1.0, 0, keep)
    assert found == {i: design["a"] * design["b"] for i, design in enumerate(designs)}
    evaluations, _ = lines_of(tmp_path / "log")
    check_holders(evaluations, GPUS)
    assert len(pool) == 1 and len({line["pid"] for line in evaluations}) == 2
    ray.kill(pool[0])


def test_without_enough_gpus_there_is_one_error_with_what_to_do_and_no_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = Study("s", environment(tmp_path / "log", gpus=3), budget=8, functional="off")
    with pytest.raises(InputError, match=r"one evaluation needs 3 GPU, this Ray cluster has 2: .*nvidia-smi.*VISIBLE.*address="):
        study.run(store=tmp_path / "s.db", progress=False)
    # two nodes with a GPU each have no room for an evaluation that needs two at once
    import ray

    nodes = [{"Alive": alive, "Resources": {"CPU": 4.0, "GPU": 1.0}} for alive in (True, True, False)]
    monkeypatch.setattr(ray, "nodes", lambda: nodes)
    assert room_for(dg.Resources(cpus=1, gpus=1)) == 2
    assert room_for(dg.Resources(cpus=1, gpus=0.25)) == 8
    assert room_for(dg.Resources(cpus=0, gpus=0)) == 2
    with pytest.raises(InputError, match="needs 1 CPU, 2 GPU on one node, and none of the 2 nodes"):
        room_for(dg.Resources(cpus=1, gpus=2))
