import copy
import functools
import itertools
import math
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import designgym as dg
from designgym.core.errors import InputError
from designgym.core.fingerprint import Fingerprint
from designgym.hashing import Example, functional_hash
from designgym.hashing.time_limit import TimeIsUp, TimeLimit

NUMBERS = [0.5, -1.25, 3.0, 1e-3, 1e6, 0.1]
PAIRS = [(0.1, 0.2), (1.5, -0.3), (1e3, 7.0)]
LISTS = [[3, 1, 2], [], [5, 5, -1, 0], list(range(20, 0, -1))]


def same(a: Callable[..., Any], b: Callable[..., Any], examples: list[Any], **options: Any) -> bool:
    return functional_hash(a, examples, **options).matches(functional_hash(b, examples, **options))


# ---- what is equal -----------------------------------------------------------------------------------------------------


def square(x: float) -> float:
    return x * x


class Square:
    def __init__(self, exponent: int = 2) -> None:
        self.exponent = exponent

    def __call__(self, x: float) -> float:
        return x**self.exponent

    def method(self, x: float) -> float:
        return self(x)


class Graph:
    """An expression as a graph of operations."""

    def __init__(self, operation: str, *operands: "Graph | str") -> None:
        self.operation, self.operands = operation, operands

    def value(self, inputs: dict[str, float]) -> float:
        a, b = (inputs[one] if isinstance(one, str) else one.value(inputs) for one in self.operands)
        return {"*": a * b, "+": a + b}[self.operation]

    def __call__(self, x: float) -> float:
        return self.value({"x": x})


class Machine:
    """A register machine: (operation, target, source, source)."""

    def __init__(self, *program: tuple[str, int, int, int]) -> None:
        self.program = program

    def __call__(self, x: float) -> float:
        registers = [0.0, x, 0.0]
        for operation, target, a, b in self.program:
            registers[target] = registers[a] * registers[b] if operation == "*" else registers[a] + registers[b]
        return registers[0]


SQUARES: dict[str, Callable[..., Any]] = {
    "def": square, "lambda": lambda x: x * x, "power": lambda x: x**2, "class": Square(), "bound method": Square().method,
    "partial": functools.partial(pow, exp=2), "of numpy": np.square, "graph": Graph("*", "x", "x"),
    "machine": Machine(("*", 0, 1, 1), ("+", 2, 1, 1)), "logarithm": lambda x: math.exp(2 * math.log(abs(x))),
}  # fmt: skip
OTHERS: dict[str, Callable[..., Any]] = {
    "cube": Square(3),
    "double": Graph("+", "x", "x"),
    "shifted": lambda x: x * x + 1e-6,
    "almost": lambda x: x * x if x < 1e5 else 0.0,
}


def test_a_function_is_itself_however_it_is_written() -> None:
    prints = {name: functional_hash(candidate, NUMBERS) for name, candidate in SQUARES.items()}
    for name, one in prints.items():
        assert one.matches(prints["def"]), name
    different = [functional_hash(candidate, NUMBERS) for candidate in OTHERS.values()]
    for a, b in itertools.combinations([prints["def"], *different], 2):
        assert not a.matches(b)


@pytest.mark.parametrize(
    ("a", "b", "examples", "equal"),
    [
        (lambda x: x + x, lambda x: 2 * x, NUMBERS, True),
        (lambda x, y: (x + y) + 0.3, lambda x, y: x + (y + 0.3), PAIRS, True),
        (lambda x: math.sin(x) ** 2 + math.cos(x) ** 2, lambda x: 1.0, NUMBERS, True),
        (lambda x: x - x, lambda x: 0.0, NUMBERS, True),
        (lambda x: (x + 0.1) - x - 0.1, lambda x: 0.0, [0.5, 1.0], True),
        (lambda x: x, lambda x: -x, NUMBERS, False),
        (lambda x: x, lambda x: abs(x), [0.5, 3.0], True),
        (lambda x: x, lambda x: [x], NUMBERS, False),
        (lambda x: float("nan"), lambda x: float("inf"), NUMBERS, False),
        (lambda x: np.array(x) / 0.0, lambda x: math.copysign(math.inf, x), NUMBERS, True),
        (lambda x: None, lambda x: 0.0, NUMBERS, False),
        (lambda x: np.zeros(3), lambda x: np.zeros((3, 1)), NUMBERS, False),
    ],
)
def test_equal_and_different_functions(a: Callable[..., Any], b: Callable[..., Any], examples: list[Any], equal: bool) -> None:
    assert same(a, b, examples) == equal


