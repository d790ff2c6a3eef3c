"""Step costs sampled from NVIDIA's aiconfigurator: real where it is installed, and an engine of known times everywhere."""

import importlib.util
import sys
from types import ModuleType
from typing import Any, ClassVar

import pytest

from designgym.core.errors import InputError, NotInstalledError
from designgym.simulators.serving.costs import aiconfigurator_step_costs, step_costs_for, step_features, step_seconds_by

installed = importlib.util.find_spec("aiconfigurator_core") is not None
needs_package = pytest.mark.skipif(not installed, reason="aiconfigurator-core is not installed")
LLAMA = "meta-llama/Meta-Llama-3.1-8B"


def ms(costs: Any, **step: Any) -> float:
    [seconds] = step_seconds_by(costs, step_features(**step))
    return float(seconds * 1e3)


class KnownEngine:
    """Answers as aiconfigurator's engine does, by formulas."""

    compiled: ClassVar[dict[str, Any]]
    head = "generation_logits_gemm"

    @classmethod
    def compile(cls, model: str, system: str, backend: str, **options: Any) -> "KnownEngine":
        if model != LLAMA:
            raise RuntimeError(f"no config of {model}")
        cls.compiled = {"system": system, "backend": backend, **options}
        return cls()

    def run_static_per_op(self, *, batch_size: int, isl: int, osl: int, mode: str, prefix: int = 0) -> Any:
        if mode == "static_gen":
            times = {"generation_qkv_gemm": 4 + batch_size / 64, "generation_attention": 1e-6 * batch_size * isl, self.head: 0.25}
            return [], [(name, time, 0.0, "") for name, time in times.items()]
        share = 1 - (prefix / isl) ** 2
        return [("context_attention", 0.5 + share * 1e-6 * batch_size * isl**2, 0.0, ""), ("context_add", 9.0, 0.0, "")], []


@pytest.fixture
def known_engine(monkeypatch: pytest.MonkeyPatch) -> type[KnownEngine]:
    module: Any = ModuleType("aiconfigurator_core.sdk.engine")
    module.EngineHandle = KnownEngine
    for name in ("aiconfigurator_core", "aiconfigurator_core.sdk"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "aiconfigurator_core.sdk.engine", module)
    return KnownEngine


def test_steps_are_sums_of_the_operators_that_it_says(known_engine: type[KnownEngine]) -> None:
    costs = aiconfigurator_step_costs(LLAMA, "h100_sxm", tensor_parallel=2, gemm_dtype="fp8", kv_cache_dtype="fp8", nextn=0)
    asked = {"tp_size": 2, "pp_size": 1, "gemm_quant_mode": "fp8", "kvcache_quant_mode": "fp8", "nextn": 0}
    assert known_engine.compiled == {"system": "h100_sxm", "backend": "vllm", **asked}
    assert ms(costs, decodes=64, context=2048) == pytest.approx(4 + 1 + 1e-6 * 64 * 2048 + 0.25, rel=1e-3)
    assert ms(costs, prompts=2, prompt_tokens=1024) == pytest.approx(4 + 32 + 0.25 + 0.5 + 1e-6 * 2 * 1024**2, rel=1e-3)
    half = ms(costs, prompts=1, prompt_tokens=512, past=512, completed=0)  # 3/4 of the pairs of 1024 tokens
    assert half == pytest.approx(4 + 8 + 0.75e-6 * 1024**2, rel=1e-3)
    stage = aiconfigurator_step_costs(LLAMA, "h100_sxm", pipeline_parallel=4)
    assert 4 * ms(stage, decodes=64, context=2048) == pytest.approx(ms(costs, decodes=64, context=2048))


def test_what_it_does_not_know_is_said(known_engine: type[KnownEngine], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="aiconfigurator has no step costs of mine on h100_sxm: 'no config of mine'"):
        aiconfigurator_step_costs("mine", "h100_sxm")
    monkeypatch.setattr(known_engine, "head", "generation_other_head")
    with pytest.raises(InputError, match=f"aiconfigurator's {LLAMA} has no generation_logits_gemm"):
        aiconfigurator_step_costs(LLAMA, "h100_sxm")


def test_without_the_package_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiconfigurator_core", None)
    with pytest.raises(NotInstalledError, match=r"pip install 'designgym\[aiconfigurator\]'"):
        aiconfigurator_step_costs(LLAMA, "h100_sxm")


@needs_package
@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ({"decodes": 64, "context": 1024}, 5.963216),
        ({"prompts": 1, "prompt_tokens": 1024}, 15.103746),
        ({"prompts": 1, "prompt_tokens": 2048, "past": 2048}, 29.918153),
        ({"decodes": 64, "context": 1152, "prompts": 2, "prompt_tokens": 1024}, 31.187398),
    ],
)
def test_sampled_steps_are_the_installed_engines(step: dict[str, int], expected: float) -> None:
    costs = aiconfigurator_step_costs(LLAMA, "h100_sxm", tensor_parallel=2)
    assert ms(costs, **step) == pytest.approx(expected, rel=0.01)
    assert ms(step_costs_for(LLAMA, "h100", tensor_parallel=2), **step) == pytest.approx(expected, rel=0.02)


@needs_package
def test_the_installed_engine_does_not_know_every_model() -> None:
    with pytest.raises(InputError, match="aiconfigurator has no step costs of"):
        aiconfigurator_step_costs(LLAMA, "no_such_gpu")
