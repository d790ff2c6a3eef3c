"""Running architectures: everything at once that can be, in an order that does not matter, failures handled where they occur."""

import asyncio
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designgym.core.errors import InputError
from designgym.simulators.archon.architecture import Architecture
from designgym.simulators.archon.budget import Budget, Limits
from designgym.simulators.archon.cached_calls import CachedCalls
from designgym.simulators.archon.call_store import CallStore
from designgym.simulators.archon.calls import BudgetExhaustedError, Call, Message
from designgym.simulators.archon.canonical import canonical
from designgym.simulators.archon.components import KINDS
from designgym.simulators.archon.components.base import Component, Question
from designgym.simulators.archon.executor import Executor, Run
from tests.simulators.archon.backends import Echo

QUESTION = Question((Message("user", "What is two and two?"),))


def one(kind: str, model: str = "m", **settings: Any) -> Component:
    return Component.make(KINDS[kind], model, **settings)


def run(architecture: Architecture, backend: Echo, **options: Any) -> Run:
    return asyncio.run(Executor(CachedCalls(backend, CallStore(), **options)).run(architecture, QUESTION))


def reply(call: Call) -> str:
    """Answers of a model that knows what it is asked for."""
    asked = call.messages[-1].content
    if "Order all" in asked:
        return "[2] > [1] > [3]"
    if "Name strengths" in asked:
        return "[1] fine\n[2] better\n[3] short"
    if "Judge the answer" in asked:
        return "INCORRECT" if "m:0" in asked else "CORRECT"
    if "Explain, step by step" in asked:
        return "since it says so"
    return f"{call.model}:{call.sample}"


FULL = Architecture.of(
    [one("generator", samples=3), one("generator", "n")], one("critic"), one("ranker", top_k=3), [one("fuser", samples=2)], one("verifier"),
    one("fuser", "last"),
)  # fmt: skip


def test_an_answer_comes_out_and_every_call_is_accounted_for() -> None:
    backend = Echo(reply)
    result = run(FULL, backend)
    assert result.text == "last:0" and result.account.calls == len(backend.calls) == FULL.calls == 4 + 1 + 1 + 2 + 4 + 1
    assert [len(texts) for texts in result.outputs] == [4, 4, 3, 2, 1, 1] and result.outputs[4] == ("m:1",)
    words = sum(len(m.content.split()) for call in backend.calls for m in call.messages)
    assert result.account.input_tokens == words and result.account.calls_saved == 0
    assert result.notes == ("layer 1: critic left out 1 of 4 candidates",)


def test_the_order_within_a_layer_has_no_effect() -> None:
    mixed = Architecture((tuple(reversed(FULL.layers[0])), *FULL.layers[1:]))
    one_way, other_way = run(FULL, first := Echo(reply)), run(mixed, second := Echo(reply))
    assert one_way.outputs == other_way.outputs
    assert {call.key("x") for call in first.calls} == {call.key("x") for call in second.calls}


def test_a_generator_twice_is_one_with_two_samples() -> None:
    twice, two = Architecture.of([one("generator")] * 2, one("fuser")), Architecture.of(one("generator", samples=2), one("fuser"))
    assert run(twice, Echo()).outputs[0] == run(two, Echo()).outputs[0] == ("m:0", "m:1")


def test_independent_calls_run_at_once_and_the_latency_is_that_of_the_critical_path() -> None:
    waits = {"quick": 0.01, "slow": 0.06, "judge": 0.03}
    backend = Echo(reply, latency_s=lambda call: waits[call.model])
    architecture = Architecture.of(
        [one("generator", "quick", samples=4), one("generator", "slow", samples=4)], one("verifier", "judge"), one("fuser", "quick")
    )
    result = run(architecture, backend)
    assert backend.most_at_once >= 8
    assert result.latency_s == pytest.approx(0.06 + 2 * 0.03 + 0.01)
    assert result.wall_s < 1.1 * result.latency_s + 0.15
    # those of the quick model were judged while the slow one still wrote
    first_verdict = next(i for i, call in enumerate(backend.calls) if call.model == "judge")
    assert first_verdict == 8


def test_the_latency_is_the_same_when_all_is_known() -> None:
    backend, store = Echo(reply, latency_s=lambda call: 0.02), CallStore()

    def again() -> Run:
        return asyncio.run(Executor(CachedCalls(backend, store)).run(FULL, QUESTION))

    first, second = again(), again()
    assert second.latency_s == pytest.approx(first.latency_s) and second.wall_s < first.latency_s
    assert second.account.calls_saved == second.account.calls and second.outputs == first.outputs


def test_part_of_the_candidates_may_fail() -> None:
    result = run(Architecture.of(one("generator", samples=5), one("fuser", "f")), Echo(fails=lambda call: call.sample == 3))
    assert result.text == "f:0" and "layer 1: fuser with 4 of 5 candidates" in result.notes
    assert result.account.calls_failed == 1 and any("status 500" in entry.error for entry in result.entries)


