"""`ServingEndpoint`: a server that runs already, under the load that a design says."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from blake3 import blake3

from designgym.core.design import Design
from designgym.core.errors import InputError, NotInstalledError, shorten
from designgym.core.external import ProgramError
from designgym.core.metrics import Metrics, MetricSpec
from designgym.core.program_results import require_seconds
from designgym.core.protocols import Resources
from designgym.core.rules import Rewrite
from designgym.core.space import DesignSpace
from designgym.core.workload import Workload
from designgym.simulators.serving.live.client_side import MAX_CONCURRENCY, RATE_FACTOR
from designgym.simulators.serving.live.evaluator import LiveServing, with_client
from designgym.simulators.serving.live.load import Endpoint
from designgym.simulators.serving.live.measured import METRICS
from designgym.simulators.serving.workloads import CLOSED_LOOP

__all__ = ["VARIABLE", "ServingEndpoint"]

VARIABLE = "DESIGNGYM_ENDPOINT"
"""Environment variable with the URL of an OpenAI-compatible endpoint."""


class _Running:
    """A server that others started: it is asked, never stopped."""

    running = True

    def require_running(self, *, patience_s: float = 0.0) -> None:
        """Say nothing: what fails shows in the answers."""

    def tail(self) -> str:
        """Return that there is no log."""
        return "its log is where it was started"

    def stop(self) -> None:
        """Leave it running."""


class _Launcher:
    """Looks whether the endpoint answers, in place of a start."""

    def __init__(self, url: str, model: str, vocabulary: int, key_variable: str, timeout_s: float) -> None:
        self.url, self.model, self.vocabulary, self.key_variable, self.timeout_s = url, model, vocabulary, key_variable, timeout_s

    def key(self, design: Mapping[str, Any]) -> str:
        """Return the same for all designs."""
        return self.url

    def start(self, design: Mapping[str, Any]) -> tuple[_Running, Endpoint]:
        """Return the endpoint, with the first model that it offers if none was named."""
        import openai

        key = os.environ.get(self.key_variable, "") if self.key_variable else ""
        try:
            with openai.OpenAI(base_url=self.url, api_key=key or "none", max_retries=0, timeout=self.timeout_s) as client:
                offered = [model.id for model in client.models.list()]
        except openai.APIStatusError as error:
            raise ProgramError(f"the endpoint {self.url} answered with status {error.status_code} when asked for its models") from None
        except (openai.OpenAIError, ValueError) as error:
            raise ProgramError(f"the endpoint {self.url} cannot be reached: {type(error).__name__}") from None
        if not offered or (self.model and self.model not in offered):
            raise ProgramError(f"the endpoint {self.url} has no model {shorten(self.model)}, it offers {shorten(offered)}")
        return _Running(), Endpoint(self.url, self.model or offered[0], self.vocabulary, self.key_variable or None)


class ServingEndpoint:
    """An OpenAI-compatible endpoint that runs already; designs are what its client decides on: rate and requests under way.

    Prompts are token ids, so it must offer ``/v1/completions`` with them, as vLLM and llama.cpp do.

    Args:
        url: Its base, with ``/v1``; by default the environment variable ``DESIGNGYM_ENDPOINT``.
        model: The model's name there; by default the first that it offers.
        vocabulary: Token ids to draw prompts from.
        key_variable: Environment variable with the API key; none if there is no key.
        timeout_s: Seconds that looking for it may take.
        load: Further arguments are those of `LoadSettings`.

    Raises:
        InputError: For a value that cannot be.
    """

    name = "serving-endpoint"
    deterministic = False
    metrics: tuple[MetricSpec, ...] = METRICS
    resources = Resources(cpus=1.0)

    def __init__(
        self, *, url: str = "", model: str = "", vocabulary: int = 32000, key_variable: str = "", timeout_s: float = 30.0, **load: Any
    ) -> None:  # fmt: skip
        self.url = (url or os.environ.get(VARIABLE, "")).rstrip("/")
        if self.url:
            Endpoint(self.url, model, vocabulary)
        if key_variable and key_variable not in os.environ:
            raise InputError(f"the environment variable {key_variable!r}, named by key_variable, is not set")
        self.space = endpoint_space()
        launcher = _Launcher(self.url, model, vocabulary, key_variable, require_seconds(timeout_s))
        self._live = LiveServing(self.space, launcher, load)
        self.version = f"1+{blake3(repr((self.url, model, vocabulary, sorted(load.items()))).encode()).hexdigest(4)}"

    def installed(self) -> tuple[bool, str]:
        """Return whether there is a URL, and the client, or how to get them."""
        return with_client((True, self.url) if self.url else (False, f"no endpoint: give url=, or set {VARIABLE} to its URL, with /v1"))

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
        """Measure designs; what goes wrong is a status.

        Raises:
            InputError: If the workload is not a `RequestTrace`, or the fidelity not in (0, 1].
            NotInstalledError: If there is no URL, or no client.
        """
        found, words = self.installed()
        if not found:
            raise NotInstalledError(words)
        return self._live.evaluate(designs, workload, fidelity=fidelity, seed=seed)

    def probe(self, designs: Sequence[Design], workload: Workload, *, seed: int = 0) -> None:
        """Return None: nothing is known of the server."""

    def close(self) -> None:
        """Forget the endpoint; it goes on running."""
        self._live.close()


def endpoint_space() -> DesignSpace:
    """Return the space of what a client decides on."""
    return DesignSpace(
        max_concurrency=MAX_CONCURRENCY,
        rate_factor=RATE_FACTOR,
        version="1",
        symmetries=(Rewrite("rate_factor", "1.0", f"'{CLOSED_LOOP}' in traits"),),
    )