def bubble_sort(items: list[int]) -> list[int]:
    items = list(items)
    for end in range(len(items), 0, -1):
        for i in range(end - 1):
            if items[i] > items[i + 1]:
                items[i], items[i + 1] = items[i + 1], items[i]
    return items


def test_sorting_is_sorting() -> None:
    def in_place(items: list[int]) -> list[int]:
        items.sort()
        return items

    def lazily_wrong(items: list[int]) -> list[int]:
        return items

    assert same(bubble_sort, sorted, LISTS) and not same(sorted, lazily_wrong, LISTS)
    assert not same(sorted, in_place, LISTS), "one leaves its argument as it was, the other does not"
    assert same(sorted, in_place, LISTS, in_place=False)
    assert same(list.sort, lambda items: items.reverse() or items.sort(), LISTS)
    assert not same(list.sort, list.reverse, LISTS) and same(list.sort, list.reverse, LISTS, in_place=False), "both answer None"


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-100, 100), min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_polynomials_are_equal_in_any_order_of_terms(coefficients: list[float], shuffler: random.Random) -> None:
    terms = list(enumerate(coefficients))
    shuffled = terms.copy()
    shuffler.shuffle(shuffled)
    inputs = [0.3, 1.7, 2.0]

    def polynomial(terms: list[tuple[int, float]]) -> Callable[[float], Any]:
        # with its size beside it: an error of rounding is relative to that
        return lambda x: np.array([sum(c * x**i for i, c in terms), sum(abs(c) * x**i for i, c in sorted(terms))])

    a, b = (functional_hash(polynomial(order), inputs, repeats=1) for order in (terms, shuffled))
    assert a.matches(b)
    index = coefficients.index(max(coefficients, key=abs))
    changed = [(i, c + 0.5 if i == index else c) for i, c in terms]
    assert not functional_hash(polynomial(changed), inputs, repeats=1).matches(a)


# ---- the calls ---------------------------------------------------------------------------------------------------------


def test_what_an_example_is() -> None:
    calls: list[Any] = []

    def note(*args: Any, **kwargs: Any) -> None:
        calls.append((args, kwargs))

    functional_hash(note, [1, (1, 2), [1, 2], {"a": 1}, ((1, 2),), (), Example(1, base=2)], repeats=1)
    assert calls == [
        ((1,), {}), ((1, 2), {}), (([1, 2],), {}), (({"a": 1},), {}), (((1, 2),), {}), ((), {}), ((1,), {"base": 2})
    ]  # fmt: skip
    assert repr(Example([1], base="x")) == "Example([1], base='x')"
    calls.clear()
    functional_hash(note, np.arange(6.0).reshape(3, 2), seeds=[5])
    assert len(calls) == 3 and calls[1][0][0].tolist() == [2.0, 3.0]


def test_changes_of_arguments_do_not_leak() -> None:
    example = [1, 2, 3]
    seen: list[Any] = []

    def pop_all(items: list[int]) -> int:
        seen.append(list(items))
        items.clear()
        return len(items)

    functional_hash(pop_all, [example, example], repeats=2)
    assert example == [1, 2, 3] and seen == [[1, 2, 3]] * 4


def test_changes_are_seen_in_arrays_and_by_name_but_not_in_unknown_objects() -> None:
    def add(a: Any, *, b: Any = None, unknown: Any = None) -> None:
        a += 1
        if unknown is not None:
            unknown.state = a

    def nothing(a: Any, *, b: Any = None, unknown: Any = None) -> None:
        pass

    class Unknown:
        state = None

    assert not same(add, nothing, [np.zeros(3)]) and not same(add, nothing, [Example(a=np.zeros(3))])
    assert same(add, nothing, [(1,)]) and same(add, nothing, [Example(1, unknown=Unknown())])
    assert functional_hash(lambda a: a.append(object()), [[1]]) != functional_hash(lambda a: None, [[1]])


