"""`OpenAIEndpoint`: answers of an OpenAI-compatible endpoint, within its limits, whatever it does."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from blake3 import blake3

from designgym.core.errors import InputError, shorten
from designgym.simulators.archon.calls import Answer, Call, CallError
from designgym.simulators.archon.chat_replies import ReplyError, clean, read_reply, read_stream, tokens_estimate
from designgym.simulators.archon.endpoint_client import Failure, opened_client, received
from designgym.simulators.archon.endpoint_key import Key
from designgym.simulators.archon.endpoint_names import identity_of, normalised_url
from designgym.simulators.archon.rate_limits import Bucket, RateLimits

if TYPE_CHECKING:
    import openai

__all__ = ["OpenAIEndpoint", "Traffic", "sampling_seed"]

MOST_ATTEMPTS = 100
HEAD_BYTES, TOKEN_BYTES = 1 << 20, 1 << 10  # a reply's limit: pieces of a stream have some 300 bytes a token


class Traffic(NamedTuple):
    """What went over the line.

    Attributes:
        requests: Requests sent, with those that failed.
        retries: Of these, those that repeat one.
        answers: Answers that came.
        estimated: Of these, those whose tokens the endpoint did not count, so that they are estimates (see `tokens_estimate`).
    """

    requests: int = 0
    retries: int = 0
    answers: int = 0
    estimated: int = 0


class _Session(NamedTuple):
    """What belongs to an event loop."""

    client: openai.AsyncOpenAI
    slots: asyncio.Semaphore
    limits: RateLimits


class OpenAIEndpoint:
    """Asks an endpoint that speaks OpenAI's chat completions.

    Calls wait for their turn within the limits. A call that fails for a reason that may pass (status 408, 429 or 5xx, no end in time, a
    broken connection, a reply that is none) is tried again after a random wait, the upper end of which doubles; after the wait that the
    endpoint names, if it does, and then all other calls wait too. The random waits depend on the call alone. An empty answer is an answer.
    Where the endpoint counts no tokens they are estimated, one for three bytes, and `traffic` counts such answers.

    Args:
        url: Base of the endpoint, with ``/v1``, without user, password or query.
        key_variable: Environment variable with the API key; None if the endpoint needs none. No other variable is looked at.
        concurrency: Most requests under way.
        requests_per_minute: Most requests in a minute; 0 is no limit.
        tokens_per_minute: Most tokens in a minute, read and written; a request counts with all it may write until its answer is there.
        attempts: Times that a call is tried at most.
        timeout_s: Seconds that an attempt may take, to its last byte.
        backoff_s: Upper end of the first wait, in seconds.
        most_wait_s: Longest wait between attempts, in seconds, also if the endpoint names a longer one.
        streaming: Receive answers in pieces, for servers between that close connections on which nothing moves.
        identity: What the endpoint's models are known by in place of its URL, if that may change: such as the name of the weights.

    Raises:
        InputError: If a value cannot be, or the environment variable is not set.
        NotInstalledError: At the first call, if the package openai is missing.
    """

    def __init__(
        self,
        url: str,
        *,
        key_variable: str | None = None,
        concurrency: int = 32,
        requests_per_minute: float = 0,
        tokens_per_minute: float = 0,
        attempts: int = 5,
        timeout_s: float = 120.0,
        backoff_s: float = 0.5,
        most_wait_s: float = 30.0,
        streaming: bool = False,
        identity: str = "",
    ) -> None:
        self.url = normalised_url(url)
        if "?" in url:
            raise InputError("the endpoint's URL holds a query, which would be written to logs; leave it out")
        for name, number, most in (("concurrency", concurrency, 10_000), ("attempts", attempts, MOST_ATTEMPTS)):
            if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= most:
                raise InputError(f"{name} is {shorten(number)}, expected a whole number from 1 to {most}")
        for name, seconds in (("timeout_s", timeout_s), ("backoff_s", backoff_s), ("most_wait_s", most_wait_s)):
            usable = isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 <= seconds < math.inf
            if not usable or (not seconds and name == "timeout_s"):
                raise InputError(f"{name} is {shorten(seconds)}, expected a finite number of seconds above 0")
        for rate in (requests_per_minute, tokens_per_minute):
            Bucket(rate)  # checks it
        self._key = Key(key_variable)
        self._key.value()  # checks it: better now than at the first call
        self._given_identity, self.concurrency, self.attempts, self.streaming = identity, concurrency, attempts, streaming
        self._rates = (requests_per_minute, tokens_per_minute)
        self.timeout_s, self.backoff_s, self.most_wait_s = float(timeout_s), float(backoff_s), float(most_wait_s)
        self.traffic = Traffic()
        self._sessions: WeakKeyDictionary[asyncio.AbstractEventLoop, _Session] = WeakKeyDictionary()

    def __repr__(self) -> str:
        return f"OpenAIEndpoint({self.url!r}, key_variable={self._key.variable!r})"

    def identity(self, model: str) -> str:
        """Return what tells this endpoint's model from others of the same name."""
        return identity_of(self.url, model, self._given_identity)

    async def answer(self, call: Call) -> Answer:
        """Return the answer to a call.

        Raises:
            CallError: If there is none after all attempts; the message says why, without the key.
            NotInstalledError: If the package openai is missing.
        """
        session = self._session()
        key = call.key(self.identity(call.model))
        waits = np.random.default_rng(list(bytes.fromhex(key)))  # of the call's own, so that they do not depend on other calls
        attempt = 0
        while True:
            attempt += 1
            outcome = await self._attempt(session, call, key, retry=attempt > 1)
            if isinstance(outcome, Answer):
                return outcome
            if not outcome.may_pass or attempt == self.attempts:
                break
            longest = min(self.backoff_s * 2.0 ** (attempt - 1), self.most_wait_s)
            wait = float(waits.uniform(0.0, longest))
            if outcome.wait_s is not None:
                asked = min(outcome.wait_s, self.most_wait_s)
                session.limits.pause(asked)
                wait = min(asked + wait, self.most_wait_s)
            await asyncio.sleep(wait)
        tries = f" ({attempt} attempts)" if attempt > 1 else ""
        raise CallError(self._key.removed(f"model {call.model!r} at {self.url}: {outcome.reason}{tries}"))

    async def close(self) -> None:
        """Give back the connections of this event loop."""
        session = self._sessions.pop(asyncio.get_running_loop(), None)
        if session is not None:
            await session.client.close()

    # ---- inside --------------------------------------------------------------------------------------------------------

    def _session(self) -> _Session:
        loop = asyncio.get_running_loop()
        if loop not in self._sessions:
            client = opened_client(self.url, self._key, self.timeout_s)
            self._sessions[loop] = _Session(client, asyncio.Semaphore(self.concurrency), RateLimits(*self._rates))
        return self._sessions[loop]

    async def _attempt(self, session: _Session, call: Call, key: str, *, retry: bool) -> Answer | Failure:
        most_bytes = HEAD_BYTES + TOKEN_BYTES * call.decoding.max_tokens
        estimate = sum(tokens_estimate(message.content) for message in call.messages)
        reserved = estimate + call.decoding.max_tokens
        async with session.slots:
            await session.limits.enter(reserved)
            self._count(requests=1, retries=int(retry))
            started = time.perf_counter()
            body = await received(session.client, self._request(call, key), self._key, most_bytes=most_bytes, timeout_s=self.timeout_s)
            latency_s = time.perf_counter() - started
        if isinstance(body, Failure):
            return body
        try:
            reply = read_stream(body) if self.streaming else read_reply(body)
        except ReplyError as error:
            return Failure(str(error))
        text = self._key.removed(reply.text)  # an endpoint may repeat what it was sent, and answers are kept
        read = estimate if reply.input_tokens is None else reply.input_tokens
        written = tokens_estimate(text) if reply.output_tokens is None else reply.output_tokens
        session.limits.settle(reserved, read + written)
        self._count(answers=1, estimated=int(None in (reply.input_tokens, reply.output_tokens)))
        return Answer(text, read, written, latency_s, reply.finish)

    def _request(self, call: Call, key: str) -> dict[str, Any]:
        decoding = call.decoding
        request: dict[str, Any] = {
            "model": call.model,
            "messages": [{"role": message.role, "content": clean(message.content)} for message in call.messages],
            "temperature": decoding.temperature,
            "top_p": decoding.top_p,
            "max_tokens": decoding.max_tokens,
            "seed": sampling_seed(call),
            "extra_headers": {"Idempotency-Key": key},  # where it is known, a retry is no second job
        }
        if decoding.stop:
            request["stop"] = list(decoding.stop)
        if decoding.mirostat_tau:
            request["extra_body"] = {"mirostat": 2, "mirostat_tau": decoding.mirostat_tau}
        if self.streaming:
            request |= {"stream": True, "stream_options": {"include_usage": True}}
        return request

    def _count(self, **more: int) -> None:
        self.traffic = self.traffic._replace(**{name: getattr(self.traffic, name) + n for name, n in more.items()})


def sampling_seed(call: Call) -> int:
    """Return the seed that is sent with a call, below 2^31: other samples and other runs have others."""
    return int.from_bytes(blake3(f"{call.seed}/{call.sample}".encode()).digest(length=4), "big") >> 1
