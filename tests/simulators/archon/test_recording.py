"""Recordings: the same answers for ever, and the same bytes for the same answers."""

import asyncio
import itertools
import json
import os
import random
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designgym.core.errors import InputError
from designgym.simulators.archon.cached_calls import CachedCalls
from designgym.simulators.archon.call_store import CallStore
from designgym.simulators.archon.calls import Answer, Backend, Call, CallError, Decoding, Message
from designgym.simulators.archon.endpoint_names import identity_of
from designgym.simulators.archon.recording import Recording, export_recording, import_recording, read_recording
from tests.simulators.archon.backends import Echo

URL = "http://localhost:8000/v1"
TEXTS = st.text(st.characters(), max_size=20)  # with halves of characters


def call(text: str = "why", sample: int = 0, model: str = "m", **decoding: object) -> Call:
    return Call(model, (Message("system", "be brief"), Message("user", text)), Decoding(**decoding), sample)  # type: ignore[arg-type]


def stored(path: Path, calls: list[tuple[Call, Answer]], url: str = URL) -> Path:
    store = CallStore(path)
    for asked, answer in calls:
        store.fill(asked.key(identity_of(url, asked.model)), asked, answer)
    store.close()
    return path


CALLS = st.builds(
    Call,
    st.sampled_from(["m", "n"]),
    st.lists(st.builds(Message, st.just("user"), TEXTS), min_size=1, max_size=3).map(tuple),
    st.builds(Decoding, st.sampled_from([0.0, 0.7]), stop=st.lists(TEXTS, max_size=2).map(tuple)),
    st.integers(0, 3),
    st.integers(0, 2),
)
ANSWERS = st.builds(Answer, TEXTS, st.integers(0, 10**6), st.integers(0, 10**6), st.floats(0, 100), st.sampled_from(["stop", "length"]))


