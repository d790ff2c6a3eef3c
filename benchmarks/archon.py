"""Inference-time architectures: what the executor costs per call, how much the cache of calls saves, and how near a graph is to its path.

    python benchmarks/archon.py

An endpoint on the loopback interface answers after a fixed time (a process of its own), so that everything above that time is ours. The
tables of docs/benchmarks.md come from here. The last table compares with OptiLLM, if `optillm` is installed where this runs.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import openai
from rich.console import Console
from rich.table import Table

from designgym.simulators.archon.architecture import Architecture
from designgym.simulators.archon.budget import Budget, Limits
from designgym.simulators.archon.cached_calls import CachedCalls
from designgym.simulators.archon.call_store import CallStore
from designgym.simulators.archon.calls import Answer, Call, Message
from designgym.simulators.archon.canonical import canonical
from designgym.simulators.archon.components import KINDS
from designgym.simulators.archon.components.base import Component, Question
from designgym.simulators.archon.endpoint import OpenAIEndpoint
from designgym.simulators.archon.executor import Executor
from designgym.simulators.archon.wide_space import wide_architecture, wide_space

ARCHITECTURES, QUERIES, MODELS = 500, 2, ["large", "small"]


def serve(port_to: multiprocessing.Queue[int], latency_s: float) -> None:
    """Answer every chat completion after a fixed time with a text of its own, until killed."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")).split(b":")[1])
                asked = json.loads(await reader.readexactly(length))
                await asyncio.sleep(latency_s)
                text = f"[{asked['seed'] % 7}] {abs(asked['seed']) % 1_000_003}"
                message = {"role": "assistant", "content": text}
                reply = json.dumps(
                    {
                        "id": "x", "object": "chat.completion", "created": 0, "model": asked["model"],
                        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                        "usage": {"prompt_tokens": 50, "completion_tokens": 10, "total_tokens": 60},
                    }
                ).encode()  # fmt: skip
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(reply) + reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(one, "127.0.0.1", 0, backlog=1024)
        port_to.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


@contextmanager
def endpoint(latency_s: float) -> Iterator[str]:
    """Yield the URL of a running stub."""
    context = multiprocessing.get_context("spawn")
    ports: multiprocessing.Queue[int] = context.Queue()
    process = context.Process(target=serve, args=(ports, latency_s), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ports.get(timeout=60)}/v1"
    finally:
        process.kill()
        process.join()


async def together(ask: Callable[[int], Awaitable[object]], at_once: int, rounds: int, latency_s: float) -> tuple[float, float]:
    """Return the processor time and the wall time beyond the endpoint's latency that a call takes, of so many at once."""
    await asyncio.gather(*(ask(-i - 1) for i in range(at_once)))  # imports, connections
    began, used = time.perf_counter(), time.process_time()
    for n in range(rounds):
        await asyncio.gather(*(ask(n * at_once + i) for i in range(at_once)))
    wall, cpu, made = time.perf_counter() - began, time.process_time() - used, rounds * at_once
    return cpu / made, (wall - rounds * latency_s) / made


def overhead(table: Table, latency_s: float, at_once: int, rounds: int) -> None:
    """Add a row: what a call costs the openai client alone, and with endpoint limits, cache, budget and graph around it."""

    def asked(i: int) -> tuple[Message, ...]:
        return (Message("user", f"question {i}"),)

    async def client_alone(url: str) -> tuple[float, float]:
        async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
            return await together(
                lambda i: client.chat.completions.create(
                    model="large", messages=[{"role": "user", "content": f"question {i}"}], max_tokens=64, seed=i + 10_000
                ),
                at_once, rounds, latency_s,
            )  # fmt: skip

    async def ours(url: str, path: str) -> tuple[float, float]:
        backend, store = OpenAIEndpoint(url, concurrency=at_once), CallStore(path)
        executor = Executor(CachedCalls(backend, store, budget=Budget(Limits(calls=1e9), store)))
        single = Architecture.of(Component.make(KINDS["generator"], "large", max_tokens=64))
        try:
            return await together(lambda i: executor.run(single, Question(asked(i))), at_once, rounds, latency_s)
        finally:
            await backend.close()

    async def without_network(path: str) -> tuple[float, float]:
        class Sleeper:
            def identity(self, model: str) -> str:
                return model

            async def answer(self, call: Call) -> Answer:
                await asyncio.sleep(latency_s)
                return Answer("text", 50, 10, latency_s)

            async def close(self) -> None: ...

        store = CallStore(path)
        executor = Executor(CachedCalls(Sleeper(), store, budget=Budget(Limits(calls=1e9), store)))
        single = Architecture.of(Component.make(KINDS["generator"], "large", max_tokens=64))
        return await together(lambda i: executor.run(single, Question(asked(i))), at_once, rounds, latency_s)

    with endpoint(latency_s) as url, tempfile.TemporaryDirectory() as folder:
        rows = [
            asyncio.run(client_alone(url)),
            asyncio.run(ours(url, str(Path(folder) / "calls.db"))),
            asyncio.run(without_network(str(Path(folder) / "others.db"))),
        ]
    cells = [f"{cpu * 1e3:.2f} / {wall * 1e3:.2f} ms" for cpu, wall in rows]
    table.add_row(f"{latency_s * 1e3:.0f} ms", str(at_once), *cells, f"{rows[1][1] / rows[0][1]:.2f}")


