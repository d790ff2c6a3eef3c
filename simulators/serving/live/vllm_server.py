"""`VllmServer`: the user's ``vllm serve`` with a design's engine arguments, measured under load."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from blake3 import blake3

from designgym.core.design import Design
from designgym.core.errors import NotInstalledError
from designgym.core.external import ProgramError, run_program
from designgym.core.metrics import Metrics, MetricSpec
from designgym.core.program_results import require_seconds
from designgym.core.protocols import Resources
from designgym.core.user_program import executable, given_path
from designgym.core.workload import Workload
from designgym.simulators.serving.engine import VllmServing
from designgym.simulators.serving.engine_arguments import engine_space
from designgym.simulators.serving.engine_flags import serve_command, serve_flags
from designgym.simulators.serving.live.client_side import CLIENT_SIDE, MAX_CONCURRENCY, as_sent
from designgym.simulators.serving.live.evaluator import LiveServing, with_client
from designgym.simulators.serving.live.load import Endpoint
from designgym.simulators.serving.live.measured import METRICS
from designgym.simulators.serving.live.server_process import ServerProcess, free_port
from designgym.simulators.serving.workloads import make_workload, requests_of

__all__ = ["VARIABLE", "VllmServer"]

VARIABLE = "DESIGNGYM_VLLM"
"""Environment variable with the path of the executable vllm; without it, the one on the search path."""

_HOW_TO_GET_IT = f"Install vLLM 0.32 in an environment of its own, and set {VARIABLE} to its executable vllm"


class _Launcher:
    """Starts ``vllm serve`` on a free port of the loopback interface."""

    def __init__(
        self, program: Path | None, served: str, draft_model: str, extra: Sequence[str], vocabulary: int, start_timeout_s: float
    ) -> None:
        self.program, self.served, self.draft_model, self.extra = program, served, draft_model, tuple(extra)
        self.vocabulary, self.start_timeout_s = vocabulary, start_timeout_s

    def key(self, design: Mapping[str, Any]) -> str:
        """Return the command line: all engine arguments take a start, and vLLM lets none be changed while it runs."""
        return serve_command(design, self.served, draft_model=self.draft_model)

    def start(self, design: Mapping[str, Any]) -> tuple[ServerProcess, Endpoint]:
        """Start the server and wait until it is healthy."""
        port = free_port()
        command = [
            str(self.program),
            "serve",
            self.served,
            *serve_flags(design, draft_model=self.draft_model),
            *self.extra,
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
        ]
        url = f"http://127.0.0.1:{port}"
        server = ServerProcess(command, health_url=f"{url}/health", start_timeout_s=self.start_timeout_s)
        return server, Endpoint(f"{url}/v1", self.served, self.vocabulary)


class VllmServer:
    """The designs of `VllmServing` on the real engine; every evaluation starts a server, unless the one that runs is the same.

    Designs whose batches, preemptions and deployment are the same in simulation over the first requests have the same probe, so they
    need no second server. ``max_concurrency``, how many requests the client has under way at most, needs none either.

    Args:
        model: A name of `MODELS`, or the path of a ``config.json``, for the space and the probe.
        served: What ``vllm serve`` is given as the model; by default the same.
        gpu: A name of `GPUS`, for the probe.
        gpus: How many there are at most.
        draft_model: Model that EAGLE's drafts come from; without one, designs with EAGLE are refused.
        path: The executable; None takes the environment variable ``DESIGNGYM_VLLM``, else the search path.
        extra: Further arguments of ``vllm serve``, separated by spaces.
        start_timeout_s: Seconds that a start may take.
        load: Further arguments are those of `LoadSettings`.

    Raises:
        InputError: For a value that cannot be.
    """

    name = "vllm-server"
    deterministic = False
    metrics: tuple[MetricSpec, ...] = METRICS

    def __init__(
        self, *, model: str = "meta-llama/Meta-Llama-3.1-8B", served: str = "", gpu: str = "h100_sxm", gpus: int = 1,
        draft_model: str = "", path: str | os.PathLike[str] | None = None, extra: str = "", start_timeout_s: float = 900.0, **load: Any,
    ) -> None:  # fmt: skip
        self._simulated = VllmServing(model=model, gpu=gpu, gpus=gpus)
        self.space = engine_space(self._simulated.model, gpus=gpus, draft_model=bool(draft_model), max_concurrency=MAX_CONCURRENCY)
        found = given_path(path, VARIABLE)
        if found is None and (on_path := shutil.which("vllm")):
            found = Path(on_path)
        self.path, self.served, self.draft_model = found, served or self._simulated.model.name, draft_model
        self.resources = Resources(cpus=1.0, gpus=float(gpus))
        launcher = _Launcher(
            found, self.served, draft_model, extra.split(), self._simulated.model.vocabulary, require_seconds(start_timeout_s)
        )
        self._live = LiveServing(self.space, launcher, load)
        self._options = repr((self._simulated.version, self.served, draft_model, extra, sorted(load.items())))

    @property
    def version(self) -> str:
        """Name vLLM's version when first asked, and the options that results depend on."""
        return f"1+{_version(str(self.path)) if self.installed()[0] else 'missing'}+{blake3(self._options.encode()).hexdigest(4)}"

    def installed(self) -> tuple[bool, str]:
        """Return whether vLLM and the client are there, and where, or how to get them."""
        return with_client(executable(self.path, VARIABLE, _HOW_TO_GET_IT))

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
        """Measure designs; what goes wrong is a status.

        Raises:
            InputError: If the workload is not a `RequestTrace`, or the fidelity not in (0, 1].
            NotInstalledError: If vLLM or the client are missing.
        """
        found, words = self.installed()
        if not found:
            raise NotInstalledError(f"vLLM is not installed: {words}")
        return self._live.evaluate(designs, workload, fidelity=fidelity, seed=seed)

    def probe(self, designs: Sequence[Design], workload: Workload, *, seed: int = 0) -> list[bytes]:
        """Return what each design does with the first requests in simulation: deployment, batches and preemptions."""
        requests = requests_of(workload, "a server")
        found = []
        for design in designs:
            engine = Design({name: value for name, value in design.items() if name not in CLIENT_SIDE})
            found += self._simulated.behaviours([engine], make_workload(workload.name, as_sent(requests, design)))
        return found

    def describe(self, design: Design, workload: Workload | None = None) -> str:
        """Return the command line of a design."""
        canonical = self.space.canonical(design, workload.traits if workload else frozenset())
        return serve_command(canonical, self.served, draft_model=self.draft_model)

    def close(self) -> None:
        """Stop the server that is kept for the next design."""
        self._live.close()


@lru_cache(maxsize=8)
def _version(program: str) -> str:
    try:
        return run_program([program, "--version"], timeout_s=120).stdout.strip().split()[-1]
    except (ProgramError, IndexError):
        return "unknown"
