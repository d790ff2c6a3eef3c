"""What databases say, in one line that names the store, what happened, and the remedy."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from designgym.core.errors import StoreError

_CAUSES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("database or disk is full", "no space left", "disk full", "quota exceeded"),
     "the disk is full; what was stored before is safe: free some space and run the same command again, it goes on from there"),
    (("readonly database", "read-only"), "it is read-only; make the file and its folder writable, or choose another place with --store"),
    (("database is locked", "database table is locked", "lock timeout"),
     "another process has kept it locked; wait until that one is done, or choose another place with --store"),
    (("malformed", "is not a database", "encrypted"), "it is damaged, or not ours; restore a copy, or choose another place with --store"),
    (("unable to open",), "it cannot be opened; check that the folder exists and that you may write to it"),
    (("disk i/o error",), "the disk reports an error, or is full; check its space and health, then run the same command again"),
    (("connection refused", "could not connect", "connection failed", "could not translate", "timeout expired", "server closed"),
     "the database server cannot be reached; check the address and that it runs"),
    (("password authentication", "does not exist", "permission denied"), "the database server refuses; check the name, user and password"),
)  # fmt: skip


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn database and file errors into a `StoreError` about ``where``."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        # the statement and its data are left out: a message is one line
        cause = str(error.orig if isinstance(error, DBAPIError) and error.orig is not None else error).strip().splitlines()[0]
        for signs, remedy in _CAUSES:
            if any(sign in cause.lower() for sign in signs):
                raise StoreError(f"store {where}: {remedy} ({cause})") from error
        raise StoreError(f"store {where}: {cause}") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError(f"store {where}: {_CAUSES[0][1]}") from error
        raise StoreError(f"store {where}: {error.strerror or error}") from error
