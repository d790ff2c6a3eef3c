"""An endpoint that runs already: found by URL, measured, never stopped."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from designgym.core.errors import InputError, NotInstalledError
from designgym.simulators.serving.live.endpoint import ServingEndpoint
from designgym.simulators.serving.live.server_process import ServerProcess, free_port
from designgym.simulators.serving.request_trace import RequestTrace
from designgym.simulators.serving.workloads import find_requests, make_workload

pytest.importorskip("openai", reason="openai is not installed")

FAKE = Path(__file__).with_name("fake_server.py")
LOAD: dict[str, Any] = {"warm_up": 0, "min_repeats": 1, "max_repeats": 1}
WORK = make_workload("w", RequestTrace.make([0.0, 0.1, 0.2], [5] * 3, [4] * 3))


@pytest.fixture
def server() -> Iterator[tuple[ServerProcess, str]]:
    port = free_port()
    command = [sys.executable, str(FAKE), str(port), "good", "0.002"]
    with ServerProcess(command, health_url=f"http://127.0.0.1:{port}/", start_timeout_s=30) as process:
        yield process, f"http://127.0.0.1:{port}/v1"


def test_designs_are_measured_on_it_and_it_goes_on_running(server: tuple[ServerProcess, str]) -> None:
    process, url = server
    simulator = ServingEndpoint(url=url, **LOAD)
    usual = simulator.space.default()
    results = simulator.evaluate([usual, simulator.space.validate({"max_concurrency": 1, "rate_factor": 2.0})], WORK)
    simulator.close()
    assert [result.status for result in results] == ["ok", "ok"] and process.running
    assert results[0]["makespan_s"] > 0.2 and results[1]["failed_requests"] == 0


def test_what_is_not_there_is_a_status_in_words(server: tuple[ServerProcess, str], monkeypatch: pytest.MonkeyPatch) -> None:
    _, url = server
    cases: list[tuple[dict[str, Any], str]] = [
        ({"url": url, "model": "other"}, "has no model 'other', it offers"),
        ({"url": f"http://127.0.0.1:{free_port()}/v1"}, "cannot be reached"),
        ({"url": url.replace("/v1", "/nowhere")}, "answered with status 404"),
    ]
    for given, words in cases:
        simulator = ServingEndpoint(**given, **LOAD)
        (result,) = simulator.evaluate([simulator.space.default()], WORK)
        assert result.status == "failed" and words in result.error
    monkeypatch.delenv("DESIGNGYM_ENDPOINT", raising=False)
    nowhere = ServingEndpoint()
    assert not nowhere.installed()[0]
    with pytest.raises(NotInstalledError, match="DESIGNGYM_ENDPOINT"):
        nowhere.evaluate([nowhere.space.default()], WORK)
    with pytest.raises(InputError, match="must start with http"):
        ServingEndpoint(url="localhost:8000")
    with pytest.raises(InputError, match="NO_SUCH_KEY"):
        ServingEndpoint(url=url, key_variable="NO_SUCH_KEY")


def test_the_rate_makes_no_difference_in_a_closed_loop() -> None:
    space = ServingEndpoint().space
    loop = make_workload("loop", find_requests("short-chat:requests=4,users=2"))
    fast = space.validate({"max_concurrency": 8, "rate_factor": 4.0})
    assert space.canonical(fast, loop.traits)["rate_factor"] == 1.0
    assert space.canonical(fast, WORK.traits)["rate_factor"] == 4.0
