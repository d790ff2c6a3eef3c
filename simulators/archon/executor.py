"""`Executor`: runs an architecture on a question, all calls that do not wait for each other at once."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Coroutine, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from designgym.simulators.archon.architecture import Architecture
from designgym.simulators.archon.cached_calls import CachedCalls
from designgym.simulators.archon.calls import Answer, Call, CallError, Message
from designgym.simulators.archon.components.base import Component, Question, State
from designgym.simulators.archon.ledger import Account, Entry
from designgym.simulators.archon.sandbox import run_python

__all__ = ["Executor", "Run"]

T = TypeVar("T")

_clock: contextvars.ContextVar[float] = contextvars.ContextVar("seconds of calls before this point of the graph", default=0.0)


@dataclass(frozen=True)
class Run:
    """What an architecture made of a question.

    Attributes:
        text: The answer; None if every candidate failed.
        entries: The calls, in order of layer and component.
        notes: What did not go as planned, each with its layer: ``"layer 1: fuser with 4 of 5 candidates"``.
        outputs: For each layer the texts of the candidates that it left, in order.
        latency_s: Seconds of calls on the critical path: what the answer takes if no call is known and all run at once.
        wall_s: Seconds that it took now.
    """

    text: str | None
    entries: tuple[Entry, ...]
    notes: tuple[str, ...]
    outputs: tuple[tuple[str, ...], ...]
    latency_s: float
    wall_s: float

    @property
    def account(self) -> Account:
        """The sums over its calls."""
        return Account.of(self.entries)


class Executor:
    """Runs architectures.

    Args:
        calls: What answers.
        seed: Of all answers drawn.
    """

    def __init__(self, calls: CachedCalls, *, seed: int = 0) -> None:
        self.calls, self.seed = calls, seed

    async def run(self, architecture: Architecture, question: Question) -> Run:
        """Return what an architecture makes of a question.

        Raises:
            InputError: If the architecture cannot run.
            BudgetExhaustedError: If a call could exceed a limit of the budget.
        """
        architecture.require_legal(runnable=True)
        started, graph = time.perf_counter(), _Graph(self.calls, self.seed)
        _clock.set(0.0)
        try:
            state, left = State(question), []
            for index, layer in enumerate(architecture):
                state = _layer(graph, index, layer, state)
                left.append(state.candidates)
            # in order, so that the first error is always the same one
            outputs = [[await candidate for candidate in candidates] for candidates in left]
            texts = tuple(tuple(c.text for c in layer if c is not None and not c.dropped) for layer in outputs)
            latency_s = _clock.get()
        finally:
            await asyncio.gather(*graph.tasks, return_exceptions=True)
        entries = tuple(sorted(graph.entries, key=lambda entry: (entry.layer, entry.component, entry.key)))
        notes = tuple(f"layer {layer}: {text}" for layer, text in sorted(graph.notes))
        return Run(texts[-1][0] if texts[-1] else None, entries, notes, texts, latency_s, time.perf_counter() - started)


class _Work(asyncio.Task[T]):
    """A part of the graph that knows how many seconds of calls lie before its end, and tells who waits for it."""

    ended_s = 0.0

    def __await__(self) -> Generator[Any, None, T]:
        try:
            return (yield from super().__await__())
        finally:
            _clock.set(max(_clock.get(), self.ended_s))


class _Graph:
    """What runs for one question."""

    def __init__(self, calls: CachedCalls, seed: int) -> None:
        self.calls, self.seed = calls, seed
        self.tasks: list[asyncio.Task[Any]] = []
        self.entries: list[Entry] = []
        self.notes: list[tuple[int, str]] = []

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Future[T]:
        async def timed() -> T:
            try:
                return await work
            finally:
                task.ended_s = _clock.get()

        task = _Work(timed(), loop=asyncio.get_running_loop())
        self.tasks.append(task)
        return task


class _Context:
    """What a component of a layer may do."""

    def __init__(self, graph: _Graph, layer: int, component: int, offset: int) -> None:
        self._graph, self._layer, self._component, self._offset = graph, layer, component, offset

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Future[T]:
        return self._graph.spawn(work)

    async def ask(self, component: Component, messages: Sequence[Message], *, sample: int = 0, **decoding: Any) -> Answer | None:
        graph = self._graph
        call = Call(component.model, tuple(messages), replace(component.decoding, **decoding), sample, graph.seed)
        try:
            answer, saved, key = await graph.calls.ask(call)
        except CallError as error:
            reason = str(error)
            graph.entries.append(
                Entry(self._layer, self._component, component.type, call.model, graph.calls.key(call), error=reason)
            )  # fmt: skip
            self.note(component, f"a call of {component.type} failed: {reason}")
            return None
        usd = graph.calls.cost_usd(call.model, answer.input_tokens, answer.output_tokens)
        graph.entries.append(
            Entry(
                self._layer, self._component, component.type, call.model, key, answer.input_tokens, answer.output_tokens, usd,
                answer.latency_s, saved,
            )
        )  # fmt: skip
        _clock.set(_clock.get() + answer.latency_s)
        return answer

    async def run_python(self, code: str, *, timeout_s: float = 10.0) -> str:
        return await run_python(code, timeout_s=timeout_s)

    def offset(self, component: Component) -> int:
        return self._offset

    def note(self, component: Component, text: str) -> None:
        self._graph.notes.append((self._layer, text))


def _layer(graph: _Graph, index: int, layer: Sequence[Component], before: State) -> State:
    """Start a layer's components, in an order that does not depend on how they were written down, and put together what they leave."""
    states: list[State] = []
    drawn: dict[tuple[Any, ...], int] = {}
    for position, component in enumerate(sorted(layer, key=Component.key)):
        # equal components draw further answers to the same messages: a generator twice is one of two samples
        alike = tuple(item for item in component.key() if not (isinstance(item, tuple) and item[0] == "samples"))
        context = _Context(graph, index, position, drawn.get(alike, 0))
        drawn[alike] = drawn.get(alike, 0) + component.samples
        states.append(component.kind.start(component, before, context))
    if len(states) == 1:
        return states[0]
    return replace(states[0], candidates=tuple(candidate for state in states for candidate in state.candidates))
