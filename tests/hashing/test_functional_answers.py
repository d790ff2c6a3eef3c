"""`functional_hash` on what users' callables really do: iterators, coroutines, generators of their own, what they leave behind."""

import asyncio
import dataclasses
import datetime
import decimal
import enum
import fractions
import itertools
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from designgym.core.errors import InputError
from designgym.core.fingerprint import Fingerprint, fingerprint
from designgym.hashing import functional_hash

NUMBERS = [0.5, -1.25, 3.0]


def same(a: Callable[..., Any], b: Callable[..., Any], examples: list[Any], **options: Any) -> bool:
    return functional_hash(a, examples, **options).matches(functional_hash(b, examples, **options))


# ---- kinds of answers --------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Result:
    latency_ns: float
    stalls: list[Any]


class Policy(enum.Enum):
    LRU = 1
    FIFO = 2


def test_more_kinds_of_values_have_fingerprints() -> None:
    answers = [
        Result(1.5, [1]), Result(1.5, [2]), {"latency_ns": 1.5, "stalls": [1]}, Policy.LRU, Policy.FIFO, 1, decimal.Decimal("0.1"),
        decimal.Decimal("-Infinity"), decimal.Decimal("NaN"), datetime.date(2024, 1, 1), datetime.datetime(2024, 1, 1),
        datetime.timedelta(1), ..., NotImplemented, None, "None", "...",
    ]  # fmt: skip
    assert len({fingerprint(answer) for answer in answers}) == len(answers)
    assert fingerprint(Result(0.75, [1])).matches(fingerprint(Result(0.75 - 1e-15, [1])))
    assert fingerprint(decimal.Decimal("0.1")).matches(fingerprint(0.1)) and fingerprint(fractions.Fraction(1, 3)).matches(
        fingerprint(1 / 3)
    )
    assert fingerprint(fractions.Fraction(10**400)) == fingerprint(float("inf")) == fingerprint(-decimal.Decimal("-1e999"))
    assert fingerprint(decimal.Decimal("sNaN")) == fingerprint(float("nan"))
    with pytest.raises(InputError, match="cannot fingerprint"):
        fingerprint(Result)


def test_iterators_count_by_their_elements() -> None:
    def lazily(x: float) -> Iterator[float]:
        for i in range(3):
            yield x * i

    def breaking(x: float) -> Iterator[float]:
        yield x
        raise ValueError

    assert same(lazily, lambda x: map(lambda i: i * x, range(3)), NUMBERS)
    assert not same(lazily, lambda x: [0.0, x, 2 * x], NUMBERS), "what is only begun is no list"
    assert not same(lazily, lambda x: itertools.islice(lazily(x), 2), NUMBERS)
    assert not same(breaking, lambda x: iter([x]), NUMBERS)
    assert same(lambda x: itertools.count(), lambda x: iter(range(20_000)), [1]), "the first 10,000 of them"
    assert not same(lambda x: iter(range(10_000)), lambda x: iter(range(10_001)), [1])

    def forever(x: float) -> Iterator[int]:
        while True:
            pass
        yield 1

    assert same(forever, lambda x: iter(lambda: next(forever(x)), None), [1], time_limit_s=0.2)


def test_coroutines_are_awaited() -> None:
    async def squared(x: float) -> float:
        await asyncio.sleep(0)
        return x * x

    async def failing(x: float) -> float:
        raise ValueError

    async def steps(x: float) -> AsyncIterator[float]:
        for i in range(3):
            yield x * i

    async def sleeping(x: float) -> None:
        await asyncio.sleep(60)

    def raising(x: float) -> None:
        raise ValueError

    assert same(squared, lambda x: x * x, NUMBERS) and same(failing, raising, NUMBERS) and not same(squared, failing, NUMBERS)
    assert same(steps, lambda x: (x * i for i in range(3)), NUMBERS)

    def endless(x: float) -> None:
        while True:
            pass

    assert same(sleeping, endless, [1.0], time_limit_s=0.2)

    async def in_a_notebook() -> Fingerprint:
        return functional_hash(squared, NUMBERS)

    assert asyncio.run(in_a_notebook()) == functional_hash(squared, NUMBERS)


# ---- generators of the candidate's own ---------------------------------------------------------------------------------

GENERATOR = np.random.default_rng(5)


def from_a_global(x: float) -> list[float]:
    return [x * GENERATOR.random() for _ in range(2)]


