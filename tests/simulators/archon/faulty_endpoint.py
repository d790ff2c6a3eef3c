"""A server of chat completions that does what it is told to each request, right or wrong, and notes what it was asked."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

HEAD = "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n{more}\r\n"


@dataclass
class Seen:
    """A request."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    at_s: float

    @property
    def asked(self) -> str:
        return str(self.body["messages"][-1]["content"])


Reply = Callable[[Seen, asyncio.StreamWriter], Awaitable[None]]


def completion(text: str | None = "", finish: str = "stop", usage: Any = "counted", **more: Any) -> dict[str, Any]:
    """Return the body of a right answer."""
    counted = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    message = {"role": "assistant", "content": text, **more}
    body: dict[str, Any] = {"id": "c", "object": "chat.completion", "created": 0, "model": "m"}
    body["choices"] = [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}]
    return body | ({"usage": counted if usage == "counted" else usage} if usage is not None else {})


def _bytes(status: str, body: Any, headers: str = "", kind: str = "application/json") -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HEAD.format(status=status, kind=kind, more=f"content-length: {len(data)}\r\n{headers}").encode() + data


def raw(body: Any, status: str = "200 OK", headers: str = "", kind: str = "application/json") -> Reply:
    """Send a body with its right length."""

    async def reply(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(_bytes(status, body, headers, kind))

    return reply


async def echo(seen: Seen, writer: asyncio.StreamWriter) -> None:
    """Answer with what was asked."""
    writer.write(_bytes("200 OK", completion(f"re: {seen.asked}")))


def status(number: int, message: str = "no", headers: str = "", **more: Any) -> Reply:
    """Refuse."""
    return raw({"error": {"message": message, "type": "refused", **more}}, f"{number} Refused", headers)


async def hang(seen: Seen, writer: asyncio.StreamWriter) -> None:
    """Say nothing, for longer than any client waits."""
    await asyncio.sleep(60)


async def disconnect(seen: Seen, writer: asyncio.StreamWriter) -> None:
    """Reset the connection before a word is said."""
    writer.transport.abort()


async def cut_off(seen: Seen, writer: asyncio.StreamWriter) -> None:
    """Break off in the middle of the body, against its length."""
    whole = _bytes("200 OK", completion("a long text " * 20))
    writer.write(whole[: len(whole) // 2])
    await writer.drain()
    writer.transport.close()


def drip(pause_s: float) -> Reply:
    """Send the right answer one byte at a time: something moves always, so that a limit on silence never ends it."""

    async def reply(seen: Seen, writer: asyncio.StreamWriter) -> None:
        for byte in _bytes("200 OK", completion("slow")):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(pause_s)

    return reply


async def twice(seen: Seen, writer: asyncio.StreamWriter) -> None:
    """Send the right answer twice: the second one waits on the connection for whoever uses it next."""
    writer.write(_bytes("200 OK", completion(f"re: {seen.asked}")) * 2)


def endless(code: str = "200 OK", kind: str = "application/json") -> Reply:
    """Send a body without an end, as fast as it is taken."""

    async def reply(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD.format(status=code, kind=kind, more="connection: close\r\n").encode() + b'{"choices": [{"message": {"content": "')
        while not writer.transport.is_closing():
            writer.write(b"again and again " * 4096)
            await writer.drain()

    return reply


def stream(*events: Any, done: bool = True, open_after: bool = False) -> Reply:
    """Send server-sent events; optionally leave the connection open after them."""

    async def reply(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD.format(status="200 OK", kind="text/event-stream", more="connection: close\r\n").encode())
        for event in events:
            writer.write(f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n".encode())
            await writer.drain()
        if done:
            writer.write(b"data: [DONE]\n\n")
        await writer.drain()
        if open_after:
            await asyncio.sleep(60)
        writer.transport.close()

    return reply


def piece(text: str | None = None, finish: str | None = None, usage: Any = None) -> dict[str, Any]:
    """Return an event of a stream: some text, an end, or the count of tokens alone."""
    base = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m", "usage": usage}
    if usage is not None:
        return base | {"choices": []}
    return base | {"choices": [{"index": 0, "delta": {} if text is None else {"content": text}, "finish_reason": finish}]}


@dataclass
class FaultyEndpoint:
    """The server, on a port of its own, while the block lasts.

    Attributes:
        script: What is done to the first, second ... request; the last one is repeated. Or what is done to a request, given it.
        seen: The requests, in the order of their arrival.
    """

    script: Sequence[Reply] | Callable[[Seen], Reply]
    seen: list[Seen] = field(default_factory=list)
    most_at_once: int = 0
    url: str = ""
    _server: asyncio.Server | None = None

    def __enter__(self) -> FaultyEndpoint:
        self._loop = asyncio.new_event_loop()
        self._now, self._numbers = 0, itertools.count()
        self._tasks: set[asyncio.Task[None]] = set()
        ready = threading.Event()

        async def start() -> None:
            self._server = await asyncio.start_server(self._connection, "127.0.0.1", 0, limit=1 << 22)
            self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
            ready.set()

        self._loop.create_task(start())
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        async def stop() -> None:
            assert self._server is not None
            self._server.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await asyncio.sleep(0)

        asyncio.run_coroutine_threadsafe(stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while await self._request(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort() if writer.transport.is_closing() else writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        first = (await reader.readline()).decode()
        if not first:
            return False
        headers = {}
        while line := (await reader.readline()).decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        seen = Seen(first.split()[1], headers, json.loads(body or b"{}"), self._loop.time())
        self.seen.append(seen)
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            await self._reply(seen)(seen, writer)
            await writer.drain()
        finally:
            self._now -= 1
        return not writer.transport.is_closing()

    def _reply(self, seen: Seen) -> Reply:
        if callable(self.script):
            return self.script(seen)
        return self.script[min(next(self._numbers), len(self.script) - 1)]
