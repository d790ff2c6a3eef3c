"""What an endpoint is asked, how often and how many at once; and that its key stays where it is."""

import asyncio
import io
import json
import logging
import os
import pickle
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from designgym.core.errors import InputError, NotInstalledError
from designgym.simulators.archon.cached_calls import CachedCalls
from designgym.simulators.archon.call_store import CallStore
from designgym.simulators.archon.calls import Answer, Backend, CallError
from designgym.simulators.archon.endpoint import OpenAIEndpoint, sampling_seed
from designgym.simulators.archon.recording import export_recording
from tests.simulators.archon.asking import asked, call, one
from tests.simulators.archon.faulty_endpoint import FaultyEndpoint, Seen, completion, echo, hang, piece, raw, status, stream

KEY = "sk-planted-3f9c1d7e5b"  # not a real one


def test_all_that_decides_the_answer_is_sent() -> None:
    with FaultyEndpoint([echo]) as server:
        answer = one(server.url, call("why", 2, 5, temperature=0.3, top_p=0.9, mirostat_tau=4.0, stop=("END", "\n\n")))
        one(server.url)
    assert answer.text == "re: why" and (answer.input_tokens, answer.output_tokens, answer.finish) == (7, 3, "stop")
    assert 0 < answer.latency_s < 10
    first, second = server.seen
    assert first.path == "/v1/chat/completions"
    assert first.body == {
        "model": "m",
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "why"}],
        "temperature": 0.3,
        "top_p": 0.9,
        "max_tokens": 50,
        "seed": sampling_seed(call(sample=2, seed=5)),
        "stop": ["END", "\n\n"],
        "mirostat": 2,
        "mirostat_tau": 4.0,
    }
    assert not {"mirostat", "mirostat_tau", "stop", "stream"} & set(second.body)


def test_samples_and_runs_have_seeds_of_their_own() -> None:
    seeds = {sampling_seed(call(sample=sample, seed=seed)) for sample in range(50) for seed in range(20)}
    assert len(seeds) == 1000 and all(0 <= seed < 2**31 for seed in seeds)
    assert sampling_seed(call(sample=1, seed=11)) != sampling_seed(call(sample=11, seed=1))


def test_a_retry_says_that_it_is_no_second_job_and_other_calls_are_others() -> None:
    with FaultyEndpoint([status(500), echo]) as server:
        endpoint = OpenAIEndpoint(server.url)
        one(server.url)
        one(server.url, call(sample=1))
    keys = [seen.headers["idempotency-key"] for seen in server.seen]
    assert keys == [call().key(endpoint.identity("m"))] * 2 + [call(sample=1).key(endpoint.identity("m"))]


def test_no_more_are_under_way_than_allowed_and_as_many_as_are() -> None:
    def slow(seen: Seen) -> Any:
        async def reply(seen: Seen, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(0.05)
            await echo(seen, writer)

        return reply

    with FaultyEndpoint(slow) as server:
        answers = asked(server.url, *(call(str(i)) for i in range(24)), concurrency=6)
    assert [answer.text for answer in answers if isinstance(answer, Answer)] == [f"re: {i}" for i in range(24)]
    assert server.most_at_once == 6


@pytest.mark.parametrize(
    ("usage", "options", "least_s", "most_s"),
    [
        (54, {"requests_per_minute": 120}, 0.49, 6.0),  # 12 at once, then 2 a second
        (54, {"tokens_per_minute": 5400}, 1.79, 8.0),  # a request may have 54 tokens: 10 at once, then 3 in 1.8 seconds
        (10, {"tokens_per_minute": 5400}, 0.0, 1.7),  # of which it uses few
        (54, {}, 0.0, 1.7),
    ],
)
def test_calls_are_no_faster_than_the_limits_and_no_slower(usage: int, options: Any, least_s: float, most_s: float) -> None:
    body = completion("since", usage={"prompt_tokens": 4, "completion_tokens": usage - 4})
    with FaultyEndpoint([raw(body)]) as server:
        asked(server.url, call("first"))  # imports much
        server.seen.clear()
        started = time.monotonic()
        answers = asked(server.url, *(call(str(i)) for i in range(13)), **options)
        assert least_s <= time.monotonic() - started < most_s
        assert all(isinstance(answer, Answer) for answer in answers) and len(server.seen) == 13


def test_an_answer_in_pieces_is_the_same_answer() -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 3}
    events = (piece("re"), piece(": "), piece("why"), piece(None, "length"), piece(usage=usage))
    with FaultyEndpoint([stream(*events), stream(*events, open_after=True)]) as server:
        for _ in range(2):
            started = time.monotonic()
            answer = one(server.url, streaming=True)
            assert (answer.text, answer.finish, answer.input_tokens, answer.output_tokens) == ("re: why", "length", 7, 3)
            assert time.monotonic() - started < 10  # though the second connection stays open
    assert server.seen[0].body["stream"] is True and server.seen[0].body["stream_options"] == {"include_usage": True}


