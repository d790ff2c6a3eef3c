"""The modules that register what is built in, by kind. The package names them, so that `core` need not know what lies above it."""

from __future__ import annotations

import importlib
from typing import Literal

Kind = Literal["environments", "searchers"]

_modules: dict[Kind, list[str]] = {"environments": [], "searchers": []}


def provide(kind: Kind, module: str) -> None:
    """Note that importing ``module`` registers things of this kind."""
    if module not in _modules[kind]:
        _modules[kind].append(module)


def load(kind: Kind) -> None:
    """Import the modules noted for this kind; only the first call costs time."""
    for module in _modules[kind]:
        importlib.import_module(module)
