"""Backends for tests: answers made of what was asked, after a while, with failures where wanted."""

import asyncio
from collections.abc import Callable

from designgym.simulators.archon.calls import Answer, Call, CallError


class Echo:
    """Answers with a text made of the call; counts what was asked."""

    def __init__(
        self,
        text: Callable[[Call], str] = lambda call: f"{call.model}:{call.sample}",
        *,
        latency_s: Callable[[Call], float] = lambda call: 0.0,
        fails: Callable[[Call], bool] = lambda call: False,
    ) -> None:
        self.text, self.latency_s, self.fails = text, latency_s, fails
        self.calls: list[Call] = []
        self.most_at_once = self._now = 0

    def identity(self, model: str) -> str:
        return f"echo/{model}"

    async def answer(self, call: Call) -> Answer:
        self.calls.append(call)
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            await asyncio.sleep(self.latency_s(call))
        finally:
            self._now -= 1
        if self.fails(call):
            raise CallError("the endpoint answered with status 500")
        text = self.text(call)
        return Answer(text, sum(len(m.content.split()) for m in call.messages), len(text.split()), self.latency_s(call))

    async def close(self) -> None:
        pass
