"""`Architecture`: layers of components that answer a question together, and the rules by which they may be put together."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from designgym.core.errors import InputError, UnknownNameError, shorten
from designgym.simulators.archon.components import KINDS
from designgym.simulators.archon.components.base import Component, Work
from designgym.simulators.archon.composition import broken_rules

__all__ = ["Architecture"]

Layer = tuple[Component, ...]

ELSEWHERE = (
    "model_type", "checkpoint", "ranker_batch_size", "ranker_checkpoint", "ranker_config", "batch_num", "first_pass", "first_k",
    "no_system", "top_k_generations", "fuse_generations_count", "remove_unit_tests_from_prompt", "custom",
)  # fmt: skip
"""Keys of Archon's configurations that say where a model runs or how its own code works: without effect here."""
MISSPELT = {"length_contorl": "length_control"}  # in files of its repository
NOT_OF_KIND = ("samples", "top_k", "use_critiques", "unit_test_cap", "length_control")
"""Settings that Archon's files also give to components that do not have them."""


@dataclass(frozen=True)
class Architecture:
    """Layers of components. Within a layer all work side by side on what the layer before left, and what they leave is put together.

    The answer is the first candidate that the last layer leaves.

    Attributes:
        layers: The layers, of one component or more each.
        name: What it is called; no part of equality.
    """

    layers: tuple[Layer, ...]
    name: str = ""

    def __post_init__(self) -> None:
        """Check that there is something in it; raises `InputError`."""
        object.__setattr__(self, "layers", tuple(tuple(layer) for layer in self.layers))
        if not self.layers or not all(self.layers):
            raise InputError(
                f"architecture {self.name!r} has {'no layers' if not self.layers else 'an empty layer'}, expected a component in each"
            )

    def __eq__(self, other: object) -> bool:
        return self.layers == other.layers if isinstance(other, Architecture) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    @classmethod
    def of(cls, *layers: Component | Sequence[Component], name: str = "") -> Architecture:
        """Return the architecture of layers, of which those with one component need no list."""
        return cls(tuple((layer,) if isinstance(layer, Component) else tuple(layer) for layer in layers), name)

    # ---- rules and work ------------------------------------------------------------------------------------------------

    def violations(self, *, runnable: bool = False) -> list[str]:
        """Return the rules of composition that are broken, in words; empty if it is legal (Archon, appendix A.1 and table 3).

        Args:
            runnable: Check only what running needs, as some of Archon's own configurations break rules of its paper.
        """
        return broken_rules(self.layers, runnable=runnable)

    def require_legal(self, *, runnable: bool = False) -> Architecture:
        """Return itself; raises `InputError` with all rules that are broken. See `violations`."""
        if broken := self.violations(runnable=runnable):
            raise InputError(f"architecture {self.name!r} is illegal: {'; '.join(broken)}")
        return self

    def work(self) -> list[list[Work]]:
        """Return what each component does at most."""
        found, before = [], 0
        for layer in self.layers:
            row = [component.kind.work(component, before) for component in layer]
            found.append(row)
            adds = {"source", "mixer"}
            before = sum(work.candidates for work in row) if layer[0].kind.role in adds else row[0].candidates
        return found

    @property
    def calls(self) -> int:
        """The calls of models that a question takes at most."""
        return sum(work.calls for row in self.work() for work in row)

    @property
    def models(self) -> tuple[str, ...]:
        """The different models, in alphabetical order."""
        return tuple(sorted({component.model for layer in self.layers for component in layer if component.model}))

    # ---- text -----------------------------------------------------------------------------------------------------------

    def __str__(self) -> str:
        return "\n".join(" | ".join(_words(component) for component in layer) for layer in self.layers)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, which is Archon's."""
        layers = [
            [
                {"type": c.type, **({"model": c.model, "model_type": "OpenAI_API"} if c.model else {}), **c.settings}
                for c in layer
            ]
            for layer in self.layers
        ]  # fmt: skip
        return {"name": self.name, "layers": layers}

    @classmethod
    def from_json(cls, data: Any) -> Architecture:
        """Return the architecture of its JSON form, or of a configuration of Archon. Whether it is legal is another question.

        Raises:
            InputError: If the data is not one, with the layer and component that it fails at.
        """
        if not isinstance(data, Mapping) or not isinstance(data.get("layers"), list):
            raise InputError(f"an architecture is {shorten(data)}, expected a mapping with 'layers', a list of lists of components")
        layers = []
        for i, layer in enumerate(data["layers"]):
            if isinstance(layer, Mapping):  # older forms of Archon's
                layer = [layer] if "type" in layer else layer.get("models")
            parts = layer
            if not isinstance(parts, list) or not parts:
                raise InputError(f"layer {i}: got {shorten(layer)}, expected a list of components")
            layers.append(tuple(_component(part, f"layer {i}, component {j}") for j, part in enumerate(parts)))
        return cls(tuple(layers), str(data.get("name") or ""))

    @classmethod
    def read(cls, path: str | Path) -> Architecture:
        """Return the architecture of a JSON file; raises `InputError` if it holds none."""
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(f"architecture file {str(path)!r} does not exist") from None
        except (OSError, ValueError, RecursionError) as error:
            raise InputError(f"architecture file {str(path)!r} is not JSON: {error}") from None
        try:
            return cls.from_json(data)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None


def _component(data: Any, where: str) -> Component:
    if not isinstance(data, Mapping):
        raise InputError(f"{where}: got {shorten(data)}, expected a mapping with 'type' and 'model'")
    try:
        name = data.get("type")
        kind = KINDS.get(name) if isinstance(name, str) else None
        if kind is None:
            raise UnknownNameError("type of component", name, KINDS)
        settings = {MISSPELT.get(str(key), str(key)): value for key, value in data.items() if key not in ("type", "model", *ELSEWHERE)}
        for setting in NOT_OF_KIND:
            if setting not in kind.all_settings:
                settings.pop(setting, None)
        return Component.make(kind, data.get("model", ""), **settings)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _words(component: Component) -> str:
    known = component.kind.all_settings
    said = [f"{name}={value}" for name, value in component.settings.items() if value != known[name].default]
    return " ".join(filter(None, [component.type, component.model, f"({', '.join(said)})" if said else ""]))
