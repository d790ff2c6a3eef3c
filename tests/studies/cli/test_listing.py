import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

import designgym as dg

Run = Callable[..., Result]
Write = Callable[..., Path]

GOOD = {"ways": 4, "line_bytes": 64, "policy": "lru", "prefetcher": "stride", "degree": 2}


def test_envs_as_json(run: Run) -> None:
    result = run("envs", "--json")
    assert result.exit_code == 0, result.stderr
    entries = {entry["id"]: entry for entry in json.loads(result.stdout)}
    cache = entries["toy/Cache-v0"]
    assert cache["installed"] is True and cache["size"] == 16 * 4 * 3 * 2 * 4 and cache["simulator"] == "toy-cache"
    assert cache["workloads"] == ["gcc", "mcf"] and list(cache["objectives"]) == ["fast", "small"]
    parameters = {entry["name"]: entry for entry in cache["parameters"]}
    assert parameters["policy"]["values"] == ["lru", "fifo", "random"] and parameters["policy"]["kind"] == "categorical"
    assert (parameters["ways"]["low"], parameters["ways"]["high"], parameters["ways"]["values"]) == (1, 16, list(range(1, 17)))
    assert parameters["line_bytes"]["values"] == [16, 32, 64, 128]
    assert (parameters["line_bytes"]["unit"], parameters["line_bytes"]["default"]) == ("B", 64)
    assert cache["metrics"][0] == {"name": "latency_ns", "unit": "ns", "goal": "min", "doc": "mean access"}
    analog = entries["toy/Analog-v0"]
    assert analog["size"] is None
    assert [entry["name"] for entry in analog["parameters"][1]["parameters"]] == ["width", "kind"]
    missing = entries["toy/Missing-v0"]
    assert missing["installed"] is False and "https://example.org" in missing["how_to_install"] and missing["parameters"] is None


def test_envs_as_text(run: Run) -> None:
    text = run("envs").stdout
    assert "toy/Cache-v0" in text and "1,536 designs of 5 parameters" in text and "latency_ns [ns]" in text
    assert "infinitely many designs" in text and "no: get it at https://example.org/toy-tool" in text


def test_large_spaces_and_single_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    from designgym.studies.cli.describe_command import describe
    from designgym.studies.cli.envs_command import envs

    @dg.simulator(space=dg.DesignSpace(order=dg.Repeated(dg.DesignSpace(k=dg.Integer(0, 9)), 0, 400)), metrics=["x_ns"], version="1")
    def long(design: dg.Design, workload: int, *, seed: int) -> dict[str, float]:
        """Up to 400 elements."""
        return {"x_ns": 1.0}

    env = dg.register("toy/Long-v0", long, workloads={"w": 1}, objective=dg.minimize("x_ns"))
    envs()
    assert "1.1e400 designs of 1 parameter\n" in capsys.readouterr().out
    describe(env.id)
    assert "designs    1.1e400; version" in capsys.readouterr().out


def test_describe_as_json(run: Run) -> None:
    data = json.loads(run("describe", "toy/Cache-v0", "--json").stdout)
    assert data["conditions"] == [{"parameter": "degree", "when": "prefetcher != 'none'"}]
    assert [entry["reason"] for entry in data["constraints"]] == ["more than 1 KiB per set does not fit", "fifteen ways have no LRU tree"]
    assert data["symmetries"][0]["words"] == "policy acts as 'lru' when ways == 1"
    assert data["options"] == {"speed": "Factor on the clock, > 0."}
    assert (data["space_version"], data["simulator_version"]) == ("3", "7")


@pytest.mark.parametrize(
    ("env_id", "parts"),
    [
        ("toy/Cache-v0", ["Caches of one level.", "when prefetcher != 'none'", "more than 1 KiB per set does not fit", "toy-cache 7",
                          "fast (default)", "minimise area_mm2 subject to latency_ns <= 20", "gcc (default)", "Factor on the clock"]),
        ("toy/Analog-v0", ["infinitely many", "stages[].width", "the order of stages has no effect", "changes results"]),
        ("toy/Missing-v0", ["no: get it at https://example.org/toy-tool", "minimise cost_usd"]),
    ],
)  # fmt: skip
def test_describe_as_text(run: Run, env_id: str, parts: list[str]) -> None:
    result = run("describe", env_id)
    assert result.exit_code == 0
    for part in parts:
        assert part in result.stdout, part


def test_hash_prints_three_keys_per_design(run: Run, write: Write) -> None:
    designs = [GOOD, GOOD, GOOD | {"degree": 3}, GOOD | {"ways": 2}, GOOD | {"ways": 15}]
    arguments = ["hash", "toy/Cache-v0", "--designs", write(designs)]
    a, b, c, d, illegal = (json.loads(line) for line in run(*arguments).stdout.splitlines())
    assert list(a) == ["literal", "canonical", "functional"] and a["functional"] is None
    assert a == b and a["literal"] != c["literal"] and a["canonical"] == c["canonical"] != d["canonical"] and illegal["literal"]
    other = [json.loads(line) for line in run(*arguments, "--workload", "mcf").stdout.splitlines()]
    assert other[0]["canonical"] != a["canonical"] and other[0]["canonical"] != other[2]["canonical"]


def test_hash_probes_where_there_is_a_probe(run: Run, write: Write) -> None:
    designs = [{"gain": gain, "stages": [], "order": ["a", "b", "c"]} for gain in (0.1, 0.2, 0.9)]
    keys = [json.loads(line) for line in run("hash", "toy/Analog-v0", "--designs", write(designs)).stdout.splitlines()]
    assert keys[0]["functional"] == keys[1]["functional"] != keys[2]["functional"]
    assert keys[0]["canonical"] != keys[1]["canonical"]
