"""Prices: read whole or not at all, and exact."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from designgym.core.errors import InputError
from designgym.simulators.archon.prices import FREE, PUBLISHED, Price, PriceTable

PRICES = st.floats(0, 1e4)
TOKENS = st.integers(0, 10**9)


@given(PRICES, PRICES, TOKENS, TOKENS)
def test_a_call_costs_what_its_tokens_do(read: float, written: float, n: int, m: int) -> None:
    table = PriceTable({"m": Price(read, written)})
    assert table.cost_usd("m", n, m) == pytest.approx(table.cost_usd("m", n, 0) + table.cost_usd("m", 0, m))
    assert table.cost_usd("m", 10**6, 0) == pytest.approx(read) and table.cost_usd("m", 0, 10**6) == pytest.approx(written)


@given(st.dictionaries(st.text(min_size=1).filter(lambda name: name.isprintable() and name != "*"), st.tuples(PRICES, PRICES), max_size=8))
def test_tables_are_read_as_they_were_written(tmp_path_factory: pytest.TempPathFactory, prices: dict[str, tuple[float, float]]) -> None:
    folder = tmp_path_factory.mktemp("prices")
    (folder / "a.json").write_text(json.dumps({name: {"input": a, "output": b} for name, (a, b) in prices.items()}))
    with (folder / "a.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("model", "input", "output"), *((name, a, b) for name, (a, b) in prices.items())])
    expected = {name: Price(a, b) for name, (a, b) in prices.items()}
    assert PriceTable.read(folder / "a.json").prices == expected == PriceTable.read(folder / "a.csv").prices


def test_an_unknown_model_has_no_price_unless_there_is_a_default(tmp_path: Path) -> None:
    table = PriceTable({"gpt-4o-mini": Price(0.15, 0.6)})
    with pytest.raises(InputError, match=r"unknown price of model 'gpt-4o-mimi': did you mean 'gpt-4o-mini'.*Add it to the price table"):
        table.cost_usd("gpt-4o-mimi", 1, 1)
    assert PriceTable({}, default=FREE).cost_usd("any", 10**9, 10**9) == 0.0
    (tmp_path / "a.json").write_text('{"*": {"input": 1, "output": 2}, "m": {"input": 0, "output": 0}}')
    table = PriceTable.read(tmp_path / "a.json")
    assert table.cost_usd("other", 10**6, 10**6) == 3.0 and table.cost_usd("m", 10**6, 10**6) == 0.0


def test_published_prices_say_where_they_are_from() -> None:
    table = PriceTable.published()
    assert len(table.prices) == len(PUBLISHED.read_text().splitlines()) - 1 >= 25  # none is there twice
    for name, price in table.prices.items():
        assert price.source.endswith(("2024-11", "2026")), name
        assert 0 < price.usd_per_million_input <= price.usd_per_million_output, name
    # Archon's table 1: 95 tokens read and 549 written by GPT-4o of May 2024 are about a cent
    assert round(table.cost_usd("gpt-4o-2024-05-13", 95, 549), 2) == 0.01
    with pytest.raises(InputError, match="unknown price"):
        table.price("my-model")
    assert PriceTable.published(default_free=True).cost_usd("my-model", 5, 5) == 0.0


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("a.json", "{", "it is no JSON"),
        ("a.json", "[1, 2]", "expected an object of models"),
        ("a.json", '{"m": 3}', "model 'm' has 3, expected input and output"),
        ("a.json", '{"m": {"input": 1}}', r"model 'm' has \['input'\], expected input and output"),
        ("a.json", '{"m": {"input": 1, "output": 2, "cached": 3}}', "expected input and output"),
        ("a.json", '{"m": {"input": -1, "output": 2}}', "model 'm': usd_per_million_input is -1"),
        ("a.json", '{"m": {"input": true, "output": 2}}', "usd_per_million_input is True"),
        ("a.json", '{"m": {"input": "1", "output": 2}}', "usd_per_million_input is '1'"),
        ("a.json", '{"m": {"input": NaN, "output": 2}}', "usd_per_million_input is nan"),
        ("a.json", '{"m": {"input": 1, "output": 2}, "m": {"input": 2, "output": 2}}', "model 'm' is there twice"),
        ("a.json", "[" * 100_000, "it is no JSON"),
        ("a.csv", "", "no column input, model, output"),
        ("a.csv", "model,input\nm,1\n", "no column output"),
        ("a.csv", "model,input,output\nm,1\n", "usd_per_million_output is None"),
        ("a.csv", "model,input,output\nm,one,2\n", "usd_per_million_input is 'one'"),
        ("a.csv", "model,input,output\nm,1,inf\n", "usd_per_million_output is inf"),
        ("a.csv", "model,input,output\n,1,2\n", "a model has an empty name"),
        ("a.csv", "model,input,output\nm,1,2\nm,1,2\n", "model 'm' is there twice"),
        ("a.csv", 'model,input,output\n"m,1,2', "is no CSV"),
    ],
)
def test_a_table_that_cannot_be_used_is_an_error_that_names_the_place(tmp_path: Path, name: str, text: str, why: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=f"the price table '.*{name}'.*{why}"):
        PriceTable.read(tmp_path / name)


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir(), lambda path: path.write_bytes(b"\xff\xfe\xff")])
def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path, make: Any) -> None:
    make(tmp_path / "a.json")
    with pytest.raises(InputError, match=r"cannot be read: .*; give a JSON file such as"):
        PriceTable.read(tmp_path / "a.json")
