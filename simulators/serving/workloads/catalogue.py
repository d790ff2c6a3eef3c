"""Generated requests: like the Azure traces of 2023, like ShareGPT conversations, and questions on long documents that are asked again."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from designgym.simulators.serving.request_trace import RequestTrace
from designgym.simulators.serving.workloads.arrivals import arrivals_s
from designgym.simulators.serving.workloads.lengths import LengthDistribution

__all__ = ["CATALOGUE", "RequestMix", "azure_lengths"]

# ShareGPT in the evaluation of vLLM (Kwon et al., SOSP 2023, figure 11): prompts of 161 tokens on average, outputs of 338. That the
# logarithms are normal, their spread, the number of turns and the time between them are assumptions of this model.
_TURN_TOKENS, _ANSWER_TOKENS, _SPREAD = 161.31, 337.99, 1.0
_TURNS = 3.5  # on average
_LONGEST_CHAT = 8000  # tokens: then a conversation ends
_READING_S, _ANSWERING_S_PER_TOKEN = 10.0, 0.03

# Questions on long documents, as in retrieval and agents with long system prompts: a model, not fitted to a trace.
_DOCUMENTS, _POPULARITY = 20, 1.0  # Zipf's exponent
_DOCUMENT_TOKENS = (4_000, 24_000)
_QUESTION_TOKENS, _REPLY_TOKENS = (30, 300), (50, 500)


# Infilling of single lines of HumanEval's functions: lengths are an assumption, no tokens were counted. Median, least and most.
_INFILLING_PROMPT, _INFILLING_OUTPUT, _INFILLING_SPREAD = (200, (60, 800)), (14, (3, 64)), 0.5


@dataclass(frozen=True)
class RequestMix:
    """What is drawn: by ``rate_rps`` with gamma gaps, or by as many ``users`` as ask again when they have an answer.

    Attributes:
        requests: How many.
        rate_rps: Requests per second.
        burstiness_cv: Of the gaps between arrivals: 1 for a Poisson process, more for bursts.
        users: Of a closed loop; 0 for arrivals by the rate.
        seed: Of all draws.
    """

    requests: int = 1000
    rate_rps: float = 4.0
    burstiness_cv: float = 1.0
    users: int = 0
    seed: int = 0

    def arrivals(self, n: int, rate_rps: float, rng: np.random.Generator) -> NDArray[np.float64]:
        """Return arrival times of ``n`` requests, all 0 in a closed loop."""
        return np.zeros(n) if self.users else arrivals_s(n, rate_rps, rng, burstiness_cv=self.burstiness_cv)


@functools.cache
def azure_lengths(kind: str) -> LengthDistribution:
    """Return lengths of the Azure LLM inference trace 2023, ``"conv"`` or ``"code"`` (CC-BY; Patel et al., ISCA 2024)."""
    text = files("designgym.simulators.serving.workloads").joinpath("data/azure2023.json").read_text(encoding="utf-8")
    table = json.loads(text)[kind]
    together = np.array(table["together"], dtype=np.float64)
    prompts, outputs = (np.array(table[name], dtype=np.float64) for name in ("prompt_tokens", "output_tokens"))
    return LengthDistribution(prompts, outputs, together / together.sum())


def _azure(kind: str) -> Callable[[RequestMix], RequestTrace]:
    def draw(mix: RequestMix) -> RequestTrace:
        """Draw lengths as in the trace, arrivals anew."""
        rng = np.random.default_rng(mix.seed)
        prompts, outputs = azure_lengths(kind).draw(mix.requests, rng)
        return RequestTrace.make(mix.arrivals(mix.requests, mix.rate_rps, rng), prompts, outputs, users=mix.users)

    return draw


def _lognormal(mean: float, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    drawn = rng.lognormal(np.log(mean) - _SPREAD**2 / 2, _SPREAD, n)
    return np.clip(np.rint(drawn), 4, 2000).astype(np.int64)


def sharegpt_like(mix: RequestMix) -> RequestTrace:
    """Draw conversations: a turn's prompt is all that was said before, and a new question; so turns share prefixes."""
    rng = np.random.default_rng(mix.seed)
    n = mix.requests
    starts = mix.arrivals(n, mix.rate_rps / _TURNS, rng)
    found: list[tuple[float, int, int, NDArray[np.int64]]] = []
    for conversation, start_s in enumerate(starts):
        if len(found) >= n:
            break
        turns = int(rng.geometric(1 / _TURNS))
        asked, answered = (_lognormal(mean, turns, rng) for mean in (_TURN_TOKENS, _ANSWER_TOKENS))
        pauses_s = rng.exponential(_READING_S, turns) + _ANSWERING_S_PER_TOKEN * answered
        # Token ids need to be equal within a conversation, and different elsewhere; which they are does not matter.
        ids = np.arange(_LONGEST_CHAT, dtype=np.int64) + (conversation << 20)
        at_s, known = float(start_s), 0
        for question, answer, pause_s in zip(asked.tolist(), answered.tolist(), pauses_s.tolist(), strict=True):
            prompt, known = known + question, known + question + answer
            if known > _LONGEST_CHAT:
                break
            found.append((at_s, prompt, answer, ids[:known]))
            at_s += 0.0 if mix.users else pause_s
    found = sorted(found, key=lambda request: request[0])[:n]
    arrivals = np.array([request[0] for request in found])
    if not mix.users and arrivals[-1] > 0:  # the first and the last conversations overlap with fewer others: so the rate is set at the end
        arrivals *= (n - 1) / arrivals[-1] / mix.rate_rps
    prompts, outputs = (np.array([request[part] for request in found]) for part in (1, 2))
    return RequestTrace.make(arrivals, prompts, outputs, token_ids=[request[3] for request in found], users=mix.users)


