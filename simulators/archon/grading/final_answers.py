"""The final answer in a text, in a normal form: numbers however they are written, else words."""

from __future__ import annotations

import re
from fractions import Fraction

__all__ = ["choice_in", "final_answer", "final_words", "number_of"]

_NUMERAL = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+"
_NUMBER = re.compile(
    # a minus after a number or name is no sign
    rf"(?P<sign>(?<![\w)\]}}.])[-+])?(?:[$€£]\s?(?P<sign2>-)?)?(?<![\w.])"
    rf"(?:\\[dt]?frac\s*\{{\s*(?P<top>-?\d+)\s*\}}\s*\{{\s*(?P<bottom>\d+)\s*\}}"
    rf"|(?P<first>{_NUMERAL})(?:[eE](?P<power>[+-]?\d{{1,3}})(?!\w)|\s?/\s?(?P<second>\d+(?!\d|\.\d)))?)"
)
_MIXED = re.compile(r"(?<![\d/.,])(\d{1,9})(?: +(\d{1,9})/(\d{1,9})(?![\d/])| *\\[dt]?frac\s*\{(\d{1,9})\}\s*\{(\d{1,9})\})")
_BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{")
_STATED = re.compile(r"(?i)(?:####|\banswer\b\*{0,2}\s{0,2}(?:is\b\s{0,2}:?|[:=]))")
_TYPESET = {0x2212: "-", 0x2013: "-", 0x202F: "", 0x2009: "", 0xA0: " "}  # signs of minus, dashes and spaces as typesetters write them
LONGEST = 1000  # characters of a number that is read: nobody asks for more


def final_answer(text: str) -> str:
    r"""Return the final answer in a text in a normal form: equal for answers that mean the same, as far as writing goes.

    What stands in the last ``\boxed{}``, else what follows the last ``####``, "answer is" or "answer:", else all of it is read: a number as
    a fraction in lowest terms ("1,234.50" is "2469/2"), the first of what is stated and the last otherwise. Without numbers it is
    `final_words`.
    """
    part, said = _stated(text)
    numbers = _numbers(part.rpartition("=")[2] or part) if said else []
    if not numbers and not (said and _words(part)):
        numbers = _numbers(text)[-1:]
    return str(numbers[0]) if numbers else final_words(text)


def final_words(text: str) -> str:
    """Return the words that state the final answer, in lower case, else those of the last line."""
    part, said = _stated(text)
    return _words(part) if said and _words(part) else _words(_last_line(text))


def choice_in(text: str) -> str:
    """Return the capital letter that is chosen, such as the B of "The answer is (B) Paris"; nothing if there is none."""
    part, said = _stated(text)
    letters = re.findall(r"(?<![\w'])[A-HJ-Z](?![\w'])", part if said else _last_line(text))
    return "" if not letters else letters[0 if said else -1]


def number_of(text: str) -> Fraction | None:
    """Return the number that a text is, but for spaces, currencies, percent signs and the like around it; None if it is something else."""
    found = _NUMBER.fullmatch(_cleaned(text).strip(" \t\n.°%$"))
    return _value(found) if found else None


def _stated(text: str) -> tuple[str, bool]:
    """Return the part of a text that states the final answer, and whether there is one; all of the text otherwise."""
    starts = list(_BOXED.finditer(text))
    if starts:
        return _braced(text, starts[-1].end()), True
    for found in reversed(list(_STATED.finditer(text))):
        line = text[found.end() : found.end() + LONGEST].partition("\n")[0]
        if re.search(r"\w", line):
            return line, True
    return text, False


def _numbers(text: str) -> list[Fraction]:
    return [value for found in _NUMBER.finditer(_cleaned(text)) if (value := _value(found)) is not None]


def _value(found: re.Match[str]) -> Fraction | None:
    if len(found[0]) > LONGEST:
        return None
    if found["top"] is not None:
        top, bottom = Fraction(found["top"]), Fraction(found["bottom"])
    else:
        top = Fraction(found["first"].replace(",", "")) * Fraction(10) ** int(found["power"] or 0)
        bottom = Fraction(found["second"] or 1)
    if not bottom:
        return None
    return -top / bottom if (found["sign"] == "-") != bool(found["sign2"]) else top / bottom


def _cleaned(text: str) -> str:
    r"""Return a text without what LaTeX and typesetting put into numbers, and 2 1/2 or 2\frac{1}{2} as 5/2."""
    text = text.translate(_TYPESET).replace("\\$", "$").replace("\\%", "%").replace("{,}", ",")
    return _MIXED.sub(_improper, re.sub(r"\\[,;! ]|\\left|\\right|\*\*", "", text))


def _improper(found: re.Match[str]) -> str:
    whole, top, bottom = int(found[1]), int(found[2] or found[4]), int(found[3] or found[5])
    return f"{whole * bottom + top}/{bottom}" if 0 < top < bottom else found[0]


def _braced(text: str, start: int) -> str:
    depth = 1
    for end in range(start, len(text)):
        depth += (text[end] == "{") - (text[end] == "}")
        if not depth:
            return text[start:end]
    return text[start:]


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.splitlines()) if _words(line)), "")


def _words(text: str) -> str:
    text = re.sub(r"\\(?:text|mathrm|textbf|mathbf)\s*\{([^{}]*)\}", r"\1", text)
    return " ".join(re.findall(r"\w+", text.casefold()))
