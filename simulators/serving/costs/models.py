"""Shapes of decoder models as Llama's: what of a ``config.json`` decides on memory and step times."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from designgym.core.errors import InputError, UnknownNameError, shorten

__all__ = ["MODELS", "ModelShape", "model_named"]

_POSITIVE = ("layers", "hidden", "heads", "kv_heads", "head_dim", "vocabulary", "max_positions")
_NOT_NEGATIVE = ("intermediate", "dense_layers", "experts", "experts_per_token", "expert_intermediate", "shared_intermediate")
# Names of fields in ``config.json`` that mean another kind of model than ours.
_FOREIGN = {
    "kv_lora_rank": "latent attention (MLA)",
    "is_encoder_decoder": "an encoder",
    "ssm_state_size": "state-space layers",
    "mamba_d_state": "state-space layers",
    "linear_num_key_heads": "linear attention",
    "linear_num_value_heads": "linear attention",
    "state_size": "state-space layers",
}
_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts")


@dataclass(frozen=True)
class ModelShape:
    """A dense or mixture-of-experts decoder with grouped-query attention and gated MLPs.

    Attributes:
        name: For messages.
        layers: Decoder layers.
        hidden: Width of the residual stream.
        heads: Query heads.
        kv_heads: Key/value heads.
        head_dim: Width of a head.
        intermediate: Width of a dense layer's MLP; 0 if there is no dense layer.
        vocabulary: Tokens.
        max_positions: Longest sequence.
        tied_embeddings: Whether the LM head is the embedding.
        dense_layers: With experts: layers that have an MLP all the same. Without: ignored.
        experts: Experts of a layer; 0 for a dense model.
        experts_per_token: Of which each token uses so many.
        expert_intermediate: Width of an expert.
        shared_intermediate: Width of the experts that every token uses, together.
        quantization: Of the checkpoint, by vLLM's name; None for 16-bit weights.
        qk_norm: Whether queries and keys are normalised.
    """

    name: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocabulary: int
    max_positions: int
    tied_embeddings: bool = False
    dense_layers: int = 0
    experts: int = 0
    experts_per_token: int = 0
    expert_intermediate: int = 0
    shared_intermediate: int = 0
    quantization: str | None = None
    qk_norm: bool = False

    def __post_init__(self) -> None:
        """Check the values; raises `InputError`."""
        for names, least in ((_POSITIVE, 1), (_NOT_NEGATIVE, 0)):
            for name in names:
                value = getattr(self, name)
                if not isinstance(value, int) or isinstance(value, bool) or value < least:
                    raise InputError(f"{name} of model {self.name} must be a whole number of {least} or more, but is {shorten(value)}")
        if self.heads % self.kv_heads:
            raise InputError(f"model {self.name} has {self.heads} heads, which is no multiple of its {self.kv_heads} key/value heads")
        if self.dense_layers > self.layers:
            raise InputError(f"model {self.name} has {self.layers} layers, of which {self.dense_layers} cannot be dense")
        if self.experts and not (1 <= self.experts_per_token <= self.experts and self.expert_intermediate):
            raise InputError(
                f"model {self.name} has {self.experts} experts, so experts_per_token must be 1 to {self.experts} and expert_intermediate "
                f"above 0, but they are {self.experts_per_token} and {self.expert_intermediate}"
            )
        if self.n_dense_layers and not self.intermediate:
            raise InputError(f"model {self.name} has dense layers, so intermediate must be above 0")

    @property
    def n_dense_layers(self) -> int:
        """Layers with an MLP."""
        return self.dense_layers if self.experts else self.layers

    @property
    def parameters(self) -> int:
        """Weights, without the small vectors of normalisations."""
        attention = 2 * self.hidden * self.head_dim * (self.heads + self.kv_heads)
        mlp = 3 * self.hidden * self.intermediate
        experts = 3 * self.hidden * (self.experts * self.expert_intermediate + self.shared_intermediate) + self.hidden * self.experts
        embeddings = self.vocabulary * self.hidden * (1 if self.tied_embeddings else 2)
        n = self.n_dense_layers
        return self.layers * attention + n * mlp + (self.layers - n) * experts + embeddings

    @classmethod
    def from_config(cls, config: Mapping[str, Any], name: str = "model") -> ModelShape:
        """Return the shape that a ``config.json`` of Hugging Face says.

        Raises:
            InputError: If a field is missing or wrong, or the model is of another kind.
        """
        if isinstance(config.get("text_config"), Mapping):
            config = {**config["text_config"], **{k: v for k, v in config.items() if k == "quantization_config"}}
        for field, kind in _FOREIGN.items():
            if config.get(field):
                raise InputError(
                    f"model {name} has {kind} ({field}), which the built-in step costs do not know: measure its steps and give them as a "
                    "table (`measured_step_costs`)"
                )
        window = config.get("sliding_window")
        if window and config.get("use_sliding_window", True) and window < _whole(config, name, "max_position_embeddings", 1 << 20):
            raise InputError(
                f"model {name} attends to a sliding window (sliding_window {shorten(window)}), but the built-in step costs are those of "
                "full attention: set sliding_window to null to have them all the same, or give a table (`measured_step_costs`)"
            )
        hidden, heads = _whole(config, name, "hidden_size"), _whole(config, name, "num_attention_heads")
        layers = _whole(config, name, "num_hidden_layers")
        experts = next((_whole(config, name, field) for field in _EXPERTS if config.get(field)), 0)
        width = _whole(config, name, "intermediate_size", 0 if experts and config.get("moe_intermediate_size") else None)
        expert_width = _whole(config, name, "moe_intermediate_size", width) if experts else 0
        shared = _whole(config, name, "shared_expert_intermediate_size", 0) or (
            _whole(config, name, "n_shared_experts", 0) * expert_width if experts else 0
        )
        quantization = config.get("quantization_config")
        return cls(
            name=name,
            layers=layers,
            hidden=hidden,
            heads=heads,
            kv_heads=_whole(config, name, "num_key_value_heads", heads),
            head_dim=_whole(config, name, "head_dim", hidden // heads if heads else 0),
            intermediate=width,
            vocabulary=_whole(config, name, "vocab_size"),
            max_positions=_whole(config, name, "max_position_embeddings", 1 << 20),
            tied_embeddings=bool(config.get("tie_word_embeddings", False)),
            dense_layers=_dense_layers(config, name, layers) if experts else 0,
            experts=experts,
            experts_per_token=_whole(config, name, "num_experts_per_tok") if experts else 0,
            expert_intermediate=expert_width,
            shared_intermediate=shared if experts else 0,
            quantization=quantization.get("quant_method") if isinstance(quantization, Mapping) else None,
            qk_norm=bool(config.get("use_qk_norm", str(config.get("model_type", "")).startswith("qwen3"))),
        )

    @classmethod
    def read(cls, path: Path) -> ModelShape:
        """Return the shape of a ``config.json``, or of the one in a folder; raises `InputError`."""
        file = path / "config.json" if path.is_dir() else path
        try:
            config = json.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"cannot read the model configuration {file}: {error.strerror or error}") from None
        except ValueError as error:
            raise InputError(f"{file} is not JSON: {error}") from None
        if not isinstance(config, dict):
            raise InputError(f"{file} must hold a JSON object as Hugging Face's config.json does, but holds {shorten(config)}")
        return cls.from_config(config, name=str(config.get("_name_or_path") or path))


def _whole(config: Mapping[str, Any], name: str, field: str, default: int | None = None) -> int:
    value = config.get(field)
    value = default if value is None else value
    if value is None:
        raise InputError(f"the configuration of model {name} lacks {field}")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value != int(value):
        raise InputError(f"{field} of model {name} must be a whole number, but is {shorten(value)}")
    return int(value)


def _dense_layers(config: Mapping[str, Any], name: str, layers: int) -> int:
    """Return how many layers of a model with experts have an MLP: the first ones, listed ones, or all but every n-th."""
    listed = set(config.get("mlp_only_layers") or ())
    every = _whole(config, name, "decoder_sparse_step", 1) or 1
    first = _whole(config, name, "first_k_dense_replace", 0)
    return sum(i < first or i in listed or (i + 1) % every != 0 for i in range(layers))


def _llama(
    name: str, layers: int, hidden: int, heads: int, kv_heads: int, mlp: int, vocabulary: int, positions: int, qk_norm: bool = False
) -> ModelShape:
    return ModelShape(name, layers, hidden, heads, kv_heads, 128, mlp, vocabulary, positions, qk_norm=qk_norm)


# Numbers of the models' published config.json files.
MODELS = {
    model.name: model
    for model in (
        _llama("meta-llama/Llama-2-7b-hf", 32, 4096, 32, 32, 11008, 32000, 4096),
        _llama("meta-llama/Llama-2-13b-hf", 40, 5120, 40, 40, 13824, 32000, 4096),
        _llama("meta-llama/Llama-2-70b-hf", 80, 8192, 64, 8, 28672, 32000, 4096),
        _llama("meta-llama/Meta-Llama-3-8B", 32, 4096, 32, 8, 14336, 128256, 8192),
        _llama("meta-llama/Meta-Llama-3-70B", 80, 8192, 64, 8, 28672, 128256, 8192),
        _llama("meta-llama/Meta-Llama-3.1-8B", 32, 4096, 32, 8, 14336, 128256, 131072),
        _llama("meta-llama/Meta-Llama-3.1-70B", 80, 8192, 64, 8, 28672, 128256, 131072),
        _llama("meta-llama/Meta-Llama-3.1-405B", 126, 16384, 128, 8, 53248, 128256, 131072),
        _llama("mistralai/Mistral-7B-v0.3", 32, 4096, 32, 8, 14336, 32768, 32768),
        _llama("Qwen/Qwen2.5-7B", 28, 3584, 28, 4, 18944, 152064, 131072),
        _llama("Qwen/Qwen2.5-32B", 64, 5120, 40, 8, 27648, 152064, 131072),
        _llama("Qwen/Qwen2.5-72B", 80, 8192, 64, 8, 29568, 152064, 131072),
        _llama("Qwen/Qwen3-8B", 36, 4096, 32, 8, 12288, 151936, 40960, qk_norm=True),
        _llama("Qwen/Qwen3-14B", 40, 5120, 40, 8, 17408, 151936, 40960, qk_norm=True),
        _llama("Qwen/Qwen3-32B", 64, 5120, 64, 8, 25600, 151936, 40960, qk_norm=True),
        ModelShape(
            "mistralai/Mixtral-8x7B-v0.1", 32, 4096, 32, 8, 128, 0, 32000, 32768,
            experts=8, experts_per_token=2, expert_intermediate=14336,
        ),
        ModelShape(
            "mistralai/Mixtral-8x22B-v0.1", 56, 6144, 48, 8, 128, 0, 32768, 65536,
            experts=8, experts_per_token=2, expert_intermediate=16384,
        ),
        ModelShape(
            "Qwen/Qwen3-235B-A22B", 94, 4096, 64, 4, 128, 0, 151936, 40960,
            experts=128, experts_per_token=8, expert_intermediate=1536, qk_norm=True,
        ),
        ModelShape(
            "Qwen/Qwen3-30B-A3B", 48, 2048, 32, 4, 128, 0, 151936, 40960,
            experts=128, experts_per_token=8, expert_intermediate=768, qk_norm=True,
        ),
    )
}  # fmt: skip


def _key(name: str) -> str:
    return name.rsplit("/", 1)[-1].lower().removeprefix("meta-").removesuffix("-hf").removesuffix("-instruct")


_BY_KEY = {_key(name): name for name in MODELS}


def model_named(name: str | Path) -> ModelShape:
    """Return a model of `MODELS`, also without its publisher, or the one that a ``config.json`` or its folder describes.

    Raises:
        InputError: If there is no such model or file, or the file cannot be used.
    """
    if str(name) in MODELS:
        return MODELS[str(name)]
    path = Path(name)
    if path.suffix == ".json" or path.is_dir():
        return ModelShape.read(path)
    if _key(str(name)) in _BY_KEY:
        return MODELS[_BY_KEY[_key(str(name))]]
    raise UnknownNameError("model", str(name), MODELS, "(or give the path of its config.json)")
