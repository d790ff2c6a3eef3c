"""Architectures: their JSON form, the forms of Archon's own files, their work and their rules."""

import asyncio
import json
import pickle
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designgym.core.errors import InputError
from designgym.simulators.archon import executor
from designgym.simulators.archon.architecture import Architecture
from designgym.simulators.archon.cached_calls import CachedCalls
from designgym.simulators.archon.call_store import CallStore
from designgym.simulators.archon.calls import Call
from designgym.simulators.archon.components import KINDS
from designgym.simulators.archon.components.base import Component
from tests.simulators.archon.backends import Echo
from tests.simulators.archon.components.test_every_kind import REPLIES
from tests.simulators.archon.scripted import QUESTION, one

SOURCES = sorted(name for name, kind in KINDS.items() if kind.role == "source")


@st.composite
def sources(draw: st.DrawFn) -> Component:
    kind = KINDS[draw(st.sampled_from(SOURCES))]
    small = {name: draw(st.integers(1, 3)) for name in ("samples", "particles", "steps", "rounds", "observations") if name in kind.settings}
    return one(kind.name, draw(st.sampled_from("ab")), temperature=draw(st.sampled_from([0.0, 0.7])), **small)


@st.composite
def architectures(draw: st.DrawFn) -> Architecture:
    """Return a legal architecture of any components."""
    layers: list[Any] = [draw(st.lists(sources(), min_size=1, max_size=3))]
    for stage in draw(st.lists(st.sampled_from(["fuser", "critic", "ranker", "tests", "verifier", "best_of_n", "majority"]), max_size=4)):
        top_k = draw(st.integers(1, 4))
        match stage:
            case "fuser":
                layers.append([one("fuser", samples=draw(st.integers(1, 2))) for _ in range(draw(st.integers(1, 3)))])
            case "critic":
                layers += [one("critic"), one("ranker", top_k=top_k)]
            case "tests":
                layers += [one("unit_test_generator", tests=draw(st.sampled_from(["words", "python"]))), one("unit_test_evaluator")]
            case "ranker" | "best_of_n":
                layers.append(one(stage, top_k=top_k))
            case _:
                layers.append(one(stage))
    return Architecture.of(*layers, name=draw(st.sampled_from(["", "mine"])))


@settings(max_examples=60, deadline=None)
@given(architectures(), st.sampled_from([0.0, 0.2, 0.6]), st.integers(0, 9))
def test_work_is_a_bound_on_calls_and_candidates_whatever_models_say(architecture: Architecture, failures: float, seed: int) -> None:
    def reply(call: Call) -> str:
        return REPLIES[int(call.key(str(seed)), 16) % len(REPLIES)]

    backend = Echo(reply, fails=lambda call: int(call.key(f"fails {seed}"), 16) % 1000 < 1000 * failures)

    async def python(code: str, *, timeout_s: float) -> str:
        return "AssertionError" if len(code) % 2 else ""

    with mock.patch.object(executor, "run_python", python):  # a random architecture would start hundreds of programs
        runner = executor.Executor(CachedCalls(backend, CallStore()))
        run = asyncio.run(runner.run(architecture.require_legal(), QUESTION))
    for i, (row, texts) in enumerate(zip(architecture.work(), run.outputs, strict=True)):
        assert sum(entry.layer == i for entry in run.entries) <= sum(work.calls for work in row)
        most = sum(work.candidates for work in row) if architecture.layers[i][0].kind.role in ("source", "mixer") else row[0].candidates
        assert len(texts) <= most
    assert run.account.calls <= architecture.calls
    if not failures:
        assert run.text is not None


@given(architectures())
def test_the_json_form_loses_nothing(architecture: Architecture) -> None:
    copy = Architecture.from_json(json.loads(json.dumps(architecture.to_json())))
    assert copy == architecture and copy.name == architecture.name and hash(copy) == hash(architecture)
    assert copy.to_json() == architecture.to_json()
    pickled = pickle.loads(pickle.dumps(architecture))
    assert pickled == architecture and pickled.name == architecture.name and pickled.work() == architecture.work()


def test_work_by_hand() -> None:
    architecture = Architecture.of(
        [one("generator", samples=3), one("generator", "n", samples=2)], one("critic"), one("ranker", top_k=4),
        [one("fuser", samples=2)] * 2, one("verifier"),
        one("unit_test_generator"), one("unit_test_evaluator"), one("best_of_n", top_k=3), one("majority"),
    )  # fmt: skip
    assert [[tuple(work) for work in row] for row in architecture.work()] == [
        [(3, 3), (2, 2)], [(1, 5)], [(1, 4)], [(2, 2), (2, 2)], [(8, 4)], [(1, 4)], [(4, 4)], [(4, 3)], [(0, 1)],
    ]  # fmt: skip
    assert architecture.calls == 5 + 1 + 1 + 4 + 8 + 1 + 4 + 4 and architecture.models == ("m", "n")


@pytest.mark.parametrize(
    ("component", "calls", "candidates"),
    [
        (one("plan_search", samples=99), 1 + 2 * 7, 7),
        (one("plan_search", samples=5, depth=2), 1 + 5 + 2 * 5, 5),
        (one("plan_search", observations=2, samples=99, depth=2), 1 + 4 + 2 * 16, 16),
        (one("plan_verify_code", rounds=4), 2 + 3 * 4, 1),
        (one("particle_filter", particles=5, steps=3), 30, 5),
        (one("iterative_deepening", rounds=4), 4, 1),
        (one("adaptive_stopping", samples=5), 9, 5),
    ],
)
def test_work_of_other_sources(component: Component, calls: int, candidates: int) -> None:
    assert component.kind.work(component, 0) == (calls, candidates)


