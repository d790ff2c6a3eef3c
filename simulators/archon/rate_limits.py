"""Limits of requests and tokens per minute: token buckets on the event loop's clock, first come, first served."""

from __future__ import annotations

import asyncio
import contextlib
import math

from designgym.core.errors import InputError, shorten

__all__ = ["Bucket", "RateLimits"]

BURST = 0.1  # of a minute's limit at once: servers count over windows much shorter than a minute
ROUNDING_S = 1e-6  # a wait that is lost when it is added to the clock would never end


class Bucket:
    """What may be taken: so much per minute, and up to a tenth of that (at least 1) at once.

    Over any ``t`` seconds at most ``per_minute * t / 60``, that burst and one taking are taken. A taking larger than the burst waits for a
    full bucket and leaves a debt, so that the rate over time holds all the same.

    Args:
        per_minute: The limit; 0 is none.
    """

    def __init__(self, per_minute: float) -> None:
        if isinstance(per_minute, bool) or not isinstance(per_minute, int | float) or not 0 <= per_minute < math.inf:
            raise InputError(f"a limit per minute is {shorten(per_minute)}, expected a number of 0 or more: 0 is no limit")
        self.per_second = per_minute / 60
        self.most = max(per_minute * BURST, 1.0)
        self._level, self._at = self.most, -math.inf

    def wait_s(self, amount: float, now_s: float) -> float:
        """Return how many seconds it takes until so much may be taken, if nothing else is."""
        if not self.per_second:
            return 0.0
        return max(min(amount, self.most) - self._filled(now_s), 0.0) / self.per_second

    def take(self, amount: float, now_s: float) -> None:
        """Take so much; less than 0 gives back."""
        if self.per_second:
            self._level = min(self._filled(now_s) - amount, self.most)
            self._at = max(self._at, now_s)

    def _filled(self, now_s: float) -> float:
        if self._at == -math.inf:
            return self.most
        return min(self._level + max(now_s - self._at, 0.0) * self.per_second, self.most)


class RateLimits:
    """Limits of requests and of tokens per minute, and pauses that the endpoint asks for. Use it from one event loop.

    Args:
        requests_per_minute: Most requests; 0 is no limit.
        tokens_per_minute: Most tokens, read and written; 0 is no limit.
    """

    def __init__(self, requests_per_minute: float = 0, tokens_per_minute: float = 0) -> None:
        self._requests, self._tokens = Bucket(requests_per_minute), Bucket(tokens_per_minute)
        self._turn = asyncio.Lock()  # serves in the order of asking: a large call is not overtaken for ever by small ones
        self._changed = asyncio.Event()
        self._paused_until = -math.inf

    async def enter(self, tokens: float) -> None:
        """Wait until a request with up to so many tokens may be sent, and count it."""
        loop = asyncio.get_running_loop()
        async with self._turn:
            while True:
                now = loop.time()
                wait = max(self._requests.wait_s(1, now), self._tokens.wait_s(tokens, now), self._paused_until - now)
                if wait <= ROUNDING_S:
                    break
                self._changed.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._changed.wait()
            self._requests.take(1, now)
            self._tokens.take(tokens, now)

    def settle(self, reserved: float, used: float) -> None:
        """Correct the tokens of a request, once it is known how many it took."""
        self._tokens.take(used - reserved, asyncio.get_running_loop().time())
        self._changed.set()

    def pause(self, seconds: float) -> None:
        """Send nothing for so long: the endpoint has asked for it."""
        self._paused_until = max(self._paused_until, asyncio.get_running_loop().time() + seconds)
