"""Answers of an architecture to conversations, as `served.application` takes them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from designgym.simulators.archon.architecture import Architecture
from designgym.simulators.archon.cached_calls import CachedCalls, Prices
from designgym.simulators.archon.call_store import CallStore
from designgym.simulators.archon.calls import Backend, CallError, Message
from designgym.simulators.archon.canonical import canonical
from designgym.simulators.archon.components.base import Question
from designgym.simulators.archon.executor import Executor
from designgym.simulators.archon.served_chat import Served

__all__ = ["answerer"]


def answerer(
    architecture: Architecture, backend: Backend, *, prices: Prices | None = None, store: CallStore | None = None, seed: int = 0
) -> Callable[[tuple[Message, ...]], Awaitable[Served]]:
    """Return what answers conversations by an architecture.

    Args:
        architecture: It is run in its canonical form.
        backend: What answers its calls.
        prices: What calls cost; nothing if None.
        store: Where answers are looked up and kept; if None, a call is made once for each conversation.
        seed: Of all answers drawn.

    Raises:
        InputError: If the architecture cannot run.
    """
    form = canonical(architecture.require_legal(runnable=True))

    async def answer(messages: tuple[Message, ...]) -> Served:
        calls = CachedCalls(backend, store if store is not None else CallStore(), prices=prices)
        run = await Executor(calls, seed=seed).run(form, Question(messages))
        account = run.account
        if run.text is None:
            raise CallError(next((entry.error for entry in run.entries if entry.error), "the architecture gave no answer"))
        return Served(run.text, account.input_tokens, account.output_tokens, account.calls, account.usd)

    return answer
