"""Chat completions in OpenAI's form, from the server's side: what requests ask, and what is sent back."""

from __future__ import annotations

import json
import math
import time
import uuid
from typing import Any, NamedTuple

from designgym.core.errors import DesignGymError, shorten
from designgym.simulators.archon.calls import Message
from designgym.simulators.archon.chat_replies import clean

__all__ = ["Asked", "RequestError", "Served", "completion", "events", "models", "read_request"]

PIECE = 48  # characters of an event
ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
UNSUPPORTED = ("tools", "functions", "logprobs", "audio")


class Served(NamedTuple):
    """The answer of an architecture.

    Attributes:
        text: The answer.
        input_tokens: Tokens read by all calls within.
        output_tokens: Tokens written by all calls within.
        calls: How many there were.
        cost_usd: What they cost.
    """

    text: str
    input_tokens: int
    output_tokens: int
    calls: int = 1
    cost_usd: float = 0.0


class Asked(NamedTuple):
    """What a request asks.

    Attributes:
        messages: The conversation.
        stream: Whether the answer is wanted in pieces.
        include_usage: Whether the count of tokens is wanted behind them.
    """

    messages: tuple[Message, ...]
    stream: bool = False
    include_usage: bool = False


class RequestError(DesignGymError):
    """A request that gets no answer.

    Attributes:
        status: The HTTP status.
        code: The reason as a word, for programs.
        parameter: What of the request is wrong; None if it is not one thing.
    """

    def __init__(self, status: int, message: str, code: str, parameter: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.parameter = status, code, parameter

    def body(self) -> dict[str, Any]:
        """Return it in OpenAI's form."""
        kind = "invalid_request_error" if self.status < 500 and self.status != 429 else "server_error"
        return {"error": {"message": clean(str(self)), "type": kind, "param": self.parameter, "code": self.code}}


def read_request(body: bytes, name: str) -> Asked:
    """Return what the body of a request asks of the model of a name.

    How answers are drawn is the architecture's: temperature, limits of tokens and the like are accepted and change nothing. What would
    change the meaning of the answer, such as tools or several choices, is refused.

    Raises:
        RequestError: With status 400 if it is wrong, 404 if it asks another model.
    """
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise RequestError(400, "the body is no JSON", "invalid_json") from None
    if not isinstance(data, dict):
        raise _wrong(f"the body is {shorten(data)}, expected an object", None)
    model = data.get("model")
    if not isinstance(model, str):
        raise _wrong(f"model is {shorten(model)}, expected {name!r}", "model")
    if model != name:
        raise RequestError(404, f"there is no model {shorten(model)}, only {name!r}", "model_not_found", "model")
    for option in UNSUPPORTED:
        if data.get(option):
            raise _wrong(f"{option} is not supported; leave it out", option)
    if data.get("n") not in (None, 1):
        raise _wrong(f"n is {shorten(data['n'])}, expected 1: one answer is given", "n")
    form = data.get("response_format")
    if form is not None and (not isinstance(form, dict) or form.get("type") != "text"):
        raise _wrong(f"response_format is {shorten(form)}, expected the type text", "response_format")
    stream, options = _flag(data, "stream"), data.get("stream_options")
    if options is not None and not isinstance(options, dict):
        raise _wrong(f"stream_options is {shorten(options)}, expected an object", "stream_options")
    return Asked(_messages(data.get("messages")), stream, _flag(options or {}, "include_usage", "stream_options.include_usage"))


def completion(served: Served, name: str) -> dict[str, Any]:
    """Return an answer in one piece."""
    message = {"role": "assistant", "content": clean(served.text), "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return {**_head("chat.completion", name), "choices": [choice], "usage": _usage(served), "designgym": _account(served)}


def events(served: Served, name: str, *, include_usage: bool) -> list[bytes]:
    """Return an answer as server-sent events: pieces of its text, its end, and the count of tokens if that is wanted."""
    head, text = _head("chat.completion.chunk", name), clean(served.text)
    if include_usage:
        head["usage"] = None
    deltas = [{"content": text[i : i + PIECE]} for i in range(0, len(text), PIECE)] or [{"content": ""}]
    deltas[0]["role"] = "assistant"
    choices = [*((delta, None) for delta in deltas), ({}, "stop")]
    found = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": end, "logprobs": None}]} for delta, end in choices]
    if include_usage:
        found.append({**head, "choices": [], "usage": _usage(served), "designgym": _account(served)})
    return [*map(_event, found), b"data: [DONE]\n\n"]


def models(name: str) -> dict[str, Any]:
    """Return the list of models, which is one."""
    return {"object": "list", "data": [{"id": name, "object": "model", "created": 0, "owned_by": "designgym"}]}


def _wrong(message: str, parameter: str | None) -> RequestError:
    return RequestError(400, message, "invalid_request", parameter)


def _flag(data: dict[str, Any], name: str, shown: str = "") -> bool:
    value = data.get(name)
    if not isinstance(value, bool | None):
        raise _wrong(f"{shown or name} is {shorten(value)}, expected true or false", shown or name)
    return bool(value)


def _messages(data: Any) -> tuple[Message, ...]:
    if not isinstance(data, list) or not data:
        raise _wrong(f"messages is {shorten(data)}, expected a list of at least one", "messages")
    messages = tuple(_message(entry, f"messages[{number}]") for number, entry in enumerate(data))
    if messages[-1].role != "user" or not messages[-1].content.strip():
        raise _wrong("the last of the messages must be the user's, and not empty", f"messages[{len(messages) - 1}]")
    return messages


def _message(data: Any, place: str) -> Message:
    if not isinstance(data, dict):
        raise _wrong(f"{place} is {shorten(data)}, expected an object", place)
    role, content = data.get("role"), data.get("content")
    if not isinstance(role, str) or role not in ROLES:
        raise _wrong(f"{place}.role is {shorten(role)}, expected one of {', '.join(ROLES)}", f"{place}.role")
    if isinstance(content, list) and all(
        isinstance(p, dict) and p.get("type") == "text" and isinstance(p.get("text"), str) for p in content
    ):
        content = "".join(part["text"] for part in content)
    if not isinstance(content, str):
        raise _wrong(f"{place}.content is {shorten(content)}, expected a text, or a list of parts of type text", f"{place}.content")
    return Message(ROLES[role], clean(content))


def _head(kind: str, name: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{uuid.uuid4().hex}", "object": kind, "created": int(time.time()), "model": name}


def _usage(served: Served) -> dict[str, int]:
    total = served.input_tokens + served.output_tokens
    return {"prompt_tokens": served.input_tokens, "completion_tokens": served.output_tokens, "total_tokens": total}


def _account(served: Served) -> dict[str, Any]:
    return {"calls": served.calls, "cost_usd": served.cost_usd if math.isfinite(served.cost_usd) else None}


def _event(data: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"
