import math
import subprocess
import sys
import types
import uuid
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest

import designgym as dg
from designgym.core import registry
from designgym.core.errors import DesignGymError, InputError, NotInstalledError, UnknownNameError, shorten, shorten_list
from designgym.core.external import ProgramTimeout
from designgym.core.function_simulator import FunctionSimulator, simulator


@pytest.fixture
def new_id() -> Iterator[str]:
    """Return an id that nobody uses, and forget it afterwards."""
    id = f"test/Registry{uuid.uuid4().hex[:8]}-v0"
    yield id
    registry._environments.pop(id, None)
    gymnasium.registry.pop(id, None)


def adder(**options: Any) -> FunctionSimulator:
    @simulator(space=dg.DesignSpace(a=dg.Integer(0, 3)), metrics=["x_ns"], version="1")
    def add(design: Any, workload: Any, *, seed: int) -> dict[str, float]:
        """Adds things.

        More words.
        """
        return {"x_ns": design["a"] + options.get("offset", 0.0)}

    return add


def test_an_environment_is_found_by_its_id_and_by_gymnasium(new_id: str) -> None:
    spec = dg.register(new_id, adder(), workloads={"one": 1, "two": 2}, objective=dg.minimize("x_ns"))
    assert registry.spec(new_id) is spec and spec in registry.environments()
    assert spec.description == "Adds things." and spec.default_workload == "one" and spec.default_objective == "default"
    assert spec.workload().name == "one" and spec.workload("two").data == 2 and spec.workload(spec.workload("two")).name == "two"
    assert spec.objective().name == "default" and spec.objective(dg.maximize("x_ns")).describe() == "maximise x_ns"
    assert gymnasium.make(new_id).unwrapped.spec is not None
    for what, name in (("workload", "three"), ("objective", "speed")):
        with pytest.raises(UnknownNameError, match=name):
            getattr(spec, what)(name)
    renamed = registry.FixedWorkloads({"mine": dg.Workload("theirs", 1, frozenset({"t"}))}).get("mine")
    assert renamed.name == "mine" and renamed.digest == dg.Workload("x", 1).digest and renamed.traits == {"t"}
    with pytest.raises(UnknownNameError, match="y_ns"):
        spec.objective(dg.minimize("y_ns"))


def test_what_is_built_in_is_known_after_a_plain_import() -> None:
    code = """
import designgym as dg
try:
    dg.testing.check_env("designgym/DramControler-v0")
except dg.InputError as error:
    print(error)
from designgym.core import registry
print(registry.spec("designgym/DramController-v0").id)
print(registry.searcher_class("random").__name__)
"""
    lines = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
    assert "did you mean 'designgym/DramController-v0'" in lines[0] and lines[1:] == ["designgym/DramController-v0", "Random"]
    code = "from designgym.core import registry; registry.environments(); print(list(registry._environments), registry.searchers())"
    listed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "'designgym/DramController-v0'" in listed and "'tpe'" in listed


def test_options_are_declared(new_id: str) -> None:
    spec = dg.register(new_id, adder, workloads={"n": None}, objective=dg.minimize("x_ns"), options={"offset": "added to everything"})
    design = spec.simulator().space.default()
    assert spec.simulator(offset=5.0).evaluate([design], spec.workload())[0]["x_ns"] == 5
    with pytest.raises(UnknownNameError, match="did you mean 'offset'"):
        spec.simulator(ofset=5.0)


@pytest.mark.parametrize("id", ["NoVersion", "ns/sub/Name-v0", "ns/Name-v", "", "ns/Na me-v0", 3, None])
def test_malformed_ids_are_refused(id: Any) -> None:
    with pytest.raises(InputError, match="must look like"):
        dg.register(id, adder(), workloads={"n": None}, objective=dg.minimize("x_ns"))