def own_generators() -> dict[str, tuple[Callable[..., Any], Callable[[], Any]]]:
    numpy, legacy, python = np.random.default_rng(1), np.random.RandomState(2), random.Random(3)
    torchs = torch.Generator().manual_seed(4)
    return {
        "numpy": (lambda x: numpy.random(), lambda: repr(numpy.bit_generator.state)),
        "legacy": (lambda x: legacy.rand(2), lambda: repr(legacy.get_state())),
        "python": (lambda x: python.random(), python.getstate),
        "torch": (lambda x: torch.rand(2, generator=torchs), lambda: torchs.get_state().tolist()),
        "default": (lambda x, source=python: source.random(), python.getstate),
        "bound": (python.uniform, python.getstate),
        "global": (from_a_global, lambda: repr(GENERATOR.bit_generator.state)),
    }


@pytest.mark.parametrize("kind", list(own_generators()))
def test_generators_of_the_candidates_own_are_put_back(kind: str) -> None:
    candidate, state = own_generators()[kind]
    examples: list[Any] = [(0.0, 1.0)] if kind == "bound" else [0.5, 1.5]
    before = state()
    first = functional_hash(candidate, examples)
    assert state() == before and functional_hash(candidate, examples) == first, "it does not depend on what was drawn before"
    candidate(*(examples[0] if isinstance(examples[0], tuple) else examples[:1]))
    assert functional_hash(candidate, examples) != first, "a candidate is what it would do next"


def test_what_a_candidate_draws_itself_is_put_back_after_exceptions_and_timeouts_too() -> None:
    generator = np.random.default_rng(0)

    def raising(x: float) -> None:
        raise ValueError(generator.random())

    def endless(x: float) -> None:
        while True:
            generator.random()

    before = repr(generator.bit_generator.state)
    functional_hash(raising, [1.0])
    functional_hash(endless, [1.0], time_limit_s=0.1)
    assert repr(generator.bit_generator.state) == before


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_modules_in_training_mode(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.Dropout(0.5)).to(dtype).train()
    inputs = [torch.randn(16, 4, generator=torch.Generator().manual_seed(i)).to(dtype) for i in range(2)]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    first = functional_hash(network, inputs)
    assert functional_hash(network, inputs) == first and network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert functional_hash(network.eval(), inputs) != first


# ---- what is left behind -----------------------------------------------------------------------------------------------


def test_the_folder_the_environment_and_the_default_type_are_put_back() -> None:
    def careless(x: float) -> float:
        os.chdir("/")
        os.environ["DESIGNGYM_TEST_LEFT"] = "1"
        torch.set_default_dtype(torch.float64)
        decimal.getcontext().prec = 3
        np.seterr(all="raise")
        return x

    folder, precision, errors = os.getcwd(), decimal.getcontext().prec, np.geterr()
    assert same(careless, lambda x: x, NUMBERS)
    assert os.getcwd() == folder and "DESIGNGYM_TEST_LEFT" not in os.environ and torch.get_default_dtype() == torch.float32
    assert decimal.getcontext().prec == precision and np.geterr() == errors


def test_an_isolated_candidate_gets_so_much_memory() -> None:
    if sys.platform != "linux":
        pytest.skip("the limit is Linux's")

    def large(x: int) -> int:
        return len(bytearray(x))

    def refused(x: int) -> None:
        raise MemoryError

    limits: dict[str, Any] = {"isolate": True, "memory_limit_bytes": 2**28}
    assert same(large, refused, [2**29], **limits) and same(large, lambda x: x, [2**24], **limits)
    with pytest.raises(InputError, match="memory_limit_bytes is 0, expected a number of bytes above 0, or None"):
        functional_hash(large, [1], memory_limit_bytes=0)


def test_answers_of_these_kinds_are_the_same_in_every_process() -> None:
    code = """if True:
        import dataclasses, decimal, enum
        import numpy as np
        from designgym.hashing import functional_hash
        @dataclasses.dataclass
        class Result:
            values: set
            kind: enum.Enum
        Kind = enum.Enum("Kind", "A B")
        rng = np.random.default_rng(3)
        async def candidate(x):
            return {"result": Result({str(x), "y", 2.5}, Kind.B), "price": decimal.Decimal("0.1"), "drawn": rng.random(2)}
        print(functional_hash(candidate, [0.5, 2, 3]).hex)
    """
    seen = set()
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        seen.add(subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True).stdout)
    assert len(seen) == 1
