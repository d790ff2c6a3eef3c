"""A context for components under test: it answers by a function of what is asked, fails on demand, and records everything."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar

from designgym.simulators.archon.calls import Answer, Decoding, Message
from designgym.simulators.archon.components import KINDS
from designgym.simulators.archon.components.base import Candidate, Component, Pending, Question, State
from tests.simulators.archon.virtual_time import run as in_virtual_time

T = TypeVar("T")

QUESTION = Question((Message("user", "What is two and two?"),))


class Ask(NamedTuple):
    """What a component asked."""

    component: Component
    messages: tuple[Message, ...]
    sample: int
    decoding: Decoding

    @property
    def text(self) -> str:
        return self.messages[-1].content

    @property
    def identity(self) -> tuple[object, ...]:
        """What the answer depends on: equal ones are one call."""
        return (self.component.model, self.messages, self.sample, self.decoding)


@dataclass
class Scripted:
    """A `Context`.

    Attributes:
        reply: Returns the answer to what is asked, or None for a call that failed after all attempts.
        latency_s: Seconds that it takes.
        python: Returns what goes wrong in a program.
        first: Where the samples of the component begin.
    """

    reply: Callable[[Ask], str | Answer | None]
    latency_s: Callable[[Ask], float] = lambda ask: 1.0
    python: Callable[[str], str] = lambda code: ""
    first: int = 0
    asked: list[Ask] = field(default_factory=list)
    times: list[tuple[float, float]] = field(default_factory=list)
    programs: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Future[T]:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.append(task)
        return task

    async def ask(self, component: Component, messages: Sequence[Message], *, sample: int = 0, **decoding: Any) -> Answer | None:
        ask = Ask(component, tuple(messages), sample, replace(component.decoding, **decoding))
        self.asked.append(ask)
        began = asyncio.get_running_loop().time()
        await asyncio.sleep(self.latency_s(ask))
        self.times.append((began, asyncio.get_running_loop().time()))
        reply = self.reply(ask)
        if reply is None:
            self.note(component, f"a call of {component.type} failed: on demand")
        return Answer(reply, 1, 1, self.latency_s(ask)) if isinstance(reply, str) else reply

    async def run_python(self, code: str, *, timeout_s: float = 10.0) -> str:
        self.programs.append(code)
        await asyncio.sleep(0.1)
        return self.python(code)

    def offset(self, component: Component) -> int:
        return self.first

    def note(self, component: Component, text: str) -> None:
        self.notes.append(text)

    @property
    def most_at_once(self) -> int:
        """How many calls were under way at once."""
        return max((sum(began <= at < ended for began, ended in self.times) for at, _ in self.times), default=0)

    @property
    def ended_s(self) -> float:
        """When the last call ended."""
        return max((ended for _, ended in self.times), default=0.0)


def one(kind: str, model: str = "m", /, **settings: Any) -> Component:
    """Return a component of a kind."""
    return Component.make(KINDS[kind], model, **settings)


def result(
    component: Component, context: Scripted, candidates: Iterable[Candidate | str | None] = (), *, question: Question = QUESTION,
    come_s: Callable[[int], float] = lambda i: 0.0, unit_tests: Sequence[str] | None = None, python_tests: bool = False,
) -> list[Candidate | None]:  # fmt: skip
    """Return what a component leaves of candidates, of which None is one that failed and the ``i``-th comes after ``come_s(i)``.

    It must leave no more than it says, and nothing that is still running.
    """
    given = [Candidate(candidate) if isinstance(candidate, str) else candidate for candidate in candidates]

    async def coming(i: int) -> Candidate | None:
        await asyncio.sleep(come_s(i))
        return given[i]

    async def written() -> tuple[str, ...]:
        return tuple(unit_tests or ())

    async def run() -> list[Candidate | None]:
        before: list[Pending] = [context.spawn(coming(i)) for i in range(len(given))]
        tests = None if unit_tests is None else context.spawn(written())
        state = component.kind.start(component, State(question, tuple(before), tests, python_tests), context)
        left = [await pending for pending in state.candidates]
        await asyncio.gather(*context.tasks)
        return left

    left = in_virtual_time(run())
    work = component.kind.work(component, len(given))
    assert len(left) <= work.candidates and len(context.asked) <= work.calls
    return left


def kept(left: Iterable[Candidate | None]) -> list[Candidate]:
    """Return those that neither failed nor were dropped."""
    return [candidate for candidate in left if candidate is not None and not candidate.dropped]


def texts(left: Iterable[Candidate | None]) -> list[str]:
    """Return the texts of those that neither failed nor were dropped."""
    return [candidate.text for candidate in kept(left)]
