"""The equivalence cache for everybody's tuner: a decorator, Optuna, Ray Tune, and anything with ask and tell, such as Nevergrad."""

from __future__ import annotations

from typing import TYPE_CHECKING

from designgym.core.lazy import lazy_names

if TYPE_CHECKING:
    from designgym.hashing.tuners.ask_tell import CachedAskTell as CachedAskTell
    from designgym.hashing.tuners.decorator import equivalence_cached as equivalence_cached
    from designgym.hashing.tuners.optuna_study import dedupe as dedupe
    from designgym.hashing.tuners.ray_tune import CachedSearchAlg as CachedSearchAlg

_HOMES = {"CachedAskTell": "ask_tell", "CachedSearchAlg": "ray_tune", "dedupe": "optuna_study", "equivalence_cached": "decorator"}

__all__ = ["CachedAskTell", "CachedSearchAlg", "dedupe", "equivalence_cached"]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