def test_each_call_meets_the_candidate_as_it_was_given() -> None:
    class Counter:
        count = 0
        history: list[int]

        def __init__(self) -> None:
            self.history = []

        def __call__(self, x: int) -> int:
            self.count += 1
            self.history.append(x)
            return self.count + len(self.history)

    counter = Counter()
    assert same(counter, lambda x: 2, [1, 2]) and counter.count == 0 and counter.history == []
    assert same(functools.partial(counter, 5), lambda: 2, [(), ()]) and same(counter.__call__, lambda x: 2, [1, 2])
    assert not same(counter, lambda x: 2, [1, 2], fresh=False) and counter.count == 6

    class Locked:
        lock = None

        def __call__(self, x: int) -> int:
            return x

    locked: Any = Locked()
    locked.lock = threading.Lock()
    with pytest.raises(InputError, match=r"the candidate, .*, cannot be copied .*pass fresh=False"):
        functional_hash(locked, [1])
    assert same(locked, lambda x: x, [1], fresh=False)
    with pytest.raises(InputError, match=r"example 1, .*cannot be copied"):
        functional_hash(square, [1, threading.Lock()])


# ---- randomness --------------------------------------------------------------------------------------------------------


def test_random_candidates_are_equal_if_they_draw_alike() -> None:
    draws: dict[str, Callable[..., Any]] = {
        "python": lambda x: random.random(), "numpy": lambda x: float(np.random.random()), "torch": lambda x: torch.rand(3),
        "python 2": lambda x: random.gauss(0, 1), "plus": lambda x: x + random.random(),
    }  # fmt: skip
    prints = {name: functional_hash(draw, NUMBERS) for name, draw in draws.items()}
    for a, b in itertools.combinations(prints, 2):
        assert not prints[a].matches(prints[b]), (a, b)
    random.seed(12345)
    np.random.seed(99)
    torch.manual_seed(4)
    assert {name: functional_hash(draw, NUMBERS) for name, draw in draws.items()} == prints, "the same whatever was drawn before"
    assert same(draws["plus"], lambda x: random.random() + x, NUMBERS)
    assert functional_hash(draws["python"], NUMBERS) != functional_hash(draws["python"], NUMBERS, seeds=[7, 8, 9])


def test_repetitions_show_what_is_random_and_examples_draw_apart() -> None:
    seen: list[float] = []
    functional_hash(lambda x: seen.append(random.random()), [1, 2], repeats=3)
    assert len(set(seen)) == 6
    assert functional_hash(square, NUMBERS, repeats=2) != functional_hash(square, NUMBERS, repeats=3)
    assert functional_hash(square, NUMBERS, seeds=[0, 1]) == functional_hash(square, NUMBERS, repeats=2)
    assert functional_hash(square, NUMBERS, seeds=np.arange(2)) == functional_hash(square, NUMBERS, seeds=iter([0, 1]))


@pytest.mark.parametrize("ending", [lambda x: random.random(), lambda x: 1 / 0, lambda x: (_ for _ in ()).throw(SystemExit)])
def test_generators_are_put_back(ending: Callable[..., Any]) -> None:
    random.seed(1)
    np.random.seed(2)
    torch.manual_seed(3)
    states = random.getstate(), repr(np.random.get_state()), torch.get_rng_state().tolist()
    functional_hash(ending, [1.0])
    with pytest.raises(InputError):
        functional_hash(lambda x: [random.random(), np.random.random(), torch.rand(1), object()], [1.0])
    assert states == (random.getstate(), repr(np.random.get_state()), torch.get_rng_state().tolist())


# ---- torch modules -----------------------------------------------------------------------------------------------------


class TwoLayers(torch.nn.Module):
    def __init__(self, seed: int = 0, permutation: list[int] | None = None) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.first, self.second = torch.nn.Linear(8, 32), torch.nn.Linear(32, 4)
        if permutation is not None:
            self.first.weight.data, self.first.bias.data = self.first.weight.data[permutation], self.first.bias.data[permutation]
            self.second.weight.data = self.second.weight.data[:, permutation]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(torch.relu(self.first(x)))


def inputs(n: int = 3) -> list[torch.Tensor]:
    return [torch.randn(5, 8, generator=torch.Generator().manual_seed(i)) for i in range(n)]


def test_a_network_with_its_units_in_another_order_is_the_same_network() -> None:
    permutation = np.random.default_rng(0).permutation(32).tolist()
    assert same(TwoLayers(), TwoLayers(permutation=permutation), inputs(), mantissa_bits=10)
    assert not same(TwoLayers(), TwoLayers(seed=1), inputs(), mantissa_bits=10)
    assert functional_hash(TwoLayers().double(), [x.double() for x in inputs()], mantissa_bits=10).matches(
        functional_hash(TwoLayers(), inputs(), mantissa_bits=10)
    )
    assert same(TwoLayers(), TwoLayers().forward, inputs())


