"""What endpoints do wrong: each has the right outcome, in bounded time, with a bounded number of requests."""

import asyncio
import re
import time
from email.utils import formatdate
from typing import Any

import pytest

from designgym.simulators.archon.calls import Answer, CallError
from designgym.simulators.archon.endpoint import OpenAIEndpoint
from tests.simulators.archon.asking import asked, call, one
from tests.simulators.archon.faulty_endpoint import (
    FaultyEndpoint,
    Reply,
    completion,
    cut_off,
    disconnect,
    drip,
    echo,
    endless,
    hang,
    piece,
    raw,
    status,
    stream,
    twice,
)  # fmt: skip

LIMITS: dict[str, Any] = {"attempts": 3, "timeout_s": 0.3, "backoff_s": 0.02, "most_wait_s": 0.1}
LONGEST_S = 8.0  # three attempts and two waits take 1.1 s; the rest is for a busy machine
TRUNCATED = b'{"choices": [{"message": {"role": "assistant", "content": "half a'

PASSING: list[tuple[str, Reply, str]] = [
    *((f"status {code}", status(code), f"status {code}, 'no'") for code in (429, 500)),
    ("an error that is no JSON", raw(b"<html>Bad gateway</html>", "502 Bad"), "status 502$|status 502 "),
    ("hangs", hang, "no end of the answer within 0.3 s"),
    ("drips", drip(0.02), "no end of the answer within 0.3 s"),
    ("disconnects", disconnect, "the connection failed or broke off"),
    ("breaks off in the body", cut_off, "the connection failed or broke off .*without sending complete"),
    ("JSON cut off", raw(TRUNCATED), "no JSON, or cut off"),
    ("nothing", raw(b""), "no JSON, or cut off: ''"),
    ("not in UTF-8", raw(b"\xff\xfe\xfd"), "no JSON"),
    ("another schema", raw([1, 2]), "expected an object"),
    ("no choices", raw(completion() | {"choices": []}), "the reply has no choices"),
    ("choices missing", raw({"text": "hello"}), "the reply has no choices"),
    ("an error with status 200", raw({"error": {"message": "upstream is down"}}), "no choices: upstream is down"),
    ("choices of another kind", raw({"choices": ["hello"]}), "choices are .*expected a list of objects"),
    ("message missing", raw({"choices": [{"text": "hello"}]}), "message is None, expected an object"),
    ("no text", raw(completion(None)), "message has no text"),
    ("text of another kind", raw({"choices": [{"message": {"content": 5}}]}), "text is 5, expected a text"),
]  # fmt: skip
FINAL: list[tuple[str, Reply, str]] = [
    ("status 400", status(400, "max_tokens is too large"), "status 400, 'max_tokens is too large'"),
    ("status 401", status(401), "status 401, 'no': check the key"),
    ("status 403", status(403), "status 403, 'no': check the key"),
    ("status 404", status(404, "no model m"), "status 404, 'no model m': check the model's name"),
    ("status 422", status(422), "status 422"),
    ("status 501", status(501), "status 501"),
    ("a spent account", status(429, "quota", code="insufficient_quota"), "status 429, 'quota'"),
    ("no end", endless(), "the reply has more than 1,099,776 bytes"),
    ("no end of an error", endless("403 No", "text/plain"), "status 403: check the key"),
]
STREAMED: list[tuple[str, Reply, str]] = [
    ("breaks off", stream(piece("half"), done=False), "broke off before its end"),
    ("an error within", stream(piece("half"), {"error": {"message": "out of memory"}}), "broke off: out of memory"),
    ("no JSON within", stream(piece("half"), '{"choices'), "no JSON, or cut off"),
    ("no pieces", stream(), "no choices"),
    ("another schema", stream({"choices": [5]}), "choices are"),
]


def refused(script: list[Reply], **options: Any) -> tuple[str, int]:
    """Return the error of a call, and how many requests the server counted; the time is bounded."""
    with FaultyEndpoint(script) as server:
        started = time.monotonic()
        with pytest.raises(CallError) as caught:
            one(server.url, **{**LIMITS, **options})
        assert time.monotonic() - started < LONGEST_S
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 400 and server.url in str(caught.value)
        return str(caught.value), len(server.seen)


@pytest.mark.parametrize(("fault", "why"), [case[1:] for case in PASSING], ids=[case[0] for case in PASSING])
def test_what_may_pass_is_tried_again_so_often_and_no_more(fault: Reply, why: str) -> None:
    message, requests = refused([fault])
    assert requests == 3 and message.endswith("(3 attempts)")
    assert re.search(why, message)
    with FaultyEndpoint([fault, fault, echo]) as server:
        assert one(server.url, **LIMITS).text == "re: why"
        assert len(server.seen) == 3


def test_what_says_that_the_server_is_busy_or_ill_may_pass() -> None:
    codes = (408, 429, 500, 502, 503, 504, 520, 529)
    with FaultyEndpoint([*map(status, codes), echo]) as server:
        assert one(server.url, **{**LIMITS, "attempts": 9}).text == "re: why"
        assert len(server.seen) == 9


@pytest.mark.parametrize(("fault", "why"), [case[1:] for case in FINAL], ids=[case[0] for case in FINAL])
def test_what_does_not_pass_is_not_tried_again(fault: Reply, why: str) -> None:
    message, requests = refused([fault, echo], timeout_s=5.0)
    assert requests == 1 and "attempts" not in message
    assert re.search(why, message)


