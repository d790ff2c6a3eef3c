"""`EndpointArchitectures`: architectures scored on tasks, with answers of real endpoints, each paid for once, or of a recording."""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from blake3 import blake3

from designgym.core.design import Design
from designgym.core.errors import InputError, shorten
from designgym.core.metrics import Metrics, MetricSpec, metric
from designgym.core.protocols import Resources
from designgym.core.space import DesignSpace
from designgym.core.workload import Workload
from designgym.simulators.archon.architecture import Architecture
from designgym.simulators.archon.budget import Budget, Limits
from designgym.simulators.archon.cached_calls import CachedCalls
from designgym.simulators.archon.call_store import CallStore
from designgym.simulators.archon.calls import Backend, BudgetExhaustedError
from designgym.simulators.archon.canonical import canonical
from designgym.simulators.archon.components import KINDS
from designgym.simulators.archon.components.base import Component
from designgym.simulators.archon.endpoint import OpenAIEndpoint
from designgym.simulators.archon.executor import Executor
from designgym.simulators.archon.paper_space import paper_architecture, paper_space
from designgym.simulators.archon.prices import PriceTable
from designgym.simulators.archon.recording import Recording
from designgym.simulators.archon.scoring import Score, score
from designgym.simulators.archon.tasks import TaskSet
from designgym.simulators.archon.wide_space import wide_architecture, wide_space

__all__ = ["VARIABLE", "EndpointArchitectures", "store_path"]

VARIABLE = "DESIGNGYM_ENDPOINT"
PROBED = 2  # queries of which a design's calls are its behaviour; evaluating it needs them all the same

_METRICS = (
    metric("score_pct", goal="max", doc="mean grade over the queries of the search (dev) split"),
    metric("gain_pct", goal="max", doc="mean difference in grade to one call of the first model on the same queries, in points"),
    metric("cost_usd", goal="min", doc="price of the calls of a query, by the price table, as if none had been known"),
    metric("latency_s", goal="min", doc="seconds of calls on the critical path of a query, as if none had been known"),
    metric("calls", goal="min", doc="calls of models for a query"),
    metric("input_tokens", goal="min", unit="tokens", doc="tokens read for a query"),
    metric("output_tokens", goal="min", unit="tokens", doc="tokens written for a query"),
    metric("queries", doc="queries that it was scored on: fewer than there are if it was clearly worse than one call"),
    metric("failed_calls", goal="min", doc="calls of a query that got no answer after all attempts"),
)


def store_path() -> str:
    """Return where answers are kept unless said otherwise: ``$DESIGNGYM_CALLS``, else ``designgym-calls.db`` in the working folder."""
    return os.environ.get("DESIGNGYM_CALLS") or "designgym-calls.db"


