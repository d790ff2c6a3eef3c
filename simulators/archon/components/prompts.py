"""What models are asked: texts of our own for the tasks of Archon's components, and what is read out of their answers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from designgym.simulators.archon.calls import Message
from designgym.simulators.archon.components.base import Candidate, Question

__all__ = [
    "asking",
    "code_in",
    "listed",
    "numbered_parts",
    "ranking",
    "score_in",
    "stated_order",
    "statements",
    "texts",
    "with_tests",
    "yes",
]


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
    """Return the order of all, best first, by an answer: `stated_order`, then what it leaves out."""
    best = stated_order(text, count)
    return best + [i for i in range(count) if i not in best]


def stated_order(text: str, count: int) -> list[int]:
    """Return the order, best first, that an answer such as ``[2] > [1]`` states: indices from 0; empty if it states none.

    The line that ranks most is read: models explain before or after, and mention candidates there. If no line ranks two, all lines
    together are, as some models write one a line; without brackets, numbers between ``>`` are.
    """
    best: list[int] = []
    for line in text.splitlines():
        order = _numbers(r"\[(\d{1,4})\]", line, count)
        if len(order) > len(best):
            best = order
    if len(best) < 2:
        best = _numbers(r"\[(\d{1,4})\]", text, count)
    if not best:
        chains = [_numbers(r"\d{1,4}", chain, count) for chain in re.findall(r"\d{1,4}(?:[ \t]*>[ \t]*\d{1,4})+", text)]
        best = max(chains, key=len, default=[])
    return best


def _numbers(pattern: str, text: str, count: int) -> list[int]:
    found = (int(n) - 1 for n in re.findall(pattern, text, flags=re.ASCII))
    return [i for i in dict.fromkeys(found) if 0 <= i < count]


def numbered_parts(text: str, count: int) -> list[str]:
    """Return the parts of a text that are headed by ``[1]`` to ``[count]``; an empty text for each that is missing.

    Heads such as ``1.`` are read only in a text that has none in brackets, as a part may hold a list of its own.
    """
    parts = [""] * count
    for head in (r"(?m)^[ \t*#>-]*\[(\d{1,4})\][ \t*:]*", r"(?m)^[ \t*#>-]*(\d{1,4})[.):][ \t*:]+"):
        pieces = re.split(head, text, flags=re.ASCII)
        for number, part in zip(pieces[1::2], pieces[2::2], strict=True):
            if 1 <= int(number) <= count and not parts[int(number) - 1]:
                parts[int(number) - 1] = part.strip()
        if any(parts):
            break
    return parts


def yes(text: str, word: str, opposite: str) -> bool | None:
    """Return whether the last verdict in a text is ``word`` and not ``opposite``; None if it has neither.

    Letter case does not matter, and ``not`` before either makes it the other one.
    """
    found = re.findall(rf"\b(not[ \t]+)?({re.escape(opposite)}|{re.escape(word)})\b", text, flags=re.IGNORECASE)
    return None if not found else (found[-1][1].lower() == word.lower()) != bool(found[-1][0])


def score_in(text: str) -> float | None:
    """Return the last score in a text such as ``Score: 7`` or ``7/10``, from 0 to 10; None if it has none."""
    between = r"(?:[^\w-]|-(?=[ \t])){0,6}"  # a sign belongs to the number
    number = r"(-?\d{1,4}(?:\.\d{1,4})?)"
    found = (
        re.findall(rf"(?i)score\b{between}(?:is{between})?{number}(?:[ \t]*(?:/|out of)[ \t]*(\d{{1,4}}))?", text, flags=re.ASCII)
        or re.findall(rf"(?i){number}[ \t]*(?:/|out of)[ \t]*(10|100)\b", text, flags=re.ASCII)
        or re.findall(rf"\A\W{{0,4}}{number}(/10)?\W{{0,4}}\Z", text.strip(), flags=re.ASCII)
    )
    if not found:
        return None
    value, most = found[-1]
    score = float(value) * 10 / (float(most.lstrip("/")) or 10.0) if most else float(value)
    return score if 0 <= score <= 10 else None


def statements(text: str) -> list[str]:
    """Return the different lines of an answer that are numbered or marked as items of a list, without the marks."""
    found = re.findall(r"(?m)^[ \t]*(?:\*\*)?(?:\[\d{1,3}\][.:)*]*[ \t]*|\d{1,3}[.):]+(?:\*\*)?[ \t]+|[-*][ \t]+)(\S.*)$", text)
    items = (line.strip().strip("'\",").strip() for line in found)
    return list(dict.fromkeys(item for item in items if item))


def code_in(text: str) -> str:
    """Return the program in an answer: its longest fenced block, or all of it if there is none."""
    blocks = re.findall(r"```(?:[A-Za-z0-9_+-]*)[ \t]*\r?\n(.*?)(?:```|\Z)", text, flags=re.DOTALL)
    return max(blocks, key=len).strip("\r\n") if blocks else text.strip()
