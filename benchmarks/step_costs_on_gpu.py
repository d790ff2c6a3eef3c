"""Step costs against a GPU: layers of Llama-3.1-8B's shape timed in plain PyTorch, beside what the serving simulation takes them to last.

Run, on a machine with an A100, H100, H200 or L40S: python benchmarks/step_costs_on_gpu.py [--out TABLE.csv]

Random bfloat16 weights, one GPU, steps captured as CUDA graphs; the median of `REPEATS` replays. Attention is PyTorch's
``scaled_dot_product_attention``, not vLLM's kernel, norms and activations are compiled, and there is no sampling: so this bounds the
order of magnitude and the shape over batch, context and prompt, of figures that come from measurements of single operators in vLLM.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from designgym.simulators.serving.costs import step_features, step_seconds_by
from designgym.simulators.serving.costs.assemble import step_costs_of
from designgym.simulators.serving.costs.deployment import Deployment
from designgym.simulators.serving.costs.gpus import GPUS
from designgym.simulators.serving.costs.models import model_named

MODEL = model_named("meta-llama/Meta-Llama-3.1-8B")
REPEATS = 20
DECODES = tuple((batch, context) for batch in (1, 8, 32, 64, 128, 256) for context in (128, 1024, 4096) if batch * context <= 1 << 18)
PROMPTS = (64, 256, 1024, 2048, 4096, 8192)
HIDDEN, HEADS, KV_HEADS, HEAD = MODEL.hidden, MODEL.heads, MODEL.kv_heads, MODEL.head_dim


class Layers:
    """Weights of one layer, used for all, each time from memory: the sum of a layer's weights is far larger than the caches."""

    def __init__(self) -> None:
        def weight(rows: int, columns: int) -> torch.Tensor:
            return torch.randn(rows, columns, device="cuda", dtype=torch.bfloat16) * 0.02

        self.layers = [
            (
                weight((HEADS + 2 * KV_HEADS) * HEAD, HIDDEN), weight(HIDDEN, HEADS * HEAD), weight(2 * MODEL.intermediate, HIDDEN),
                weight(HIDDEN, MODEL.intermediate),
            )
            for _ in range(MODEL.layers)
        ]  # fmt: skip
        self.head = weight(MODEL.vocabulary, HIDDEN)
        self.norm = torch.ones(HIDDEN, device="cuda", dtype=torch.bfloat16)


def normed(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return functional.rms_norm(x, (HIDDEN,), weight)


def gated(x: torch.Tensor) -> torch.Tensor:
    gate, up = x.chunk(2, dim=-1)
    return functional.silu(gate) * up


def step(w: Layers, x: torch.Tensor, keys: torch.Tensor | None, norm: object, gate: object) -> torch.Tensor:
    """Return the logits of a step: of decoding requests if there are keys, of one prompt if not."""
    for qkv, out, up, down in w.layers:
        mixed = functional.linear(norm(x, w.norm), qkv)  # type: ignore[operator]
        n = len(x)
        q, k, v = mixed.split([HEADS * HEAD, KV_HEADS * HEAD, KV_HEADS * HEAD], dim=-1)
        if keys is None:
            q, k, v = (part.view(1, n, -1, HEAD).transpose(1, 2) for part in (q, k, v))
            attended = functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True).transpose(1, 2).reshape(n, -1)
        else:
            # the requests that share a key are the rows of one product, as kernels for decoding do it
            grouped = q.view(n, KV_HEADS, HEADS // KV_HEADS, HEAD)
            attended = functional.scaled_dot_product_attention(grouped, keys, keys).reshape(n, -1)
        x = x + functional.linear(attended, out)
        x = x + functional.linear(gate(functional.linear(norm(x, w.norm), up)), down)  # type: ignore[operator]
    last = norm(x if keys is not None else x[-1:], w.norm)  # type: ignore[operator]
    return functional.linear(last, w.head)


def seconds(w: Layers, tokens: int, context: int | None, norm: object, gate: object) -> float:
    """Return the median time of a step."""
    x = torch.randn(tokens, HIDDEN, device="cuda", dtype=torch.bfloat16)
    keys = None if context is None else torch.randn(tokens, KV_HEADS, context, HEAD, device="cuda", dtype=torch.bfloat16)
    for _ in range(2):
        step(w, x, keys, norm, gate)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step(w, x, keys, norm, gate)
    times = []
    for _ in range(REPEATS):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        graph.replay()
        end.record()
        torch.cuda.synchronize()
        times.append(begin.elapsed_time(end) * 1e-3)
    return float(np.median(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("no GPU here")
        return
    name = torch.cuda.get_device_name()
    found = [gpu for short, gpu in GPUS.items() if short.partition("_")[0].upper() in name.upper()]
    if not found:
        print(f"no step costs for {name}, only for {', '.join(GPUS)}")
        return
    costs, weights = step_costs_of(Deployment(MODEL, found[0])), Layers()
    norm, gate = torch.compile(normed, dynamic=True), torch.compile(gated, dynamic=True)
    rows = []
    with torch.inference_mode():
        for batch, context in DECODES:
            taken = seconds(weights, batch, context, norm, gate)
            (ours,) = step_seconds_by(costs, step_features(decodes=batch, context=context))
            rows.append((f"{batch} decode at {context}", taken * 1e3, ours * 1e3, ours / taken))
        for prompt in PROMPTS:
            taken = seconds(weights, prompt, None, norm, gate)
            (ours,) = step_seconds_by(costs, step_features(prompts=1, prompt_tokens=prompt))
            rows.append((f"prompt of {prompt}", taken * 1e3, ours * 1e3, ours / taken))
    table = pd.DataFrame(rows, columns=["step", "PyTorch (ms)", "step costs (ms)", "ratio"])
    if options.out:
        table.to_csv(options.out, index=False)
    print(f"{name}, torch {torch.__version__}\n{table.to_string(index=False, float_format=lambda x: f'{x:.3f}')}")
    print(f"ratio: median {table['ratio'].median():.2f}, from {table['ratio'].min():.2f} to {table['ratio'].max():.2f}")


if __name__ == "__main__":
    main()
