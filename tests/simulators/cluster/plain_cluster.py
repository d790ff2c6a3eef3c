"""A second, plain implementation of the cluster simulation: lists, sorted afresh, and Python's own heap; slow and easy to check.

It follows the description of splitwise-sim rule by rule, and shares no code with the compiled simulation but the iteration times.
"""

from __future__ import annotations

import bisect
import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field


@dataclass(eq=False)
class Task:
    request: Request
    is_prompt: bool
    left: int
    memory: int
    machine: Machine | None = None
    count: int = 0
    ran: bool = False
    blocked: bool = False

    @property
    def tokens(self) -> int:
        return self.request.p if self.is_prompt else 1


@dataclass(eq=False)
class Request:
    number: int
    arrival: float
    p: int
    n: int
    prompt: Task = field(init=False)
    token: Task = field(init=False)
    first: float = math.nan
    end: float = math.nan


@dataclass(eq=False)
class Machine:
    kind: str
    tag: str
    mem: int
    cost: Callable[[int, int, int], tuple[float, float]]
    """Seconds of the first iteration of a batch, and by how much each further one is longer: from prompt tokens, decoding requests and
    their tokens so far."""
    q: int = 0
    m: int = 0
    batch: list[Task] = field(default_factory=list)
    wait: list[Task] = field(default_factory=list)
    prompts: list[Task] = field(default_factory=list)
    blocked: list[Task] = field(default_factory=list)
    reqs: list[Request] = field(default_factory=list)
    btok: int = 0
    run: int = 0
    k: int = 0
    step: float = 0.0
    growth: float = 0.0
    end: float = 0.0
    interrupted: bool = False
    most: int = 0

    def duration(self, iterations: int) -> float:
        return self.step * iterations + self.growth * sum(range(iterations))

    def head(self, r: Request) -> Task:
        return r.prompt if r.prompt.machine is self and r.prompt.left > 0 else r.token


@dataclass(eq=False, order=False)
class Event:
    time: float
    action: Callable[[], None]

    def __lt__(self, other: Event) -> bool:
        return self.time < other.time


