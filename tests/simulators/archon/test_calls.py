"""Calls: what tells them apart, what they cannot exceed, and errors that name the value."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from designgym.core.errors import InputError
from designgym.simulators.archon.calls import Answer, Call, Decoding, Message, conversation

CALL = Call("m", (Message("user", "What?"),), Decoding(temperature=0.5), sample=1, seed=2)
TEXT = st.text(max_size=40)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"temperature": -0.1}, "temperature is -0.1, expected a number from 0 to 2"),
        ({"temperature": True}, "temperature is True, expected a number from 0 to 2"),
        ({"temperature": float("nan")}, "temperature is nan, expected a number from 0 to 2"),
        ({"top_p": 1.1}, "top_p is 1.1, expected a number from 0 to 1"),
        ({"top_p": 0}, "top_p is 0, expected a share above 0: 1 keeps all tokens"),
        ({"mirostat_tau": "3"}, "mirostat_tau is '3', expected a number from 0 to 20"),
        ({"max_tokens": 0}, "max_tokens is 0, expected a whole number of 1 or more"),
        ({"max_tokens": 2.5}, "max_tokens is 2.5, expected a whole number of 1 or more"),
    ],
)
def test_decoding_that_cannot_be(bad: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        Decoding(**bad)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "other",
    [
        {"model": "n"},
        {"messages": (Message("user", "What!"),)},
        {"messages": (Message("system", "What?"),)},
        {"messages": (Message("user", "What?"), Message("user", ""))},
        {"sample": 2},
        {"seed": 3},
        *({"decoding": dataclasses.replace(CALL.decoding, **change)} for change in (
            {"temperature": 0.6}, {"top_p": 0.9}, {"max_tokens": 5}, {"mirostat_tau": 3.0}, {"stop": ("x",)}
        )),
    ],
)  # fmt: skip
def test_everything_that_is_asked_tells_calls_apart(other: dict[str, Any]) -> None:
    assert dataclasses.replace(CALL, **other).key("e") != CALL.key("e")
    assert dataclasses.replace(CALL).key("e") == CALL.key("e") != CALL.key("another endpoint")


def test_without_chance_all_samples_are_one() -> None:
    greedy = dataclasses.replace(CALL, decoding=Decoding(temperature=0))
    assert dataclasses.replace(greedy, sample=7).key("e") == greedy.key("e")
    surprising = dataclasses.replace(CALL, decoding=Decoding(temperature=0, mirostat_tau=3.0))
    assert dataclasses.replace(surprising, sample=7).key("e") != surprising.key("e")


@given(st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), TEXT), max_size=4))
def test_a_message_has_no_more_tokens_than_bytes(messages: list[tuple[str, str]]) -> None:
    call = dataclasses.replace(CALL, messages=tuple(Message(*message) for message in messages))
    assert call.most_input_tokens() >= sum(len(content.encode("utf-8", "surrogatepass")) for _, content in messages)
    assert len(call.key("e")) == 40


@given(st.text(max_size=30), st.integers(0, 10**6), st.integers(0, 10**6), st.floats(0, 1e4), st.sampled_from(["stop", "length"]))
def test_answers_survive_a_recording(text: str, read: int, written: int, seconds: float, finish: str) -> None:
    answer = Answer(text, read, written, seconds, finish)
    assert Answer.from_json(answer.to_json()) == answer


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '{"text": "a"}', "{", '{"text": "a", "input_tokens": 1}'])
def test_what_is_no_recorded_answer(text: str) -> None:
    with pytest.raises(InputError, match="not a recorded answer: "):
        Answer.from_json(text)


def test_a_question_is_a_text_or_a_conversation() -> None:
    assert conversation("What?") == (Message("user", "What?"),)
    messages = [("system", "Be brief."), ("user", "What?")]
    assert conversation([Message(*m) for m in messages]) == tuple(Message(*m) for m in messages)


@pytest.mark.parametrize("bad", ["", "  ", [], [Message("assistant", "Hi")], [Message("user", "Hi"), Message("user", "")]])
def test_a_question_that_is_empty_or_not_the_users(bad: Any) -> None:
    with pytest.raises(InputError, match="expected messages of which the last is the user's and not empty"):
        conversation(bad)
