"""Finding and opening the database: whose it is, which version, and whether it may be written."""

from __future__ import annotations

import os
import re
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, inspect, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from designgym.core.errors import InputError, NotInstalledError, StoreError
from designgym.studies.store_errors import translated
from designgym.studies.store_schema import BUSY_TIMEOUT_S, FORMAT, SCHEMA_VERSION, meta, metadata, sqlite_engine

MEMORY = ":memory:"
_MAGIC = b"SQLite format 3\x00"


def default_place() -> str:
    """Return ``$DESIGNGYM_STORE``, else ``designgym.db`` in the working directory."""
    return os.environ.get("DESIGNGYM_STORE") or "designgym.db"


def file_of(where: str | os.PathLike[str]) -> Path | None:
    """Return the file of a store, as a path or a ``sqlite:///`` URL names it; None for a store in memory or on a server."""
    text = os.fspath(where)
    if text == MEMORY or ("://" in text and not text.startswith("sqlite:///")):
        return None
    return Path(text.removeprefix("sqlite:///")).expanduser()


def open_engine(where: str | os.PathLike[str], *, create: bool, read_only: bool, timeout_s: float = BUSY_TIMEOUT_S) -> tuple[Engine, str]:
    """Return an engine for a store that has been checked, or made, and the store's name as shown.

    Args:
        where: A path, ``:memory:``, or the URL of a SQLite file or PostgreSQL database.
        create: Whether to make a store where there is none.
        read_only: Whether to open without the right to write.
        timeout_s: How long to wait for another writer.

    Raises:
        InputError: For a URL that is not understood.
        NotInstalledError: For PostgreSQL without its driver.
        StoreError: If it is not a store of ours, is newer than this program, or cannot be opened.
    """
    text = os.fspath(where)
    if text == MEMORY:
        engine, shown, is_new = sqlite_engine(None), MEMORY, True
    elif (path := file_of(text)) is not None:
        shown = str(path)
        is_new = _check_file(path, create=create, read_only=read_only)
        if not is_new and not read_only:
            _check_before_writing(path, timeout_s)
        engine = sqlite_engine(path, read_only=read_only, immutable=read_only and _sealed(path), timeout_s=timeout_s)
    else:
        engine, shown = _server_engine(text, timeout_s)
        is_new = create
    with translated(shown):
        try:
            if is_new and not read_only:
                with engine.connect().execution_options(writes=True, flush=True) as connection, connection.begin():
                    _create(connection, shown)
            with engine.connect() as connection:
                _check_marker(connection, shown)
        except BaseException:
            engine.dispose()
            raise
    return engine, shown


def _check_file(path: Path, *, create: bool, read_only: bool) -> bool:
    """Return whether a store must be made in this file; raises `StoreError` if the path cannot hold one."""
    if path.is_dir():
        raise StoreError(f"store {path} is a directory; name a file in it, such as {path / 'designgym.db'}")
    with translated(str(path)):
        if not path.exists():
            if not create:
                raise StoreError(f"there is no store {path}; name an existing one with --store, or make it with `designgym run`")
            path.parent.mkdir(parents=True, exist_ok=True)
            if not os.access(path.parent, os.W_OK):
                raise StoreError(f"store {path} cannot be made: folder {path.parent} is read-only; choose another place with --store")
            return True
        if not path.is_file():
            raise StoreError(f"store {path} is not a regular file; name a file with --store")
        with path.open("rb") as file:
            start = file.read(len(_MAGIC))
    if start and start != _MAGIC:
        raise StoreError(
            f"{path} is not a designgym store (not even a SQLite database); it was left as it is: name another file with --store"
        )
    if not start and not create:
        raise StoreError(f"{path} is empty, not a designgym store; name another file with --store")
    if not read_only and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        raise StoreError(
            f"store {path} is read-only; make the file and its folder {path.parent} writable, or choose another place with --store"
        )
    return not start


def _check_before_writing(path: Path, timeout_s: float) -> None:
    """Raise `StoreError` for a database that is not ours while it is still untouched: opening it to write switches it to WAL."""
    engine = sqlite_engine(path, read_only=True, timeout_s=timeout_s)
    try:
        with translated(str(path)), engine.connect() as connection:
            _check_marker(connection, str(path))
    finally:
        engine.dispose()


def _sealed(path: Path) -> bool:
    """Return whether SQLite cannot make its helper files beside a file that has none: it may then only be read as it lies there."""
    return not os.access(path.parent, os.W_OK) and not path.with_name(path.name + "-wal").exists()


def _server_engine(text: str, timeout_s: float) -> tuple[Engine, str]:
    try:
        url = make_url(text)
        if url.get_backend_name() not in ("postgresql", "postgres"):
            raise InputError(f"store {url.render_as_string()!r} is neither a file nor a PostgreSQL URL (postgresql://user@host/database)")
        url = url.set(drivername="postgresql+psycopg")
        # the server ends a wait for another writer, as SQLite's busy timeout does
        engine = create_engine(url, pool_pre_ping=True, connect_args={"options": f"-c lock_timeout={int(timeout_s * 1000)}"})
    except InputError:
        raise
    except (ArgumentError, NoSuchModuleError, ValueError) as error:  # a ValueError for a port that is no number
        raise InputError(f"store {without_password(text)!r} is neither a file nor a PostgreSQL URL: {error}") from None
    except ModuleNotFoundError:
        raise NotInstalledError("a PostgreSQL store needs the psycopg driver: pip install 'designgym[postgres]'") from None
    return engine, url.render_as_string(hide_password=True)


def without_password(url: str) -> str:
    """Return the text of a URL, which need not be a legal one, with its password hidden."""
    return re.sub(r"(://[^:/?#]*):.*@", r"\1:***@", url)


def _create(connection: Connection, shown: str) -> None:
    """Make our tables; refuses a database in which tables of the same names belong to somebody else."""
    present = set(inspect(connection).get_table_names())
    if meta.name in present:
        return
    if taken := sorted(present & set(metadata.tables)):
        raise StoreError(f"{shown} is not a designgym store: its table {taken[0]!r} is somebody else's; name another database with --store")
    metadata.create_all(connection)
    marker = {"format": FORMAT, "schema_version": str(SCHEMA_VERSION), "flushed_at_s": "0"}
    connection.execute(meta.insert(), [{"key": key, "value": value} for key, value in marker.items()])


def _check_marker(connection: Connection, shown: str) -> None:
    if meta.name not in inspect(connection).get_table_names():
        raise StoreError(
            f"{shown} is a database, but not a designgym store (no table {meta.name}); it was left as it is: name another with --store"
        )
    found = {row.key: row.value for row in connection.execute(select(meta))}
    version = found.get("schema_version", "")
    if found.get("format") != FORMAT or not version.isdigit():
        raise StoreError(f"{shown} is not a designgym store: its marker reads {found}; name another with --store")
    if int(version) > SCHEMA_VERSION:
        raise StoreError(
            f"store {shown} was written by a newer designgym (schema {version}, this one knows {SCHEMA_VERSION}): "
            "upgrade designgym, or name another store with --store"
        )