def test_incomplete_or_repeated_registrations_are_refused(new_id: str) -> None:
    good: dict[str, Any] = {"workloads": {"n": None}, "objective": dg.minimize("x_ns")}
    bad: list[tuple[dict[str, Any], str]] = [
        ({"objective": None}, "needs an objective: objective="),
        ({"objective": None, "objectives": {}}, "needs an objective: objective="),
        ({"objectives": {"a": dg.minimize("x_ns")}}, "got both objective= and objectives="),
        ({"workloads": {}}, "at least one workload"),
        ({"objective": dg.minimize("zzz")}, "zzz"),
        ({"objective": "x_ns"}, r"'x_ns' is no objective, expected one such as minimize"),
        ({"default_workload": "m"}, r"unknown default workload of .* 'm': known: n"),
        ({"budget": 0}, "budget must be a whole number of at least 1, got 0"),
    ]
    for change, message in bad:
        with pytest.raises(InputError, match=message):
            dg.register(new_id, adder(), **(good | change))
    dg.register(new_id, adder(), **good)
    with pytest.raises(InputError, match="registered already"):
        dg.register(new_id, adder(), **good)


def test_what_is_no_simulator_is_refused_saying_what_it_lacks(new_id: str) -> None:
    class Short:
        """Has no probe and declares no resources."""

        name, version, deterministic = "short", "1", True
        space, metrics = adder().space, adder().metrics

        def evaluate(self, designs: Any, workload: Any, *, fidelity: float = 1.0, seed: int = 0) -> list[dg.Metrics]:
            raise AssertionError

    good: dict[str, Any] = {"workloads": {"n": None}, "objective": dg.minimize("x_ns")}
    short: list[Any] = [Short(), Short, lambda: Short()]
    for given in short:
        with pytest.raises(InputError, match="no simulator, it lacks resources, probe"):
            dg.register(new_id, given, **good)
    with pytest.raises(InputError, match=r"does not make a simulator .*'design'.*: decorate a function with designgym.simulator"):
        dg.register(new_id, lambda design, workload, *, seed: {"x_ns": 1.0}, workloads={"n": None}, objective=dg.minimize("x_ns"))  # type: ignore[arg-type,return-value]
    with pytest.raises(InputError, match="5 is no simulator"):
        dg.register(new_id, 5, **good)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="expected a mapping of names to data"):
        dg.register(new_id, adder(), workloads=["n"], objective=dg.minimize("x_ns"))  # type: ignore[arg-type]


def test_what_is_not_installed_is_registered_all_the_same(new_id: str) -> None:
    def missing() -> FunctionSimulator:
        raise NotInstalledError("no tool")

    spec = dg.register(
        new_id,
        missing,
        workloads={"n": None},
        objective=dg.minimize("anything"),
        installed=lambda: (False, "buy the tool"),
        description="d",
    )
    assert spec.installed() == (False, "buy the tool")


def test_lazy_entries_are_imported_when_used(new_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("lazy_environment_for_a_test")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    registry.register_lazily(new_id, module.__name__)
    with pytest.raises(UnknownNameError):  # the module does not keep its promise
        registry.spec(new_id)
    with pytest.raises(UnknownNameError, match="--plugin"):
        registry.spec("test/Nobody-v0")


def test_searchers_by_name() -> None:
    name = f"s{uuid.uuid4().hex[:8]}"

    class Mine:
        pass

    registry.register_searcher(name, Mine)  # type: ignore[arg-type]
    registry.register_searcher(name, Mine)  # type: ignore[arg-type]
    assert registry.searcher_class(name) is Mine and name in registry.searchers()
    with pytest.raises(InputError, match="another name"):
        registry.register_searcher(name, adder)  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="searcher"):
        registry.searcher_class("nobody")
    registry.register_searcher(name + "lazy", "designgym.core.errors:DesignGymError")
    assert registry.searcher_class(name + "lazy") is DesignGymError
    del registry._searchers[name], registry._searchers[name + "lazy"]


def test_unknown_names_come_with_advice_and_survive_pickling() -> None:
    import pickle

    error = UnknownNameError("workload", "cluod-1", ["cloud-1", "stream"])
    assert str(error) == "unknown workload 'cluod-1': did you mean 'cloud-1'?"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert "none is known" in str(UnknownNameError("x", "y", []))
    assert "known: a, b" in str(UnknownNameError("x", "qqq", ["b", "a"])) and "hint" in str(UnknownNameError("x", "y", [], "hint"))
    assert shorten("x" * 200).endswith("...") and len(shorten("x" * 200)) == 80
    assert shorten_list([str(i) for i in range(20)], 3) == "0, 1, 2, ... (17 more)"
    assert shorten_list(["x"] * 15).count("x") == 15 and shorten_list(["x"] * 16).endswith("... (4 more)")


