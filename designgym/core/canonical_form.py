"""`CanonicalForm`: an equivalence that takes code to decide: isomorphic graphs, dead instructions, renamed registers."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from designgym.core.errors import InputError, shorten

Values = tuple[Any, ...]
Form = Callable[[Values, frozenset[str]], Values]

_known: dict[str, Form] = {}  # the functions of all forms made in this process, by name


@dataclass(frozen=True, init=False)
class CanonicalForm:
    """Brings parameters into a canonical form by a function, for classes that `Rewrite` and its kin cannot describe.

    The function takes the values of ``parameters``, in that order, and the workload's traits, and returns values of the same parameters.
    It must be sound (a design and its form give equal metrics), settle (the form of a form is itself), and depend on nothing else.

    The space's JSON names it by module and name. Reading that JSON imports modules of this package alone: the form of a user is found
    if its module is loaded already, so a store or a file cannot make anybody import code.

    Args:
        function: A function at the top of a module.
        parameters: The parameters that it reads and may change.
        version: Raise it with any change of the function: it is part of every cache key.

    Raises:
        InputError: If the function has no importable name, or no parameters are named.
    """

    kind: ClassVar[str] = "canonical_form"
    function: Form = field(compare=False)
    name: str
    parameters: tuple[str, ...]
    version: str

    def __init__(self, function: Form, parameters: Sequence[str], *, version: str) -> None:
        name = getattr(function, "__qualname__", "")
        if not callable(function) or not name.isidentifier():
            raise InputError(f"a canonical form is {shorten(function)}, expected a function defined at the top of a module")
        if isinstance(parameters, str) or not parameters or len(set(parameters)) != len(parameters):
            raise InputError(f"a canonical form needs a list of one or more different parameters, got {shorten(parameters)}")
        object.__setattr__(self, "function", function)
        object.__setattr__(self, "name", f"{function.__module__}:{name}")
        object.__setattr__(self, "parameters", tuple(parameters))
        object.__setattr__(self, "version", str(version))
        _known[self.name] = function

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.function, self.parameters, self.version)

    def __call__(self, values: Mapping[str, Any], traits: frozenset[str]) -> dict[str, Any]:
        """Return the canonical values of ``parameters``."""
        found = self.function(tuple(values[name] for name in self.parameters), traits)
        return dict(zip(self.parameters, found, strict=True))

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, which names the function."""
        return {"kind": self.kind, "function": self.name, "parameters": list(self.parameters), "version": self.version}


def canonical_form_from_json(function: str, parameters: Sequence[str], version: str) -> CanonicalForm:
    """Return the form of its JSON; raises `InputError` if its function is not to be had."""
    module_name, _, name = function.partition(":")
    if function not in _known and module_name.split(".")[0] == __name__.split(".")[0]:
        try:
            importlib.import_module(module_name)
        except ImportError as error:
            raise InputError(f"canonical form {function!r}: {error}; it needs the version of designgym that wrote it") from None
    found = _known.get(function) or getattr(sys.modules.get(module_name), name, None)
    if found is None:
        raise InputError(f"canonical form {function!r} is not loaded: import {module_name}, or give the file that defines it as --plugin")
    return CanonicalForm(found, parameters, version=version)


def _rebuild(function: Form, parameters: tuple[str, ...], version: str) -> CanonicalForm:
    return CanonicalForm(function, parameters, version=version)
