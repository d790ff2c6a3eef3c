"""Replies: whatever comes is read as an answer or refused as a `ReplyError`, never anything else."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designgym.simulators.archon.chat_replies import ReplyError, clean, error_message, read_reply, read_stream, tokens_estimate
from tests.simulators.archon.faulty_endpoint import completion, piece

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["content", "text", "delta", "message", "x"]), inner),
    max_leaves=6,
)
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "choices": ANY | st.lists(st.fixed_dictionaries({}, optional={"message": ANY, "delta": ANY, "finish_reason": ANY}), max_size=2),
        "usage": ANY,
        "error": ANY,
    },
)


@settings(max_examples=150)
@given(BODIES | ANY)
def test_any_json_is_an_answer_or_refused(body: Any) -> None:
    for read, text in ((read_reply, json.dumps(body)), (read_stream, f"data: {json.dumps(body)}\n\ndata: [DONE]\n\n")):
        try:
            reply = read(text)
        except ReplyError as error:
            assert "\n" not in str(error) and len(str(error)) < 400
            continue
        assert isinstance(reply.text, str) and reply.text.encode("utf-8") is not None
        assert reply.finish in ("stop", "length", "content_filter")
        assert all(n is None or (type(n) is int and n >= 0) for n in reply[2:])


@given(st.text(st.characters()), st.sampled_from(["stop", "length", "content_filter"]), st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_right_reply_is_read_as_it_is(text: str, finish: str, read: int, written: int) -> None:
    usage = {"prompt_tokens": read, "completion_tokens": written}
    assert read_reply(json.dumps(completion(text, finish, usage))) == (clean(text), finish, read, written)


@given(st.text(), st.integers(1, 7), st.sampled_from(["\n", "\r\n", "\r"]), st.booleans())
def test_pieces_are_put_together_whatever_the_line_ends(text: str, size: int, end: str, ascii_only: bool) -> None:
    events = [piece(text[i : i + size]) for i in range(0, len(text), size)] + [piece(None, "stop")]
    events.append(piece(usage={"prompt_tokens": 1, "completion_tokens": 2}))
    lines = [f": a comment{end}{end}"] + [f"data: {json.dumps(event, ensure_ascii=ascii_only)}{end}{end}" for event in events]
    assert read_stream("".join(lines)) == (text, "stop", 1, 2)
    assert read_stream("".join(lines) + "data: [DONE]") == (text, "stop", 1, 2)


@given(st.integers(0, 200))
def test_a_stream_that_is_cut_off_anywhere_before_its_end_is_refused(at: int) -> None:
    whole = "".join(f"data: {json.dumps(event)}\n\n" for event in (piece("one "), piece("two"), piece(None, "stop")))
    end = len(whole) - len(f"data: {json.dumps(piece(None, 'stop'))}\n\n")
    with pytest.raises(ReplyError):
        read_stream(whole[: end * at // 200])


@given(st.text(st.characters()))
def test_cleaned_text_can_be_encoded_and_other_text_stays(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode("utf-8")
    assert clean(cleaned) == cleaned
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return
    assert cleaned == text


@given(st.text(st.characters()), st.text(st.characters()))
def test_estimates_grow_with_the_text(a: str, b: str) -> None:
    assert 0 <= tokens_estimate(a) <= tokens_estimate(a + b) <= tokens_estimate(a) + tokens_estimate(b)
    assert tokens_estimate("a word of English is over four letters") == 13


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"error": {"message": "too  long\\nby 5", "type": "x"}}', "too long by 5"), ('{"error": "plain"}', "plain"), ("[" * 10**5, ""),
        ('{"message": "flat"}', "flat"), ('{"detail": "not found"}', "not found"), ('{"detail": [{"msg": "x"}]}', ""), ("<html>", ""),
    ],
)  # fmt: skip
def test_what_an_error_says_is_found(body: str, said: str) -> None:
    assert error_message(body) == said