def test_rounding_in_single_precision_tells_no_networks_apart() -> None:
    permutation = np.random.default_rng(0).permutation(32).tolist()
    networks = [(TwoLayers(seed), TwoLayers(seed, permutation)) for seed in range(10)]
    assert all(same(*pair, inputs(), repeats=1) for pair in networks)
    assert not any(same(one, other, inputs(), repeats=1) for (one, _), (other, _) in itertools.pairwise(networks))
    assert not same(lambda x: x.mean(), lambda x: x.mean() * 1.01, inputs())


def test_the_state_of_a_module_is_put_back() -> None:
    class Careless(torch.nn.Module):
        calls: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.norm, self.drop, self.linear = torch.nn.BatchNorm1d(8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 1)
            self.register_buffer("calls", torch.zeros(1))
            self.count = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls = self.calls + 1
            self.count += 1
            answer = self.linear(self.drop(self.norm(x)))
            self.linear.weight.data.add_(1.0)
            if torch.is_grad_enabled():
                answer.sum().backward()
            self.eval()
            return answer + self.calls + self.count

    module = Careless()
    module(inputs()[0]).detach()
    module.train()
    before = copy.deepcopy(module.state_dict())
    assert module.linear.weight.grad is not None
    gradient, count = module.linear.weight.grad.clone(), module.count
    for options in ({}, {"gradients": True}):
        first = functional_hash(module, inputs(), **options)  # type: ignore[arg-type]
        assert first == functional_hash(module, inputs(), **options)  # type: ignore[arg-type]
        assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
        assert torch.equal(module.linear.weight.grad, gradient) and module.training and module.norm.training and module.count == count
    assert functional_hash(module, inputs()) != functional_hash(module.eval(), inputs()), "the training flag is behaviour"
    alone = [functional_hash(module.train(), [x], repeats=1) for x in inputs()]
    assert len(set(alone)) == 3
    assert functional_hash(module, inputs(2), repeats=1, fresh=False) is not None and module.count > count


def test_gradients_are_recorded_only_if_asked_for() -> None:
    assert same(lambda x: torch.is_grad_enabled(), lambda x: False, [1]) and torch.is_grad_enabled()
    assert same(lambda x: torch.is_grad_enabled(), lambda x: True, [1], gradients=True)
    assert same(lambda x: torch.autograd.grad((x**3).sum(), x)[0], lambda x: 3 * x**2, [torch.ones(2, requires_grad=True)], gradients=True)


# ---- everything is a behaviour -----------------------------------------------------------------------------------------


def endless(x: Any) -> None:
    while True:
        pass


def forgiving(x: Any) -> None:
    while True:
        try:
            while True:
                int("x")
        except Exception:
            pass


def stubborn(x: Any) -> None:
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass


def bottomless(x: Any) -> Any:
    return bottomless(x)


def circle(x: Any) -> list[Any]:
    circle: list[Any] = []
    circle.append(circle)
    return circle


class Unwilling(list[int]):
    def __iter__(self) -> Any:
        raise LookupError


def kill_the_server(x: Any) -> int:
    os.kill(os.getppid(), 9)
    return 5


def raising(error: BaseException) -> Callable[..., Any]:
    def candidate(x: Any) -> None:
        raise error

    return candidate


class OddError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even its text can be had")


BEHAVIOURS: dict[str, Callable[[Any], Any]] = {
    "value": raising(ValueError("a")), "type": lambda x: x + "text", "odd": raising(OddError()), "exit": lambda x: sys.exit(3),
    "memory": raising(MemoryError()), "generator": raising(GeneratorExit()), "deep": bottomless, "none": lambda x: None,
    "nan": lambda x: math.nan, "text": lambda x: "nan", "huge": lambda x: np.ones(10**5), "huge list": lambda x: list(range(10**4)),
    "too much memory": lambda x: np.ones(10**15), "prints": lambda x: print("hello"), "prints more": lambda x: print("hello you"),
    "strict": lambda x: dg.DesignSpace(), "circle": circle, "unwilling": lambda x: Unwilling(),
}  # fmt: skip
SAME = {"memory": "too much memory"}