def test_tokens_that_are_not_counted_are_estimated_and_that_is_noted() -> None:
    async def run(url: str) -> tuple[list[Answer], OpenAIEndpoint]:
        endpoint = OpenAIEndpoint(url, backoff_s=0.0)
        answers = [await endpoint.answer(call(str(i))) for i in range(3)]
        await endpoint.close()
        return answers, endpoint

    with FaultyEndpoint([raw(completion("twelve bytes", usage=None)), status(500), echo]) as server:
        answers, endpoint = asyncio.run(run(server.url))
    assert (answers[0].input_tokens, answers[0].output_tokens) == (3 + 1, 4)  # "be brief" and "0", a token for three bytes
    assert endpoint.traffic == (4, 1, 3, 1)


def test_halves_of_characters_are_sent_as_something_that_can_be_and_none_come_back() -> None:
    with FaultyEndpoint([raw(json.dumps(completion("half \ud83d")).encode())]) as server:
        assert one(server.url, call("cut \ud83d off \ud83d\ude00")).text == "half \ufffd"
    assert server.seen[0].asked == "cut \ufffd off \U0001f600"


def test_an_endpoint_serves_one_event_loop_after_another() -> None:
    with FaultyEndpoint([echo]) as server:
        endpoint = OpenAIEndpoint(server.url)

        async def run() -> str:
            try:
                return (await endpoint.answer(call())).text
            finally:
                await endpoint.close()
                await endpoint.close()

        assert isinstance(endpoint, Backend)
        assert [asyncio.run(run()) for _ in range(3)] == ["re: why"] * 3


def test_a_call_that_is_no_longer_wanted_ends_at_once_and_leaves_its_place() -> None:
    async def run(url: str) -> str:
        endpoint = OpenAIEndpoint(url, concurrency=1)
        unwanted = asyncio.ensure_future(endpoint.answer(call("unwanted")))
        while not server.seen:
            await asyncio.sleep(0.01)
        unwanted.cancel()
        text = (await endpoint.answer(call("wanted"))).text
        assert unwanted.cancelled()
        await endpoint.close()
        return text

    with FaultyEndpoint([hang, echo]) as server:
        assert asyncio.run(asyncio.wait_for(run(server.url), 20)) == "re: wanted"