def test_in_words() -> None:
    architecture = Architecture.of([one("generator", "a", samples=2), one("generator", "b")], one("majority"))
    assert str(architecture) == "generator a (samples=2) | generator b\nmajority"


def test_the_forms_of_archons_own_files() -> None:
    """Newer files have lists of components; older ones a mapping with a list of models, or a single component, as a layer."""
    parts = [
        {"type": "generator", "model": "a", "model_type": "Together_API", "top_k": 1, "temperature": 0.7, "max_tokens": 2048, "samples": 3},
        {"type": "generator", "model": "b", "checkpoint": "", "samples": 1, "length_contorl": False, "use_critiques": True},
    ]
    ranker = {"type": "ranker", "model": "r", "ranker_batch_size": 5, "top_k": 2, "samples": 1, "use_critiques": True}
    fuser = {"type": "fuser", "model": "f", "length_contorl": True, "top_k": 1, "temperature": 0, "custom": {"anything": 1}}
    wanted = Architecture.of([one("generator", "a", samples=3), one("generator", "b")], one("ranker", "r", top_k=2),
                             one("fuser", "f", length_control=True, temperature=0.0))  # fmt: skip
    for layers in ([parts, [ranker], [fuser]], [{"models": parts}, {"models": [ranker]}, fuser], [parts, ranker, {"models": [fuser]}]):
        assert Architecture.from_json({"name": "theirs", "layers": layers}) == wanted


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "an architecture is None, expected a mapping with 'layers'"),
        ([], "an architecture is [], expected a mapping with 'layers'"),
        ({"layers": {}}, "expected a mapping with 'layers', a list of lists of components"),
        ({"layers": []}, "architecture '' has no layers"),
        ({"layers": [[]]}, "layer 0: got [], expected a list of components"),
        ({"layers": [{"model": "m"}]}, "layer 0: got None, expected a list of components"),
        ({"layers": [["generator"]]}, "layer 0, component 0: got 'generator', expected a mapping with 'type' and 'model'"),
        ({"layers": [[{"type": "genrator", "model": "m"}]]}, "unknown type of component 'genrator': did you mean 'generator'"),
        ({"layers": [[{"model": "m"}]]}, "layer 0, component 0: unknown type of component None"),
        ({"layers": [[{"type": ["generator"], "model": "m"}]]}, "layer 0, component 0: unknown type of component ['generator']"),
        ({"layers": [[{"type": {}, "model": "m"}]]}, "layer 0, component 0: unknown type of component {}"),
        ({"layers": [[{"type": "generator"}]]}, "layer 0, component 0: a generator asks a model, but its model is ''"),
        ({"layers": [[{"type": "generator", "model": 3}]]}, "a generator asks a model, but its model is 3"),
        ({"layers": [[{"type": "generator", "model": "m", "samples": "3"}]]}, "samples of a generator is '3', expected a whole number"),
        ({"layers": [[{"type": "generator", "model": "m", 7: 1}]]}, "unknown setting of a generator '7'"),
    ],
)
def test_what_is_no_architecture(data: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        Architecture.from_json(data)
    assert message in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.sampled_from(["generator", "fuser", "m", "", "majority"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["layers", "models", "type", "model", "samples", "top_p", "name"]), inner, max_size=5),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=150)
@given(JSON, st.booleans())
def test_any_json_is_an_architecture_or_one_clear_error(data: Any, within: bool) -> None:
    try:
        architecture = Architecture.from_json({"layers": data} if within else data)
    except InputError as error:
        assert str(error) and "\n" not in str(error)
    else:
        assert Architecture.from_json(architecture.to_json()) == architecture


def test_files(tmp_path: Path) -> None:
    architecture = Architecture.of(one("generator"), one("fuser"), name="mine")
    path = tmp_path / "a.json"
    path.write_text(json.dumps(architecture.to_json()))
    assert Architecture.read(path) == architecture
    with pytest.raises(InputError, match="does not exist"):
        Architecture.read(tmp_path / "none.json")
    with pytest.raises(InputError, match="is not JSON"):
        Architecture.read(tmp_path)
    for text, reason in (("{", "is not JSON"), ("[" * 100_000, "is not JSON"), ("{}", "expected a mapping with 'layers'")):
        path.write_text(text)
        with pytest.raises(InputError, match=reason):
            Architecture.read(path)
    path.write_bytes(b"\xff\xfe{}")
    with pytest.raises(InputError, match="is not JSON"):
        Architecture.read(path)


def test_empty_layers_are_refused() -> None:
    for layers, reason in (((), "no layers"), (((one("generator"),), ()), "an empty layer")):
        with pytest.raises(InputError, match=f"has {reason}, expected a component in each"):
            Architecture(layers)


def test_the_name_is_no_part_of_equality() -> None:
    assert Architecture.of(one("generator"), name="a") == Architecture.of(one("generator"), name="b")
    assert Architecture.of(one("generator")) != "generator"