def test_whatever_happens_is_a_behaviour(capsys: pytest.CaptureFixture[str]) -> None:
    prints: dict[Fingerprint, str] = {}
    for name, candidate in BEHAVIOURS.items():
        found = functional_hash(candidate, [1.0, 2.0])
        assert found == functional_hash(candidate, [1.0, 2.0]), name
        other = prints.setdefault(found, name)
        assert other == name or SAME.get(other) == name or (other, name) == ("memory", "too much memory"), (other, name)
    assert same(raising(ValueError("a")), raising(ValueError("b")), [1]) and not same(raising(ValueError("a")), raising(KeyError("a")), [1])
    assert capsys.readouterr() == ("", "")


def test_printing_counts_and_appears_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    def prints(x: float) -> float:
        print("x is", x)
        print("trouble", file=sys.stderr)
        return x

    def other(x: float) -> float:
        sys.stdout.write(f"x is {x}\n")
        return x

    assert same(prints, other, NUMBERS) and not same(prints, lambda x: x, NUMBERS)
    assert capsys.readouterr() == ("", "")
    kept: list[Any] = []
    functional_hash(lambda x: kept.append(sys.stdout), [1])
    print("still here", file=kept[0])
    assert capsys.readouterr().out == "still here\n"


def test_other_threads_print_as_ever(capsys: pytest.CaptureFixture[str]) -> None:
    encoding = sys.stdout.encoding

    def elsewhere() -> None:
        print("from elsewhere", sys.stdout.encoding)

    def candidate(x: float) -> float:
        sys.stdout.flush()
        assert not sys.stdout.isatty() and not hasattr(sys.stdout, "buffer")
        sys.stdout.writelines(["mine", "too"])
        other = threading.Thread(target=elsewhere)
        other.start()
        other.join()
        return x

    assert same(candidate, lambda x: print("minetoo", end="") or x, [1.0], repeats=1)
    assert capsys.readouterr().out == f"from elsewhere {encoding}\n"


def test_the_depth_of_the_caller_is_no_behaviour() -> None:
    def depth(x: int) -> int:
        return 1 + depth(x - 1) if x else 0

    def deeper(n: int) -> Fingerprint:
        return deeper(n - 1) if n else functional_hash(depth, [900, 2000])

    limit = sys.getrecursionlimit()
    assert deeper(500) == deeper(0) and sys.getrecursionlimit() == limit
    assert deeper(0) != functional_hash(depth, [2000, 900])


def test_warnings_are_not_errors_inside() -> None:
    with np.errstate(all="raise"):
        assert same(lambda x: np.float64(x) / 0, lambda x: math.inf, [1.0])


def test_ctrl_c_interrupts_as_ever() -> None:
    state = random.getstate()
    with pytest.raises(KeyboardInterrupt):
        functional_hash(raising(KeyboardInterrupt()), [1])
    assert random.getstate() == state and sys.stdout is not None

    class Cancelled(BaseException):
        pass

    with pytest.raises(Cancelled):
        functional_hash(raising(Cancelled()), [1])


# ---- the time limit ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("candidate", [endless, forgiving, lambda x: list(itertools.takewhile(bool, iter(lambda: 1, 0)))])
def test_loops_without_end_end(candidate: Callable[..., Any]) -> None:
    assert same(candidate, lambda x: time.sleep(0.3), [1], time_limit_s=0.2)
    assert not same(candidate, raising(TimeoutError()), [1], time_limit_s=0.2)


def test_what_happened_before_the_time_was_up_counts() -> None:
    def candidate(first: Any) -> Callable[[int], Any]:
        return lambda x: endless(x) if x == 2 else first

    a, b = (functional_hash(candidate(first), [1, 2, 3], time_limit_s=0.1) for first in (1.0, 2.0))
    assert a != b and a == functional_hash(candidate(1.0), [1, 2, 3], time_limit_s=0.1)


def test_after_the_limit_nothing_is_left_behind() -> None:
    threads = threading.active_count()
    for _ in range(5):
        functional_hash(endless, [1, 2], time_limit_s=0.05)
    total = sum(i for i in range(200_000))  # an interruption that came too late would end this
    assert total == 19999900000
    time.sleep(0.15)
    assert threading.active_count() <= threads