def test_a_suggestion_that_may_be_wrong_comes_with_all_names() -> None:
    known = ["tpe", "random", "grid"]
    assert str(UnknownNameError("searcher", "nope", known)) == "unknown searcher 'nope': known: grid, random, tpe"
    assert str(UnknownNameError("searcher", "gird", known)) == "unknown searcher 'gird': did you mean 'grid'? known: grid, random, tpe"
    assert str(UnknownNameError("searcher", "randm", known)) == "unknown searcher 'randm': did you mean 'random'?"


@pytest.mark.parametrize(
    ("value", "shown"),
    [("7", "'7'"), (True, "True"), (np.bool_(True), "True"), (np.array([1.0]), "array"), (np.array(1.0), "array"), (None, "None"),
     (1 + 2j, "(1+2j)"), (np.complex64(1), "1+0j"), (math.nan, "nan"), (10**400, "1000"), (10**5000, "too long to write")],
    ids=lambda value: shorten(value, 20),
)  # fmt: skip
def test_what_is_no_number_fails_the_design_and_is_named(value: Any, shown: str) -> None:
    @simulator(space=dg.DesignSpace(a=dg.Integer(0, 3)), metrics=["x_ns"], version="1")
    def tool(design: Any, workload: Any, *, seed: int) -> Any:
        return {"x_ns": value}

    [result] = tool.evaluate([tool.space.default()], dg.Workload("w"))
    assert result.status == "failed" and shown in result.error and "tool returned x_ns = " in result.error
    checked = dg.Metrics({"x_ns": value}).checked(tool.metrics)  # of a simulator that is no function
    assert checked.status == "failed" and shown in checked.error


@pytest.mark.parametrize("value", [1.5, 2, np.float32(1.5), np.float64(1.5), np.int8(3), np.uint64(7)])
def test_numbers_of_python_and_numpy_become_floats(value: Any) -> None:
    @simulator(space=dg.DesignSpace(a=dg.Integer(0, 3)), metrics=["x_ns"], version="1")
    def tool(design: Any, workload: Any, *, seed: int) -> Any:
        return {"x_ns": value}

    [result] = tool.evaluate([tool.space.default()], dg.Workload("w"))
    assert result.ok and type(result["x_ns"]) is float and result["x_ns"] == value


def test_a_function_is_a_simulator() -> None:
    calls = []

    @simulator(space=dg.DesignSpace(a=dg.Integer(0, 6)), metrics=["x_ns", dg.metric("y", goal="max")], version="2", name="tool")
    def tool(design: Any, workload: Any, *, seed: int) -> Any:
        calls.append((design["a"], workload, seed))
        match design["a"]:
            case 0:
                raise ValueError("no")
            case 1:
                raise ProgramTimeout("slow")
            case 2:
                return [1, 2]
            case 3:
                return {"x_ns": "much", "y": 1}
            case 4:
                return dg.Metrics.infeasible(["too big"])
            case 5:
                raise SystemExit(3)
        return {"x_ns": 1, "y": 2}

    assert isinstance(tool, dg.Simulator) and tool.name == "tool"
    results = tool.evaluate([dg.Design({"a": a}) for a in range(7)], dg.Workload("w", 7), seed=9)
    assert [result.status for result in results] == ["failed", "timeout", "failed", "failed", "infeasible", "failed", "ok"]
    assert "ValueError: no" in results[0].error and "mapping" in results[2].error and "x_ns = 'much', expected a" in results[3].error
    assert results[5].error == "tool called exit(3)"
    assert calls[-1] == (6, 7, 9) and tool({"a": 6}) == {"x_ns": 1, "y": 2}
    with pytest.raises(InputError, match="fidelity"):
        tool.evaluate([], dg.Workload("w"), fidelity=0.5)
    with pytest.raises(InputError, match="different metrics"):
        simulator(space=tool.space, metrics=[], version="1")
    with pytest.raises(InputError, match="different metrics"):
        simulator(space=tool.space, metrics=["a", "a"], version="1")
    with pytest.raises(InputError, match=r"space is .* expected a DesignSpace"):
        simulator(space={}, metrics=["a"], version="1")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="metrics is 'latency_ns', expected a list"):
        simulator(space=tool.space, metrics="latency_ns", version="1")
    with pytest.raises(InputError, match=r"cannot be called as function\(design, workload, \*, seed\): .*'seed'"):
        simulator(space=tool.space, metrics=["a"], version="1")(lambda design, workload: {"a": 1.0})