@settings(max_examples=15, deadline=None)
@given(st.dictionaries(CALLS, ANSWERS, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_what_was_stored_comes_back_from_either_form(
    tmp_path_factory: pytest.TempPathFactory, answers: dict[Call, Answer], chance: random.Random
) -> None:
    answers = {asked: answer for asked, answer in answers.items() if asked.sample == 0 or asked.decoding.temperature > 0}
    folder = tmp_path_factory.mktemp("recording")
    order = list(answers.items())
    first = stored(folder / "a.db", order)
    chance.shuffle(order)
    second = stored(folder / "b.db", order)
    assert export_recording(first, folder / "a.jsonl") == len(answers) == export_recording(second, folder / "b.jsonl")
    assert (folder / "a.jsonl").read_bytes() == (folder / "b.jsonl").read_bytes()
    lines = (folder / "a.jsonl").read_text().splitlines(keepends=True)
    (folder / "shuffled.jsonl").write_text("".join(chance.sample(lines, len(lines))))
    export_recording(folder / "shuffled.jsonl", folder / "sorted.jsonl")
    assert (folder / "a.jsonl").read_bytes() == (folder / "sorted.jsonl").read_bytes()
    assert import_recording(folder / "a.jsonl", folder / "c.db") == len(answers)
    assert import_recording(folder / "a.jsonl", folder / "c.db") == 0
    export_recording(folder / "c.db", folder / "c.jsonl")
    assert (folder / "a.jsonl").read_bytes() == (folder / "c.jsonl").read_bytes()

    async def check() -> None:
        for path, known in itertools.product(("a.db", "a.jsonl", "c.db"), ({"url": URL}, {})):
            recording = Recording(folder / path, **known)
            assert len(recording) == len(answers)
            for asked, answer in answers.items():
                assert await recording.answer(asked) == answer

    asyncio.run(check())


def test_what_was_never_recorded_is_said_so(tmp_path: Path) -> None:
    recording = Recording(stored(tmp_path / "a.db", [(call(), Answer("since", 1, 1, 0.5))]), url=URL)
    assert isinstance(recording, Backend)
    with pytest.raises(CallError, match=r"model 'm', sample 1, seed 0, asked 'why'\) was never recorded in '.*a\.db': run once"):
        asyncio.run(recording.answer(call(sample=1)))


def test_all_samples_are_one_where_the_most_likely_answer_is_drawn(tmp_path: Path) -> None:
    recording = Recording(stored(tmp_path / "a.db", [(call(temperature=0), Answer("since", 1, 1, 0.5))]))
    assert asyncio.run(recording.answer(call(sample=3, temperature=0))).text == "since"


def test_endpoints_are_told_apart_by_url_or_identity_and_confused_ones_are_an_error(tmp_path: Path) -> None:
    path = stored(tmp_path / "a.db", [(call(), Answer("here", 1, 1, 0.5))])
    stored(path, [(call(), Answer("there", 1, 1, 0.5))], "http://other/v1")
    assert asyncio.run(Recording(path, url=URL + "/").answer(call())).text == "here"
    assert asyncio.run(Recording(path, url="http://OTHER:80/v1").answer(call())).text == "there"
    with pytest.raises(CallError, match="several endpoints answered call"):
        asyncio.run(Recording(path).answer(call()))
    with pytest.raises(CallError, match="never recorded"):
        asyncio.run(Recording(path, identity="weights").answer(call()))


def test_a_run_over_the_recording_of_another_makes_the_same_recording(tmp_path: Path) -> None:
    class Endpoint(Echo):
        def identity(self, model: str) -> str:
            return identity_of(URL, model)

    async def run(backend: Backend, path: Path) -> list[Answer]:
        calls = CachedCalls(backend, CallStore(path))
        return [known.answer for known in await asyncio.gather(*(calls.ask(call(str(i % 5), i % 3)) for i in range(30)))]

    first = asyncio.run(run(Endpoint(latency_s=lambda asked: 0.001 * asked.sample), tmp_path / "a.db"))
    export_recording(tmp_path / "a.db", tmp_path / "a.jsonl")
    again = asyncio.run(run(Recording(tmp_path / "a.jsonl", url=URL), tmp_path / "b.db"))
    export_recording(tmp_path / "b.db", tmp_path / "b.jsonl")
    assert first == again and (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


def test_a_store_that_may_not_be_written_can_be_read_and_is_not_written(tmp_path: Path) -> None:
    path = stored(tmp_path / "a.db", [(call(), Answer("since", 1, 1, 0.5))])
    before = path.read_bytes()
    path.chmod(0o444)
    tmp_path.chmod(0o555)
    try:
        assert asyncio.run(Recording(path).answer(call())).text == "since"
        assert path.read_bytes() == before
        assert os.geteuid() == 0 or [p.name for p in tmp_path.iterdir()] == ["a.db"]
    finally:
        tmp_path.chmod(0o755)


def test_a_store_of_keys_and_answers_alone_needs_the_endpoint(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute("CREATE TABLE calls (key TEXT PRIMARY KEY, answer TEXT)")
        connection.execute("INSERT INTO calls VALUES (?, ?)", (call().key(identity_of(URL, "m")), Answer("since", 1, 1, 0.5).to_json()))
    connection.close()
    assert asyncio.run(Recording(tmp_path / "a.db", url=URL).answer(call())).text == "since"
    with pytest.raises(InputError, match="has no calls, only keys: give the url or the identity"):
        Recording(tmp_path / "a.db")
    export_recording(tmp_path / "a.db", tmp_path / "a.jsonl")
    assert [r.call for r in read_recording(tmp_path / "a.jsonl")] == [None]


ANSWER = '{"text": "a", "input_tokens": 1, "output_tokens": 1, "latency_s": 0.1, "finish": "stop"}'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "line 1 of the recording"),
        ('\n{"key": 3, "answer": ' + ANSWER + "}", "line 2 .*: the key is 3"),
        ('{"key": "k"}', "line 1"),
        ("[]", "line 1"),
        ('{"key": "k", "answer": {"text": "a"}}', "not a recorded answer"),
        ('{"key": "k", "answer": ' + ANSWER.replace('"a"', "5") + "}", "expected a text"),
        ('{"key": "k", "answer": ' + ANSWER.replace("0.1", '"0.1"') + "}", "expected numbers"),
        ('{"key": "k", "answer": ' + ANSWER.replace("0.1", "-0.1") + "}", "expected numbers"),
        ('{"key": "k", "call": {"model": "m"}, "answer": ' + ANSWER + "}", "line 1"),
        ('{"key": "k", "answer": ' + ANSWER + '}\n{"key": "k", "answer": ' + ANSWER.replace('"a"', '"b"') + "}", "line 2 .*another answer"),
        ("[" * 100_000, "line 1"),
    ],
)
def test_a_line_that_cannot_be_used_is_an_error_that_names_it(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "a.jsonl").write_text(text)
    with pytest.raises(InputError, match=why):
        Recording(tmp_path / "a.jsonl", url=URL)


def test_a_file_that_is_no_recording_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        Recording(tmp_path / "none.db")
    (tmp_path / "a.bin").write_bytes(b"\xff\x00\xfe")
    with pytest.raises(InputError, match="no text in UTF-8"):
        Recording(tmp_path / "a.bin")
    with sqlite3.connect(tmp_path / "other.db") as connection:
        connection.execute("CREATE TABLE trials (id)")
    connection.close()
    with pytest.raises(InputError, match="no store of calls: no such table"):
        Recording(tmp_path / "other.db")
    (tmp_path / "torn.db").write_bytes((tmp_path / "other.db").read_bytes()[:100] + b"\x00" * 50)
    with pytest.raises(InputError, match="no store of calls"):
        Recording(tmp_path / "torn.db")


def test_lines_are_what_they_are_said_to_be(tmp_path: Path) -> None:
    path = stored(tmp_path / "a.db", [(call("line\u2028end"), Answer("\ud83d\ude00 \ud800", 2, 3, 0.25, "length"))])
    export_recording(path, tmp_path / "a.jsonl")
    (line,) = (tmp_path / "a.jsonl").read_text(encoding="ascii").splitlines()
    data = json.loads(line)
    assert set(data) == {"key", "call", "answer"} and data["call"]["messages"][1] == ["user", "line\u2028end"]
    assert data["answer"] == {"text": "😀 \ud800", "input_tokens": 2, "output_tokens": 3, "latency_s": 0.25, "finish": "length"}
