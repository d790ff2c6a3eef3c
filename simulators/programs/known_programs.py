"""Learning algorithms that people wrote, as programs: what a search may find, and what shows that the machine can express it."""

from __future__ import annotations

from typing import Any

from designgym.simulators.programs.operations import CODES, OPERATIONS

Listing = dict[str, list[dict[str, Any]]]


def linear_regressor(learning_rate: float = 0.05) -> Listing:
    """Return linear regression by stochastic gradient descent, as in AutoML-Zero (Real et al. 2020, section 3.1 and its demonstration)."""
    return {
        "setup": [_write("s2", "s_const", value=learning_rate)],
        "predict": [_write("s1", "vv_dot", "v0", "v1")],
        "learn": [
            _write("s3", "s_sub", "s0", "s1"),
            _write("s3", "s_mul", "s2", "s3"),
            _write("v2", "sv_scale", "s3", "v0"),
            _write("v1", "v_add", "v1", "v2"),
        ],
    }


def affine_regressor(learning_rate: float = 0.05) -> Listing:
    """Return `linear_regressor` with a bias, s4."""
    program = linear_regressor(learning_rate)
    program["predict"].append(_write("s1", "s_add", "s1", "s4"))
    program["learn"].append(_write("s4", "s_add", "s4", "s3"))
    return program


def neural_network(learning_rate: float = 0.02, spread: float = 0.5) -> Listing:
    """Return a two-layer network with ReLU trained by backpropagation: m0 and v3 are its weights, drawn with a standard deviation."""
    return {
        "setup": [
            _write("s2", "s_const", value=learning_rate),
            _write("m0", "m_gaussian", value=spread),
            _write("v3", "v_gaussian", value=spread),
        ],
        "predict": [_write("v1", "mv_product", "m0", "v0"), _write("v2", "v_relu", "v1"), _write("s1", "vv_dot", "v2", "v3")],
        "learn": [
            _write("s3", "s_sub", "s0", "s1"),
            _write("s3", "s_mul", "s2", "s3"),
            _write("v1", "v_heaviside", "v1"),
            _write("v1", "v_mul", "v1", "v3"),
            _write("v1", "sv_scale", "s3", "v1"),
            _write("v2", "sv_scale", "s3", "v2"),
            _write("v3", "v_add", "v3", "v2"),
            _write("m1", "vv_outer", "v1", "v0"),
            _write("m0", "m_add", "m0", "m1"),
        ],
    }


def _write(out: str, name: str, *inputs: str, value: float | None = None) -> dict[str, Any]:
    """Return the instruction that writes into register ``out``; the letters of the registers are checked against the operation."""
    operation = OPERATIONS[CODES[name]]
    if [register[0] for register in (*inputs, out)] != [type_[0] for type_ in (*operation.inputs, operation.output)]:
        raise ValueError(f"{name} reads {operation.inputs} and writes a {operation.output}, got {inputs} and {out}")
    addresses = {f"in{i}": int(register[1:]) for i, register in enumerate(inputs, 1)}
    return {"op": name, "out": int(out[1:])} | addresses | ({} if value is None else {"value": value})
