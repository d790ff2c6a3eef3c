"""What models are asked: texts of our own for the tasks of Archon's components, and what is read out of their answers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from designgym.simulators.archon.calls import Message
from designgym.simulators.archon.components.base import Candidate, Question

__all__ = ["asking", "code_in", "listed", "numbered_parts", "ranking", "with_tests", "yes"]


def asking(role: str, question: Question, request: str = "") -> tuple[Message, ...]:
    """Return the question's conversation with another request in place of its last message, and a system message.

    Args:
        role: The system message; the conversation's own if empty.
        question: The question.
        request: The last message; the question's own if empty.
    """
    before = [message for message in question.messages[:-1] if not (role and message.role == "system")]
    last = Message("user", request) if request else question.messages[-1]
    return (*([Message("system", role)] if role else []), *before, last)


async def with_tests(messages: Sequence[Message], unit_tests: asyncio.Future[tuple[str, ...]]) -> list[Message]:
    """Return messages with unit tests, once they are there, at the end of the last."""
    tests = await unit_tests
    if not tests:
        return list(messages)
    return [*messages[:-1], Message("user", messages[-1].content + "\n\nThe answer must pass these tests:\n" + listed(tests))]


def listed(items: Sequence[str], critiques: Sequence[str] = ()) -> str:
    """Return texts as a numbered list, each with its critique if it has one."""
    parts = []
    for i, item in enumerate(items):
        critique = f"\nCritique of [{i + 1}]: {critiques[i]}" if i < len(critiques) and critiques[i] else ""
        parts.append(f"[{i + 1}] {item}{critique}")
    return "\n\n".join(parts)


def texts(candidates: Sequence[Candidate], *, critiques: bool) -> str:
    """Return candidates as a numbered list, with or without what critics say."""
    return listed([c.text for c in candidates], [c.critique for c in candidates] if critiques else ())


def ranking(text: str, count: int) -> list[int]:
    """Return the order, best first, that an answer such as ``[2] > [1]`` states: indices from 0; what it leaves out comes last.

    A line that ranks most is read: models explain before or after, and mention candidates there.
    """
    best: list[int] = []
    for line in text.splitlines():
        found = [int(n) - 1 for n in re.findall(r"\[(\d{1,4})\]", line)]
        order = [i for i in dict.fromkeys(found) if 0 <= i < count]
        if len(order) > len(best):
            best = order
    return best + [i for i in range(count) if i not in best]


def numbered_parts(text: str, count: int) -> list[str]:
    """Return the parts of a text that are headed by ``[1]`` to ``[count]``; an empty text for each that is missing."""
    pieces = re.split(r"(?m)^[\s*#]*\[(\d{1,4})\][\s*:]*", text)
    parts = [""] * count
    for number, part in zip(pieces[1::2], pieces[2::2], strict=True):
        if 1 <= int(number) <= count and not parts[int(number) - 1]:
            parts[int(number) - 1] = part.strip()
    return parts


def yes(text: str, word: str, opposite: str) -> bool | None:
    """Return whether the last verdict in a text is ``word`` and not ``opposite``; None if it has neither. Letter case does not matter."""
    found = re.findall(rf"\b({re.escape(opposite)}|{re.escape(word)})\b", text, flags=re.IGNORECASE)
    return None if not found else found[-1].lower() == word.lower()


def code_in(text: str) -> str:
    """Return the program in an answer: its longest fenced block, or all of it if there is none."""
    blocks = re.findall(r"```(?:[A-Za-z0-9_+-]*)[ \t]*\n(.*?)(?:```|\Z)", text, flags=re.DOTALL)
    return max(blocks, key=len).strip("\n") if blocks else text.strip()