def long_context(mix: RequestMix) -> RequestTrace:
    """Draw questions on long documents, some of which are asked about often: requests share the document as a prefix."""
    rng = np.random.default_rng(mix.seed)
    n = mix.requests
    documents: NDArray[np.int64] = rng.integers(*_DOCUMENT_TOKENS, size=_DOCUMENTS)
    popularity = np.arange(1, _DOCUMENTS + 1) ** -_POPULARITY
    chosen = rng.choice(_DOCUMENTS, size=n, p=popularity / popularity.sum())
    questions, outputs = rng.integers(*_QUESTION_TOKENS, size=n), rng.integers(*_REPLY_TOKENS, size=n)
    ids = [
        np.concatenate([np.arange(int(documents[d])) + (d << 20), np.arange(q) + ((r + _DOCUMENTS) << 20)])
        for r, (d, q) in enumerate(zip(chosen.tolist(), questions.tolist(), strict=True))
    ]
    prompts = documents[chosen] + questions
    return RequestTrace.make(mix.arrivals(n, mix.rate_rps, rng), prompts, outputs, token_ids=ids, users=mix.users)


def short_chat(mix: RequestMix) -> RequestTrace:
    """Draw short questions and answers, for small models and slow machines: 16 to 128 tokens in, 8 to 48 out; nothing is shared."""
    rng = np.random.default_rng(mix.seed)
    prompts, outputs = rng.integers(16, 129, size=mix.requests), rng.integers(8, 49, size=mix.requests)
    return RequestTrace.make(mix.arrivals(mix.requests, mix.rate_rps, rng), prompts, outputs, users=mix.users)


def infilling_like(mix: RequestMix) -> RequestTrace:
    """Draw tasks to fill in one line of a function, all there at the start: some two hundred tokens in, some fourteen out."""
    rng = np.random.default_rng(mix.seed)
    prompts, outputs = (
        np.clip(np.rint(rng.lognormal(np.log(middle), _INFILLING_SPREAD, mix.requests)), *ends).astype(np.int64)
        for middle, ends in (_INFILLING_PROMPT, _INFILLING_OUTPUT)
    )
    return RequestTrace.make(np.zeros(mix.requests), prompts, outputs, users=mix.users)


CATALOGUE: dict[str, Callable[[RequestMix], RequestTrace]] = {
    "azure-conv": _azure("conv"),
    "azure-code": _azure("code"),
    "sharegpt-like": sharegpt_like,
    "long-context": long_context,
    "short-chat": short_chat,
    "infilling-like": infilling_like,
}
"""Generators by name."""
