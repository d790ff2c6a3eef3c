"""What every component is made of: its kind, its settings, the state that it changes, and the ways it has to ask models."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

from designgym.core.errors import InputError, UnknownNameError, shorten
from designgym.simulators.archon.calls import Answer, Decoding, Message

__all__ = [
    "ARCHON", "DECODING", "Candidate", "Component", "Context", "Kind", "Pending", "Question", "Setting", "State", "Work", "drawn",
    "keep_answered", "spread",
]  # fmt: skip

T = TypeVar("T")

ARCHON = "Saad-Falcon et al. 2024, Archon (arXiv 2409.15254), section 3.1"


@dataclass(frozen=True)
class Setting:
    """A setting of a kind of component.

    Attributes:
        default: Its value if nothing is said.
        doc: What it does, in a line.
        low: Least value of a number.
        high: Largest value of a number.
        choices: Values of a text.
    """

    default: Any
    doc: str
    low: float = 0.0
    high: float = float("inf")
    choices: tuple[str, ...] = ()

    def validate(self, name: str, value: Any) -> Any:
        """Return the value; raises `InputError` if it cannot be."""
        kind = type(self.default)
        if kind is bool or kind is str:
            if isinstance(value, kind) and (not self.choices or value in self.choices):
                return value
            wanted = " or ".join(map(repr, self.choices)) or ("true or false" if kind is bool else "a text")
            raise InputError(f"{name} is {shorten(value)}, expected {wanted}")
        whole = kind is int
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or not self.low <= value <= self.high:
            bounds = f"{self.low:g} or more" if self.high == float("inf") else f"from {self.low:g} to {self.high:g}"
            raise InputError(f"{name} is {shorten(value)}, expected a {'whole ' if whole else ''}number {bounds}")
        return kind(value)


DECODING: Mapping[str, Setting] = MappingProxyType(
    {
        "temperature": Setting(0.7, "of every answer; 0 takes the most likely token each time", high=2.0),
        "top_p": Setting(1.0, "share of the probability that is kept (nucleus sampling)", low=1e-6, high=1.0),
        "mirostat_tau": Setting(0.0, "target surprise in bits per token, at endpoints that have Mirostat; 0 is off", high=20.0),
        "max_tokens": Setting(2048, "most tokens of an answer", low=1),
    }
)


class Work(NamedTuple):
    """What a component does at most.

    Attributes:
        calls: Calls of models.
        candidates: Candidates that it leaves.
    """

    calls: int
    candidates: int


@dataclass(frozen=True, eq=False)
class Kind:
    """A kind of component.

    Attributes:
        name: As it is written in an architecture's ``type``.
        source: Where it was published.
        doc: What it does, in a line.
        start: Builds its part of the graph of calls, at once: returns the new state, whose candidates are answers to come.
        work: What it does at most, by the number of candidates before it.
        settings: Its own settings, beside those of `DECODING`.
        role: ``source`` makes candidates from the question, ``mixer`` new ones from those before, ``filter`` keeps, orders or annotates
            those before, ``tests`` adds unit tests.
        calls_model: Whether it asks a model at all.
    """

    name: str
    source: str
    doc: str
    start: Callable[[Component, State, Context], State]
    work: Callable[[Component, int], Work]
    settings: Mapping[str, Setting] = field(default_factory=dict)
    role: Literal["source", "mixer", "filter", "tests"] = "filter"
    calls_model: bool = True

    @cached_property
    def all_settings(self) -> Mapping[str, Setting]:
        """Its settings with those of decoding."""
        return {**(DECODING if self.calls_model else {}), **self.settings}


@dataclass(frozen=True)
class Component:
    """A component of an architecture.

    Attributes:
        kind: What it is.
        model: The model that it asks; empty if it asks none.
        settings: All settings of its kind, in the order in which the kind declares them.
    """

    kind: Kind
    model: str
    settings: Mapping[str, Any]

    @classmethod
    def make(cls, kind: Kind, model: str = "", /, **settings: Any) -> Component:
        """Return a component; settings that are not given have their defaults.

        Raises:
            InputError: For a setting that does not exist or cannot be, or a missing model.
        """
        try:  # a search makes the same few again and again; types are told apart, since 1 is a number of samples and True none
            return _kept(kind, model, tuple((name, type(value), value) for name, value in settings.items()))
        except TypeError:  # what cannot be hashed cannot be a value either: the words for it are found below
            return cls._checked(kind, model, settings)

    @classmethod
    def _checked(cls, kind: Kind, model: str, settings: Mapping[str, Any]) -> Component:
        known = kind.all_settings
        for name in settings:
            if name not in known:
                raise UnknownNameError(f"setting of a {kind.name}", name, known)
        if kind.calls_model and (not isinstance(model, str) or not model.strip()):
            raise InputError(f"a {kind.name} asks a model, but its model is {shorten(model)}: give the model's name at the endpoint")
        values = {
            name: setting.validate(f"{name} of a {kind.name}", settings.get(name, setting.default)) for name, setting in known.items()
        }
        return cls(kind, model if kind.calls_model else "", MappingProxyType(values))

    def changed(self, **settings: Any) -> Component:
        """Return the component with other settings; raises `InputError` as `make` does."""
        return Component.make(self.kind, self.model, **{**self.settings, **settings})

    def __getitem__(self, name: str) -> Any:
        return self.settings[name]

    def __reduce__(self) -> tuple[Any, ...]:
        return _made, (self.kind.name, self.model, dict(self.settings))

    @property
    def type(self) -> str:
        """The name of its kind."""
        return self.kind.name

    @property
    def samples(self) -> int:
        """How many answers it draws to each question, 1 if it has no such setting."""
        return int(self.settings.get("samples", 1))

    @property
    def decoding(self) -> Decoding:
        """How its answers are drawn."""
        s = self.settings
        return Decoding(s["temperature"], s["top_p"], s["max_tokens"], s["mirostat_tau"])

    @cached_property
    def _key(self) -> tuple[Any, ...]:
        return (self.type, self.model, *((name, repr(value)) for name, value in self.settings.items()))

    def key(self) -> tuple[Any, ...]:
        """Return what tells it from others, to sort and compare by."""
        return self._key

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Component) and self._key == other._key)

    def __hash__(self) -> int:
        return hash(self._key)


@dataclass(frozen=True)
class Candidate:
    """An answer to the question that may become the final one.

    Attributes:
        text: The answer.
        critique: What a critic says of it.
        score: What a selection went by, higher is better; None if nothing judged it.
        dropped: Whether a filter put it aside: no failure, but nothing goes on with it.
    """

    text: str
    critique: str = ""
    score: float | None = None
    dropped: bool = False


@dataclass(frozen=True)
class Question:
    """What an architecture answers.

    Attributes:
        messages: The conversation, of which the last message is the user's.
        extract: How final answers are compared, for a vote: returns the answer in a text in a normal form.
        visible_tests: Python tests that the question shows; a component may run code against them.
    """

    messages: tuple[Message, ...]
    extract: Callable[[str], str] = str.strip
    visible_tests: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The user's last message."""
        return self.messages[-1].content