def test_without_any_candidate_there_is_no_answer_and_no_exception() -> None:
    result = run(FULL, Echo(fails=lambda call: call.model in "mn"))
    assert result.text is None and result.outputs[-1] == ()
    assert result.account.calls == 4  # nobody is asked to judge or fuse nothing


def test_a_budget_that_ends_in_the_middle_is_an_error_and_leaves_nothing_running() -> None:
    backend, store = Echo(reply, latency_s=lambda call: 0.001), CallStore()
    executor = Executor(CachedCalls(backend, store, budget=Budget(Limits(calls=6), store)))

    async def both() -> int:
        with pytest.raises(BudgetExhaustedError):
            await executor.run(FULL, QUESTION)
        return len(asyncio.all_tasks())

    assert asyncio.run(both()) == 1 and len(backend.calls) <= 6


def test_an_architecture_that_cannot_run_is_refused_with_the_rule() -> None:
    with pytest.raises(InputError, match="layer 0 has a fuser, but no layer before it a generator: it needs candidates"):
        run(Architecture.of(one("fuser")), Echo())


def test_code_is_judged_by_running_it_on_tests_that_a_model_wrote() -> None:
    def writes(call: Call) -> str:
        if "tests of a Python program" in call.messages[-1].content:
            return "```python\nassert double(2) == 4\nassert double(0) == 0\nassert double(-3) == -6\n```"
        return f"```python\ndef double(x):\n    return x {'* 2' if call.sample == 1 else '+ 2'}\n```"

    architecture = Architecture.of(
        one("generator", samples=3), one("unit_test_generator", tests="python", unit_test_cap=3), one("unit_test_evaluator")
    )
    result = run(architecture, Echo(writes))
    assert result.text is not None and "x * 2" in result.text
    assert result.account.calls == 4  # running code calls no model


OTHERS = ("plan_search", "plan_verify_code", "particle_filter", "iterative_deepening", "adaptive_stopping")
SOURCES = ("generator", "generator", "generator", *OTHERS)


def source(rng: random.Random) -> Component:
    kind, amounts = rng.choice(SOURCES), {"particle_filter": "particles", "plan_verify_code": "rounds", "iterative_deepening": "rounds"}
    return one(kind, rng.choice("abc"), **{amounts.get(kind, "samples"): rng.randint(1, 3)})


def random_architecture(rng: random.Random) -> Architecture:
    layers: list[Any] = [[source(rng) for _ in range(rng.randint(1, 3))]]
    for _ in range(rng.randint(0, 4)):
        match rng.choice(["fuser", "critic", "ranker", "verifier", "tests", "best", "vote"]):
            case "best":
                layers.append(one("best_of_n", top_k=rng.randint(1, 3)))
            case "vote":
                layers.append(one("majority", "", weighted=rng.random() < 0.5))
            case "fuser":
                layers.append([one("fuser", rng.choice("abc"), samples=rng.randint(1, 2)) for _ in range(rng.randint(1, 3))])
            case "critic":
                layers += [one("critic"), one("ranker", top_k=rng.randint(1, 4))]
            case "ranker":
                layers.append(one("ranker", top_k=rng.randint(1, 4), use_critiques=rng.random() < 0.5))
            case "verifier":
                layers.append(one("verifier"))
            case "tests":
                layers += [one("unit_test_generator"), one("unit_test_evaluator")]
    return Architecture.of(*layers)


@settings(max_examples=150, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_canonical_form_gives_the_same_answer_with_no_more_calls(rng: random.Random) -> None:
    architecture = random_architecture(rng)
    assert not architecture.violations()
    form = canonical(architecture)
    assert canonical(form) == form and not form.violations(runnable=True)
    shuffled = Architecture(tuple(tuple(rng.sample(layer, len(layer))) for layer in architecture))
    assert canonical(shuffled) == form
    whole, less = run(architecture, Echo(reply)), run(form, Echo(reply))
    assert less.text == whole.text
    assert {entry.key for entry in less.entries} <= {entry.key for entry in whole.entries}
    assert less.account.calls <= form.calls <= architecture.calls


@settings(max_examples=30, deadline=None)
@given(st.randoms(use_true_random=False))
def test_what_comes_out_does_not_depend_on_who_is_quick(rng: random.Random) -> None:
    architecture = random_architecture(rng)
    results = [run(architecture, Echo(reply, latency_s=lambda call: rng.random() * 0.003)) for _ in range(2)]
    assert results[0].outputs == results[1].outputs and results[0].notes == results[1].notes
    assert [entry.key for entry in results[0].entries] == [entry.key for entry in results[1].entries]