def search_architectures() -> list[Architecture]:
    """Return those that a search meets: random ones, and mutants of them."""
    space, rng = wide_space(MODELS, checks=("none", "verifier", "majority")), np.random.default_rng(0)
    designs = space.sample(rng, ARCHITECTURES // 5)
    while len(designs) < ARCHITECTURES:
        designs.append(space.mutate(designs[int(rng.integers(len(designs)))], rng))
    return [wide_architecture(design) for design in designs]


def saved(table: Table, latency_s: float, architectures: list[Architecture]) -> None:
    """Add a row: calls and wall time of a search with the cache, against one without."""
    questions = [Question((Message("user", f"What is {i} and {i}?"),)) for i in range(QUERIES)]

    async def search(url: str, shared: bool, some: list[Architecture]) -> tuple[int, float]:
        backend = OpenAIEndpoint(url, concurrency=64)
        began, made, store = time.perf_counter(), 0, CallStore()
        for at in range(0, len(some), 10):  # a batch of the searcher
            batch = some[at : at + 10]
            executors = [Executor(CachedCalls(backend, store if shared else CallStore())) for _ in batch]
            if shared:
                executors = [executors[0]] * len(batch)
            runs = await asyncio.gather(
                *(ex.run(canonical(a) if shared else a, q) for ex, a in zip(executors, batch, strict=True) for q in questions)
            )
            made += sum(run.account.calls - run.account.calls_saved for run in runs)
        await backend.close()
        return made, time.perf_counter() - began

    with endpoint(latency_s) as url:
        calls, seconds = asyncio.run(search(url, True, architectures))
        part = architectures[:: len(architectures) // 50]
        all_calls, all_seconds = asyncio.run(search(url, False, part))
        scale = len(architectures) / len(part)
    table.add_row(
        f"{latency_s * 1e3:.0f} ms", f"{all_calls * scale:,.0f}", f"{calls:,}", f"{1 - calls / (all_calls * scale):.0%}",
        f"{all_seconds * scale:.0f} s", f"{seconds:.0f} s", f"{all_seconds * scale / seconds:.1f}x",
    )  # fmt: skip


def graph(table: Table, latency_s: float) -> None:
    """Add rows: the wall time of architectures against their critical path."""

    def one(kind: str, model: str = "large", **settings: object) -> Component:
        return Component.make(KINDS[kind], model, **settings)

    shapes = {
        "8 samples, fuser": Architecture.of(one("generator", samples=8), one("fuser")),
        "8 samples, critic, ranker, 6 fusers, fuser": Architecture.of(
            one("generator", samples=8), one("critic"), one("ranker"), one("fuser", samples=6), one("fuser")
        ),
        "10 samples, verifier, fuser": Architecture.of(one("generator", samples=10), one("verifier"), one("fuser")),
    }

    async def measure(url: str, shape: Architecture) -> tuple[float, float]:
        backend = OpenAIEndpoint(url, concurrency=64)
        walls, paths = [], []
        for n in range(12):
            run = await Executor(CachedCalls(backend, CallStore())).run(shape, Question((Message("user", f"question {n}"),)))
            walls.append(run.wall_s)
            paths.append(len(shape.layers) + (shape.layers[1][0].type == "verifier"))
        await backend.close()
        return statistics.median(walls[2:]), paths[0] * latency_s

    with endpoint(latency_s) as url:
        for name, shape in shapes.items():
            wall, path = asyncio.run(measure(url, shape))
            table.add_row(f"{latency_s * 1e3:.0f} ms", name, f"{path * 1e3:.0f} ms", f"{wall * 1e3:.0f} ms", f"{wall / path - 1:+.1%}")


def main() -> None:
    console = Console(width=140)
    table = Table(
        "endpoint", "calls at once", "openai client alone", "designgym, all of it", "graph, cache and budget alone", "ratio",
        title="A call: processor time / wall time beyond the endpoint's latency",
    )  # fmt: skip
    for latency_s, at_once in ((0.05, 1), (0.05, 64), (0.5, 64)):
        overhead(table, latency_s, at_once, 4 if at_once > 1 else 20)
    console.print(table)
    table = Table("endpoint", "architecture", "critical path", "wall time", "beyond", title="Graphs against their critical path")
    for latency_s in (0.05, 0.5):
        graph(table, latency_s)
    console.print(table)
    table = Table(
        "endpoint", "calls without", "calls with cache", "saved", "wall without*", "wall with", "ratio",
        title=f"{ARCHITECTURES} architectures of a search on {QUERIES} queries",
    )  # fmt: skip
    architectures = search_architectures()
    for latency_s in (0.05, 0.5):
        saved(table, latency_s, architectures)
    console.print(table)
    console.print("* every tenth architecture was run without the cache, times ten")


if __name__ == "__main__":
    main()
