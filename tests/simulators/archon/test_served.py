"""An architecture as an endpoint, asked by OpenAI's client over a real port."""

import asyncio
import contextlib
import json
import logging
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest

from designgym.core.errors import InputError, NotInstalledError
from designgym.simulators.archon.calls import BudgetExhaustedError, Call, CallError, Decoding, Message
from designgym.simulators.archon.endpoint import OpenAIEndpoint
from designgym.simulators.archon.served import TOKEN_VARIABLE, Served, application, is_loopback, server

TEXT = "A fused answer, with \u2028 lines,\n\nand 😀 in it. " * 5
SECRET = "out of cheese at /etc/secret"  # what a failure says, and no client may see
TOKEN = "a-planted-token-of-enough-length"


class Architecture:
    """Answers with what was asked, and notes what becomes of the work."""

    def __init__(self) -> None:
        self.asked: list[tuple[Message, ...]] = []
        self.stopped = self.most_at_once = self.now = 0

    async def __call__(self, messages: tuple[Message, ...]) -> Served:
        self.asked.append(messages)
        self.now += 1
        self.most_at_once = max(self.most_at_once, self.now)
        try:
            match messages[-1].content:
                case "fail":
                    raise RuntimeError(SECRET)
                case "spent":
                    raise BudgetExhaustedError(SECRET)
                case "unanswered":
                    raise CallError(SECRET)
                case "wrong":
                    return None  # type: ignore[return-value]
                case "slow":
                    await asyncio.sleep(60)
                case "a while":
                    await asyncio.sleep(0.2)
            return Served(TEXT, 1000, 200, 39, 0.375)
        except asyncio.CancelledError:
            self.stopped += 1
            raise
        finally:
            self.now -= 1


@contextlib.contextmanager
def running(app: Any) -> Iterator[str]:
    """Serve while the block lasts; yield the base of the URL."""
    served = server(app, port=0)
    thread = threading.Thread(target=served.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not served.started:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{served.servers[0].sockets[0].getsockname()[1]}"
    finally:
        served.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def architecture() -> Architecture:
    return Architecture()


@pytest.fixture(scope="module")
def url(architecture: Architecture) -> Iterator[str]:
    with running(application(architecture, name="found", max_body_bytes=10_000, timeout_s=0.5, concurrency=3)) as base:
        yield base


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=10) as made:
        yield made


def post(url: str, body: Any, **headers: str) -> httpx2.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {name: value.encode("latin-1") for name, value in {"content-type": "application/json", **headers}.items()}
    return httpx2.post(f"{url}/v1/chat/completions", content=content, headers=[(name.encode(), value) for name, value in sent.items()])


def question(text: str = "why", **more: Any) -> dict[str, Any]:
    return {"model": "found", "messages": [{"role": "user", "content": text}], **more}


def test_an_answer_in_one_piece(client: openai.OpenAI, architecture: Architecture) -> None:
    parts = [{"type": "text", "text": "and "}, {"type": "text", "text": "why"}]
    messages: Any = [
        {"role": "developer", "content": "be brief"},
        {"role": "assistant", "content": "yes"},
        {"role": "user", "content": parts},
    ]
    answer = client.chat.completions.create(model="found", messages=messages, temperature=0.3, max_tokens=5, stop=["x"])
    assert architecture.asked[-1] == (Message("system", "be brief"), Message("assistant", "yes"), Message("user", "and why"))
    assert answer.choices[0].message.content == TEXT and answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (1000, 200, 1200)
    assert answer.model == "found" and answer.model_extra == {"designgym": {"calls": 39, "cost_usd": 0.375}}


@pytest.mark.parametrize("include_usage", [True, False])
def test_an_answer_in_pieces(client: openai.OpenAI, include_usage: bool) -> None:
    messages: Any = [{"role": "user", "content": "why"}]
    stream = client.chat.completions.create(
        model="found", messages=messages, stream=True, stream_options={"include_usage": include_usage}
    )  # fmt: skip
    pieces = list(stream)
    assert len({piece.id for piece in pieces}) == 1 and pieces[0].choices[0].delta.role == "assistant"
    texts = [piece.choices[0].delta.content or "" for piece in pieces if piece.choices]
    assert "".join(texts) == TEXT and len(texts) > 3
    assert [piece.choices[0].finish_reason for piece in pieces if piece.choices][-2:] == [None, "stop"]
    usages = [piece.usage for piece in pieces if piece.usage is not None]
    assert [usage.total_tokens for usage in usages] == ([1200] if include_usage else [])
    assert bool(pieces[-1].choices) is not include_usage


