"""What calls cost: published prices, or a table of the user's."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from designgym.core.errors import InputError, UnknownNameError, shorten

__all__ = ["ANY_MODEL", "FREE", "Price", "PriceTable"]

ANY_MODEL = "*"
"""The name in a table whose price holds for all models that it lacks."""
PUBLISHED = Path(__file__).with_name("published_prices.csv")
EXAMPLE = '{"gpt-4o-mini": {"input": 0.15, "output": 0.6}}'


@dataclass(frozen=True)
class Price:
    """The price of a model.

    Attributes:
        usd_per_million_input: USD for a million tokens read.
        usd_per_million_output: USD for a million tokens written.
        source: Where it was found, and when it held; empty for a price of the user's.
    """

    usd_per_million_input: float
    usd_per_million_output: float
    source: str = ""

    def __post_init__(self) -> None:
        """Check the values; raises `InputError`."""
        for name in ("usd_per_million_input", "usd_per_million_output"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
                raise InputError(f"{name} is {shorten(value)}, expected a number of 0 or more")
            object.__setattr__(self, name, float(value))

    def cost_usd(self, input_tokens: int, output_tokens: int) -> float:
        """Return the price of so many tokens, USD."""
        return (input_tokens * self.usd_per_million_input + output_tokens * self.usd_per_million_output) / 1e6


FREE = Price(0.0, 0.0)


class PriceTable:
    """Prices of models.

    Args:
        prices: By the model's name at its endpoint; a price for `ANY_MODEL` is the default.
        default: Price of all other models; without it they have none, and asking for it is an error.
    """

    def __init__(self, prices: Mapping[str, Price], *, default: Price | None = None) -> None:
        self.prices = {name: price for name, price in prices.items() if name != ANY_MODEL}
        self.default = prices.get(ANY_MODEL, default)

    @classmethod
    def published(cls, *, default_free: bool = False) -> PriceTable:
        """Return the published prices (see ``published_prices.csv``, with source and date of each); optionally, other models cost nothing.

        Prices change: a run that is paid for is better given the table of its endpoint (`read`).
        """
        return cls(dict(_from_csv(PUBLISHED.read_text("utf-8"))), default=FREE if default_free else None)

    @classmethod
    def read(cls, path: str | Path, *, default: Price | None = None) -> PriceTable:
        """Return the table of a file: JSON, ``{"model": {"input": 0.15, "output": 0.6}}``, or CSV with columns model, input, output.

        Prices are in USD per million tokens. The name ``*`` stands for all models that the table lacks.

        Raises:
            InputError: If the file cannot be read, or an entry is no price.
        """
        path = Path(path)
        try:
            text = path.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
            raise InputError(f"the price table {str(path)!r} cannot be read: {reason}; give a JSON file such as {EXAMPLE}") from None
        prices: dict[str, Price] = {}
        try:
            for name, price in _from_csv(text) if path.suffix.lower() == ".csv" else _from_json(text):
                if name in prices:
                    raise InputError(f"model {shorten(name)} is there twice; leave one")
                prices[name] = price
        except InputError as error:
            raise InputError(f"the price table {str(path)!r}: {error}") from None
        return cls(prices, default=default)

    def price(self, model: str) -> Price:
        """Return a model's price; raises `InputError` if it has none."""
        found = self.prices.get(model, self.default)
        if found is None:
            hint = f"Add it to the price table, USD per million tokens, or {ANY_MODEL!r} for all other models."
            raise UnknownNameError("price of model", model, self.prices, hint)
        return found

    def cost_usd(self, model: str, input_tokens: int, output_tokens: int) -> float:
        """Return the price of a call, USD; raises `InputError` if the model has none."""
        return self.price(model).cost_usd(input_tokens, output_tokens)


def _from_json(text: str) -> Iterable[tuple[str, Price]]:
    try:
        data = json.loads(text, object_pairs_hook=list)  # pairs, since a name may be there twice
    except (ValueError, RecursionError):
        raise InputError(f"it is no JSON; expected such as {EXAMPLE}") from None
    if not _is_object(data):
        raise InputError(f"it holds {shorten(data)}, expected an object of models, such as {EXAMPLE}")
    for name, fields in data:
        if not _is_object(fields):
            raise InputError(f"model {shorten(name)} has {shorten(fields)}, expected input and output, such as {EXAMPLE}")
        yield name, _price(name, dict(fields))


def _is_object(data: Any) -> bool:
    return isinstance(data, list) and all(isinstance(pair, tuple) for pair in data)


def _from_csv(text: str) -> Iterable[tuple[str, Price]]:
    rows = csv.DictReader(io.StringIO(text), restkey="", strict=True)
    try:
        missing = {"model", "input", "output"} - set(rows.fieldnames or ())
        if missing:
            raise InputError(f"it has no column {', '.join(sorted(missing))}; expected a first line model,input,output")
        for row in rows:
            numbers: dict[str, Any] = {}
            for field in ("input", "output"):
                try:
                    numbers[field] = float(row[field])
                except (TypeError, ValueError):
                    numbers[field] = row[field]
            source = ", ".join(filter(None, (row.get("source"), row.get("date"))))
            yield row["model"], _price(row["model"], numbers, source)
    except csv.Error as error:
        raise InputError(f"line {rows.line_num} is no CSV: {error}") from None


def _price(name: str, fields: Mapping[str, Any], source: str = "") -> Price:
    if not name:
        raise InputError("a model has an empty name; name it")
    if set(fields) != {"input", "output"}:
        raise InputError(f"model {shorten(name)} has {shorten(sorted(fields))}, expected input and output, in USD per million tokens")
    try:
        return Price(fields["input"], fields["output"], source)
    except InputError as error:
        raise InputError(f"model {shorten(name)}: {error}") from None