Pending = asyncio.Future[Candidate | None]
"""A candidate to come; None if it failed, which a `Context` has noted."""


@dataclass(frozen=True)
class State:
    """What passes from layer to layer.

    Attributes:
        question: What is asked.
        candidates: Answers to come, in order.
        unit_tests: Unit tests to come; None if nothing writes any.
        python_tests: Whether they are code.
    """

    question: Question
    candidates: tuple[Pending, ...] = ()
    unit_tests: asyncio.Future[tuple[str, ...]] | None = None
    python_tests: bool = False

    def with_candidates(self, candidates: Sequence[Pending]) -> State:
        """Return the state with other candidates."""
        return replace(self, candidates=tuple(candidates))


class Context(Protocol):
    """What a component may do while it runs."""

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Future[T]:
        """Start work at once, beside everything else of this question."""
        ...

    async def ask(self, component: Component, messages: Sequence[Message], *, sample: int = 0, **decoding: Any) -> Answer | None:
        """Return a model's answer, or None if there is none after all attempts, which is noted.

        The ``sample``-th answer to equal messages is paid for once, whoever asks. ``decoding`` changes fields of the component's.

        Raises:
            BudgetExhaustedError: If the call could exceed a limit; let it pass.
        """
        ...

    async def run_python(self, code: str, *, timeout_s: float = 10.0) -> str:
        """Run a program in a sandbox; return what went wrong, in words, or nothing if it ended well."""
        ...

    def offset(self, component: Component) -> int:
        """Return how many answers equal components of the same layer draw before this one: where its samples begin."""
        ...

    def note(self, component: Component, text: str) -> None:
        """Note what did not go as planned, such as four of five candidates."""
        ...


async def keep_answered(component: Component, candidates: Sequence[Pending], context: Context) -> list[Candidate]:
    """Wait for candidates and return those that no filter dropped, noting if some never came."""
    came = [candidate for pending in candidates if (candidate := await pending) is not None]
    if len(came) < len(candidates):
        context.note(component, f"{component.type} with {len(came)} of {len(candidates)} candidates")
    return [candidate for candidate in came if not candidate.dropped]


def spread(found: asyncio.Future[list[Candidate]], count: int, context: Context) -> list[Pending]:
    """Return candidates, each to come, out of a list to come.

    What the list lacks is put aside, not failed: whoever made the list has noted what failed.
    """

    async def one(i: int) -> Candidate:
        candidates = await found
        return candidates[i] if i < len(candidates) else Candidate("", dropped=True)

    return [context.spawn(one(i)) for i in range(count)]


def drawn(component: Component, messages: asyncio.Future[list[Message]] | Sequence[Message], context: Context) -> list[Pending]:
    """Start as many answers to the same messages, which may be to come, as the component draws; none if there are no messages."""
    first = context.offset(component)

    async def one(sample: int) -> Candidate | None:
        asked = await messages if isinstance(messages, asyncio.Future) else messages
        answer = await context.ask(component, asked, sample=sample) if asked else None
        return None if answer is None else Candidate(answer.text)

    return [context.spawn(one(first + i)) for i in range(component.samples)]


@lru_cache(maxsize=1 << 13)
def _kept(kind: Kind, model: str, settings: tuple[tuple[str, type, Any], ...]) -> Component:
    return Component._checked(kind, model, {name: value for name, _, value in settings})


def _made(kind: str, model: str, settings: Mapping[str, Any]) -> Component:
    return Component.make(_kind(kind), model, **settings)


def _kind(name: str) -> Any:
    from designgym.simulators.archon.components import KINDS

    return KINDS[name]
