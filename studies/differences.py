"""In what two definitions differ, down to the part that does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from designgym.studies.records import dumps

MAX_PARTS = 3  # of one field that are named
SHOWN = 90  # characters of a value
BEFORE = 20  # characters shown before the first one that differs, where two long values begin alike
ABSENT: Final = object()


def differences(old: Mapping[str, Any], new: Mapping[str, Any], fields: Sequence[str]) -> list[str]:
    """Return, in words, the parts of the fields in which two definitions differ: ``budget was 30, is now 20``."""
    texts = []
    for field in fields:
        parts = list(_differing(field, old.get(field, ABSENT), new.get(field, ABSENT)))
        texts += [_words(*part) for part in parts[:MAX_PARTS]]
        if len(parts) > MAX_PARTS:
            texts.append(f"{len(parts) - MAX_PARTS} more parts of {field} differ")
    return texts


def _differing(path: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield path and values of the smallest parts that differ; values that have nothing in common are one part."""
    if old == new:
        return
    before, after = _by_name(old), _by_name(new)
    if type(old) is not type(new) or not (before.keys() & after.keys()):
        yield path, old, new
        return
    inner = [
        part
        for key in dict.fromkeys([*before, *after])
        for part in _differing(f"{path}.{key}", before.get(key, ABSENT), after.get(key, ABSENT))
    ]
    yield from inner or [(f"the order of {path}", list(before), list(after))]


def _by_name(value: Any) -> dict[Any, Any]:
    """Return the parts of a value by name, or by position where they have none; none of a value that is best shown as a whole."""
    if isinstance(value, Mapping):
        return dict(value)
    if not isinstance(value, list) or not all(isinstance(item, list | dict) and item for item in value):
        return {}
    names = [item.get("name") if isinstance(item, dict) else item[0] for item in value]
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        return dict(enumerate(value))
    return {name: item if isinstance(item, dict) else item[1:] for name, item in zip(names, value, strict=True)}


def _words(path: str, old: Any, new: Any) -> str:
    before, after = (("absent" if value is ABSENT else dumps(value)) for value in (old, new))
    alike = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after)))
    start = alike - BEFORE if alike > SHOWN - BEFORE else 0
    return f"{path} was {_cut(before, start)}, is now {_cut(after, start)}"


def _cut(text: str, start: int) -> str:
    end = start + SHOWN
    return f"{'...' if start else ''}{text[start:end]}{'...' if end < len(text) else ''}"