@pytest.mark.parametrize(("fault", "why"), [case[1:] for case in STREAMED], ids=[case[0] for case in STREAMED])
def test_pieces_without_an_end_are_no_answer(fault: Reply, why: str) -> None:
    message, requests = refused([fault], streaming=True)
    assert requests == 3
    assert re.search(why, message)


def test_pieces_without_an_end_are_bounded() -> None:
    message, requests = refused([endless(kind="text/event-stream")], streaming=True, timeout_s=5.0)
    assert requests == 1 and "more than 1,099,776 bytes" in message


def test_nobody_there_is_an_error_after_all_attempts() -> None:
    with FaultyEndpoint([echo]) as server:
        url = server.url
    started = time.monotonic()
    with pytest.raises(CallError, match=r"the connection failed or broke off .*\(3 attempts\)"):
        one(url, **LIMITS)
    assert time.monotonic() - started < LONGEST_S


def test_a_reply_that_comes_twice_answers_one_call() -> None:
    """On a connection that is kept, the second copy would be the next call's answer."""

    async def run(url: str) -> list[str]:
        endpoint = OpenAIEndpoint(url, concurrency=1)
        try:
            return [(await endpoint.answer(call(str(i)))).text for i in range(5)]
        finally:
            await endpoint.close()

    with FaultyEndpoint([twice]) as server:
        assert asyncio.run(run(server.url)) == [f"re: {i}" for i in range(5)]
        assert len(server.seen) == 5


def test_an_empty_answer_is_an_answer_and_so_is_one_that_was_cut_off_before_it_began() -> None:
    script = [
        raw(completion("")), raw(completion(None, "length")), raw(completion(None, refusal="I cannot")),
        raw(completion("a", "content_filter")),
        raw(completion([{"type": "text", "text": "in "}, {"type": "text", "text": "parts"}])),  # type: ignore[arg-type]
    ]  # fmt: skip
    with FaultyEndpoint(script) as server:
        answers = [one(server.url) for _ in script]
        assert len(server.seen) == len(script)
    assert [(answer.text, answer.finish) for answer in answers] == [
        ("", "stop"), ("", "length"), ("I cannot", "stop"), ("a", "content_filter"), ("in parts", "stop"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "usage", [{}, [], "many", {"prompt_tokens": -1, "completion_tokens": 2.5}, {"prompt_tokens": True}, {"total_tokens": 3}]
)
def test_a_count_of_tokens_that_is_none_is_an_estimate(usage: Any) -> None:
    with FaultyEndpoint([raw(completion("twelve bytes", usage=usage))]) as server:
        answer = one(server.url)
    assert (answer.input_tokens, answer.output_tokens) == (4, 4)


@pytest.mark.parametrize("header", ["retry-after: 1", "retry-after-ms: 1000", "date"])
def test_the_wait_that_is_asked_for_is_kept_by_all_calls(header: str) -> None:
    # a date has whole seconds: one that is 2 s off is at least 1 s off
    header = f"retry-after: {formatdate(time.time() + 2, usegmt=True)}" if header == "date" else header
    with FaultyEndpoint([status(429, headers=header + "\r\n"), echo]) as server:

        async def run() -> None:
            endpoint = OpenAIEndpoint(server.url, backoff_s=0.01)
            first = asyncio.ensure_future(endpoint.answer(call("first")))
            while not endpoint.traffic.requests:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.3)  # the refusal is there
            await asyncio.gather(first, *(endpoint.answer(call(str(i))) for i in range(3)))
            await endpoint.close()

        asyncio.run(run())
    times = [seen.at_s - server.seen[0].at_s for seen in server.seen]
    assert len(times) == 5 and all(0.6 < at < 5 for at in times[1:])


def test_a_wait_longer_than_the_longest_is_cut() -> None:
    started = time.monotonic()
    message, requests = refused([status(503, headers="retry-after: 86400\r\n")])
    assert requests == 3 and "status 503" in message and 0.2 < time.monotonic() - started < LONGEST_S


def test_a_storm_of_refusals_ends_with_all_answered_and_the_load_falls() -> None:
    """Half of the requests are refused: waits that double spread the rest."""
    counts: dict[str, int] = {}

    def storm(seen: Any) -> Reply:
        counts[seen.asked] = counts.get(seen.asked, 0) + 1
        return status(429) if counts[seen.asked] <= int(seen.asked) % 4 else echo

    with FaultyEndpoint(storm) as server:
        answers = asked(server.url, *(call(str(i)) for i in range(40)), concurrency=8, backoff_s=0.02)
    assert [answer.text for answer in answers if isinstance(answer, Answer)] == [f"re: {i}" for i in range(40)]
    assert counts == {str(i): 1 + i % 4 for i in range(40)} and len(server.seen) == 100


def test_waits_are_random_doubled_bounded_and_of_the_call_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    real = asyncio.sleep

    async def noted(seconds: float, result: Any = None) -> Any:
        waits.append(seconds)
        return await real(0, result)

    with FaultyEndpoint([status(500)]) as server:
        monkeypatch.setattr("designgym.simulators.archon.endpoint.asyncio.sleep", noted)
        runs = []
        for text in ("a", "a", "b"):
            waits.clear()
            asked(server.url, call(text), attempts=9, backoff_s=0.5, most_wait_s=8, identity="x")
            runs.append([wait for wait in waits if wait])
    assert runs[0] == runs[1] != runs[2]
    for run in runs:
        assert len(run) == 8
        assert all(wait <= min(0.5 * 2**i, 8) for i, wait in enumerate(run))
        assert max(run) > 1  # chance of less: below one in ten thousand, and the waits are always the same