@pytest.mark.parametrize("streaming", [True, False])
def test_an_architecture_can_be_asked_like_any_model(url: str, streaming: bool) -> None:
    async def run() -> Any:
        endpoint = OpenAIEndpoint(f"{url}/v1", streaming=streaming)
        try:
            return await endpoint.answer(Call("found", (Message("user", "why"),), Decoding(mirostat_tau=3.0)))
        finally:
            await endpoint.close()

    answer = asyncio.run(run())
    assert (answer.text, answer.input_tokens, answer.output_tokens, answer.finish) == (TEXT, 1000, 200, "stop")


def test_models_and_health(client: openai.OpenAI, url: str) -> None:
    assert [model.id for model in client.models.list()] == ["found"]
    assert httpx2.get(f"{url}/health").json() == {"status": "ok", "under_way": 0}


@pytest.mark.parametrize(
    ("body", "status", "parameter", "why"),
    [
        (b"{", 400, None, "the body is no JSON"),
        (b"\xff", 400, None, "the body is no JSON"),
        (b"[" * 5000, 400, None, "the body is no JSON"),
        (b"", 400, None, "the body is no JSON"),
        ([1], 400, None, "the body is [1], expected an object"),
        (question() | {"model": None}, 400, "model", "model is None, expected 'found'"),
        (question() | {"model": "gpt-4o"}, 404, "model", "there is no model 'gpt-4o', only 'found'"),
        (question() | {"messages": []}, 400, "messages", "messages is []"),
        (question() | {"messages": "why"}, 400, "messages", "messages is 'why'"),
        (question() | {"messages": ["why"]}, 400, "messages[0]", "messages[0] is 'why'"),
        (question() | {"messages": [{"role": "tool", "content": "x"}]}, 400, "messages[0].role", "expected one of system"),
        (question() | {"messages": [{"role": ["user"], "content": "x"}]}, 400, "messages[0].role", "messages[0].role is ['user']"),
        (question() | {"messages": [{"role": "user"}]}, 400, "messages[0].content", "content is None"),
        (question() | {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, "messages[0].content", "of type text"),
        (question() | {"messages": [{"role": "assistant", "content": "x"}]}, 400, "messages[0]", "must be the user's"),
        (question("  "), 400, "messages[0]", "not empty"),
        (question(n=2), 400, "n", "n is 2, expected 1"),
        (question(tools=[{"type": "function"}]), 400, "tools", "tools is not supported"),
        (question(response_format={"type": "json_object"}), 400, "response_format", "expected the type text"),
        (question(stream="yes"), 400, "stream", "stream is 'yes', expected true or false"),
        (question(stream_options=True), 400, "stream_options", "stream_options is True"),
        (question(stream=True, stream_options={"include_usage": 1}), 400, "stream_options.include_usage", "expected true or false"),
        (question("x" * 20_000), 413, None, "the body has more than 10,000 bytes"),
    ],
)  # fmt: skip
def test_a_wrong_request_is_told_what_is_wrong(
    url: str, architecture: Architecture, body: Any, status: int, parameter: str | None, why: str
) -> None:
    before = len(architecture.asked)
    reply = post(url, body)
    error = reply.json()["error"]
    assert (reply.status_code, error["param"], error["type"]) == (status, parameter, "invalid_request_error")
    assert why in error["message"] and len(error["message"]) < 300 and error["code"]
    assert len(architecture.asked) == before


def test_a_body_without_a_length_is_bounded(url: str) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * 1000

    with contextlib.suppress(httpx2.WriteError):  # the server has closed the connection before all was sent
        reply = httpx2.post(f"{url}/v1/chat/completions", content=chunks(), headers={"content-type": "application/json"})
        assert reply.status_code == 413


def test_a_body_that_does_not_come_is_not_waited_for(url: str) -> None:
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"
        )
        assert connection.recv(1000).startswith(b"HTTP/1.1 408 ")


def test_pages_of_other_sites_are_refused(url: str) -> None:
    assert post(url, question(), **{"content-type": "text/plain"}).json()["error"]["code"] == "invalid_content_type"
    reply = post(url, question(), host="evil.example:80")
    assert (reply.status_code, reply.json()["error"]["code"]) == (403, "wrong_host")
    for host in ("localhost", "localhost:99", "[::1]:8", "[::1]", "127.0.0.1"):
        assert post(url, question(), host=host).status_code == 200


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("fail", 500, "internal_error"), ("wrong", 500, "internal_error"), ("spent", 429, "insufficient_quota"),
        ("unanswered", 502, "upstream_error"), ("slow", 504, "timeout"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("stream", [False, True])
def test_a_failure_has_its_status_and_keeps_its_reason_to_the_log(
    url: str, caplog: pytest.LogCaptureFixture, text: str, status: int, code: str, stream: bool
) -> None:
    with caplog.at_level(logging.WARNING, "designgym"):
        reply = post(url, question(text, stream=stream))
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)
    assert "cheese" not in reply.text and "Traceback" not in reply.text
    assert (SECRET in caplog.text) is (text in ("fail", "spent", "unanswered"))