class PlainCluster:
    """The cluster; `run` simulates, and leaves its results in ``requests``."""

    def __init__(
        self,
        machines: Sequence[Machine],
        requests: Sequence[tuple[float, int, int]],
        *,
        scheduler: str,
        memory: int,
        kv_bytes: int,
        max_batch_tokens: int = 2048,
        max_batch_size: int = 512,
        max_preemptions: int = 4,
        prompt_queue: int = 8192,
        bandwidth: float = 200 * 1024**3,
    ) -> None:
        self.machines, self.scheduler, self.memory, self.kv = list(machines), scheduler, memory, kv_bytes
        self.S, self.B, self.K, self.limit, self.bandwidth = max_batch_tokens, max_batch_size, max_preemptions, prompt_queue, bandwidth
        self.pools: dict[str, list[Machine]] = {tag: [m for m in machines if m.tag == tag] for tag in ("prompt", "token", "mixed")}
        for machine in machines:
            machine.m = machine.mem
        self.requests = []
        for number, (arrival, p, n) in enumerate(requests):
            request = Request(number, arrival, p, n)
            request.prompt = Task(request, True, 1, (p + 1) * kv_bytes)
            request.token = Task(request, False, n - 1, (n - 1) * kv_bytes)
            self.requests.append(request)
        self.heap: list[Event] = []
        self.now = 0.0
        self.log: list[tuple[float, int, tuple[int, ...]]] = []
        self.preempted = self.retries = self.moves = self.transfers = self.flying = 0
        self.coming = len(self.requests)

    def run(self) -> None:
        for request in self.requests:
            heapq.heappush(self.heap, Event(request.arrival, lambda request=request: self.arrive(request)))  # type: ignore[misc]
        while self.heap:
            event = heapq.heappop(self.heap)
            self.now = event.time
            event.action()

    def later(self, delay: float, action: Callable[[], None]) -> None:
        if delay == 0:
            action()
        else:
            heapq.heappush(self.heap, Event(self.now + delay, action))

    # ---- schedulers

    def arrive(self, r: Request) -> None:
        self.coming -= 1
        if self.scheduler == "token_jsq":
            prompt = token = min(self.machines, key=lambda m: m.q)
        else:
            prompt, token = self.mixed_pool(r)
        r.prompt.machine, r.token.machine = prompt, token
        prompt.q += r.p
        token.q += 1
        if self.scheduler == "mixed_pool":
            if prompt is not token:
                prompt.m += r.prompt.memory
            token.m += r.prompt.memory + r.token.memory
        self.task_arrives(r.prompt)
        if prompt is token and r.n > 1:
            self.task_arrives(r.token)

    def mixed_pool(self, r: Request) -> tuple[Machine, Machine]:
        prompts, tokens, mixed = (self.pools[tag] for tag in ("prompt", "token", "mixed"))
        prompt = token = None
        for pool in (prompts, mixed):
            if pool and prompt is None:
                best = min(pool, key=lambda m: m.q)
                if not (best.wait and best.q + r.p > self.limit):
                    prompt = best
        for pool in (tokens, mixed):
            if pool and token is None:
                best = min(pool, key=lambda m: m.m)
                if not best.m + r.prompt.memory + r.token.memory >= self.memory:
                    token = best
        if prompt is None and tokens:
            prompt = min(tokens, key=lambda m: m.q)
            tokens.remove(prompt)
            mixed.append(prompt)
            self.moves += 1
        if token is None and prompts:
            token = min(prompts, key=lambda m: m.m)
            prompts.remove(token)
            mixed.append(token)
            self.moves += 1
        if prompt is None or token is None:
            prompt = token = min([*prompts, *mixed, *tokens], key=lambda m: m.q)
        return prompt, token

    # ---- one machine

    def wait_key(self, task: Task) -> tuple[int, float]:
        return task.count, task.request.arrival

    def into_wait(self, machine: Machine, task: Task) -> None:
        machine.wait.insert(bisect.bisect_right(machine.wait, self.wait_key(task), key=self.wait_key), task)

    def task_arrives(self, task: Task) -> None:
        machine = task.machine
        assert machine is not None
        if task.request not in machine.reqs:
            bisect.insort_right(machine.reqs, task.request, key=lambda r: r.arrival)
        self.into_wait(machine, task)
        if task.is_prompt:
            machine.prompts.append(task)
        decoding = sum(not t.is_prompt for t in machine.batch)
        if not machine.batch:
            if machine.mem + task.memory <= self.memory:
                self.form(machine)
        elif (len(machine.batch) < self.B and machine.btok + task.tokens <= self.S) or (
            task.is_prompt and decoding and machine.btok - decoding + task.request.p <= self.S
        ):
            self.interrupt(machine)

    def form(self, machine: Machine) -> None:
        S, B, M = self.S, self.B, self.memory
        new: list[Task] = []
        t, u = 0, machine.mem

        def full(task: Task) -> bool:
            return len(new) == B or (bool(new) and t + task.tokens > S)

        def chosen(r: Request) -> bool:
            return any(task.request is r for task in new)

        def add(task: Task) -> None:
            nonlocal t, u
            new.append(task)
            t += task.tokens
            u += 0 if task.ran else task.memory

        for task in machine.wait:
            if task.count < self.K or full(task):
                break
            if not chosen(task.request) and (task.blocked or u + task.memory <= M):
                add(task)
        for task in machine.prompts:
            if full(task):
                break
            if not chosen(task.request):
                if u + task.memory > M:
                    break
                add(task)
        for task in [*machine.blocked]:
            if full(task):
                break
            if not chosen(task.request):
                add(task)
        for task in machine.batch:
            if full(task):
                break
            if not chosen(task.request):
                add(task)
        for r in machine.reqs:
            if len(new) == B:
                break
            if chosen(r):
                continue
            task = machine.head(r)
            if full(task) or not (task.blocked or u + task.memory <= M):
                break
            add(task)
        machine.btok = t
        for task in machine.batch:
            if task not in new:
                assert not task.is_prompt
                task.blocked = True
                self.preempted += 1
                self.into_wait(machine, task)
                machine.blocked.append(task)
        fresh = [task for task in new if task not in machine.batch]
        for task in fresh:
            machine.wait.remove(task)
            if task.is_prompt:
                machine.prompts.remove(task)
            if task.blocked:
                machine.blocked.remove(task)
                task.blocked = False
        machine.batch = [task for task in machine.batch if task in new] + fresh
        for r in machine.reqs:
            task = machine.head(r)
            if task not in machine.batch:
                task.count += 1
        if not machine.batch:
            if not machine.reqs and machine in self.pools["mixed"] and self.scheduler == "mixed_pool":
                self.pools["mixed"].remove(machine)
                self.pools[machine.tag].append(machine)
            return
        for task in fresh:
            if not task.ran:
                task.ran = True
                machine.mem += task.memory
        machine.most = max(machine.most, machine.mem)
        self.start(machine)

    def start(self, machine: Machine) -> None:
        decoding = [task for task in machine.batch if not task.is_prompt]
        prompts = [task for task in machine.batch if task.is_prompt]
        machine.k = 1 if prompts else min(task.left for task in machine.batch)
        context = sum(task.request.p + task.request.n - task.left for task in decoding)
        tokens = sum(task.request.p for task in prompts)
        machine.step, machine.growth = machine.cost(tokens, len(decoding), context)
        machine.end = self.now + machine.duration(machine.k)
        machine.run += 1
        machine.interrupted = False
        self.log.append((self.now, self.machines.index(machine), tuple(t.request.number for t in machine.batch)))
        self.later(machine.duration(machine.k), self.run_end(machine))

    def run_end(self, machine: Machine) -> Callable[[], None]:
        run = machine.run

        def ends() -> None:
            if machine.run == run:
                self.end_of_run(machine)

        return ends

    def interrupt(self, machine: Machine) -> None:
        if machine.interrupted or any(task.is_prompt for task in machine.batch):
            return
        machine.interrupted = True
        elapsed = self.now - (machine.end - machine.duration(machine.k))
        if machine.growth == 0:
            k = min(math.floor(elapsed / machine.step) + 1, machine.k)
        else:
            k = next((k for k in range(1, machine.k) if machine.duration(k) > elapsed), machine.k)
        delay = machine.duration(k) - elapsed
        machine.k = k
        machine.end = self.now + delay
        machine.run += 1
        self.later(delay, self.run_end(machine))

    def end_of_run(self, machine: Machine) -> None:
        machine.run += 1
        done = []
        for task in machine.batch:
            task.left -= 1 if task.is_prompt else machine.k
            if task.left == 0:
                done.append(task)
        for task in done:
            self.finish(machine, task)
        machine.interrupted = False
        self.form(machine)

    def finish(self, machine: Machine, task: Task) -> None:
        r = task.request
        other = r.token.machine
        assert other is not None
        machine.batch.remove(task)
        if task.is_prompt:
            r.first = self.now
            machine.q -= r.p
            if r.n == 1:
                machine.reqs.remove(r)
                r.end = self.now
                machine.mem -= task.memory
                other.q -= 1
                if self.scheduler == "mixed_pool":
                    other.m -= task.memory
                    if other is not machine:
                        machine.m -= task.memory
            elif other is not machine:
                machine.reqs.remove(r)
                self.transfer(r)
            return
        machine.q -= 1
        machine.reqs.remove(r)
        r.end = self.now
        machine.mem -= r.prompt.memory + r.token.memory
        if self.scheduler == "mixed_pool":
            machine.m -= r.prompt.memory + r.token.memory

    def transfer(self, r: Request) -> None:
        to = r.token.machine
        assert to is not None
        if to.mem + r.prompt.memory > self.memory:
            self.retries += 1
            if self.coming == self.flying == 0 and not any(machine.batch for machine in self.machines):
                return  # for ever
            self.later(1.0, lambda: self.transfer(r))
            return
        to.mem += r.prompt.memory
        to.most = max(to.most, to.mem)
        self.transfers += 1
        self.flying += 1
        self.later(r.p * self.kv / self.bandwidth, lambda: self.transferred(r))

    def transferred(self, r: Request) -> None:
        source = r.prompt.machine
        assert source is not None
        self.flying -= 1
        source.mem -= r.prompt.memory
        source.m -= r.prompt.memory
        self.task_arrives(r.token)
        if source.wait:
            if not source.batch:
                if source.mem + source.wait[0].memory <= self.memory:
                    self.form(source)
            elif len(source.batch) < self.B and source.btok < self.S:
                self.interrupt(source)
