"""A found architecture as an OpenAI-compatible endpoint: an ASGI application, and a server for it."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
import math
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from designgym.core.errors import InputError, NotInstalledError, shorten
from designgym.simulators.archon.calls import BudgetExhaustedError, CallError, Message
from designgym.simulators.archon.served_chat import RequestError, Served, completion, events, models, read_request

if TYPE_CHECKING:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["TOKEN_VARIABLE", "Served", "application", "serve", "server"]

TOKEN_VARIABLE = "DESIGNGYM_TOKEN"
SHORTEST_TOKEN = 16  # characters: what strangers can reach must not be guessed
RETRY_AFTER_S = 1
GRACE_S = 1.0  # for work to end that is no longer wanted
MISSING = "starlette and uvicorn are not installed: run `pip install 'designgym[serve]'`"

Answerer = Callable[[tuple[Message, ...]], Awaitable[Served]]
_log = logging.getLogger(__name__)


def application(
    answer: Answerer, *, name: str, max_body_bytes: int = 1_000_000, timeout_s: float = 300.0, concurrency: int = 32
) -> Starlette:
    """Return an application that answers ``POST /v1/chat/completions``, ``GET /v1/models`` and ``GET /health``.

    An answer that is wanted in pieces is sent so once it is whole, since only then is it known to be one. Work for a client that has gone
    is stopped. Errors are in OpenAI's form: 400 (wrong body), 404 (another model), 408 and 413 (body too slow, too large), 429 (the budget
    is spent), 502 (a model within gave no answer), 503 (as many requests under way as may be), 504 (no answer in time) and 500 (anything
    else; the reason is in the log of the server alone).

    Args:
        answer: What answers a conversation.
        name: The model's name.
        max_body_bytes: Of a request.
        timeout_s: Seconds that an answer may take.
        concurrency: Most answers under way.

    Raises:
        InputError: If a value cannot be.
        NotInstalledError: If the packages are missing.
    """
    if not isinstance(name, str) or not name:
        raise InputError(f"the model's name is {shorten(name)}, expected a text that is not empty")
    for option, number in (("max_body_bytes", max_body_bytes), ("concurrency", concurrency)):
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise InputError(f"{option} is {shorten(number)}, expected a whole number of 1 or more")
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float) or not 0 < timeout_s < math.inf:
        raise InputError(f"timeout_s is {shorten(timeout_s)}, expected a finite number of seconds above 0")
    try:
        from starlette.applications import Starlette
        from starlette.exceptions import HTTPException
        from starlette.responses import JSONResponse, StreamingResponse
        from starlette.routing import Route
    except ImportError:
        raise NotInstalledError(MISSING) from None

    under_way = 0

    async def asked(request: Request) -> Response:
        nonlocal under_way
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
            # pages of other sites can send other types without asking
            raise RequestError(400, "the content-type must be application/json", "invalid_content_type")
        what = read_request(await _body(request, max_body_bytes, timeout_s), name)
        if under_way >= concurrency:
            raise RequestError(503, f"{under_way} requests are under way, as many as may be; try again later", "overloaded")
        under_way += 1
        try:
            served = await _answered(request, answer, what.messages, timeout_s)
        finally:
            under_way -= 1
        if what.stream:
            return StreamingResponse(_each(events(served, name, include_usage=what.include_usage)), media_type="text/event-stream")
        return JSONResponse(completion(served, name))

    def refused(error: RequestError) -> Response:
        later = {"retry-after": str(RETRY_AFTER_S)} if error.status == 503 else None
        return JSONResponse(error.body(), error.status, headers=later)

    async def chat(request: Request) -> Response:
        try:
            return await asked(request)
        except RequestError as error:
            return refused(error)
        except Exception:
            _log.exception("an answer failed")
            return refused(RequestError(500, "the server failed; its log says why", "internal_error"))

    async def listed(request: Request) -> Response:
        return JSONResponse(models(name))

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok", "under_way": under_way})

    async def nowhere(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 404
        return refused(RequestError(status, f"there is no {request.method} {shorten(request.url.path)}", "not_found"))

    routes = [
        Route("/v1/chat/completions", chat, methods=["POST"]),
        Route("/v1/models", listed, methods=["GET"]),
        Route("/health", health, methods=["GET"]),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: nowhere})


def server(app: Any, host: str = "127.0.0.1", port: int = 8000) -> uvicorn.Server:
    """Return a server for an application, not yet running.

    Where the environment variable ``DESIGNGYM_TOKEN`` is set, all requests but those for ``/health`` need it as a bearer token. Without it
    only this machine's programs are served: not other machines, nor web pages that reach this machine through a name of theirs.

    Args:
        app: The application.
        host: Address to listen at.
        port: Port to listen at; 0 takes a free one.

    Raises:
        InputError: If the host is not this machine's alone and there is no token, or one that can be guessed.
        NotInstalledError: If the packages are missing.
    """
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port < 1 << 16:
        raise InputError(f"port is {shorten(port)}, expected a whole number from 0 to 65535")
    if not is_loopback(host):
        if not token:
            raise InputError(
                f"host {shorten(host)} can be reached from other machines: set {TOKEN_VARIABLE} to a secret that clients send as their API "
                "key, or serve at 127.0.0.1"
            )
        if len(token) < SHORTEST_TOKEN:
            raise InputError(f"{TOKEN_VARIABLE} has {len(token)} characters, expected {SHORTEST_TOKEN} or more, since others can guess")
    try:
        import uvicorn
    except ImportError:
        raise NotInstalledError(MISSING) from None
    config = uvicorn.Config(
        _Guard(app, token), host=host, port=port, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=5
    )
    return uvicorn.Server(config)


def serve(app: Any, host: str = "127.0.0.1", port: int = 8000) -> None:
    """Serve an application until the process is interrupted; see `server`."""
    server(app, host, port).run()


def is_loopback(host: str) -> bool:
    """Return whether an address is this machine's alone; a name other than ``localhost`` is not known to be."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class _Guard:
    """Lets pass what has the token, or what is from this machine if there is none."""

    def __init__(self, app: Any, token: str) -> None:
        self.app, self._token = app, token.encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self.app(scope, receive, send)
            return
        from starlette.responses import JSONResponse

        await JSONResponse(refusal.body(), refusal.status)(scope, receive, send)

    def _refusal(self, scope: Any) -> RequestError | None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if not self._token:
            host = headers.get(b"host", b"").decode("latin-1")
            bare = host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host
            return None if is_loopback(bare) else RequestError(403, f"host {shorten(host)} is not served here", "wrong_host")
        kind, _, given = headers.get(b"authorization", b"").partition(b" ")
        right = hmac.compare_digest(given.strip(), self._token) and kind.lower() == b"bearer"
        if right or scope["path"] == "/health":
            return None
        return RequestError(401, "the API key is missing or wrong", "invalid_api_key")


