"""`CallStore`: answers by the content of their calls, kept in SQLite and shared by all processes, with one asker for each at a time."""

from __future__ import annotations

import json
import os
import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from designgym.core.errors import InputError
from designgym.simulators.archon.calls import Answer, Call

__all__ = ["CallStore", "Found"]

LEASE_S = 30.0
"""How long a reservation holds without being renewed: that of a killed process blocks others for no longer."""
BUSY_S = 60.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS calls (key TEXT PRIMARY KEY, call TEXT NOT NULL, answer TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS under_way (key TEXT PRIMARY KEY, owner TEXT NOT NULL, until REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS spending (
    budget TEXT PRIMARY KEY, calls REAL NOT NULL, tokens REAL NOT NULL, usd REAL NOT NULL, seconds REAL NOT NULL,
    refused TEXT NOT NULL DEFAULT '', limits TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reserved (
    id TEXT PRIMARY KEY, budget TEXT NOT NULL, calls REAL NOT NULL, tokens REAL NOT NULL, usd REAL NOT NULL, until REAL NOT NULL
) WITHOUT ROWID;
"""


class Found(NamedTuple):
    """What the store says to an asker.

    Attributes:
        answer: The answer, if it is there.
        reserved: Whether the asker shall make the call, and no other will; if neither, another one is making it.
    """

    answer: Answer | None
    reserved: bool


class CallStore:
    """Answers that were paid for once. What was stored survives the end of the process, however it comes.

    An answer is durable before anybody sees it. Safe to use from many processes on one machine at once; in a process, from one thread.

    Args:
        path: The database; ``":memory:"`` keeps nothing beyond the process.

    Raises:
        InputError: If the file cannot be opened, or is no store of calls.
    """

    def __init__(self, path: str | Path = ":memory:") -> None:
        self.path = str(path)
        self._owner = uuid.uuid4().hex
        self._process = os.getpid()
        self._connection: sqlite3.Connection | None = None
        self.connection()

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return CallStore, (self.path,)

    def connection(self) -> sqlite3.Connection:
        """Return this process's connection: one that was opened before a fork is left to the parent."""
        if self._connection is None or self._process != os.getpid():
            self._connection, self._process, self._owner = self._opened(), os.getpid(), uuid.uuid4().hex
        return self._connection

    def _opened(self) -> sqlite3.Connection:
        try:
            if self.path != ":memory:":
                Path(self.path).parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.executescript(_SCHEMA)
            connection.execute("SELECT key, call, answer FROM calls LIMIT 1")
        except (sqlite3.Error, OSError) as error:
            raise InputError(f"the store of calls {self.path!r} cannot be used: {error}; give another path") from None
        return connection

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write alone: no other process writes between what is read and written here."""
        connection = self.connection()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def get(self, key: str) -> Answer | None:
        """Return the answer to a call, if it is there."""
        row = self.connection().execute("SELECT answer FROM calls WHERE key = ?", (key,)).fetchone()
        return None if row is None else Answer.from_json(row[0])

    def find(self, key: str) -> Found:
        """Return the answer to a call, or reserve it for this process, or neither if another process is at it."""
        if (answer := self.get(key)) is not None:
            return Found(answer, False)
        with self.transaction() as connection:
            row = connection.execute("SELECT answer FROM calls WHERE key = ?", (key,)).fetchone()
            if row is not None:
                return Found(Answer.from_json(row[0]), False)
            other = connection.execute("SELECT owner, until FROM under_way WHERE key = ?", (key,)).fetchone()
            now = time.time()
            if other is not None and other[0] != self._owner and other[1] > now:
                return Found(None, False)
            connection.execute("INSERT OR REPLACE INTO under_way VALUES (?, ?, ?)", (key, self._owner, now + LEASE_S))
        return Found(None, True)

    def renew(self, key: str) -> None:
        """Hold a reservation for longer."""
        self.connection().execute("UPDATE under_way SET until = ? WHERE key = ? AND owner = ?", (time.time() + LEASE_S, key, self._owner))

    def fill(self, key: str, call: Call, answer: Answer) -> Answer:
        """Store an answer, end the reservation, and return the answer that counts: the first one that was stored."""
        with self.transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO calls VALUES (?, ?, ?)", (key, json.dumps(asdict(call)), answer.to_json()))
            connection.execute("DELETE FROM under_way WHERE key = ?", (key,))
            (text,) = connection.execute("SELECT answer FROM calls WHERE key = ?", (key,)).fetchone()
        return Answer.from_json(text)

    def release(self, key: str) -> None:
        """End a reservation without an answer: the next asker makes the call."""
        self.connection().execute("DELETE FROM under_way WHERE key = ? AND owner = ?", (key, self._owner))

    def __len__(self) -> int:
        return int(self.connection().execute("SELECT COUNT(*) FROM calls").fetchone()[0])

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None and self._process == os.getpid():
            self._connection.close()
        self._connection = None
