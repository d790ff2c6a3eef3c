"""What travels between a shared cache and its clients arrives as it was."""

import pickle
from typing import Any

import pytest

from designgym.core.metrics import Metrics
from designgym.core.protocols import Lookup
from designgym.hashing.wire import pack, pack_lookup, unpack, unpack_lookup

RESULTS = [
    Metrics({"x": 0.1, "y": -0.0}, cost_s=2.5), Metrics({}), Metrics.infeasible(["too hot", "too large"], 1.0), Metrics.failed("fell over"),
]  # fmt: skip
ANSWERS = [Lookup("busy"), Lookup("reserved", None, "token-1", 3), *(Lookup("hit", result) for result in RESULTS)]


def travelled(data: Any) -> Any:
    return pickle.loads(pickle.dumps(data))


@pytest.mark.parametrize("result", RESULTS, ids=repr)
def test_results(result: Metrics) -> None:
    arrived = unpack(travelled(pack(result)))
    assert arrived == result and arrived.cost_s == result.cost_s and type(arrived.reasons) is tuple


@pytest.mark.parametrize("answer", ANSWERS, ids=repr)
def test_answers(answer: Lookup) -> None:
    assert unpack_lookup(travelled(pack_lookup(answer))) == answer
