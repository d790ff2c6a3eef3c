"""`Item` and `TaskSet`: questions with what a right answer is, in a part to search on and a part to confirm with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from blake3 import blake3

from designgym.core.errors import InputError
from designgym.core.workload import content_digest
from designgym.simulators.archon.components.base import Question
from designgym.simulators.archon.grading import Criterion, grade

__all__ = ["Item", "TaskSet", "parted"]


@dataclass(frozen=True)
class Item:
    """A query.

    Attributes:
        name: What it is called, unique among its tasks.
        question: What is asked, with how answers are compared in votes and the tests that may be seen.
        criterion: What a right answer is; nothing that answers gets to see it.
        reference: A right answer in words, for judges that compare; empty if there is none.
    """

    name: str
    question: Question
    criterion: Criterion
    reference: str = ""

    @property
    def digest(self) -> str:
        """Hash of the content."""
        question = self.question
        messages = [list(message) for message in question.messages]
        seen = list(question.visible_tests)
        return content_digest([self.name, messages, seen, type(self.criterion).__name__, self.criterion, self.reference])


@dataclass(frozen=True, eq=False)
class TaskSet:
    """Queries to search on, and others that nothing is chosen by.

    Attributes:
        name: As users write it.
        dev: Queries that a search sees.
        test: Queries that only the architectures that a search ends with see; may be empty.
        grader: What an answer to a query is worth, from 0 to 1.
        digest: Hash of the content.
    """

    name: str
    dev: tuple[Item, ...]
    test: tuple[Item, ...]
    grader: Callable[[Item, str], Awaitable[float]] = grade
    digest: str = field(default="")

    def __post_init__(self) -> None:
        """Check that there are queries to search on, and that none is in both parts; raises `InputError`."""
        object.__setattr__(self, "dev", tuple(self.dev))
        object.__setattr__(self, "test", tuple(self.test))
        if not self.dev:
            raise InputError(f"tasks {self.name!r} have no dev queries, expected one at least to search on")
        seen = {item.question.messages: item.name for item in self.dev}
        if both := [item.name for item in self.test if item.question.messages in seen]:
            raise InputError(f"tasks {self.name!r} ask the same in dev and test ({both[0]}), expected different questions: leave one out")
        if len({item.name for item in (*self.dev, *self.test)}) < len(self.dev) + len(self.test):
            raise InputError(f"tasks {self.name!r} have two queries of one name, expected different names")
        if not self.digest:
            parts = {part: [item.digest for item in getattr(self, part)] for part in ("dev", "test")}
            object.__setattr__(self, "digest", content_digest(parts))


def parted(items: Sequence[Item], dev: float) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    """Return items in two parts, by their content alone, so that neither order nor further items change where one belongs.

    Args:
        items: With different questions.
        dev: Share that the first part has on average, of which it has one at least.
    """

    def place(item: Item) -> float:
        text = repr([list(message) for message in item.question.messages]).encode("utf-8", "surrogatepass")
        return int.from_bytes(blake3(text).digest(8), "big") / 2**64

    places = [place(item) for item in items]
    chosen = [where < dev for where in places]
    if items and not any(chosen):
        chosen[places.index(min(places))] = True
    first = tuple(item for item, is_dev in zip(items, chosen, strict=True) if is_dev)
    return first, tuple(item for item, is_dev in zip(items, chosen, strict=True) if not is_dev)