def test_more_than_may_be_under_way_are_turned_away_and_later_ones_served(url: str, architecture: Architecture) -> None:
    architecture.most_at_once = 0

    async def many() -> list[httpx2.Response]:
        async with httpx2.AsyncClient() as asking:
            return list(await asyncio.gather(*(asking.post(f"{url}/v1/chat/completions", json=question("a while")) for _ in range(8))))

    replies = asyncio.run(many())
    statuses = [reply.status_code for reply in replies]
    assert statuses.count(200) >= 3 and set(statuses) == {200, 503} and architecture.most_at_once == 3
    assert {reply.headers["retry-after"] for reply in replies if reply.status_code == 503} == {"1"}
    assert post(url, question()).status_code == 200


def test_work_for_a_client_that_has_gone_is_stopped(architecture: Architecture) -> None:
    with running(application(architecture, name="found")) as url:  # with the long limit of time
        before = architecture.stopped
        with pytest.raises(httpx2.ReadTimeout):
            httpx2.post(f"{url}/v1/chat/completions", json=question("slow"), timeout=0.3)
        deadline = time.monotonic() + 5
        while architecture.stopped == before:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert httpx2.get(f"{url}/health").json()["under_way"] == 0


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/", 404), ("GET", "/v1/chat/completions", 405), ("POST", "/v1/embeddings", 404)]
)
def test_what_is_not_there_is_an_error_in_the_same_form(url: str, method: str, path: str, status: int) -> None:
    reply = httpx2.request(method, url + path)
    assert reply.status_code == status and f"there is no {method} '{path}'" in reply.json()["error"]["message"]


# ---- the token -------------------------------------------------------------------------------------------------------------


def test_with_a_token_nothing_but_health_is_answered_without_it(monkeypatch: pytest.MonkeyPatch, architecture: Architecture) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    before = len(architecture.asked)
    with running(application(architecture, name="found")) as url:
        for header in ("", "Bearer", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN, "Bearer \u00e4"):
            reply = post(url, question(), authorization=header)
            assert (reply.status_code, reply.json()["error"]["code"]) == (401, "invalid_api_key") and TOKEN not in reply.text
        assert httpx2.get(f"{url}/v1/models").status_code == 401
        assert httpx2.get(f"{url}/health").status_code == 200
        assert len(architecture.asked) == before
        with openai.OpenAI(base_url=f"{url}/v1", api_key=TOKEN, max_retries=0) as client:
            assert client.chat.completions.create(model="found", messages=[{"role": "user", "content": "why"}]).usage is not None
        assert post(url, question(), authorization=f"bearer  {TOKEN}", host="my.machine").status_code == 200
    assert len(architecture.asked) == before + 2


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.0.5", "example.com", "127.1"])
def test_others_are_served_only_with_a_token_that_cannot_be_guessed(
    monkeypatch: pytest.MonkeyPatch, architecture: Architecture, host: str
) -> None:
    app = application(architecture, name="found")
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    with pytest.raises(InputError, match=f"can be reached from other machines: set {TOKEN_VARIABLE}"):
        server(app, host)
    monkeypatch.setenv(TOKEN_VARIABLE, "short")
    with pytest.raises(InputError, match="has 5 characters, expected 16 or more"):
        server(app, host)
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    assert server(app, host).config.host == host


def test_this_machine_has_several_names() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost", "LOCALHOST")))
    assert not any(map(is_loopback, ("", "0.0.0.0", "localhost.example.com", "10.0.0.1", "127.0.0.1.example.com")))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"name": ""}, "the model's name is ''"), ({"max_body_bytes": 0}, "max_body_bytes is 0"),
        ({"concurrency": True}, "concurrency is True"),
        ({"timeout_s": 0}, "timeout_s is 0"), ({"timeout_s": float("inf")}, "timeout_s is inf"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_is_an_error(architecture: Architecture, options: Any, why: str) -> None:
    with pytest.raises(InputError, match=why):
        application(architecture, **{"name": "found", **options})


def test_a_port_that_cannot_be_is_an_error(architecture: Architecture) -> None:
    with pytest.raises(InputError, match="port is 65536"):
        server(application(architecture, name="found"), port=65536)


def test_missing_packages_are_said_to_be_missing(monkeypatch: pytest.MonkeyPatch, architecture: Architecture) -> None:
    app = application(architecture, name="found")
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(NotInstalledError, match=r"pip install 'designgym\[serve\]'"):
        server(app)
    monkeypatch.setitem(sys.modules, "starlette.applications", None)
    with pytest.raises(NotInstalledError, match=r"pip install 'designgym\[serve\]'"):
        application(architecture, name="found")
