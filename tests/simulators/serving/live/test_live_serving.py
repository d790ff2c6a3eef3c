"""Measuring real servers: what a client notes, what becomes of servers that misbehave, and which starts are saved."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from designgym.core.design import Design
from designgym.core.discrete import Categorical
from designgym.core.errors import InputError, NotInstalledError
from designgym.core.external import ProgramError, ProgramTimeout
from designgym.core.rules import Constraint
from designgym.core.space import DesignSpace
from designgym.simulators.serving.live.client_side import MAX_CONCURRENCY, RATE_FACTOR
from designgym.simulators.serving.live.evaluator import LiveServing, LoadSettings
from designgym.simulators.serving.live.load import Endpoint, Outcome, prompts_of, send
from designgym.simulators.serving.live.measured import METRICS, half_width, measured_figures
from designgym.simulators.serving.live.server_process import ServerProcess, free_port
from designgym.simulators.serving.request_trace import RequestTrace
from designgym.simulators.serving.summary import Targets
from designgym.simulators.serving.workloads import find_requests, make_workload

pytest.importorskip("openai", reason="openai is not installed")

SERVER = Path(__file__).with_name("fake_server.py")


def start(behaviour: str, token_s: float = 0.01, limit_s: float = 30.0) -> tuple[ServerProcess, Endpoint]:
    port = free_port()
    command = [sys.executable, str(SERVER), str(port), behaviour, str(token_s)]
    return ServerProcess(command, health_url=f"http://127.0.0.1:{port}/", start_timeout_s=limit_s), Endpoint(
        f"http://127.0.0.1:{port}/v1", "m"
    )


class Launcher:
    """Starts a server of the behaviour that the design names."""

    def key(self, design: Mapping[str, Any]) -> str:
        return str(design["behaviour"])

    def start(self, design: Mapping[str, Any]) -> tuple[ServerProcess, Endpoint]:
        return start(design["behaviour"])


@pytest.fixture
def live() -> Iterator[LiveServing]:
    space = DesignSpace(
        behaviour=Categorical("good", "dies", "broken", "refuses", "banned"), constraints=[Constraint("behaviour != 'banned'", "not here")]
    )
    load = {"warm_up": 1, "min_repeats": 2, "max_repeats": 3, "precision": 0.5, "request_timeout_s": 2.0}
    serving = LiveServing(space, Launcher(), load)
    yield serving
    serving.close()


def test_requests_go_out_when_they_are_due_and_each_token_is_noted() -> None:
    trace = RequestTrace.make([0.0, 0.1, 0.2, 0.2], [5, 6, 7, 8], [3, 30, 5, 1])
    server, endpoint = start("good", token_s=0.02)
    with server:
        outcomes = send(endpoint, trace, timeout_s=10)
    assert [o.error for o in outcomes] == [""] * 4
    assert [o.output_tokens for o in outcomes] == [3, 30, 5, 1] == [len(o.token_s) for o in outcomes]
    for due, outcome in zip(trace.arrival_s, outcomes, strict=True):
        assert outcome.due_s == due <= outcome.sent_s < due + 0.5
        assert outcome.token_s[-1] - outcome.sent_s > 0.02 * outcome.output_tokens
    assert outcomes[2].token_s[0] < outcomes[1].token_s[-1]  # nobody waited for the long answer


def test_a_closed_loop_keeps_as_many_requests_under_way_as_there_are_users() -> None:
    trace = RequestTrace.make(np.zeros(6), [5] * 6, [10] * 6, users=2)
    server, endpoint = start("good", token_s=0.02)
    with server:
        outcomes = send(endpoint, trace, timeout_s=10)
    spans = sorted((o.sent_s, o.token_s[-1]) for o in outcomes)
    for moment, _ in spans:
        assert sum(sent <= moment < ended for sent, ended in spans) <= 2
    assert spans[2][0] >= min(spans[0][1], spans[1][1])


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("busy", "status 429"),
        ("broken", "status 500"),
        ("cut", "broke off"),
        ("torn", "APIConnectionError: the connection failed or broke off"),
        ("hang", "no end within 1 s"),
        ("empty", "the answer has no text"),
    ],
)
def test_what_goes_wrong_with_a_request_is_said_and_the_others_go_on(behaviour: str, words: str) -> None:
    server, endpoint = start(behaviour)
    with server:
        outcomes = send(endpoint, RequestTrace.make([0.0, 0.0], [5, 5], [6, 6]), timeout_s=1)
    assert all(words in outcome.error for outcome in outcomes)


def test_nobody_there_is_an_error_of_each_request() -> None:
    outcomes = send(Endpoint(f"http://127.0.0.1:{free_port()}/v1", "m"), RequestTrace.make([0.0], [5], [6]), timeout_s=5)
    assert "the connection failed" in outcomes[0].error


def test_shared_prefixes_are_sent_as_such_and_other_seeds_give_other_texts() -> None:
    trace = find_requests("long-context:requests=6")
    assert trace.token_ids is not None
    prompts = prompts_of(trace, 32000, 1)
    for a in range(6):
        assert len(prompts[a]) == trace.prompt_tokens[a] and min(prompts[a]) >= 1000 and max(prompts[a]) < 32000
        for b in range(a):
            shared = int(np.argmin(np.append(trace.token_ids[a][:50] == trace.token_ids[b][:50], False)))
            assert prompts[a][:shared] == prompts[b][:shared]
    assert prompts_of(trace, 32000, 2)[0] != prompts[0]


def test_a_server_that_does_not_start_is_reported_with_the_end_of_its_log_but_no_secrets() -> None:
    with pytest.raises(ProgramError, match=r"ended with code 2: error: unknown model") as caught:
        start("refuses")
    assert "hf_" not in str(caught.value)
    with pytest.raises(NotInstalledError, match="cannot be started"):
        ServerProcess(["/no/such/program"], health_url="http://127.0.0.1:1/", start_timeout_s=1)
    with pytest.raises(ProgramTimeout, match=r"did not answer within 0\.5 s"):
        ServerProcess([sys.executable, "-c", "import time; time.sleep(60)"], health_url="http://127.0.0.1:9/", start_timeout_s=0.5)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("--api-key abcd --port 1", "--api-key *** --port 1"),
        ("{'api_key': 'abcd', 'port': 1}", "{'api_key': *** 'port': 1}"),
        ("Authorization: Bearer abcd", "Authorization: Bearer ***"),
        ("HF_TOKEN=abcd max_num_batched_tokens: 512", "HF_TOKEN=*** max_num_batched_tokens: 512"),
    ],
)
def test_what_looks_like_a_secret_is_taken_out_of_logs(line: str, shown: str) -> None:
    with pytest.raises(ProgramError) as caught:
        ServerProcess([sys.executable, "-c", f"print({line!r})"], health_url="http://127.0.0.1:9/", start_timeout_s=9)
    assert str(caught.value).endswith(": " + shown)


def test_stopping_ends_children_too(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    child = f"import time, pathlib\nwhile True: pathlib.Path({str(mark)!r}).write_text(str(time.time())); time.sleep(0.02)"
    parent = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {child!r}]); import runpy; sys.argv = [{str(SERVER)!r}, "
    port = free_port()
    program = parent + f"'{port}', 'good']; runpy.run_path({str(SERVER)!r}, run_name='__main__')"
    server = ServerProcess([sys.executable, "-c", program], health_url=f"http://127.0.0.1:{port}/", start_timeout_s=30)
    while not mark.exists():
        time.sleep(0.02)
    server.stop()
    last = mark.read_text()
    time.sleep(0.2)
    assert mark.read_text() == last and not server.running


def test_designs_that_share_a_server_share_its_start_and_failures_are_statuses(live: LiveServing) -> None:
    workload = make_workload("w", RequestTrace.make([0.0, 0.0], [5, 5], [4, 4]))
    names = ["good", "dies", "good", "broken", "refuses", "banned", "good"]
    results = live.evaluate([Design({"behaviour": name}) for name in names], workload, fidelity=1.0, seed=0)
    assert [result.status for result in results] == ["ok", "failed", "ok", "failed", "failed", "infeasible", "ok"]
    assert live.starts == 3  # one for all that are good, and of the others two came up
    assert "ended with code 3: out of memory" in results[1].error and "verys" not in results[1].error
    assert "none of 2 requests was answered: the server answered with status 500" in results[3].error
    assert set(results[0].values) == {spec.name for spec in METRICS}
    assert results[0]["repeats"] >= 2 and results[0]["failed_requests"] == 0
    live.evaluate([Design({"behaviour": "good"})], workload, fidelity=1.0, seed=0)
    assert live.starts == 4  # the server that was there last was another


def test_figures_count_from_when_a_request_was_due() -> None:
    outcomes = [Outcome(0.0, 0.5, (1.0, 2.0), 2), Outcome(1.0, 1.0, (1.5, 1.75), 3), Outcome(1.0, 1.0, (), 0, "status 429")]
    figures = measured_figures(outcomes, Targets(ttft_s=0.6, tpot_s=0.2))
    assert figures["ttft_p50_s"] == 0.75 and figures["failed_requests"] == 1 and figures["makespan_s"] == 2.0
    assert figures["slo_attainment"] == pytest.approx(1 / 3) and figures["goodput_rps"] == 0.5
    assert figures["output_throughput_tps"] == 2.5


def test_intervals_are_students() -> None:
    assert half_width([1.0]) == np.inf
    assert half_width([1.0, 2.0, 3.0]) == pytest.approx(4.302652729911275 / 3**0.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_repeats": 0}, "max_repeats must be a whole number of 2 or more"),
        ({"precision": 0}, "precision must be a share above 0"),
        ({"focus": "speed"}, "unknown focus 'speed'"),
        ({"ttft_s": -1}, "target ttft_s must be a number of seconds above 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        LoadSettings(**options)
    with pytest.raises(InputError, match="must start with http"):
        Endpoint("ftp://x", "m")


def test_a_client_with_a_limit_sends_the_next_request_when_one_has_ended_and_counts_from_when_it_was_due() -> None:
    trace = RequestTrace.make(np.zeros(6), [5] * 6, [10] * 6, max_concurrency=2)
    server, endpoint = start("good", token_s=0.02)
    with server:
        outcomes = send(endpoint, trace, timeout_s=10)
    spans = sorted((o.sent_s, o.token_s[-1]) for o in outcomes)
    assert max(sum(a <= at < b for a, b in spans) for at, _ in spans) == 2
    assert all(o.due_s == 0.0 for o in outcomes) and max(o.sent_s for o in outcomes) > 0.2


def test_what_a_client_decides_on_takes_no_start() -> None:
    space = DesignSpace(behaviour=Categorical("good"), max_concurrency=MAX_CONCURRENCY, rate_factor=RATE_FACTOR)
    serving = LiveServing(space, Launcher(), {"warm_up": 0, "min_repeats": 1, "max_repeats": 1})
    workload = make_workload("w", RequestTrace.make(np.linspace(0.0, 0.6, 4), [5] * 4, [4] * 4))
    usual = space.default()
    designs = [usual, space.validate(usual.replace(max_concurrency=1)), space.validate(usual.replace(rate_factor=8.0))]
    try:
        slow, narrow, fast = serving.evaluate(designs, workload, fidelity=1.0, seed=0)
    finally:
        serving.close()
    assert serving.starts == 1 and slow.ok and narrow.ok
    assert slow["makespan_s"] > 0.6 > 0.3 > fast["makespan_s"]


def test_a_server_ends_with_who_started_it_even_if_that_is_killed(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    port = free_port()
    program = (
        f"import os, pathlib, runpy, sys; pathlib.Path({str(mark)!r}).write_text(str(os.getpid())); "
        f"sys.argv = [{str(SERVER)!r}, '{port}', 'good']; runpy.run_path({str(SERVER)!r}, run_name='__main__')"
    )
    owner = (
        "import os, signal, sys\nfrom designgym.simulators.serving.live.server_process import ServerProcess\n"
        f"ServerProcess([sys.executable, '-c', {program!r}], health_url='http://127.0.0.1:{port}/', start_timeout_s=30)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", owner], timeout=60, check=False).returncode == -signal.SIGKILL
    pid = int(mark.read_text())
    for _ in range(200):
        if not Path(f"/proc/{pid}").exists():
            return
        time.sleep(0.05)
    pytest.fail("the server outlived the process that started it")
