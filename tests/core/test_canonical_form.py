"""`CanonicalForm`: equivalence by code, in a space, its JSON, pickles and keys."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest

import designgym as dg
from designgym.core.errors import InputError
from designgym.core.rules import rule_from_json
from designgym.core.testing import check_space


def sorted_pair(values: tuple[Any, ...], traits: frozenset[str]) -> tuple[Any, ...]:
    return tuple(sorted(values, reverse="descending" in traits))


def too_large(values: tuple[Any, ...], traits: frozenset[str]) -> tuple[Any, ...]:
    return (99,)


def space(**options: Any) -> dg.DesignSpace:
    return dg.DesignSpace(
        a=dg.Integer(0, 5), b=dg.Integer(0, 5), c=dg.Integer(0, 5), symmetries=[dg.CanonicalForm(sorted_pair, ["a", "b"], version="1")]
    )


def test_values_are_brought_into_the_form_and_the_traits_are_known() -> None:
    design = space().validate({"a": 4, "b": 1, "c": 0})
    assert dict(space().canonical(design)) == {"a": 1, "b": 4, "c": 0}
    assert dict(space().canonical(design, frozenset({"descending"}))) == {"a": 4, "b": 1, "c": 0}
    check_space(space())


def test_json_and_pickles_keep_the_form() -> None:
    again = dg.DesignSpace.from_json(space().to_json())
    assert again == space()
    assert again.canonical(again.validate({"a": 4, "b": 1, "c": 0})) == space().validate({"a": 1, "b": 4, "c": 0})
    assert pickle.loads(pickle.dumps(space())) == space()


def test_the_version_is_part_of_the_space() -> None:
    newer = dg.DesignSpace(space().parameters, symmetries=[dg.CanonicalForm(sorted_pair, ["a", "b"], version="2")])
    assert newer != space()


def test_another_process_gets_the_function_of_a_script_with_the_space(tmp_path: Path) -> None:
    script = """if True:
        import sys, cloudpickle, designgym as dg
        def form(values, traits): return tuple(sorted(values))
        space = dg.DesignSpace(a=dg.Integer(0, 5), b=dg.Integer(0, 5), symmetries=[dg.CanonicalForm(form, ["a", "b"], version="1")])
        open(sys.argv[1], "wb").write(cloudpickle.dumps(space))
    """
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "space")], check=True, timeout=60)
    loaded = cloudpickle.loads((tmp_path / "space").read_bytes())
    assert dict(loaded.canonical(loaded.validate({"a": 4, "b": 1}))) == {"a": 1, "b": 4}


def test_json_never_imports_code_of_others() -> None:
    with pytest.raises(InputError, match="is not loaded: import antigravity, or give the file that defines it as --plugin"):
        rule_from_json({"kind": "canonical_form", "function": "antigravity:fly", "parameters": ["a"], "version": "1"})
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: dg.CanonicalForm(lambda values, traits: values, ["a"], version="1"), "defined at the top of a module"),
        (lambda: dg.CanonicalForm("sort", ["a"], version="1"), "defined at the top of a module"),  # type: ignore[arg-type]
        (lambda: dg.CanonicalForm(sorted_pair, [], version="1"), "one or more different parameters"),
        (lambda: dg.CanonicalForm(sorted_pair, "ab", version="1"), "one or more different parameters"),
        (
            lambda: dg.DesignSpace(a=dg.Integer(0, 1), symmetries=[dg.CanonicalForm(sorted_pair, ["a", "x"], version="1")]),
            "parameter of a canonical form rule",
        ),
    ],
)
def test_what_is_no_form_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_an_illegal_value_names_the_form_and_the_parameter() -> None:
    bad = dg.DesignSpace(a=dg.Integer(0, 5), symmetries=[dg.CanonicalForm(too_large, ["a"], version="1")])
    with pytest.raises(InputError, match="too_large gives 'a' an illegal value: got 99"):
        bad.canonical(bad.sample(np.random.default_rng(0))[0])
