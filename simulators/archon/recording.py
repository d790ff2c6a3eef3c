"""`Recording`: answers of an earlier run, the same for ever, with nothing asked of anybody; and recordings as text files."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from designgym.core.errors import InputError, shorten
from designgym.core.files import written_whole
from designgym.simulators.archon.calls import Answer, Call, CallError, Decoding, Message
from designgym.simulators.archon.endpoint_names import identity_of

__all__ = ["Recorded", "Recording", "export_recording", "import_recording", "read_recording"]

SQLITE = b"SQLite format 3\0"
ANY_ENDPOINT = "recording"


class Recorded(NamedTuple):
    """A call that was answered.

    Attributes:
        key: What the call is known by.
        call: The call; None where the recording says answers only.
        answer: The answer, as JSON text.
    """

    key: str
    call: Call | None
    answer: str


class Recording:
    """Answers calls from a file of earlier answers: a store of calls (SQLite), or JSON lines ``{"key": ..., "call": ..., "answer": ...}``.

    If the endpoint's URL or identity is given, calls are found by their key: exactly those that this endpoint has answered. If not, they
    are found by what was asked, whichever endpoint it was; a call that several have answered differently is then an error.

    Args:
        path: The file. It is read once, now; nothing is ever written to it.
        url: URL of the endpoint that was recorded.
        identity: What that endpoint was said to be, if its URL did not count.

    Raises:
        InputError: If the file cannot be read or holds something else.
    """

    def __init__(self, path: str | Path, *, url: str = "", identity: str = "") -> None:
        self.path = str(path)
        self._url, self._identity = url, identity
        self._answers: dict[str, str] = {}
        self._ambiguous: set[str] = set()
        by_key = bool(url or identity)
        if by_key:
            identity_of(url, "", identity)  # checks it
        for recorded in read_recording(path):
            if not by_key and recorded.call is None:
                raise InputError(f"the recording {self.path!r} has no calls, only keys: give the url or the identity of its endpoint")
            key = recorded.key if by_key or recorded.call is None else recorded.call.key(self.identity(recorded.call.model))
            if self._answers.setdefault(key, recorded.answer) != recorded.answer:
                self._ambiguous.add(key)

    def __len__(self) -> int:
        return len(self._answers)

    def identity(self, model: str) -> str:
        """Return what the endpoint is known by: that of the recorded one if it was given, else the same for all."""
        return identity_of(self._url, model, self._identity) if self._url or self._identity else ANY_ENDPOINT

    async def answer(self, call: Call) -> Answer:
        """Return the recorded answer; raises `CallError` if there is none, or several endpoints gave different ones."""
        key = call.key(self.identity(call.model))
        if key in self._ambiguous:
            raise CallError(f"several endpoints answered call {key} in {self.path!r}: say which by the option url or identity")
        found = self._answers.get(key)
        if found is None:
            question = shorten(call.messages[-1].content) if call.messages else "nothing"
            raise CallError(
                f"call {key} (model {call.model!r}, sample {call.sample}, seed {call.seed}, asked {question}) was never recorded in "
                f"{self.path!r}: run once with the endpoint, or with the seed, tasks and models that were recorded"
            )
        return Answer.from_json(found)

    async def close(self) -> None:
        """Do nothing: no connections are held."""


def read_recording(path: str | Path) -> Iterator[Recorded]:
    """Yield the recorded calls of a store or of JSON lines, by key in a store, else as they come; raises `InputError`."""
    try:
        with Path(path).open("rb") as file:
            stored = file.read(len(SQLITE)) == SQLITE
    except (OSError, ValueError) as error:
        raise InputError(f"the recording {str(path)!r} cannot be read: {getattr(error, 'strerror', None) or error}; name a file") from None
    yield from _of_store(path) if stored else _of_lines(path)


def export_recording(store: str | Path, target: str | Path) -> int:
    """Write a recording as JSON lines sorted by key, and return how many there are: equal recordings are equal byte for byte.

    Raises:
        InputError: If the store cannot be read, or the target cannot be written.
    """
    lines = {recorded.key: _line(recorded) for recorded in read_recording(store)}
    with written_whole(Path(target), "write the recording") as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(lines[key] for key in sorted(lines))
    return len(lines)


def import_recording(source: str | Path, store: str | Path) -> int:
    """Add the answers of a recording to a store of calls, and return how many were new: an answer that is there stays.

    Raises:
        InputError: If one of them cannot be used.
    """
    from designgym.simulators.archon.call_store import CallStore

    rows = [(r.key, json.dumps(asdict(r.call)) if r.call is not None else "null", r.answer) for r in read_recording(source)]
    opened = CallStore(store)
    try:
        before = len(opened)
        with opened.transaction() as connection:
            connection.executemany("INSERT OR IGNORE INTO calls (key, call, answer) VALUES (?, ?, ?)", rows)
        return len(opened) - before
    finally:
        opened.close()


def _line(recorded: Recorded) -> str:
    call = None if recorded.call is None else asdict(recorded.call)
    data = {"key": recorded.key, "call": call, "answer": json.loads(recorded.answer)}
    return json.dumps(data) + "\n"  # in ASCII: texts may hold what UTF-8 cannot, and line ends of other kinds


def _of_store(path: str | Path) -> Iterator[Recorded]:
    place = Path(path).resolve()
    # a store that nobody writes to may lie where nothing can be written, as its log would have to be
    modes = ("mode=ro",) if place.with_name(place.name + "-wal").exists() else ("mode=ro", "mode=ro&immutable=1")
    problem: sqlite3.Error | None = None
    for mode in modes:
        try:
            with closing(sqlite3.connect(f"{place.as_uri()}?{mode}", uri=True)) as connection:
                columns = {row[1] for row in connection.execute("PRAGMA table_info(calls)")}
                call = "call" if "call" in columns else "NULL"
                rows: Iterable[tuple[Any, ...]] = connection.execute(f"SELECT key, {call}, answer FROM calls ORDER BY key").fetchall()
        except sqlite3.Error as error:
            problem = error
            continue
        for key, text, answer in rows:
            yield Recorded(str(key), _call(json.loads(text)) if text is not None else None, _answer(json.loads(answer)))
        return
    raise InputError(f"the recording {str(path)!r} is no store of calls: {problem}; name one, or a file of JSON lines") from None


def _of_lines(path: str | Path) -> Iterator[Recorded]:
    seen: dict[str, str] = {}
    with Path(path).open(encoding="utf-8") as file:
        try:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                try:
                    data = json.loads(line)
                    key = data["key"]
                    if not isinstance(key, str):
                        raise InputError(f"the key is {shorten(key)}, expected a text")
                    recorded = Recorded(key, _call(data.get("call")), _answer(data["answer"]))
                except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
                    why = f": {error}" if isinstance(error, InputError) else ""
                    raise InputError(
                        f"line {number} of the recording {str(path)!r} is {shorten(line.strip())}, expected "
                        f'{{"key": ..., "call": ..., "answer": ...}}{why}'
                    ) from None
                if seen.setdefault(recorded.key, recorded.answer) != recorded.answer:
                    raise InputError(f"line {number} of the recording {str(path)!r} has another answer for key {key}; leave one of them")
                yield recorded
        except UnicodeDecodeError:
            raise InputError(f"the recording {str(path)!r} is no text in UTF-8; name a store of calls, or a file of JSON lines") from None


def _call(data: Any) -> Call | None:
    if data is None:
        return None
    decoding = {**data["decoding"], "stop": tuple(data["decoding"].get("stop", ()))}
    messages = tuple(Message(role, content) for role, content in data["messages"])
    return Call(data["model"], messages, Decoding(**decoding), data["sample"], data["seed"])


def _answer(data: Any) -> str:
    answer = Answer.from_json(json.dumps(data))
    if not isinstance(answer.text, str) or not isinstance(answer.finish, str):
        raise InputError(f"the answer is {shorten(data)}, expected a text")
    for value, kind in ((answer.input_tokens, int), (answer.output_tokens, int), (answer.latency_s, int | float)):
        if isinstance(value, bool) or not isinstance(value, kind) or value < 0:
            raise InputError(f"the answer is {shorten(data)}, expected numbers of tokens and seconds of 0 or more")
    return answer.to_json()
