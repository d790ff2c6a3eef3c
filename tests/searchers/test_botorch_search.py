"""What is particular to the Gaussian process searcher."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import torch
from linear_operator.utils.errors import NotPSDError  # type: ignore[import-untyped]

from designgym.searchers import botorch_model, make_searcher
from designgym.searchers.candidates import model_columns

OPTIONS = {"initial": 6, "candidates": 24, "samples": 32}


def warmed(world: dict[str, Any], space_name: str, objective: str, count: int = 20) -> Any:
    space = world["SPACES"][space_name]
    searcher = make_searcher("botorch", space, world["OBJECTIVES"][objective], seed=1, **OPTIONS)
    searcher.tell(world["told"](space, space.sample(np.random.default_rng(0), count), False))
    return searcher


def test_numerical_trouble_means_exploration_and_is_said(
    world: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def trouble(*args: Any) -> None:
        raise NotPSDError("planted")

    searcher = warmed(world, "discrete", "single")
    monkeypatch.setattr(botorch_model.Surrogate, "__init__", trouble)
    with caplog.at_level(logging.WARNING):
        assert len(searcher.ask(3)) == 3
    assert searcher.fallbacks == 1
    assert "planted" in caplog.text
    assert searcher.state()["own"]["fallbacks"] == 1


def test_other_errors_are_not_hidden(world: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*args: Any) -> None:
        raise KeyError("a bug")

    searcher = warmed(world, "discrete", "single")
    monkeypatch.setattr(botorch_model.Surrogate, "__init__", bug)
    with pytest.raises(KeyError):
        searcher.ask(1)


@pytest.mark.parametrize("objective", ["single", "pareto"])
def test_pending_designs_are_worth_nothing_more(world: dict[str, Any], objective: str) -> None:
    searcher = warmed(world, "mixed", objective)
    with botorch_model.controlled(0):
        used = searcher._used()
        surrogate = searcher._surrogate(searcher._data(used))
        (design,) = searcher.ask(1)
        others = model_columns(searcher, searcher.space.sample(np.random.default_rng(3), 60))
        at = model_columns(searcher, [design])
        del searcher.pending[searcher._key(design)]
        alone = searcher._acquisition(surrogate, used, seed=5)
        assert alone(at)[0] > alone(others).max()  # it was the best choice
        searcher.pending[searcher._key(design)] = design
        pending = searcher._acquisition(surrogate, used, seed=5)
        assert pending(at)[0] < pending(others).max()  # once is enough


def test_kernel_parameters_survive_exactly(world: dict[str, Any]) -> None:
    searcher = warmed(world, "ruled", "constrained")
    data = searcher._data(searcher._used())
    with botorch_model.controlled(0):
        fitted = botorch_model.Surrogate(data, None, True)
        again = botorch_model.Surrogate(data, fitted.parameters, False)
        unfitted = botorch_model.Surrogate(data, None, False)
    assert again.parameters == fitted.parameters != unfitted.parameters


def test_model_predicts_what_it_has_seen(world: dict[str, Any]) -> None:
    searcher = warmed(world, "mixed", "single", count=40)
    used = searcher._used()
    data = searcher._data(used)
    with botorch_model.controlled(0):
        surrogate = botorch_model.Surrogate(data, None, True)
    with torch.no_grad():
        mean = surrogate.model.posterior(torch.from_numpy(data.x)).mean.numpy()[:, 0] * surrogate.scale[0] + surrogate.mean[0]
    assert np.corrcoef(mean, data.targets[:, 0])[0, 1] > 0.95


def test_cap_on_points_keeps_the_best(world: dict[str, Any]) -> None:
    space = world["SPACES"]["mixed"]
    searcher: Any = make_searcher("botorch", space, world["OBJECTIVES"]["single"], seed=1, max_points=20)
    searcher.tell(world["told"](space, space.sample(np.random.default_rng(0), 70), False))
    used = searcher._used()
    everything = list(searcher.observations.values())
    assert len(used) == len({id(each) for each in used}) == 20
    scores = sorted((each.value for each in everything), reverse=True)
    assert [each.value for each in used[:10]] == scores[:10]


def test_leaves_torch_as_it_was(world: dict[str, Any]) -> None:
    threads = torch.get_num_threads()
    torch.manual_seed(5)
    expected = torch.rand(1)
    searcher = warmed(world, "discrete", "single")
    torch.manual_seed(5)
    searcher.ask(2)
    assert torch.rand(1) == expected
    assert torch.get_num_threads() == threads
