"""A call of a language model: what is asked, what came back, and what answers it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import NamedTuple, Protocol, runtime_checkable

from blake3 import blake3

from designgym.core.errors import DesignGymError, InputError, shorten

__all__ = ["Answer", "Backend", "BudgetExhaustedError", "Call", "CallError", "Decoding", "Message"]


class Message(NamedTuple):
    """A message of a conversation.

    Attributes:
        role: ``system``, ``user`` or ``assistant``.
        content: Its text.
    """

    role: str
    content: str


@dataclass(frozen=True)
class Decoding:
    """How an answer is drawn. Only what changes the distribution of answers belongs here: how fast it is served does not.

    Attributes:
        temperature: 0 takes the most likely token each time.
        top_p: Share of the probability that is kept (nucleus sampling); 1 keeps all.
        max_tokens: Most tokens of an answer.
        mirostat_tau: Target surprise in bits per token (Mirostat 2.0, Basu et al. 2021), at endpoints that have it; 0 is off.
        stop: Texts at which an answer ends.
    """

    temperature: float = 0.7
    top_p: float = 1.0
    max_tokens: int = 2048
    mirostat_tau: float = 0.0
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the values; raises `InputError`."""
        for name, value, low, high in (
            ("temperature", self.temperature, 0.0, 2.0),
            ("top_p", self.top_p, 0.0, 1.0),
            ("mirostat_tau", self.mirostat_tau, 0.0, 20.0),
        ):
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise InputError(f"{name} is {shorten(value)}, expected a number from {low:g} to {high:g}")
            object.__setattr__(self, name, float(value))
        if not self.top_p:
            raise InputError("top_p is 0, expected a share above 0: 1 keeps all tokens")
        if isinstance(self.max_tokens, bool) or not isinstance(self.max_tokens, int) or self.max_tokens < 1:
            raise InputError(f"max_tokens is {shorten(self.max_tokens)}, expected a whole number of 1 or more")


@dataclass(frozen=True)
class Call:
    """What is asked of a model.

    Attributes:
        model: Its name at the endpoint.
        messages: The conversation.
        decoding: How the answer is drawn.
        sample: Which of several answers to the same question: the fourth is the same whether four or ten are wanted.
        seed: Of the whole run.
    """

    model: str
    messages: tuple[Message, ...]
    decoding: Decoding = Decoding()
    sample: int = 0
    seed: int = 0

    def key(self, identity: str) -> str:
        """Return what the answer is known by: equal exactly if the endpoint's identity and everything asked are."""
        data = [identity, self.model, [list(message) for message in self.messages], asdict(self.decoding), self.seed]
        # at temperature 0 all samples are one: what is drawn is the most likely answer
        data.append(self.sample if self.decoding.temperature > 0 or self.decoding.mirostat_tau else 0)
        return blake3(json.dumps(data, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest(length=20)

    def most_input_tokens(self) -> int:
        """Return a number of tokens that the messages cannot exceed: a token is a byte or more; a message adds a few of its own."""
        return (
            sum(len(part.encode("utf-8", "surrogatepass")) for message in self.messages for part in message) + 16 * len(self.messages) + 16
        )


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        text: The answer.
        input_tokens: Tokens of the messages, by the endpoint's count.
        output_tokens: Tokens of the answer, by the endpoint's count.
        latency_s: Seconds from sending the last attempt to its end: what the answer takes if it is not known already.
        finish: Why it ended: ``stop``, or ``length`` if it was cut off.
    """

    text: str
    input_tokens: int
    output_tokens: int
    latency_s: float
    finish: str = "stop"

    def to_json(self) -> str:
        """Return it as JSON text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Answer:
        """Return the answer of a JSON text; raises `InputError` if it is none."""
        try:
            data = json.loads(text)
            return cls(**{field.name: data[field.name] for field in fields(cls)})
        except (ValueError, TypeError, KeyError):
            raise InputError(f"not a recorded answer: {shorten(text)}") from None


class CallError(DesignGymError):
    """A call that got no answer after all attempts; the message says why, without the address' secrets."""


class BudgetExhaustedError(DesignGymError):
    """A call that was not made, since it could exceed a limit of the budget."""


@runtime_checkable
class Backend(Protocol):
    """What answers calls: an endpoint, a recording, a model of one."""

    def identity(self, model: str) -> str:
        """Return what tells this endpoint's model from others of the same name: part of each call's key."""
        ...

    async def answer(self, call: Call) -> Answer:
        """Return the answer; raises `CallError` if there is none."""
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...


def conversation(question: str | Sequence[Message]) -> tuple[Message, ...]:
    """Return a question as messages; raises `InputError` if it is empty."""
    messages = (Message("user", question),) if isinstance(question, str) else tuple(Message(*message) for message in question)
    if not messages or messages[-1].role != "user" or not messages[-1].content.strip():
        raise InputError(f"the conversation is {shorten(messages)}, expected messages of which the last is the user's and not empty")
    return messages
