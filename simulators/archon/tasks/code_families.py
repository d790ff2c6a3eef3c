"""Families of small programming problems: text, a right solution, a wrong one that looks right, and inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["FAMILIES", "Family"]

Inputs = Callable[[np.random.Generator, int], tuple[Any, ...]]


@dataclass(frozen=True)
class Family:
    """A family of problems that differ in a few whole numbers.

    Attributes:
        function: The name of the function that is asked for.
        text: What it does, with ``{name}`` for each number.
        right: Its body with parameters, a correct program, with ``@name`` for each number.
        wrong: A program with a common mistake.
        inputs: Draws arguments of a test, which are larger with difficulty.
        edges: Arguments that every right program must get right, beside those drawn.
        numbers: Least and largest value of each number.
        grows: Whether the largest grows with difficulty.
    """

    function: str
    text: str
    right: str
    wrong: str
    inputs: Inputs
    edges: tuple[tuple[Any, ...], ...]
    numbers: dict[str, tuple[int, int]]
    grows: bool = True


def _ints(rng: np.random.Generator, difficulty: int, low: int = -20, high: int = 60) -> list[int]:
    return rng.integers(low, high, int(rng.integers(3, 6 + 4 * difficulty))).tolist()


def _word(rng: np.random.Generator, difficulty: int, letters: str = "abc") -> str:
    return "".join(rng.choice(list(letters), int(rng.integers(2, 5 + 4 * difficulty))).tolist())


def _sentence(rng: np.random.Generator, difficulty: int) -> str:
    return " ".join(_word(rng, 1, "abcde") for _ in range(int(rng.integers(2, 4 + 2 * difficulty))))


def _spans(rng: np.random.Generator, difficulty: int) -> list[list[int]]:
    starts = rng.integers(0, 12 * difficulty, int(rng.integers(2, 4 + difficulty))).tolist()
    return [[start, start + int(rng.integers(0, 8))] for start in starts]


def _grid(rng: np.random.Generator, difficulty: int) -> list[list[int]]:
    rows, columns = rng.integers(2, 3 + difficulty, 2).tolist()
    return rng.integers(0, 3, (rows, columns)).tolist()


def _brackets(rng: np.random.Generator, difficulty: int) -> str:
    text = ""
    for _ in range(int(rng.integers(1, 3 + difficulty))):
        left, right = [("(", ")"), ("[", "]")][int(rng.integers(2))]
        text = [f"{left}{text}{right}", f"{text}{left}{right}"][int(rng.integers(2))]
    if rng.random() < 0.5:
        position = int(rng.integers(len(text)))
        text = text[:position] + "()[]"[int(rng.integers(4))] + text[position + 1 :]
    return text


FAMILIES: dict[str, Family] = {
    "multiples": Family(
        "count_multiples",
        "takes a list of integers and returns how many of them are multiples of {k} but not of {m}",
        "def count_multiples(numbers):\n    return sum(1 for n in numbers if n % @k == 0 and n % @m != 0)",
        "def count_multiples(numbers):\n    return sum(1 for n in numbers if n % @k == 0)",
        lambda rng, d: (_ints(rng, d),),
        (([],), ([0],)),
        {"k": (2, 3), "m": (4, 7)},
    ),
    "window": Family(
        "best_window",
        "takes a list of integers and returns the largest sum of {k} neighbouring ones, or None if there are fewer",
        "def best_window(numbers):\n"
        "    sums = [sum(numbers[i:i + @k]) for i in range(len(numbers) - @k + 1)]\n"
        "    return max(sums) if sums else None",
        "def best_window(numbers):\n"
        "    best = 0\n"
        "    for i in range(len(numbers) - @k + 1):\n"
        "        best = max(best, sum(numbers[i:i + @k]))\n"
        "    return best",
        lambda rng, d: (_ints(rng, d),),
        (([],), ([-5, -3, -9, -4, -8, -6, -7, -2, -1, -3, -4],), ([1],)),
        {"k": (2, 3)},
    ),
    "caesar": Family(
        "shift_letters",
        "takes a text and returns it with every lower case letter replaced by the one {k} places later in the alphabet,"
        " from z on to a, and everything else as it is",
        "def shift_letters(text):\n    return ''.join(chr((ord(c) - 97 + @k) % 26 + 97) if 'a' <= c <= 'z' else c for c in text)",
        "def shift_letters(text):\n    return ''.join(chr(ord(c) + @k) if c.isalpha() else c for c in text)",
        lambda rng, d: (_word(rng, d, "abcxyzAZ 1"),),
        (("",), ("xyz",), ("Zoo, 9!",)),
        {"k": (3, 6)},
    ),
    "digits": Family(
        "digit_sum",
        "takes an integer of 0 or more and returns the sum of its digits when it is written in base {b}",
        "def digit_sum(n):\n    total = 0\n    while n:\n        total += n % @b\n        n //= @b\n    return total",
        "def digit_sum(n):\n    return sum(int(c) for c in str(n))",
        lambda rng, d: (int(rng.integers(0, 10 ** (2 + d))),),
        ((0,), (1,), (12345,)),
        {"b": (3, 9)},
        grows=False,
    ),
    "rotate": Family(
        "rotate",
        "takes a list and returns a new one that is turned {k} places to the right, so that the last {k} items come "
        "first; lists may be shorter than that, and what is turned past the end goes on from the start",
        "def rotate(items):\n"
        "    if not items:\n"
        "        return []\n"
        "    k = @k % len(items)\n"
        "    return items[len(items) - k:] + items[:len(items) - k]",
        "def rotate(items):\n    return items[-@k:] + items[:-@k]",
        lambda rng, d: (_ints(rng, d),),
        (([],), ([1],), ([1, 2],), ([1, 2, 3],), ([1, 2, 3, 4],), ([1, 2, 3, 4, 5],)),
        {"k": (3, 5)},
    ),
    "runs": Family(
        "long_runs",
        "takes a text and returns a list of [character, length] for every run of one character that is {k} or longer, in order",
        "def long_runs(text):\n"
        "    from itertools import groupby\n"
        "    runs = [[c, len(list(group))] for c, group in groupby(text)]\n"
        "    return [run for run in runs if run[1] >= @k]",
        "def long_runs(text):\n    return [[c, text.count(c)] for c in dict.fromkeys(text) if text.count(c) >= @k]",
        lambda rng, d: (_word(rng, d, "ab"),),
        (("",), ("aaaaaaaabbbbbbbbaaaaaaaa",), ("abab",)),
        {"k": (2, 2)},
    ),
    "spans": Family(
        "merge_spans",
        "takes a list of [start, end] pairs and returns the merged spans, sorted by start: two spans become one if the "
        "gap between the end of one and the start of the other is {k} or less",
        "def merge_spans(spans):\n"
        "    found = []\n"
        "    for start, end in sorted(spans):\n"
        "        if found and start - found[-1][1] <= @k:\n"
        "            found[-1][1] = max(found[-1][1], end)\n"
        "        else:\n"
        "            found.append([start, end])\n"
        "    return found",
        "def merge_spans(spans):\n"
        "    found = []\n"
        "    for start, end in sorted(spans):\n"
        "        if found and start - found[-1][1] <= @k:\n"
        "            found[-1][1] = end\n"
        "        else:\n"
        "            found.append([start, end])\n"
        "    return found",
        lambda rng, d: (_spans(rng, d),),
        (([],), ([[0, 20], [2, 3]],), ([[5, 6], [1, 2]],)),
        {"k": (1, 3)},
    ),
    "grid": Family(
        "border_count",
        "takes a grid, a list of rows of equal length with integers, and returns how many cells on its outer border have the value {v}",
        "def border_count(grid):\n"
        "    rows = len(grid)\n"
        "    return sum(\n"
        "        cell == @v\n"
        "        for i, row in enumerate(grid)\n"
        "        for j, cell in enumerate(row)\n"
        "        if i in (0, rows - 1) or j in (0, len(row) - 1)\n"
        "    )",
        "def border_count(grid):\n"
        "    edges = grid[0] + grid[-1] + [row[0] for row in grid] + [row[-1] for row in grid]\n"
        "    return edges.count(@v)",
        lambda rng, d: (_grid(rng, d),),
        (([[0]],), ([[1, 1], [1, 1]],), ([[2, 2, 2], [2, 2, 2], [2, 2, 2]],), ([[0, 0], [0, 0]],)),
        {"v": (0, 2)},
        grows=False,
    ),
    "brackets": Family(
        "balanced",
        "takes a text of round and square brackets and returns True if they are balanced and nested at most {k} deep, else False",
        "def balanced(text):\n"
        "    stack = []\n"
        "    for c in text:\n"
        "        if c in '([':\n"
        "            stack.append(c)\n"
        "            if len(stack) > @k:\n"
        "                return False\n"
        "        elif not stack or stack.pop() + c not in ('()', '[]'):\n"
        "            return False\n"
        "    return not stack",
        "def balanced(text):\n    return text.count('(') == text.count(')') and text.count('[') == text.count(']')",
        lambda rng, d: (_brackets(rng, d),),
        (("",), (")(",), ("([)]",), ("[" * 9 + "]" * 9,), ("((",)),
        {"k": (2, 3)},
    ),
    "words": Family(
        "frequent_words",
        "takes a text with words between spaces and returns the list of words that occur {k} times or more, most "
        "frequent first, and in alphabetical order where they are equally frequent",
        "def frequent_words(text):\n"
        "    words = text.split()\n"
        "    counts = {w: words.count(w) for w in words}\n"
        "    return sorted((w for w in counts if counts[w] >= @k), key=lambda w: (-counts[w], w))",
        "def frequent_words(text):\n"
        "    from collections import Counter\n"
        "    return [w for w, n in Counter(text.split()).most_common() if n >= @k]",
        lambda rng, d: (" ".join(rng.choice(["b", "a", "cc", "ab"], int(rng.integers(4, 8 + 6 * d))).tolist()),),
        (("",), ("z y x z y x z y x z y x z y x z y x",)),
        {"k": (2, 2)},
    ),
    "recurrence": Family(
        "term",
        "takes an integer n of 0 or more and returns the n-th term of the sequence that begins with {a} (n = 0) and {b}"
        " (n = 1), where each later term is the one before it plus {c} times the one before that",
        "def term(n):\n    x, y = @a, @b\n    for _ in range(n):\n        x, y = y, y + @c * x\n    return x",
        "def term(n):\n    x, y = @a, @b\n    for _ in range(n):\n        x, y = y, y + x * @c\n    return y",
        lambda rng, d: (int(rng.integers(2, 8 + 6 * d)),),
        ((0,), (1,), (2,)),
        {"a": (0, 2), "b": (3, 5), "c": (2, 4)},
    ),
    "primes": Family(
        "primes_with",
        "takes an integer n and returns the list of primes up to and including n that leave the remainder {r} when divided by {m}",
        "def primes_with(n):\n"
        "    primes = [p for p in range(2, n + 1) if all(p % q for q in range(2, int(p ** 0.5) + 1))]\n"
        "    return [p for p in primes if p % @m == @r]",
        "def primes_with(n):\n"
        "    primes = [p for p in range(2, n) if all(p % q for q in range(2, int(p ** 0.5) + 1))]\n"
        "    return [p for p in primes if p % @m == @r]",
        lambda rng, d: (int(rng.integers(2, 40 + 60 * d)),),
        ((0,), (2,), (3,), (7,), (11,), (29,), (43,), (300,)),
        {"r": (1, 3), "m": (5, 7)},
        grows=False,
    ),
    "coins": Family(
        "fewest_coins",
        "takes an amount, an integer of 0 or more, and returns the least number of coins of 1, {b} and {c} that make it",
        "def fewest_coins(amount):\n"
        "    least = [0]\n"
        "    for total in range(1, amount + 1):\n"
        "        least.append(1 + min(least[total - coin] for coin in (1, @b, @c) if coin <= total))\n"
        "    return least[amount]",
        "def fewest_coins(amount):\n"
        "    count = 0\n"
        "    for coin in (@c, @b, 1):\n"
        "        count += amount // coin\n"
        "        amount %= coin\n"
        "    return count",
        lambda rng, d: (int(rng.integers(1, 20 + 40 * d)),),
        ((0,), *((amount,) for amount in range(5, 40))),
        {"b": (7, 8), "c": (9, 12)},
        grows=False,
    ),
    "ranks": Family(
        "dense_ranks",
        "takes a list of integers and returns the list of their ranks: the largest has rank {s}, the next smaller value"
        " {s} + 1 and so on, and equal values have equal ranks, without gaps between the ranks",
        "def dense_ranks(numbers):\n    order = sorted(set(numbers), reverse=True)\n    return [order.index(n) + @s for n in numbers]",
        "def dense_ranks(numbers):\n    order = sorted(numbers, reverse=True)\n    return [order.index(n) + @s for n in numbers]",
        lambda rng, d: (_ints(rng, d, 0, 9),),
        (([],), ([7, 7, 3, 3, 1],)),
        {"s": (0, 2)},
    ),
    "acronym": Family(
        "initials",
        "takes a text with words between spaces and returns the upper case initials of all words that have {k} letters "
        "or more, as one text",
        "def initials(text):\n    return ''.join(word[0].upper() for word in text.split() if len(word) >= @k)",
        "def initials(text):\n    return ''.join(word[0].upper() for word in text.split(' ') if len(word) > @k)",
        lambda rng, d: (_sentence(rng, d),),
        (("",), ("  a  bb ccc dddd eeeee ffffff ggggggg hhhhhhhh ",)),
        {"k": (2, 3)},
    ),
}
"""Every family, by its name."""
