"""`equivalence_cached`: one call per behaviour, whatever is decorated and however it is called."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

import designgym as dg
from designgym.core.errors import InputError
from designgym.hashing import LocalCache, equivalence_cached
from designgym.hashing.tuners.memo import Counts

SPACE = dg.DesignSpace(width=dg.Integer(0, 9), depth=dg.Integer(0, 9), symmetries=[dg.Interchangeable("width", "depth")])


@equivalence_cached()
def module_level(x: int, y: int = 2) -> float:
    """Add."""
    return x + y


def test_equivalent_calls_cost_nothing() -> None:
    calls = []

    @equivalence_cached(key=lambda width, depth: sorted([width, depth]))
    def area(width: int, depth: int) -> int:
        calls.append((width, depth))
        return width * depth

    assert [area(2, 3), area(3, 2), area(depth=3, width=2), area(2, 4)] == [6.0, 6.0, 6.0, 8.0]
    assert calls == [(2, 3), (2, 4)]
    assert area.memo.counts == Counts(asked=4, measured=2, duplicates=2)


def test_how_arguments_are_passed_does_not_count() -> None:
    calls = []

    @equivalence_cached()
    def f(x: int, y: int = 2, *more: int, z: int = 0, **named: int) -> float:
        calls.append((x, y, more, z, named))
        return x

    for call in (lambda: f(1), lambda: f(1, 2), lambda: f(y=2, x=1), lambda: f(1, z=0)):
        call()
    assert len(calls) == 1
    for call in (lambda: f(1, 3), lambda: f(1, 2, 3), lambda: f(1, z=1), lambda: f(1, w=3), lambda: f(1, more=3), lambda: f(1.0)):
        call()
    assert len(calls) == 7
    with pytest.raises(TypeError, match="missing a required argument: 'x'"):
        f()


def test_it_looks_like_the_function() -> None:
    assert module_level.__name__ == "module_level" and module_level.__doc__ == "Add."  # type: ignore[attr-defined]
    assert list(inspect.signature(module_level).parameters) == ["x", "y"]
    assert module_level.__wrapped__(1) == 3  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "call",
    [
        lambda f: f(3, 4), lambda f: f(4, depth=3), lambda f: f(depth=3, width=4),
    ],
)  # fmt: skip
def test_a_design_space_and_its_parameters_as_arguments(call: Any) -> None:
    calls = []

    @equivalence_cached(key=SPACE)
    def area(width: int, depth: int, seed: int = 0) -> int:
        calls.append(seed)
        return width * depth

    assert area(width=3, depth=4) == call(area) == 12.0
    assert calls == [0]
    area(3, 4, seed=1)
    area(3, 4, 1)
    assert calls == [0, 1]
    with pytest.raises(InputError, match="width: got 77, expected an integer"):
        area(77, 1)


def test_a_design_space_and_a_design_as_argument() -> None:
    calls = []

    @equivalence_cached(key=SPACE)
    def area(design: Any, workload: str = "x", **options: int) -> int:
        calls.append(workload)
        return design["width"] * design["depth"]

    assert area({"width": 3, "depth": 4}) == area(SPACE.validate({"width": 4, "depth": 3})) == area(design={"depth": 3, "width": 4})
    assert calls == ["x"]
    area({"width": 3, "depth": 4}, "y")
    area({"width": 3, "depth": 4}, "x", level=2)
    assert calls == ["x", "y", "x"]
    with pytest.raises(InputError, match="width: missing"):
        area([3, 4])


def test_a_design_space_and_named_arguments() -> None:
    @equivalence_cached(key=SPACE)
    def area(**design: int) -> int:
        return design["width"] * design["depth"]

    assert area(width=3, depth=4) == area(width=4, depth=3) == 12.0
    assert area.memo.counts.measured == 1


class Tool:
    """Its results depend on its size."""

    def __init__(self, size: int) -> None:
        self.size = size

    @equivalence_cached(key=lambda self, x: [self.size, abs(x)])
    def run(self, x: int) -> float:
        return self.size * abs(x)

    @equivalence_cached()
    def careless(self, x: int) -> float:
        return self.size * x

    @staticmethod
    @equivalence_cached()
    def alone(x: int) -> float:
        return 2.0 * x

    def __call__(self, x: int) -> float:
        return self.size * x


def test_methods() -> None:
    assert [Tool(1).run(2), Tool(3).run(-2), Tool(3).run(2)] == [2.0, 6.0, 6.0]
    assert Tool.run.memo.counts == Counts(asked=3, measured=2, duplicates=1)
    assert Tool.alone(2) == Tool(1).alone(2) == 4.0
    with pytest.raises(InputError, match=r"no key for .*Tool.careless: .* self of a method included"):
        Tool(1).careless(2)


def test_callable_objects_and_partial_functions() -> None:
    assert equivalence_cached()(Tool(3))(x=2) == 6.0
    assert equivalence_cached()(partial(pow, 2))(5) == 32.0
    assert equivalence_cached()(max)(1, 5) == 5.0  # says nothing of its arguments


def test_functions_that_share_a_cache_need_names_of_their_own() -> None:
    cache = LocalCache()

    def local() -> float:
        return 1.0

    for nameless in (local, lambda: 1.0, Tool(1), Tool(1).run, partial(pow, 2)):
        with pytest.raises(InputError, match="has no name that keeps its values apart: give name="):
            equivalence_cached(cache=cache)(nameless)
    ones = [equivalence_cached(cache=cache, name=name)(function) for name, function in (("a", Tool(1)), ("b", Tool(2)))]
    assert [one(4) for one in ones] == [4.0, 8.0]
    again = equivalence_cached(cache=cache, name="a")(lambda x: pytest.fail("it is known"))
    assert again(4) == 4.0
    assert equivalence_cached(cache=cache)(module_level.__wrapped__)(1) == 3.0  # type: ignore[attr-defined]


def test_what_it_cannot_decorate_is_refused() -> None:
    async def later() -> float:
        return 1.0

    def many() -> Any:
        yield 1.0

    for function in (later, many):
        with pytest.raises(InputError, match="returns no numbers when it is called"):
            equivalence_cached()(function)
    for nothing in (3, classmethod(lambda cls: 1.0)):
        with pytest.raises(InputError, match="expected a function"):
            equivalence_cached()(nothing)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"equivalence_cached got <.*, expected everything by name: @equivalence_cached\(\) for"):
        equivalence_cached(max)
    with pytest.raises(InputError, match="key is 'x'"):
        equivalence_cached(key="x")(max)  # type: ignore[arg-type]


def test_a_recursive_function_does_not_wait_for_itself() -> None:
    @equivalence_cached(key=lambda a, b: sorted([a, b]))
    def area(a: int, b: int) -> float:
        return area(b, a) if a > b else a * b

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(area, 3, 2).result(10) == 6.0
    assert area(2, 3) == 6.0 and area.memo.counts.measured == 1


def test_it_can_be_sent_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(module_level)) is module_level
    factor = 3

    @equivalence_cached(key=lambda x: abs(x))
    def scaled(x: int) -> float:
        return factor * abs(x)

    scaled(2)
    copy = cloudpickle.loads(cloudpickle.dumps(scaled))
    assert copy(-2) == 6.0 and copy.memo.counts == Counts(asked=2, measured=1, duplicates=1)
    assert scaled.memo.counts.asked == 1


def test_importing_the_decorator_imports_no_tuner() -> None:
    code = (
        "import sys, designgym.hashing; from designgym.hashing import equivalence_cached, dedupe, CachedAskTell;"
        "print([name for name in ('ray', 'optuna', 'nevergrad', 'torch', 'pandas') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parent)
    assert found.stdout.strip() == "[]"