def test_no_limit_and_an_endless_answer() -> None:
    assert same(square, lambda x: x * x, NUMBERS, time_limit_s=None)

    class Endless(list[int]):
        def __iter__(self) -> Any:
            return itertools.repeat(1)

    assert same(lambda x: Endless(), endless, [1], time_limit_s=0.2)


def test_in_worker_threads_too() -> None:
    found: dict[int, Fingerprint] = {}

    def work(number: int) -> None:
        found[number] = functional_hash(endless if number % 2 else lambda x: random.random(), [1, 2], time_limit_s=0.2)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = functional_hash(lambda x: random.random(), [1, 2], time_limit_s=0.2)
    assert found[0] == found[2] == expected != found[1] == found[3]


def test_limits_that_are_just_met_disturb_nothing_afterwards() -> None:
    outcomes = set()
    with TimeLimit(0.002) as limit:
        for i in range(150):
            end = time.perf_counter() + 0.002 * (0.9 + 0.2 * (i % 5) / 4)

            def work(end: float = end) -> int:
                while time.perf_counter() < end:
                    pass
                return 1

            try:
                outcomes.add(limit.run(work))
            except TimeIsUp:
                outcomes.add(0)
            assert sum(range(1000)) == 499500
    assert 0 in outcomes


def test_profilers_work_afterwards() -> None:
    code = """if True:
        import cProfile
        from designgym.hashing import functional_hash
        def endless(x):
            while True:
                pass
        for candidate in (abs, endless):
            functional_hash(candidate, [1], time_limit_s=0.1)
            print(cProfile.Profile().runcall(lambda: sum(map(str.__len__, ["a"] * 10))))
    """
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.split() == ["10", "10"]


def test_the_users_ctrl_c_ends_an_endless_candidate() -> None:
    for isolate in (False, True):
        functional_hash(square, [1], isolate=isolate)
        timer = threading.Timer(0.3, signal.pthread_kill, [threading.main_thread().ident, signal.SIGINT])
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            functional_hash(endless, [1], time_limit_s=30, isolate=isolate)
        timer.join()
    assert functional_hash(square, [1], isolate=True) == functional_hash(square, [1])


def test_a_hash_inside_of_a_hash() -> None:
    inner = functional_hash(endless, [1], time_limit_s=0.1).key

    def candidate(x: float) -> bytes:
        return functional_hash(endless, [1], time_limit_s=0.1).key

    assert same(candidate, lambda x: inner, [1.0], repeats=1)
    assert same(lambda x: functional_hash(endless, [1], time_limit_s=60).key, endless, [1], time_limit_s=0.2)


# ---- isolation ---------------------------------------------------------------------------------------------------------


def crash(x: Any) -> None:
    import ctypes

    ctypes.string_at(0)


def sleeping(x: Any) -> None:
    threading.Lock().acquire()
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def test_isolated_candidates_have_the_same_fingerprints() -> None:
    names = ["value", "exit", "deep", "nan", "prints", "none", "circle"]
    for candidate in (square, SQUARES["graph"], lambda x: random.random() + np.random.random(), *(BEHAVIOURS[name] for name in names)):
        assert functional_hash(candidate, NUMBERS, isolate=True) == functional_hash(candidate, NUMBERS)
    assert functional_hash(TwoLayers(), inputs(), isolate=True, mantissa_bits=10).matches(
        functional_hash(TwoLayers(), inputs(), mantissa_bits=10)
    )
    assert functional_hash(endless, [1], time_limit_s=0.2, isolate=True) == functional_hash(endless, [1], time_limit_s=0.2)


def test_isolated_candidates_may_die_or_hang() -> None:
    died = functional_hash(crash, [1], isolate=True)
    assert died == functional_hash(lambda x: os._exit(0), [1], isolate=True) == functional_hash(crash, [1], isolate=True)
    assert functional_hash(lambda x: os._exit(0) if x else x, [0, 1], isolate=True) != died
    assert functional_hash(kill_the_server, [1], isolate=True) == functional_hash(lambda x: 5, [1])
    assert functional_hash(sleeping, [1], isolate=True, time_limit_s=0.2) == functional_hash(endless, [1], time_limit_s=0.2)
    assert functional_hash(stubborn, [1], isolate=True, time_limit_s=0.2) == functional_hash(endless, [1], time_limit_s=0.2)
    assert functional_hash(square, NUMBERS, isolate=True) == functional_hash(square, NUMBERS), "and the next one runs as ever"