async def _each(pieces: Sequence[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def _body(request: Request, most_bytes: int, timeout_s: float) -> bytes:
    """Return the body, of which no more is read than may be."""
    too_large = RequestError(413, f"the body has more than {most_bytes:,} bytes", "too_large")
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:20]) > most_bytes:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most_bytes:
                    raise too_large
    except TimeoutError:
        raise RequestError(408, f"the body did not come within {timeout_s:g} s", "timeout") from None
    return bytes(body)


async def _answered(request: Request, answer: Answerer, messages: tuple[Message, ...], timeout_s: float) -> Served:
    """Return the answer, if it comes in time and while the client is there."""

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    work, leaving = asyncio.ensure_future(answer(messages)), asyncio.ensure_future(gone())
    try:
        done, _ = await asyncio.wait({work, leaving}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if work in done:
            return work.result()
    except BudgetExhaustedError as error:
        _log.warning("an answer was not given: %s", error)
        raise RequestError(429, "the budget is spent", "insufficient_quota") from None
    except CallError as error:
        _log.warning("an answer failed: %s", error)
        raise RequestError(502, "a model that is needed gave no answer", "upstream_error") from None
    finally:
        work.cancel()
        leaving.cancel()
        await asyncio.wait({work, leaving}, timeout=GRACE_S)
    if leaving in done:
        raise RequestError(499, "the client has gone", "client_closed")
    raise RequestError(504, f"there was no answer within {timeout_s:g} s", "timeout")
