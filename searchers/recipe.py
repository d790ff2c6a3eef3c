"""Which searcher, with which options: as a name, a class or a recipe; and how one becomes a searcher."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from designgym.core import registry
from designgym.core.errors import InputError, shorten
from designgym.core.objectives import Objective
from designgym.core.protocols import Searcher
from designgym.core.space import DesignSpace
from designgym.searchers.options import Option, from_signature, read_options


@dataclass(frozen=True)
class SearcherRecipe:
    """A searcher to be made later, for any space: a registered name and options.

    Attributes:
        name: Registered name.
        options: Options that differ from the defaults.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The recipe as text: ``evolution(population=50)``."""
        return self.name + (f"({', '.join(f'{key}={value}' for key, value in self.options.items())})" if self.options else "")

    def to_json(self) -> dict[str, Any]:
        """Return the recipe as JSON data; raises `InputError` if an option is a Python object without such a form."""
        try:
            return cast(dict[str, Any], json.loads(json.dumps({"name": self.name, "options": dict(self.options)}, allow_nan=False)))
        except (TypeError, ValueError):
            raise InputError(
                f"searcher {shorten(self.label)} has an option that cannot be written as JSON: name the sampler as text, "
                "or use the searcher in Python only"
            ) from None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SearcherRecipe:
        """Return the recipe of its JSON form."""
        match dict(data):
            case {"name": str(name), "options": {**options}}:
                return cls(name, {str(key): value for key, value in options.items()})
        raise InputError(f"not a searcher's JSON form: {shorten(data)}; expected {{'name': ..., 'options': {{...}}}}")

    def __call__(self, space: DesignSpace, objective: Objective, *, seed: int, **options: Any) -> Searcher:
        """Return the searcher for a space and an objective; further options override the recipe's."""
        return _build(registry.searcher_class(self.name), self.name, space, objective, seed, {**self.options, **options})

    def __hash__(self) -> int:
        return hash(self.label)


def recipe(what: Any, **options: Any) -> SearcherRecipe:
    """Return the checked recipe of a registered name, a recipe, or a searcher class that is registered.

    Raises:
        UnknownNameError: If there is no such searcher or option.
        InputError: If an option's value is not legal, or the class is not registered.
    """
    if isinstance(what, SearcherRecipe):
        made = SearcherRecipe(what.name, {**what.options, **options})
    elif isinstance(what, str):
        made = SearcherRecipe(what, options)
    else:
        made = SearcherRecipe(_registered_name(what), options)
    cls = registry.searcher_class(made.name)
    known = searcher_options(cls, made.options)
    if known is not None:
        read_options(known, made.options, made.name)
    return made


def make_searcher(what: Any, space: DesignSpace, objective: Objective, *, seed: int, **options: Any) -> Searcher:
    """Return a searcher.

    Args:
        what: A registered name, a `SearcherRecipe`, or any class ``Cls(space, objective, *, seed, **options)``.
        space: Where it searches.
        objective: What it searches for.
        seed: Same seed, same proposals.
        **options: The searcher's options, as values or as text.
    """
    if isinstance(what, SearcherRecipe):
        return what(space, objective, seed=seed, **options)
    if isinstance(what, str):
        return SearcherRecipe(what, options)(space, objective, seed=seed)
    if not callable(what):
        raise InputError(f"searcher is {shorten(what)}, expected one of the names {', '.join(registry.searchers())}, a recipe or a class")
    return _build(
        cast("Callable[..., Searcher]", what),
        getattr(what, "name", "") or getattr(what, "__name__", "searcher"),
        space,
        objective,
        seed,
        options,
    )


def searcher_options(what: str | Callable[..., Searcher], given: Mapping[str, Any] | None = None) -> tuple[Option, ...] | None:
    """Return the options of a searcher by name or class, documented; None for a foreign class that takes any keyword.

    Args:
        what: Registered name or class.
        given: Options chosen so far: the sampler's own options depend on which Optuna sampler it is.
    """
    cls = registry.searcher_class(what) if isinstance(what, str) else what
    declared = getattr(cls, "declared_options", None)
    if declared is not None:
        return cast("tuple[Option, ...]", declared(given or {}))
    return from_signature(cls, skip=("self", "space", "objective", "seed"))


def _build(
    cls: Callable[..., Searcher], name: str, space: DesignSpace, objective: Objective, seed: int, given: Mapping[str, Any]
) -> Searcher:
    """Make a searcher; a foreign class's options are checked against its signature, ours check themselves."""
    if not hasattr(cls, "declared_options") and (known := searcher_options(cls)) is not None:
        values = read_options(known, given, name)
        given = {key: values[key] for key in given}
    return cls(space, objective, seed=seed, **given)


def _registered_name(cls: Any) -> str:
    own = getattr(cls, "name", "")
    names = [own, *registry.searchers()] if isinstance(own, str) and own in registry.searchers() else registry.searchers()
    for name in names:
        if registry.searcher_class(name) is cls:
            return name
    raise InputError(
        f"searcher class {shorten(cls)} has no name yet: designgym.register_searcher('name', {getattr(cls, '__name__', 'Class')})"
    )