def test_isolated_candidates_leave_nothing_behind() -> None:
    import builtins

    def spoil(x: Any) -> None:
        builtins.len = lambda items: 0

    functional_hash(spoil, [1], isolate=True)  # it also spoils the messages that its process sends
    assert functional_hash(lambda x: len([x]), [1], isolate=True) == functional_hash(lambda x: 1, [1])


def test_what_cannot_travel_is_refused_in_words() -> None:
    lock = threading.Lock()
    with pytest.raises(InputError, match=r"cannot be sent to another process .*pass isolate=False"):
        functional_hash(lambda x: lock.locked(), [1], isolate=True)
    with pytest.raises(InputError, match=r"cannot fingerprint <object"):
        functional_hash(lambda x: object(), [1], isolate=True)
    with pytest.raises(KeyboardInterrupt):
        functional_hash(raising(KeyboardInterrupt()), [1], isolate=True)


def test_isolation_ends_with_the_process() -> None:
    code = """if True:
        import designgym.hashing.isolation as isolation
        from designgym.hashing import functional_hash
        print(functional_hash(lambda x: x * 2, [1.5], isolate=True).hex, isolation._server.process.pid)
    """
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    digest, pid = found.stdout.split()
    assert digest == functional_hash(lambda x: x * 2, [1.5]).hex
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)


# ---- stability and refusals --------------------------------------------------------------------------------------------


def test_the_same_in_every_process() -> None:
    code = """if True:
        import random, numpy as np
        from designgym.hashing import functional_hash
        def candidate(x):
            print(x)
            return {"a": x ** 2, "b": [random.random(), np.random.standard_normal(3)], "c": {str(x), "y"}}
        print(functional_hash(candidate, [0.5, 2, 3]).hex)
    """
    seen = set()
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        seen.add(subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True).stdout)
    assert seen == {"b4156413f2fd1a24acff0156f1f4d25d\n"}  # of this version: raise it with any change of this


def test_answers_without_a_fingerprint_are_refused_and_can_be_read() -> None:
    class Model:
        def __init__(self, weights: list[float]) -> None:
            self.weights = weights

    with pytest.raises(InputError, match=r"example 0 of .*cannot fingerprint .*Model.*Pass `read`"):
        functional_hash(lambda x: Model([x]), [1.0])
    assert same(lambda x: Model([x + x]), lambda x: Model([2 * x]), NUMBERS, read=lambda model: model.weights)
    assert same(lambda x: (i * x for i in range(3)), lambda x: [0.0 * x, x, 2 * x], NUMBERS, read=list)
    with pytest.raises(InputError, match=r"`read` raised AttributeError on the answer 1\.0"):
        functional_hash(lambda x: x, [1.0], read=lambda model: model.weights)


@pytest.mark.parametrize(
    ("candidate", "examples", "options", "words"),
    [
        (3, [1], {}, "the candidate is 3, expected something that can be called"),
        (square, [], {}, "there are no examples"),
        (square, "abc", {}, "examples are 'abc', expected a list"),
        (square, {"a": 1}, {}, "examples are .*expected a list"),
        (square, 3, {}, "examples are 3"),
        (square, Example(1), {}, r"examples are Example\(1\)"),
        (square, [1], {"repeats": 0}, "repeats is 0, expected a whole number of 1 or more"),
        (square, [1], {"repeats": 2.0}, "repeats is 2.0"),
        (square, [1], {"seeds": []}, r"seeds are \[\]"),
        (square, [1], {"seeds": [-1]}, r"seeds are \[-1\]"),
        (square, [1], {"seeds": 3}, "seeds are 3, expected a list of one or more whole numbers of 0 or more"),
        (square, [1], {"seeds": {3, 4}}, "seeds are {3, 4}"),
        (square, [1], {"seeds": np.array([0.5])}, "seeds are array"),
        (square, [1], {"time_limit_s": 0}, "time_limit_s is 0, expected a number of seconds above 0"),
        (square, [1], {"time_limit_s": math.nan}, "time_limit_s is nan"),
        (square, [1], {"mantissa_bits": 99}, "mantissa_bits is 99"),
        (square, [1], {"atol": -1}, "atol is -1"),
    ],
)
def test_arguments_outside_their_range_are_refused(candidate: Any, examples: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        functional_hash(candidate, examples, **options)
