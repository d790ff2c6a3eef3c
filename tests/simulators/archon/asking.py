"""Asking an endpoint from tests."""

import asyncio
from typing import Any

from designgym.simulators.archon.calls import Answer, Call, Decoding, Message
from designgym.simulators.archon.endpoint import OpenAIEndpoint


def call(text: str = "why", sample: int = 0, seed: int = 0, **decoding: Any) -> Call:
    return Call("m", (Message("system", "be brief"), Message("user", text)), Decoding(**{"max_tokens": 50, **decoding}), sample, seed)


def asked(url: str, *calls: Call, **options: Any) -> list[Answer | BaseException]:
    """Return the answers to calls made at once, or what was raised."""

    async def run() -> list[Answer | BaseException]:
        endpoint = OpenAIEndpoint(url, **{"backoff_s": 0.01, "timeout_s": 20.0, **options})
        try:
            return list(await asyncio.gather(*(endpoint.answer(one) for one in calls), return_exceptions=True))
        finally:
            await endpoint.close()

    return asyncio.run(run())


def one(url: str, asking: Call | None = None, **options: Any) -> Answer:
    (answer,) = asked(url, asking or call(), **options)
    if isinstance(answer, BaseException):
        raise answer
    return answer
