"""The layout of a channel's simulation: that of the DRAM controller, extended by bank groups, ranks and refresh units."""

import numpy as np

from designgym.simulators.dram.state import ACT, PRE, PREA, RD, RDA, REFA, STATE, WR, WRA

# Further commands: a refresh of some banks, and the start and end of power-down.
REFB, PDE, PDX = range(9, 12)
COMMAND_NAMES = ("NONE", "ACT", "PRE", "PREA", "RD", "RDA", "WR", "WRA", "REFA", "REFB", "PDE", "PDX")
N_COMMANDS = len(COMMAND_NAMES)

# Kinds of commands: those of one kind keep the same distances. The first four come from banks and are `command >> 1`.
KIND_ACT, KIND_PRE, KIND_RD, KIND_WR, KIND_REF, KIND_PD = range(6)
N_KINDS = 6
N_BANK_KINDS = 4
KIND_OF = {
    ACT: KIND_ACT, PRE: KIND_PRE, PREA: KIND_PRE, RD: KIND_RD, RDA: KIND_RD, WR: KIND_WR, WRA: KIND_WR, REFA: KIND_REF, REFB: KIND_REF,
    PDE: KIND_PD, PDX: KIND_PD,
}  # fmt: skip

# Where another bank lies, seen from one: distances depend on it.
SAME_GROUP, SAME_RANK, OTHER_RANK = range(3)

# Which requests are served: all, only reads, only writes.
MIXED, READS, WRITES = range(3)

# Distances on one bank or rank, by name; derived in `distances.py`.
DISTANCES = (
    "act_to_read",
    "act_to_write",
    "act_to_precharge",
    "act_to_act",
    "act_to_refresh_bank",
    "four_act_window",
    "write_to_rda",
    "precharge_to_act",
    "precharge_all_to_act",
    "refresh_to_any",
    "refresh_bank_to_act",
    "refresh_bank_to_refresh_bank",
    "act_to_power_down",
    "precharge_to_power_down",
    "refresh_to_power_down",
    "power_down_to_any",
    "shortest_power_down",
)
# Those that differ between reads and writes, as pairs.
PAIRED_DISTANCES = (
    "access_to_precharge",
    "auto_precharge_to_act",
    "auto_precharge_to_implicit",
    "access_to_power_down",
    "auto_precharge_to_power_down",
    "data_end",
)

_SETTINGS = ("write_drain", "high_watermark", "low_watermark", "power_down", "power_down_idle", "n_groups", "n_ranks", "n_units")
_PROGRESS = (
    "mode",
    "draining",
    # one bit per bank: has buffered requests, may not propose because of a refresh, lies in a rank in power-down
    "occupied",
    "blocked_banks",
    "asleep_banks",
    # the next refresh command and its unit; the time that the refresh logic must look again; ranks with a refresh to come, one bit each
    "refresh_unit",
    "refresh_command_time",
    "refresh_wake",
    "refreshing_ranks",
    # the next start or end of power-down
    "power_time",
    "power_command",
    "power_rank",
    "n_drains",
)


def _int64(names: tuple[str, ...]) -> list[tuple[str, type[np.int64]]]:
    return [(name, np.int64) for name in names]


CHANNEL_SCALARS = (*_SETTINGS, *DISTANCES, *_PROGRESS)
_NAMES = STATE.names
assert _NAMES is not None
_OF_CONTROLLER = [
    (name, STATE[name].base, STATE[name].shape)
    for name in _NAMES
    if name not in {"counts", *PAIRED_DISTANCES, *CHANNEL_SCALARS, "rank_earliest", "recent_acts"}
]
CHANNEL = np.dtype(
    [
        *_OF_CONTROLLER,
        *_int64(CHANNEL_SCALARS),
        *((name, np.int64, (2,)) for name in PAIRED_DISTANCES),
        ("counts", np.int64, (N_COMMANDS,)),
        ("kind_of", np.int64, (N_COMMANDS,)),
        # Clocks from a command of one kind to one of another by where its bank lies, and from any command to the next on the bus.
        ("distance", np.int64, (3, N_KINDS, N_BANK_KINDS)),
        ("bus_distance", np.int64, (N_KINDS, N_KINDS)),
        ("bus_earliest", np.int64, (N_KINDS,)),
    ]
)
"""All of a channel that is not per bank, group, rank, refresh unit or request. Times are clocks."""

BANK = np.dtype(
    _int64(
        (
            "open_row",
            "queue_length",
            "n_hits",
            "chosen_position",
            "act_earliest",
            "precharge_earliest",
            "read_earliest",
            "write_earliest",
            "rda_earliest",
            "activated_at",
            "group",
            "rank",
        )
    )
)
"""One bank of a channel; see `designgym.simulators.dram.state.BANK`."""

GROUP = np.dtype([("rank", np.int64), ("earliest", np.int64, (N_BANK_KINDS,))])
"""One bank group of a channel: its rank, and the earliest tick of each kind of command to its banks as far as other commands decide."""

RANK = np.dtype(
    [
        *_int64(
            (
                "bank_mask",
                "first_bank",
                "open_banks",
                "prea_earliest",
                "refa_earliest",
                "refb_earliest",
                "power_down_earliest",
                "act_index",
                "last_command_tick",
                # for background power: open banks times ticks, of closed banks so far; power-down; open banks times ticks in it
                "open_bank_ticks",
                "asleep",
                "asleep_since",
                "awake_since",
                "asleep_ticks",
                "asleep_bank_ticks",
            )
        ),
        ("recent_acts", np.int64, (4,)),
    ]
)
"""One rank of a channel."""

UNIT = np.dtype(
    _int64(
        (
            "rank",
            "bank_mask",
            "first_bank",
            "all_banks",
            "interval",
            "counter",
            "trigger",
            "pulled_in",
            "command",
            "bank",
            "time",
            "blocked",
        )
    )
)
"""Banks that are refreshed together, and what the refresh logic is about to do with them."""
