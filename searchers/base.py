"""What our searchers share: checked options, a memory of what was asked and told, and a state that is JSON data.

A searcher of one's own need not inherit from this; `designgym.core.protocols.Searcher` is the contract.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from blake3 import blake3

from designgym.core.design import Design
from designgym.core.errors import InputError, shorten
from designgym.core.objectives import Objective
from designgym.core.space import DesignSpace
from designgym.core.trial import Trial
from designgym.searchers.enumeration import Enumeration
from designgym.searchers.observations import Observation, is_multi, observe
from designgym.searchers.options import Option, declared, option, read_options
from designgym.searchers.recipe import SearcherRecipe

FRESH_ATTEMPTS = 50  # tries of a searcher's own move before a design that was never asked is drawn at random
RANDOM_ATTEMPTS = 200  # random draws without a new design before a space counts as searched through ...
ENUMERATION_LIMIT = 20_000  # ... or, up to this size, before what is left of it is listed
STATE_FORMAT = 1

__all__ = ["BaseSearcher", "NoOptions", "option"]


@dataclass(frozen=True)
class NoOptions:
    """For searchers without options."""


class BaseSearcher:
    """Base of our searchers: subclasses say how to propose one design, and what they learn from a result.

    A subclass has a ``name``, an ``Options`` dataclass of `option` fields, `_propose`, and, where it keeps more than the shared memory,
    `_learn`, `_own_state` and `_restore_own`. Called without a space, the class returns a `SearcherRecipe`.

    Equivalent designs (equal `DesignSpace.canonical` forms) count as one: none is asked twice.

    Args:
        space: Where it searches.
        objective: What it searches for.
        seed: A whole number from 0; same seed, same proposals, in any process.
        **options: See the subclass; an unknown one is refused with the legal ones listed.
    """

    name: ClassVar[str] = ""
    Options: ClassVar[type] = NoOptions

    def __new__(cls, space: DesignSpace | None = None, *args: Any, **options: Any) -> Any:
        """Return a searcher, or, without a space, the recipe of one."""
        if space is not None:
            return super().__new__(cls)
        read_options(cls.declared_options(options), options, cls.name)
        return SearcherRecipe(cls.name, options)

    # all may be left out as far as a type checker can tell: then `__new__` has returned a recipe, and this does not run
    def __init__(
        self, space: DesignSpace | None = None, objective: Objective | None = None, *, seed: int | None = None, **options: Any
    ) -> None:
        if not isinstance(space, DesignSpace) or not isinstance(objective, Objective):
            raise InputError(f"searcher {self.name!r} needs a DesignSpace and an Objective, got {shorten(space)} and {shorten(objective)}")
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
            raise InputError(f"seed of searcher {self.name!r} must be a whole number from 0, got {shorten(seed)}")
        self.space, self.objective, self.seed = space, objective, int(seed)
        self.given = dict(options)
        self.options: Any = self._read(options)
        self.multi = is_multi(objective)
        self.asked = 0
        self.rng = np.random.default_rng(self.seed)
        self.observations: dict[str, Observation] = {}
        self.pending: dict[str, Design] = {}
        self._everything: dict[str, Design] | None = None
        self._setup()

    @classmethod
    def declared_options(cls, given: Mapping[str, Any]) -> tuple[Option, ...]:
        """Return the options of this searcher; ``given`` are those chosen so far, on which others may depend."""
        return declared(cls.Options)

    def _read(self, given: Mapping[str, Any]) -> Any:
        """Return the checked options as an ``Options`` object."""
        return self.Options(**read_options(self.declared_options(given), given, self.name))

    # ---- the protocol --------------------------------------------------------------------------------------------------

    def ask(self, n: int = 1) -> list[Design]:
        """Return up to ``n`` legal designs that were not asked before; fewer when (as far as can be told) there are no more."""
        if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 0:
            raise InputError(f"ask needs a whole number of designs from 0, got {shorten(n)}")
        return self._propose_batch(int(n)) if n else []

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn from results, in any order, late, or never asked. A design told again updates the numbers without being learnt twice."""
        for trial in trials:
            design = self.space.validate(trial.design)
            self._take(self._key(design), observe(design, trial.metrics, self.objective))

    def _take(self, key: str, observation: Observation) -> None:
        """Remember a result; a result replaces a failure, a failure never replaces a result."""
        self.pending.pop(key, None)
        known = self.observations.get(key)
        if known is None or not observation.failed:
            self.observations[key] = observation
        if known is None or (known.failed and not observation.failed):
            self._learn(key, observation)

    def state(self) -> dict[str, Any]:
        """Return everything that later behaviour depends on, as JSON data."""
        return {
            "searcher": self.name,
            "format": STATE_FORMAT,
            "space": self.space.version,
            "seed": self.seed,
            "asked": self.asked,
            "rng": copy.deepcopy(self.rng.bit_generator.state),
            "pending": [design.to_dict() for design in self.pending.values()],
            "observations": [observation.to_json() for observation in self.observations.values()],
            "own": self._own_state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Return to a state of `state`; raises `InputError` if it is not one of this kind of searcher on this space."""
        expected = {"searcher": self.name, "format": STATE_FORMAT, "space": self.space.version}
        found = {key: state.get(key) for key in expected} if isinstance(state, Mapping) else shorten(state)
        if found != expected:
            raise InputError(f"state is of {found}, expected {expected}: restore it into the searcher that it was taken from")
        self.seed, self.asked = int(state["seed"]), int(state["asked"])
        self.rng = np.random.default_rng(self.seed)
        self.rng.bit_generator.state = copy.deepcopy(state["rng"])
        designs = [self.space.validate(design) for design in state["pending"]]
        self.pending = {self._key(design): design for design in designs}
        observations = [Observation.from_json(each, self.space) for each in state["observations"]]
        self.observations = {self._key(each.design): each for each in observations}
        self._setup()
        self._restore_own(state["own"])

    # ---- what subclasses say ---------------------------------------------------------------------------------------------

    def _setup(self) -> None:
        """Prepare what the seed and the options determine; called at construction and before `_restore_own`."""

    def _propose(self) -> Design | None:
        """Return one legal design that is not `_known`, or None if there is none left."""
        raise NotImplementedError

    def _propose_batch(self, n: int) -> list[Design]:
        """Return up to ``n`` designs, each noted by `_note` so that the next one differs."""
        designs: list[Design] = []
        while len(designs) < n and (design := self._propose()) is not None:
            self._note(design)
            designs.append(design)
        return designs

    def _learn(self, key: str, observation: Observation) -> None:
        """Take in a result that is new."""

    def _own_state(self) -> dict[str, Any]:
        """Return what the subclass keeps beyond the shared memory, as JSON data."""
        return {}

    def _restore_own(self, own: Mapping[str, Any]) -> None:
        """Return to what `_own_state` returned."""

    # ---- help for subclasses ---------------------------------------------------------------------------------------------

    def _key(self, design: Design) -> str:
        """Return the digest of the canonical form (128 bits)."""
        return blake3(self.space.canonical(design).literal.encode()).hexdigest(length=16)

    def _known(self, design: Design) -> bool:
        """Return whether an equivalent design was asked or told."""
        key = self._key(design)
        return key in self.observations or key in self.pending

    def _note(self, design: Design) -> None:
        self.pending[self._key(design)] = design
        self.asked += 1

    def _fresh(self, move: Callable[[], Design | None], attempts: int = FRESH_ATTEMPTS) -> Design | None:
        """Return the first new design of ``attempts`` moves, else any new design, else None."""
        for _ in range(attempts):
            if (design := move()) is not None and not self._known(design):
                return design
        return self._random()

    def _random(self) -> Design | None:
        """Return a new design drawn at random, or None if there is none as far as can be told."""
        for _ in range(RANDOM_ATTEMPTS):
            design = self.space.sample(self.rng)[0]
            if not self._known(design):
                return design
        if self.space.size() > ENUMERATION_LIMIT:
            return None
        if self._everything is None:
            listing = Enumeration(self.space, levels=1)
            legal = (design for design in map(listing.design, range(listing.size)) if not self.space.violations(design))
            self._everything = {self._key(design): design for design in legal}
        left = [design for key, design in self._everything.items() if key not in self.observations and key not in self.pending]
        return left[int(self.rng.integers(len(left)))] if left else None

    def _mutant(self, parent: Design) -> Design | None:
        """Return a new design a few mutations from ``parent``, drifting further while near ones are known."""
        current = parent

        def move() -> Design:
            nonlocal current
            current = self.space.mutate(current, self.rng)
            return current

        return self._fresh(move)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.space, self.objective, self.seed, self.given, self.state())

    def __repr__(self) -> str:
        return f"{type(self).__name__}(seed={self.seed}, asked={self.asked}, told={len(self.observations)})"


def _rebuild(cls: Any, space: DesignSpace, objective: Objective, seed: int, options: dict[str, Any], state: dict[str, Any]) -> Any:
    searcher = cls(space, objective, seed=seed, **options)
    searcher.restore(state)
    return searcher
