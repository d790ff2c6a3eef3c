"""Messages between this process and that of isolated candidates, read so that nothing a candidate writes can block or mislead."""

from __future__ import annotations

import socket
import struct
import time

HEADER = struct.Struct("<4sI")
LONGEST = 1 << 30  # bytes; anything longer was not written by us


def send(channel: socket.socket, kind: bytes, content: bytes = b"") -> None:
    """Send a message of a kind in four bytes; raises `OSError` if the other end is gone."""
    channel.settimeout(None)
    channel.sendall(HEADER.pack(kind, len(content)) + content)


def receive(channel: socket.socket, limit_s: float | None) -> tuple[bytes, bytes]:
    """Return the next message: its kind and content; ``late`` if it is not here in time, ``gone`` if it will never be."""
    deadline = None if limit_s is None else time.monotonic() + limit_s
    try:
        kind, length = HEADER.unpack(_read(channel, HEADER.size, deadline))
        return (kind, _read(channel, length, deadline)) if length <= LONGEST else (b"gone", b"")
    except TimeoutError:
        return b"late", b""
    except (EOFError, OSError):
        return b"gone", b""


def _read(channel: socket.socket, size: int, deadline: float | None) -> bytes:
    parts = []
    while size:
        channel.settimeout(None if deadline is None else max(deadline - time.monotonic(), 1e-6))
        part = channel.recv(min(size, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
