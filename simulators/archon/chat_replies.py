"""What an OpenAI-compatible endpoint sent, checked: nothing of it is believed before."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from designgym.core.errors import DesignGymError, shorten

__all__ = ["Reply", "ReplyError", "clean", "error_message", "read_reply", "read_stream", "tokens_estimate"]

BYTES_PER_TOKEN = 3
"""Of UTF-8 text, where an endpoint counts no tokens: English has about 4 and Chinese about 3, so that costs are rather over-estimated."""
DONE = "[DONE]"


class ReplyError(DesignGymError):
    """A reply that is no answer; the message says what is wrong with it."""


class Reply(NamedTuple):
    """What a reply says.

    Attributes:
        text: The answer; it may be empty.
        finish: ``stop``, ``length`` if it was cut off, or ``content_filter`` if it was withheld.
        input_tokens: Tokens read, by the endpoint's count; None if it did not count.
        output_tokens: Tokens written, likewise.
    """

    text: str
    finish: str
    input_tokens: int | None
    output_tokens: int | None


def tokens_estimate(text: str) -> int:
    """Return about how many tokens a text has, rather more than fewer."""
    return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)


def clean(text: str) -> str:
    """Return a text that can be encoded: halves of characters that stand alone, as cut-off answers have them, become question marks."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def read_reply(body: str) -> Reply:
    """Return what a reply in one piece says.

    An empty text is an answer; so is no text if the limit of tokens cut it off before it began (models that think first), and a refusal.

    Raises:
        ReplyError: If it is no JSON, is cut off, or holds no answer.
    """
    data = _json(body)
    choice = _choice(data)
    if choice is None:
        raise ReplyError(f"the reply has no choices{_told(data)}")
    message = choice.get("message")
    if not isinstance(message, dict):
        raise ReplyError(f"the reply's message is {shorten(message)}, expected an object")
    text, finish = _text(message.get("content")), _finish(choice.get("finish_reason"))
    if text is None:
        text = _text(message.get("refusal"))
    if text is None:
        if finish != "length":
            raise ReplyError(f"the reply's message has no text, but {shorten(sorted(message))}")
        text = ""
    return Reply(clean(text), finish or "stop", *_usage(data))


def read_stream(body: str) -> Reply:
    """Return what a reply in pieces (server-sent events) says; raises `ReplyError` as `read_reply`, and if it has no end."""
    texts: list[str] = []
    refusals: list[str] = []
    usage: tuple[int | None, int | None] = (None, None)
    finish, ended, pieces = "", False, 0
    for event in _events(body):
        if event == DONE:
            ended = True
            break
        data = _json(event)
        if data.get("error"):
            raise ReplyError(f"the reply broke off{_told(data)}")
        if data.get("usage") is not None:
            usage = _usage(data)
        choice = _choice(data, may_be_empty=True)
        if choice is None:
            continue
        pieces += 1
        delta = choice.get("delta")
        if not isinstance(delta, dict | None):
            raise ReplyError(f"a piece of the reply is {shorten(delta)}, expected an object")
        texts.append(_text((delta or {}).get("content")) or "")
        refusals.append(_text((delta or {}).get("refusal")) or "")
        finish = _finish(choice.get("finish_reason")) or finish
    if not pieces:
        raise ReplyError("the reply has no choices")
    if not ended and not finish:
        raise ReplyError("the reply broke off before its end")
    return Reply(clean("".join(texts) or "".join(refusals)), finish or "stop", *usage)


def error_message(body: str) -> str:
    """Return what an error reply says, on one short line; empty if it says nothing that can be read."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    for name in ("error", "message", "detail"):
        if isinstance(data, dict) and name in data:
            data = data[name]
    return " ".join(data.split())[:200] if isinstance(data, str) else ""


def _json(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise ReplyError(f"the reply is no JSON, or cut off: {shorten(text)}") from None
    if not isinstance(data, dict):
        raise ReplyError(f"the reply is {shorten(data)}, expected an object")
    return data


def _told(data: dict[str, Any]) -> str:
    told = error_message(json.dumps(data)) if data.get("error") else ""
    return f": {told}" if told else ""


def _choice(data: dict[str, Any], *, may_be_empty: bool = False) -> dict[str, Any] | None:
    choices = data.get("choices")
    if choices is None or choices == []:
        return None
    if not isinstance(choices, list) or not isinstance(choices[0], dict):
        raise ReplyError(f"the reply's choices are {shorten(choices)}, expected a list of objects")
    return choices[0]


def _text(content: Any) -> str | None:
    if isinstance(content, list):  # of parts
        parts = [part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)]
        return "".join(parts) if parts else None
    if not isinstance(content, str | None):
        raise ReplyError(f"the reply's text is {shorten(content)}, expected a text")
    return content


def _finish(reason: Any) -> str:
    if reason is None:
        return ""
    if reason in ("length", "max_tokens"):
        return "length"
    return "content_filter" if reason == "content_filter" else "stop"


def _usage(data: dict[str, Any]) -> tuple[int | None, int | None]:
    usage = data.get("usage")
    counts = [usage.get(name) if isinstance(usage, dict) else None for name in ("prompt_tokens", "completion_tokens")]
    read, written = (n if isinstance(n, int) and not isinstance(n, bool) and n >= 0 else None for n in counts)
    return read, written


def _events(text: str) -> Iterator[str]:
    """Yield the data of server-sent events; one that is cut off, with no empty line behind it, is left out."""
    data: list[str] = []
    for line in re.split(r"\r\n|\n|\r", text):
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            yield "\n".join(data)
            data = []
    if data == [DONE]:
        yield DONE
