"""Sending requests to an OpenAI-compatible server when they are due, and noting when each token came."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from designgym.core.errors import InputError, NotInstalledError
from designgym.simulators.serving.request_trace import RequestTrace

if TYPE_CHECKING:
    import openai

__all__ = ["Endpoint", "Outcome", "prompts_of", "send"]

FIRST_ID = 1000  # token ids below are control tokens in some vocabularies


@dataclass(frozen=True)
class Endpoint:
    """A server.

    Attributes:
        url: Its base, with ``/v1``.
        model: The model's name there.
        vocabulary: Token ids to draw prompts from; the smallest ones are left out.
        key_variable: Environment variable with the API key; None if there is none.
    """

    url: str
    model: str
    vocabulary: int = 32000
    key_variable: str | None = None

    def __post_init__(self) -> None:
        """Check the values; raises `InputError`."""
        if not self.url.startswith(("http://", "https://")):
            raise InputError(f"the endpoint's URL must start with http:// or https://, but is {self.url!r}")
        if self.vocabulary <= FIRST_ID:
            raise InputError(f"the vocabulary must have more than {FIRST_ID} tokens, but has {self.vocabulary}")


@dataclass(frozen=True)
class Outcome:
    """What became of a request. Times are seconds from the start of the run.

    Attributes:
        due_s: When it should have been sent: latencies count from here, so that a client that falls behind hides nothing.
        sent_s: When it was.
        token_s: When each piece of output came.
        output_tokens: Tokens by the server's own count.
        error: What went wrong, in words; empty if nothing did.
    """

    due_s: float
    sent_s: float
    token_s: tuple[float, ...]
    output_tokens: int
    error: str = ""


def send(endpoint: Endpoint, trace: RequestTrace, *, timeout_s: float, seed: int = 0) -> list[Outcome]:
    """Send all requests of a trace, each when it is due (in a closed loop: when one before it has ended), and return what became of them.

    A request that waits since the client has as many under way as it may is due all the same: its latency counts from then.

    Prompts are random token ids of the trace's lengths; requests that share a prefix in the trace share one here. A request that fails
    does not stop the others.

    Args:
        endpoint: The server.
        trace: The requests.
        timeout_s: How long one may take.
        seed: Of the prompts' tokens; another seed, other texts, so that no cache remembers them.

    Raises:
        NotInstalledError: If the package openai is missing.
    """
    try:
        import openai  # noqa: F401
    except ImportError:
        raise NotInstalledError("openai is not installed: run `pip install 'designgym[live]'`") from None
    return asyncio.run(_send_all(endpoint, trace, prompts_of(trace, endpoint.vocabulary, seed), timeout_s))


def prompts_of(trace: RequestTrace, vocabulary: int, seed: int) -> list[list[int]]:
    """Return a text for each request, as token ids: random ones, but those that the trace says are shared are the same."""
    rng = np.random.default_rng(seed)
    if trace.token_ids is None:
        return [rng.integers(FIRST_ID, vocabulary, int(n)).tolist() for n in trace.prompt_tokens]
    # The trace's ids say which tokens are equal: each is given a token by a hash of it and the seed.
    salt = np.uint64(rng.integers(1 << 62))
    prompts = []
    for ids, n in zip(trace.token_ids, trace.prompt_tokens, strict=True):
        known = _mixed(ids[:n].astype(np.uint64) ^ salt) % np.uint64(vocabulary - FIRST_ID) + np.uint64(FIRST_ID)
        rest = rng.integers(FIRST_ID, vocabulary, max(int(n) - len(known), 0))
        prompts.append([*known.astype(int).tolist(), *rest.tolist()])
    return prompts


def _mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return a hash of each number (the finaliser of SplitMix64)."""
    with np.errstate(over="ignore"):
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


async def _send_all(endpoint: Endpoint, trace: RequestTrace, prompts: Sequence[list[int]], timeout_s: float) -> list[Outcome]:
    import openai

    key = os.environ.get(endpoint.key_variable, "") if endpoint.key_variable else ""
    async with openai.AsyncOpenAI(base_url=endpoint.url, api_key=key or "none", max_retries=0, timeout=timeout_s) as client:
        started = time.perf_counter()
        limits = [n for n in (trace.users, trace.max_concurrency) if n]
        under_way = asyncio.Semaphore(min(limits)) if limits else contextlib.nullcontext()

        async def one(r: int) -> Outcome:
            due_s = float(trace.arrival_s[r])
            await asyncio.sleep(max(due_s - (time.perf_counter() - started), 0.0))
            async with under_way:
                if trace.users:
                    due_s = time.perf_counter() - started
                return await _send_one(client, endpoint.model, prompts[r], int(trace.output_tokens[r]), started, due_s, timeout_s)

        return list(await asyncio.gather(*(one(r) for r in range(len(trace)))))


async def _send_one(
    client: openai.AsyncOpenAI, model: str, prompt: list[int], tokens: int, started: float, due_s: float, timeout_s: float
) -> Outcome:
    import openai

    sent_s, times, counted, ended = time.perf_counter() - started, list[float](), 0, False
    try:
        async with asyncio.timeout(timeout_s):
            stream = await client.completions.create(
                model=model, prompt=prompt, max_tokens=tokens, temperature=0, stream=True, stream_options={"include_usage": True},
                extra_body={"ignore_eos": True},
            )  # fmt: skip
            async for piece in stream:
                if piece.usage is not None:
                    counted, ended = piece.usage.completion_tokens, True
                ended = ended or any(choice.finish_reason for choice in piece.choices)
                if piece.choices and piece.choices[0].text:
                    times.append(time.perf_counter() - started)
    except TimeoutError:
        return Outcome(due_s, sent_s, tuple(times), counted, f"no end within {timeout_s:g} s")
    except openai.APIStatusError as error:
        return Outcome(due_s, sent_s, tuple(times), counted, f"the server answered with status {error.status_code}")
    except (openai.OpenAIError, json.JSONDecodeError) as error:  # refused, reset, cut off, or no JSON
        return Outcome(due_s, sent_s, tuple(times), counted, f"{type(error).__name__}: the connection failed or broke off")
    if not ended:
        return Outcome(due_s, sent_s, tuple(times), counted, "the stream broke off before its end")
    if not times:
        return Outcome(due_s, sent_s, (), counted, "the answer has no text")
    return Outcome(due_s, sent_s, tuple(times), counted or len(times))