# ---- the key ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Set the key, and others that are nobody's business, and return all that is logged."""
    monkeypatch.setenv("OUR_KEY", KEY)
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, f"foreign-{name}")
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    loggers = [logging.getLogger(name) for name in ("", "openai", "httpx2", "httpcore2", "asyncio")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    loggers[0].addHandler(handler)
    yield text
    loggers[0].removeHandler(handler)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def repeats(seen: Seen) -> Any:
    """Say back the key that was sent, in ways that servers do."""
    key = seen.headers.get("authorization", "")
    if seen.asked == "refused":
        return status(401, f"Incorrect API key provided: {key}. " + "x" * 150 + key)
    if seen.asked == "busy":
        return status(503, f"overloaded, {key}", f"x-key: {key}\r\n")
    if seen.asked == "wrong":
        return raw({"choices": [["x" * 44, key]]})  # of which a message shows a part that ends within the key
    if seen.asked == "no json":
        return raw(("x" * 50 + key).encode())
    if seen.asked == "no http":
        return raw({}, status=f"2oo {key}")
    return raw(completion(f"you sent {key}"))


ASKED = ("refused", "busy", "wrong", "no json", "no http", "answered")


def test_the_key_is_in_no_error_log_store_or_text(log: io.StringIO, tmp_path: Path) -> None:
    shown: list[str] = []

    async def run(url: str) -> None:
        endpoint = OpenAIEndpoint(url, key_variable="OUR_KEY", attempts=2, backoff_s=0.0)
        calls = CachedCalls(endpoint, CallStore(tmp_path / "calls.db"))
        shown.extend([repr(endpoint), str(endpoint), repr(vars(endpoint)), endpoint.identity("m")])
        for text in ASKED:
            try:
                shown.append(repr(await calls.ask(call(text))))
            except CallError as error:
                shown.append("".join(traceback.TracebackException.from_exception(error, capture_locals=True).format()))
                assert error.__context__ is None and error.__cause__ is None  # nothing that holds the request
                shown.append(repr(pickle.dumps(error)))
        await endpoint.close()

    with FaultyEndpoint(repeats) as server:
        asyncio.run(run(server.url))
    assert {seen.headers["authorization"] for seen in server.seen} == {f"Bearer {KEY}"} and len(server.seen) > len(ASKED)
    assert not [name for seen in server.seen for name in seen.headers if "openai-" in name]
    export_recording(tmp_path / "calls.db", tmp_path / "calls.jsonl")
    shown.extend(path.read_bytes().decode("latin-1") for path in tmp_path.iterdir())
    shown.append(log.getvalue())
    text = "\n".join(shown)
    assert "[key]" in text and "Sending HTTP Request" in text  # it was said back, and all was logged
    for part in (KEY, KEY[:-4], KEY[4:]):
        assert part not in text


def test_a_key_that_is_said_back_in_two_pieces_is_taken_out_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUR_KEY", KEY)
    with FaultyEndpoint([stream(piece(f"you sent {KEY[:8]}"), piece(KEY[8:]), piece(None, "stop"))]) as server:
        assert one(server.url, key_variable="OUR_KEY", streaming=True).text == "you sent [key]"


def test_no_other_key_of_the_environment_is_sent(log: io.StringIO) -> None:
    with FaultyEndpoint([echo]) as server:
        one(server.url)
    assert "authorization" not in server.seen[0].headers
    assert "foreign" not in repr(server.seen)


def test_a_redirection_is_not_followed_with_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUR_KEY", KEY)
    with (
        FaultyEndpoint([echo]) as other,
        FaultyEndpoint([raw({}, "307 Elsewhere", f"location: {other.url}/chat/completions\r\n")]) as server,
        pytest.raises(CallError, match="status 307, a redirection, which is not followed"),
    ):
        one(server.url, key_variable="OUR_KEY")
    assert len(server.seen) == 1 and not other.seen


@pytest.mark.parametrize("value", [None, "", "  ", "sk-a b", "sk-a\nX-Evil: 1", "sk-ä", "sk-\x00"])
def test_a_key_that_cannot_be_is_an_error_that_does_not_show_it(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.setattr(os, "environ", {"OUR_KEY": value} if value is not None else {})
    with pytest.raises(InputError, match="the environment variable OUR_KEY") as caught:
        OpenAIEndpoint("http://localhost/v1", key_variable="OUR_KEY")
    assert "sk-" not in str(caught.value)


def test_a_key_given_for_its_variable_is_not_shown() -> None:
    with pytest.raises(InputError, match="not the key") as caught:
        OpenAIEndpoint("http://localhost/v1", key_variable=KEY)
    assert KEY not in str(caught.value)


# ---- values that cannot be -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("concurrency", 0), ("concurrency", 1.5), ("concurrency", True), ("attempts", 0), ("attempts", 101), ("timeout_s", 0),
        ("timeout_s", float("inf")), ("timeout_s", "1"), ("backoff_s", -1), ("most_wait_s", float("nan")), ("requests_per_minute", -1),
        ("tokens_per_minute", float("nan")),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_is_an_error_that_names_it(name: str, wrong: Any) -> None:
    with pytest.raises(InputError, match="a limit per minute" if "minute" in name else f"{name} is .*, expected"):
        OpenAIEndpoint("http://localhost/v1", **{name: wrong})


def test_a_url_with_a_query_is_refused() -> None:
    with pytest.raises(InputError, match="holds a query") as caught:
        OpenAIEndpoint(f"http://localhost/v1?key={KEY}")
    assert KEY not in str(caught.value)


def test_a_missing_package_is_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(NotInstalledError, match=r"pip install 'designgym\[live\]'"):
        one("http://localhost/v1")
