"""Answers that are only begun: iterators are gone through, and what is to be awaited is awaited."""

from __future__ import annotations

import asyncio
import inspect
import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any

MOST_ELEMENTS = 10_000  # of an iterator; one that has more may have no end


def unrolled(answer: Any, time_limit_s: float | None) -> Any:
    """Return what an iterator or a coroutine gives in the end; other answers as they are.

    Elements count in their order, up to `MOST_ELEMENTS` and whether there are more; an exception on the way is raised here. A coroutine
    runs in an event loop of its own.
    """
    if inspect.isawaitable(answer) or isinstance(answer, AsyncIterator):
        return _awaited(answer, time_limit_s)
    if not isinstance(answer, Iterator):
        return answer
    elements = list(itertools.islice(answer, MOST_ELEMENTS))
    return ["iterator", elements, "more" if len(elements) == MOST_ELEMENTS and next(answer, answer) is not answer else "end"]


def _awaited(answer: Any, time_limit_s: float | None) -> Any:
    async def wait() -> Any:
        async with asyncio.timeout(time_limit_s):  # a sleep is no Python code that could be interrupted
            if not isinstance(answer, AsyncIterator):
                return await answer
            elements: list[Any] = []
            async for element in answer:
                if len(elements) == MOST_ELEMENTS:
                    return ["iterator", elements, "more"]
                elements.append(element)
            return ["iterator", elements, "end"]

    around = asyncio._get_running_loop()  # that of a notebook, for instance, in which no other one may run
    asyncio._set_running_loop(None)
    try:
        return asyncio.run(wait())
    finally:
        asyncio._set_running_loop(around)
