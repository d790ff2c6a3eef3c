"""`evaluate`: the columns that MAESTRO prints, for a batch of mappings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from designgym.simulators.accelerator.arrays import Array, namespace, on_cpu
from designgym.simulators.accelerator.datacentric.analysis import Outermost, Result, analyse
from designgym.simulators.accelerator.datacentric.batch import ABSENT, Batch
from designgym.simulators.accelerator.datacentric.levels import DIMS, C, K, Level, R, S, X, Y, complete
from designgym.simulators.accelerator.datacentric.order import ABOVE
from designgym.simulators.accelerator.datacentric.rejection import ALL_SKIPPED
from designgym.simulators.accelerator.datacentric.traffic import Tensors

__all__ = ["COUNTS", "Costs", "evaluate"]

BLOCK, GPU_BLOCK = 1 << 14, 1 << 19
"""Mappings that are evaluated at a time: what suits a CPU's caches, and what keeps a GPU busy with some 11 GiB of its memory."""

COUNTS = (
    "runtime_cycles", "num_macs", "avg_utilised_pes", "l2_in_rd", "l2_w_rd", "l2_out_wr", "l2_in_wr", "l2_w_wr", "l2_out_rd",
    "l1_in_rd", "l1_in_wr", "l1_w_rd", "l1_w_wr", "l1_out_rd", "l1_out_wr", "l1_bytes_req", "l2_bytes_req", "l2_in_bytes_req",
    "l2_w_bytes_req", "l2_out_bytes_req", "noc_bw_req", "offchip_bw_req",
)  # fmt: skip


@dataclass(frozen=True)
class Costs:
    """What a batch of mappings costs.

    Attributes:
        counts: By name of `COUNTS`: float64 arrays of shape (n,). All but ``avg_utilised_pes`` are whole numbers (exact up to 2^53);
            elements are bytes. Without meaning where ``rejected`` is not 0. ``offchip_bw_req`` is there only if asked for.
        rejected: Codes of `rejection.REASONS`, 0 where there are costs; float64, shape (n,).
    """

    counts: dict[str, Array]
    rejected: Array


def evaluate(batch: Batch, *, printed: bool = False, block: int | None = None) -> Costs:
    """Return what every mapping of a batch costs by MAESTRO's rules, its errors included; `exact.count` is without them.

    Args:
        batch: The mappings, on the device that is to compute.
        printed: Whether to include ``offchip_bw_req``, which MAESTRO makes by halving a maximum at every step: it needs every step one by
            one, and nothing else depends on it.
        block: Mappings at a time, by default what suits the device; results do not depend on it.
    """
    block = block or (BLOCK if on_cpu(batch.sizes) else GPU_BLOCK)
    parts = [_evaluate(batch.part(slice(start, start + block)), printed) for start in range(0, len(batch), block)]
    if len(parts) == 1:
        return parts[0]
    xp = namespace(batch.sizes)
    counts = {name: xp.concat([part.counts[name] for part in parts]) for name in parts[0].counts}
    return Costs(counts, xp.concat([part.rejected for part in parts]))


def _evaluate(batch: Batch, printed: bool) -> Costs:
    xp = namespace(batch.sizes)
    levels, rejected = complete(batch)
    (accepted,) = xp.nonzero(rejected == 0)
    if accepted.shape[0] == len(batch):
        return Costs(*_counts(batch, levels, printed))
    levels = [Level(**{name: rows[..., accepted] for name, rows in vars(level).items()}) for level in levels]
    counts, codes = _counts(batch.part(accepted), levels, printed)
    spread = {}
    for name, values in counts.items():
        spread[name] = xp.zeros_like(rejected)
        spread[name][accepted] = values
    rejected[accepted] = codes
    return Costs(spread, rejected)


def _counts(batch: Batch, levels: list[Level], printed: bool) -> tuple[dict[str, Array], Array]:
    xp = namespace(batch.sizes)
    sizes = batch.sizes
    if batch.depthwise:  # K is no dimension of it, unless a directive says so
        k = xp.where(batch.levels[0].place[K] == ABSENT, 1.0, sizes[K])
        sizes = xp.stack([k, *(sizes[d] for d in DIMS[1:])])
    result, top = analyse(batch, levels, sizes, printed=printed)
    return _columns(xp, batch, levels, result, top)


def _columns(xp: Any, batch: Batch, levels: Sequence[Level], result: Result, top: Outermost) -> tuple[dict[str, Array], Array]:
    sizes, tensors, totals, buffers = batch.sizes, Tensors(batch.depthwise), top.totals, top.buffers
    words = {name: xp.prod(sizes[list(getattr(tensors, name)), ...], axis=0) for name in ("input", "weight")}
    channels = sizes[C] if batch.depthwise else sizes[K]
    l1 = xp.zeros_like(result.visits)
    for above, level in enumerate(reversed(levels)):  # quirk: not always the innermost one, see `Result`
        tiles = {name: xp.prod(level.tile[list(getattr(tensors, name)), ...], axis=0) for name in ("input", "weight", "output")}
        visits = result.visits - above * ABOVE
        l1 = xp.where(visits > 0, 2 * (visits * (tiles["input"] + tiles["weight"]) + tiles["output"]), l1)
        if not bool(xp.any(visits > ABOVE)):
            break
    counts = {
        "runtime_cycles": result.runtime,
        "num_macs": totals["macs"],
        "avg_utilised_pes": result.active,
        "l2_in_rd": totals["input"], "l1_in_wr": totals["input"],
        "l2_w_rd": totals["weight"], "l1_w_wr": totals["weight"],
        "l2_out_wr": totals["output"],
        "l2_in_wr": words["input"], "l2_w_wr": words["weight"],
        # quirk: the stride is not in it
        "l2_out_rd": channels * (sizes[Y] - sizes[R] + 1) * (sizes[X] - sizes[S] + 1),
        "l1_in_rd": totals["macs"], "l1_w_rd": totals["macs"],
        "l1_out_rd": totals["all_macs"], "l1_out_wr": totals["all_macs"],
        "l1_bytes_req": l1,
        "l2_bytes_req": buffers["input"] + buffers["weight"] + buffers["output"],
        "l2_in_bytes_req": buffers["input"], "l2_w_bytes_req": buffers["weight"], "l2_out_bytes_req": buffers["output"],
        "noc_bw_req": top.noc_requirement,
    }  # fmt: skip
    if top.printed:
        counts["offchip_bw_req"] = top.offchip_requirement
    rejected = xp.where((result.rejected == 0) & (result.runtime == 0), float(ALL_SKIPPED), result.rejected)
    return counts, rejected
