"""The table of bad inputs: each is one clear error, exit code 2 or 1, and nothing on standard output."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import Result

Run = Callable[..., Result]

GOOD = '{"ways": 4, "line_bytes": 64, "policy": "lru", "prefetcher": "none"}'


def with_ways(value: str) -> str:
    """Return the good design with another number of ways, as text of JSON."""
    return GOOD.replace('"ways": 4', f'"ways": {value}')


@dataclass(frozen=True)
class Bad:
    """What is typed, what standard input or the file ``designs`` holds, and what the error must say."""

    what: str
    arguments: str
    says: tuple[str, ...]
    designs: str | bytes = GOOD
    code: int = 2


EVALUATE = "evaluate toy/Cache-v0 --designs DESIGNS"
TABLE = [
    Bad("environment with a typo", "describe toy/Cash-v0", ("unknown environment 'toy/Cash-v0'", "did you mean 'toy/Cache-v0'")),
    Bad("environment", "evaluate nothing/Like-it-v9 --designs DESIGNS", ("unknown environment", "--plugin FILE.py")),
    Bad("environment of hash", "hash toy/Cach-v0 --designs DESIGNS", ("did you mean 'toy/Cache-v0'",)),
    Bad("parameter", EVALUATE, ("unknown parameter 'way'", "did you mean 'ways'?"), GOOD.replace("ways", "way")),
    Bad("value", EVALUATE, ("policy: got 'mru'", "one of 'lru', 'fifo', 'random'"), GOOD.replace("lru", "mru")),
    Bad("value out of range", EVALUATE, ("ways: got 17", "from 1 to 16"), with_ways("17")),
    Bad("value of another type", EVALUATE, ("ways: got '4'",), with_ways('"4"')),
    Bad("missing parameter", EVALUATE, ("line_bytes: missing", "policy: missing", "prefetcher: missing"), '{"ways": 4}'),
    Bad("missing active parameter", EVALUATE, ("degree: missing",), GOOD.replace("none", "stride")),
    Bad("workload", f"{EVALUATE} --workload gccc", ("unknown workload 'gccc'", "did you mean 'gcc'?")),
    Bad("option", f"{EVALUATE} --option sped=1", ("unknown option of toy/Cache-v0 'sped'", "did you mean 'speed'?")),
    Bad("value of an option", f"{EVALUATE} --option speed=fast", ("speed must be a number > 0", "'fast'")),
    Bad("option without a value", f"{EVALUATE} --option speed", ("--option 'speed' must look like key=value",)),
    Bad("option given twice", f"{EVALUATE} --option speed=1 --option speed=2", ("'speed' is given twice",)),
    Bad("option that is not finite", f"{EVALUATE} --option speed=NaN", ("expected a finite number",)),
    Bad("fidelity", f"{EVALUATE} --fidelity 1.5", ("fidelity must be in (0, 1], got 1.5",)),
    Bad("fidelity NaN", f"{EVALUATE} --fidelity nan", ("fidelity must be in (0, 1], got nan",)),
    Bad("fidelity of a simulator without", f"{EVALUATE} --fidelity 0.5", ("fidelit",)),
    Bad("folder of workloads", f"{EVALUATE} --workloads /no/such/folder", ("--workloads '/no/such/folder'", "check the path")),
    Bad("no file of designs", "evaluate toy/Cache-v0 --designs /no/such.json", ("/no/such.json: No such file or directory",)),
    Bad("folder as designs", "evaluate toy/Cache-v0 --designs /", ("cannot read designs from /: Is a directory",)),
    Bad("empty file of designs", EVALUATE, ("is empty", "JSON lines"), ""),
    Bad("blank file of designs", EVALUATE, ("is empty",), " \n\n\t"),
    Bad("empty standard input", "hash toy/Cache-v0 --designs -", ("standard input is empty",), ""),
    Bad("empty array", EVALUATE, ("holds no design",), "[]"),
    Bad("not JSON", EVALUATE, ("line 1, column 1: not JSON",), "ways,policy\n4,lru\n"),
    Bad("broken line", EVALUATE, ("line 2, column", "not JSON"), f"{GOOD}\n{GOOD[:-1]}\n{GOOD}\n"),
    Bad("broken first line", EVALUATE, ("line 1, column", "not JSON"), f"{GOOD[:-1]}\n{GOOD}\n"),
    Bad("broken element", EVALUATE, ("element 2, line 3, column", "not JSON"), f"[{GOOD},\n\n{GOOD[:-4]}]"),
    Bad("unfinished array", EVALUATE, ("after element 1", "the end of the file"), f"[{GOOD}"),
    Bad("text after the array", EVALUATE, ("after the array", "more"), f"[{GOOD}] more"),
    Bad("two objects on a line", EVALUATE, ("line 1", "Extra data"), f"{GOOD} {GOOD}"),
    Bad("numbers", EVALUATE, ("line 1: got 1", "line 2: got 2"), "1\n2\n"),
    Bad("name twice", EVALUATE, ("line 2: 'ways' is given twice, as 4 and 5",), f"{GOOD}\n{GOOD[:-1]}, \"ways\": 5}}\n"),
    Bad("NaN", EVALUATE, ("NaN is not a number in JSON",), with_ways("NaN")),
    Bad("infinity", EVALUATE, ("-Infinity is not a number in JSON",), with_ways("-Infinity")),
    Bad("overflow", EVALUATE, ("1e999 is too large",), with_ways("1e999")),
    Bad("endless number", EVALUATE, ("line 1",), with_ways("9" * 10_000)),
    Bad("deep nesting", EVALUATE, ("nested too deeply",), "[" * 100_000),
    Bad("not UTF-8", EVALUATE, ("line 2: not UTF-8 text",), GOOD.encode() + b"\n\xff\xfe\n"),
    Bad("plugin that is missing", "envs --plugin /no/such.py", ("there is no Python file '/no/such.py'",)),
    Bad("command", "evalute toy/Cache-v0", ("No such command 'evalute'",)),
    Bad("flag", "envs --jsno", ("No such option: --jsno",)),
    Bad("kind of data", "data import drum /tmp", ("unknown kind of data 'drum'", "did you mean 'dram'?")),
    Bad("reference table", "validate toy/Cache-v0 --reference /no/such.csv", ("/no/such.csv",)),
    Bad("environment without references", "validate toy/Analog-v0", ("no reference outputs",)),
    Bad("program that is not installed", "evaluate toy/Missing-v0 --designs DESIGNS", ("is not installed", "get it at"), code=1),
]  # fmt: skip


@pytest.mark.parametrize("bad", TABLE, ids=lambda bad: bad.what)
def test_bad_input(run: Run, tmp_path: Path, bad: Bad) -> None:
    designs = tmp_path / "designs.json"
    content = bad.designs if isinstance(bad.designs, bytes) else bad.designs.encode()
    designs.write_bytes(content)
    before = sorted(tmp_path.iterdir())
    result = run(*bad.arguments.replace("DESIGNS", str(designs)).split(), stdin="" if " -" in bad.arguments else None)
    assert result.exit_code == bad.code, result.output
    assert result.stdout == "" and result.stderr.strip()
    for part in bad.says:
        assert part in result.stderr, (part, result.stderr)
    assert len(result.stderr) < 2000
    assert sorted(tmp_path.iterdir()) == before


def test_valid_input_beside_the_table(run: Run, tmp_path: Path) -> None:
    (tmp_path / "designs.json").write_text(GOOD)
    result = run("evaluate", "toy/Cache-v0", "--designs", tmp_path / "designs.json", "--jsonl")
    assert json.loads(result.stdout)["status"] == "ok"