class EndpointArchitectures:
    """Runs every design on the tasks' dev queries.

    Fidelity is the share of these queries. The seed draws other answers.

    Args:
        url: Base of an OpenAI-compatible endpoint, with ``/v1``; the environment variable ``DESIGNGYM_ENDPOINT`` unless given.
        models: Names of models there, best first, with commas between; the first is the single call that designs are compared with.
        judge: The model that criticises, ranks, checks and fuses in the preset ``paper``; the first of the models unless given.
        preset: ``wide`` (default), or ``paper`` for Archon's own space.
        sources: Kinds of sources in the wide space, with commas between.
        key_variable: Environment variable with the API key.
        prices: A file with a price table; the published prices unless given, and nothing for models that it lacks.
        calls: Where answers are kept and looked up; see `store_path`.
        recorded: Answer from what is kept alone: nothing is asked, and what was never asked fails.
        identity: What tells the endpoint's models from others of the same names, if its URL may change.
        max_tokens: Most tokens of an answer.
        most_calls: Calls of a query at most: a design that may need more is infeasible, and none of its calls is made; 0 is no limit.
        budget_usd: Limit of money for everything that shares the store, over all its time; none unless given, as for the others.
        budget_calls: Limit of calls.
        budget_tokens: Limit of tokens.
        budget_s: Limit of seconds.
        concurrency: Calls under way at most.
        requests_per_minute: Requests in a minute at most; 0 is no limit.
        tokens_per_minute: Tokens in a minute at most, read and written; 0 is no limit.
        streaming: Receive answers in pieces, for servers between that close connections on which nothing moves.
        attempts: Times that a call is tried.
        timeout_s: Seconds that an attempt may take.
        early: Whether designs that are clearly worse than one call are stopped before they have seen all queries.

    Raises:
        InputError: For a value that cannot be.
    """

    name = "archon-endpoint"
    metrics: tuple[MetricSpec, ...] = _METRICS
    deterministic = False

    def __init__(
        self, *, url: str = "", models: str = "", judge: str = "", preset: str = "wide", sources: str = "generator", key_variable: str = "",
        prices: str = "", calls: str = "", recorded: bool = False, identity: str = "", max_tokens: int = 512, most_calls: int = 0,
        budget_usd: float = math.inf, budget_calls: float = math.inf, budget_tokens: float = math.inf, budget_s: float = math.inf,
        concurrency: int = 32, attempts: int = 5, timeout_s: float = 120.0, requests_per_minute: float = 0, tokens_per_minute: float = 0,
        streaming: bool = False, early: bool = True,
    ) -> None:  # fmt: skip
        self.url = url or os.environ.get(VARIABLE, "")
        self.models = tuple(filter(None, (name.strip() for name in models.split(",")))) or ("default",)
        self.judge = judge or self.models[0]
        if preset not in ("wide", "paper"):
            raise InputError(f"preset is {shorten(preset)}, expected 'wide' or 'paper'")
        self.preset, self.max_tokens, self.early, self.recorded, self.most_calls = preset, max_tokens, early, recorded, most_calls
        self.space: DesignSpace = (
            paper_space() if preset == "paper" else wide_space(self.models, sources=tuple(s.strip() for s in sources.split(",")))
        )
        self._limits = Limits(budget_usd, budget_calls, budget_tokens, budget_s)
        self._calls = calls or store_path()
        self._prices = PriceTable.read(prices) if prices else PriceTable.published(default_free=math.isinf(budget_usd))
        for model in {*self.models, self.judge}:
            self._prices.price(model)  # better now than in the middle of a search
        self._endpoint: dict[str, Any] = {
            "key_variable": key_variable or None, "concurrency": concurrency, "attempts": attempts, "timeout_s": timeout_s,
            "identity": identity, "requests_per_minute": requests_per_minute, "tokens_per_minute": tokens_per_minute,
            "streaming": streaming,
        }  # fmt: skip
        known = (self.models, self.judge, preset, sources, max_tokens, most_calls, early, identity or self.url)
        options = repr((known, prices and self._prices.prices))
        self.version = f"1+{blake3(options.encode()).hexdigest(4)}"
        self.resources = Resources(cpus=1.0)
        self._store: CallStore | None = None
        self._recording: Recording | None = None
        self._baselines: dict[tuple[str, int, int], list[float]] = {}

    def installed(self) -> tuple[bool, str]:
        """Return whether there is an endpoint to ask, or what to do."""
        if not self.recorded and find_spec("openai") is None:
            return False, "the package openai is missing: run `pip install 'designgym[live]'`"
        if self.recorded or self.url:
            return True, self.url or self._calls
        return False, f"set {VARIABLE} to the URL of an OpenAI-compatible endpoint, with /v1, or give the option url"

    def architecture(self, design: Design) -> Architecture:
        """Return the architecture of a design."""
        made = wide_architecture(design) if self.preset == "wide" else paper_architecture(design, self.models, self.judge)
        return Architecture(tuple(tuple(self._limited(component) for component in layer) for layer in made))

    def single(self) -> Architecture:
        """Return what designs are compared with: one call of the first model."""
        return Architecture.of(self._limited(Component.make(KINDS["generator"], self.models[0])), name="one call")

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
        """Score designs, all at once; what goes wrong is a status.

        Raises:
            InputError: If the workload holds no tasks, the fidelity is not in (0, 1], or there is no endpoint.
        """
        tasks = tasks_of(workload)
        if not 0 < fidelity <= 1:
            raise InputError(f"fidelity, the share of the queries, must be in (0, 1], got {shorten(fidelity)}")
        queries = max(math.ceil(fidelity * len(tasks.dev) - 1e-9), 1)
        return self._within(lambda executor: self._all(executor, designs, tasks, queries), seed)

    def probe(self, designs: Sequence[Design], workload: Workload, *, seed: int = 0) -> list[bytes]:
        """Return of each design which calls it makes on a few queries and what comes out: designs that agree are one behaviour."""
        tasks = tasks_of(workload)

        async def one(executor: Executor, design: Design) -> bytes:
            try:
                found = await score(executor, self.architecture(design), tasks.dev[:PROBED], tasks.grader)
            except BudgetExhaustedError:
                return design.literal.encode()  # nothing is known of it
            made = [(sorted(entry.key for entry in o.run.entries), o.run.text) for o in found.outcomes]
            return blake3(repr(made).encode("utf-8", "surrogatepass")).digest(16)

        async def every(executor: Executor) -> list[bytes]:
            return list(await asyncio.gather(*(one(executor, design) for design in designs)))

        return self._within(every, seed)

    def confirm(self, architecture: Architecture, tasks: TaskSet, *, seed: int = 0) -> Score:
        """Return an architecture's score on the test queries, all of them: nothing may be chosen by it.

        Raises:
            BudgetExhaustedError: If the budget ends before.
        """
        return self._within(lambda executor: score(executor, architecture, tasks.test, tasks.grader), seed)

    def describe(self, design: Design, workload: Workload | None = None) -> str:
        """Return the architecture of a design without what has no effect, a line per layer."""
        return str(canonical(self.architecture(design)))

    def exhausted(self) -> str:
        """Return why nothing more can be asked: a limit of the budget; empty if something can."""
        return self._budget().exhausted()

    # ---- inside --------------------------------------------------------------------------------------------------------

    async def _all(self, executor: Executor, designs: Sequence[Design], tasks: TaskSet, queries: int) -> list[Metrics]:
        key = (tasks.digest, executor.seed, queries)
        if key not in self._baselines:
            try:
                self._baselines[key] = (await score(executor, self.single(), tasks.dev[:queries], tasks.grader)).grades
            except BudgetExhaustedError as error:
                return [Metrics.failed(str(error)) for _ in designs]
        return list(await asyncio.gather(*(self._one(executor, design, tasks, self._baselines[key]) for design in designs)))

    async def _one(self, executor: Executor, design: Design, tasks: TaskSet, baseline: Sequence[float]) -> Metrics:
        if reasons := self.space.violations(design):
            return Metrics.infeasible(reasons)
        started, architecture = time.perf_counter(), self.architecture(design)
        if self.most_calls and (calls := canonical(architecture).calls) > self.most_calls:
            return Metrics.infeasible([f"it may take {calls} calls a query, more than most_calls={self.most_calls}"])
        items, against = tasks.dev[: len(baseline)], baseline if self.early else ()
        try:
            found = await score(executor, architecture, items, tasks.grader, against=against)
        except BudgetExhaustedError as error:
            return Metrics.failed(str(error), time.perf_counter() - started)
        account, n = found.account, len(found.outcomes)
        if account.calls and account.calls_failed == account.calls:
            reason = next(entry.error for outcome in found.outcomes for entry in outcome.run.entries if entry.error)
            return Metrics.failed(f"none of {account.calls} calls got an answer: {reason}", time.perf_counter() - started)
        gain = found.mean - sum(baseline[:n]) / n
        values = {**found.metrics(), "gain_pct": 100 * gain, "failed_calls": account.calls_failed / n}
        return Metrics(values, cost_s=time.perf_counter() - started)

    def _within(self, work: Any, seed: int) -> Any:
        """Run work with an executor, and give back connections."""

        async def run() -> Any:
            backend = self._backend()
            calls = CachedCalls(backend, self._opened(), prices=self._prices, budget=self._budget())
            try:
                return await work(Executor(calls, seed=seed))
            finally:
                await calls.drain()
                await backend.close()

        return asyncio.run(run())

    def _backend(self) -> Backend:
        if not self.recorded:
            return OpenAIEndpoint(self.url, **self._endpoint)
        if self._recording is None:
            self._recording = Recording(self._calls, identity=self._endpoint["identity"], url=self.url)
        return self._recording

    def _opened(self) -> CallStore:
        if self._store is None:
            self._store = CallStore(":memory:" if self.recorded else self._calls)  # nothing is written to a recording
        return self._store

    def _budget(self) -> Budget:
        return Budget(self._limits, self._opened())

    def _limited(self, component: Component) -> Component:
        if "max_tokens" not in component.settings:
            return component
        return component.changed(max_tokens=self.max_tokens)


def tasks_of(workload: Workload) -> TaskSet:
    """Return the tasks of a workload; raises `InputError` if it has none."""
    if not isinstance(workload.data, TaskSet):
        raise InputError(
            f"workload {workload.name!r} holds {type(workload.data).__name__}, expected tasks: a name such as 'word-problems', or "
            "the path of a .jsonl file"
        )
    return workload.data
