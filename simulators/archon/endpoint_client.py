"""One request of an OpenAI-compatible endpoint: what came back within limits of time and size, or why nothing did."""

from __future__ import annotations

import asyncio
import email.utils
import math
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from designgym.core.errors import InputError, NotInstalledError, shorten
from designgym.simulators.archon.chat_replies import error_message
from designgym.simulators.archon.endpoint_key import Key, WithoutKey

if TYPE_CHECKING:
    import httpx2
    import openai

__all__ = ["Failure", "opened_client", "received", "retry_after_s"]

ERROR_BYTES = 1 << 16  # of an error's text that are read
FINAL_SERVER_ERRORS = (501, 505)  # what the server cannot do now it cannot do later
PASSING = (408, 429)


@dataclass(frozen=True)
class Failure:
    """Why a request got no answer.

    Attributes:
        reason: In words.
        may_pass: Whether the same request may succeed later.
        wait_s: Seconds to wait before that, if the endpoint has said so.
    """

    reason: str
    may_pass: bool = True
    wait_s: float | None = None


@lru_cache(maxsize=1)
def _certificates() -> ssl.SSLContext:
    """Return the certificates that are trusted: reading them takes longer than all else of a client."""
    import httpx2

    return httpx2.create_ssl_context()


def opened_client(url: str, key: Key, timeout_s: float) -> openai.AsyncOpenAI:
    """Return a client for an endpoint, which sends the key there and nowhere else, and no other key of the environment.

    Raises:
        NotInstalledError: If the package openai is missing.
        InputError: If the URL cannot be used.
    """
    try:
        import httpx2
        import openai
    except ImportError:
        raise NotInstalledError("openai is not installed: run `pip install 'designgym[live]'`") from None

    class Head(httpx2.AsyncByteStream):
        """The first bytes of an error's text, which may have no end."""

        def __init__(self, stream: httpx2.AsyncByteStream) -> None:
            self._stream = stream

        async def __aiter__(self) -> AsyncIterator[bytes]:
            left = ERROR_BYTES
            async for chunk in self._stream:
                yield chunk[:left]
                left -= len(chunk)
                if left <= 0:
                    return

        async def aclose(self) -> None:
            await self._stream.aclose()

    async def authorise(request: httpx2.Request) -> None:
        for name in ("Authorization", "OpenAI-Organization", "OpenAI-Project"):  # the package takes them from variables of its own
            request.headers.pop(name, None)
        if value := key.value():
            request.headers["Authorization"] = f"Bearer {value}"

    async def bound(response: httpx2.Response) -> None:
        if response.status_code >= 300 and isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = Head(response.stream)

    if key.variable:
        WithoutKey.add(key)
    # Connections are used once: a server or proxy that sends a reply twice would otherwise answer the next request with the last one's.
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
    try:
        client = openai.AsyncOpenAI(
            base_url=url,
            api_key="none",
            admin_api_key="",
            max_retries=0,
            timeout=timeout_s,
            # redirects are not followed: the key is for this place
            http_client=openai.DefaultAsyncHttpxClient(
                event_hooks={"request": [authorise], "response": [bound]},
                limits=limits,
                follow_redirects=False,
                timeout=timeout_s,
                verify=_certificates(),
            ),
        )
        _ = client.chat.completions  # imports much, which is no part of the first answer's latency
        return client
    except httpx2.InvalidURL as error:
        raise InputError(f"the endpoint's URL is {shorten(url)}: {error}; give one such as 'http://localhost:8000/v1'") from None


async def received(client: openai.AsyncOpenAI, request: Mapping[str, Any], key: Key, *, most_bytes: int, timeout_s: float) -> str | Failure:
    """Send a request, and return the body of the reply, without the key, or what went wrong.

    Args:
        client: Of `opened_client`.
        request: Arguments of a chat completion.
        key: The key: an endpoint may repeat what it was sent, and what is cut to a part of it later is not found any more.
        most_bytes: Of the body.
        timeout_s: Seconds to its last byte.
    """
    import httpx2
    import openai

    try:
        async with asyncio.timeout(timeout_s):
            async with client.chat.completions.with_streaming_response.create(**request) as response:
                body = await _body(response, most_bytes, streamed=bool(request.get("stream")))
            return body if isinstance(body, Failure) else key.removed(body.decode("utf-8", "replace"))
    except (TimeoutError, openai.APITimeoutError, httpx2.TimeoutException):
        return Failure(f"no end of the answer within {timeout_s:g} s")
    except openai.APIStatusError as error:
        return _refused(error, key)
    except (openai.OpenAIError, httpx2.HTTPError, OSError) as error:  # refused, reset, cut off, or not HTTP
        cause = error.__cause__ or error
        return Failure(f"the connection failed or broke off ({shorten(key.removed(str(cause)) or type(cause).__name__, 160)})")


async def _body(response: Any, most_bytes: int, *, streamed: bool) -> bytes | Failure:
    body = bytearray()
    async for chunk in response.iter_bytes():
        body += chunk
        if len(body) > most_bytes:
            return Failure(f"the reply has more than {most_bytes:,} bytes, far more than max_tokens tokens can have", may_pass=False)
        if streamed and b"\ndata: [DONE]" in body[-len(chunk) - 16 :]:
            break  # some servers leave the connection open
    return bytes(body)


def _refused(error: openai.APIStatusError, key: Key) -> Failure:
    status, said = error.status_code, error_message(key.removed(error.response.text))
    reason = f"status {status}" + (f", {said!r}" if said else "")
    if status in (401, 403):
        return Failure(f"{reason}: check the key in the environment variable that key_variable names", may_pass=False)
    if status == 404:
        return Failure(f"{reason}: check the model's name, and that the URL is the one before /chat/completions", may_pass=False)
    if 300 <= status < 400:
        return Failure(f"{reason}, a redirection, which is not followed: give the URL it leads to", may_pass=False)
    # a spent account answers like a busy server, but not for a while
    spent = status == 429 and isinstance(error.body, dict) and "insufficient_quota" in (error.body.get("code"), error.body.get("type"))
    passing = status in PASSING or (status >= 500 and status not in FINAL_SERVER_ERRORS)
    return Failure(reason, passing and not spent, retry_after_s(error.response.headers, time.time()))


def retry_after_s(headers: Mapping[str, str], now_s: float) -> float | None:
    """Return how long the endpoint asks to wait, in seconds; None if it says nothing that can be read.

    Args:
        headers: Of the reply: ``retry-after-ms``, or ``retry-after`` with seconds or a date (RFC 9110, 10.2.3).
        now_s: The time, in seconds since 1970.
    """
    for name, scale in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * scale
        except ValueError:
            continue
        if 0 <= seconds < math.inf:
            return seconds
    try:
        return max(email.utils.parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - now_s, 0.0)
    except (ValueError, TypeError, OverflowError):
        return None
