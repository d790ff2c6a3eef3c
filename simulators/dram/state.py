"""The words that the compiled simulation is written in: commands, alarms, messages, and the layout of its memory.

The simulation runs without allocating: all it needs lies in a few structured arrays, whose records the compiled code reads and
writes by field name.
"""

import numpy as np

# Commands on the command bus.
NONE, ACT, PRE, PREA, RD, RDA, WR, WRA, REFA = range(9)
COMMAND_NAMES = ("NONE", "ACT", "PRE", "PREA", "RD", "RDA", "WR", "WRA", "REFA")
N_COMMANDS = len(COMMAND_NAMES)
# The rank limits a bank's commands in four groups, by `command >> 1`: ACT, PRE, both reads, both writes.
N_RANK_GROUPS = 4

# Workers, woken by alarms. A queue of them is one integer, two bits each, the first in the low bits; 0 is empty.
CONTROLLER, ARBITER, PLAYER = range(1, 4)
WORKER_BITS = 2
WORKER_MASK = (1 << WORKER_BITS) - 1

# Alarms. The first four wake the controller.
ALARM_SELF, ALARM_ARRIVAL, ALARM_ENDED, ALARM_DATA, ALARM_ARBITER, ALARM_PLAYER = range(6)
N_ALARMS = 6

# Messages. Those of a round are one integer per receiver, four bits each, the first in the low bits; 0 is none. A message need
# not say which request it is about: there is only one of each kind under way.
REQUEST, ACCEPTED, RESPONSE, ENDED = range(1, 5)
MESSAGE_BITS = 4
MESSAGE_MASK = (1 << MESSAGE_BITS) - 1

# Why a run stopped.
RUNNING, FINISHED, STOPPED_AT_LIMIT, DEADLOCK, EVENT_LIMIT, HEAP_FULL = range(6)

# A heap entry is one integer: time, then setting number and alarm, so that only the upper bits are compared.
ALARM_BITS = 3
SETTING_BITS = 21
TIME_SHIFT = ALARM_BITS + SETTING_BITS
SETTING_MASK = (1 << SETTING_BITS) - 1
MAX_TICK = 1 << (62 - TIME_SHIFT)
LATEST_ARRIVAL = MAX_TICK // 2 - 1  # in ticks; what is left of the range is for serving the requests
UNSET = (1 << 63) - 1  # a heap entry later than all others

NEVER = 1 << 60
ALL_BANKS = -1
# What banks propose is compared by one integer: ticks from now, position of the request, bank.
BANK_BITS = 6
BANK_MASK = (1 << BANK_BITS) - 1
ORDER_BITS = 32 + BANK_BITS
ORDER_MASK = (1 << ORDER_BITS) - 1
HORIZON = 1 << (62 - ORDER_BITS)
MAX_BANKS = BANK_MASK - 1

# The order of the parameters is that of `ControllerConfig.encode`.
CONFIG_FIELDS = (
    "page_policy",
    "scheduler",
    "buffer_kind",
    "buffer_size",
    "response_queue",
    "refresh_policy",
    "max_postponed",
    "max_pulled_in",
    "arbiter",
    "max_active",
)

# Minimum distances between commands, in cycles; "_bank": counted on the same bank only. Derived in `memory.py`.
CONSTRAINT_FIELDS = (
    "act_to_access_bank",
    "act_to_precharge",
    "act_to_act_bank",
    "act_to_act",
    "four_act_window",
    "write_to_rda_bank",
    "precharge_to_act",
    "refresh_to_any",
    "refresh_interval",
)
# Those that differ between reads and writes, as pairs.
PAIRED_CONSTRAINTS = {
    "access_to_read": ("read_to_read", "write_to_read"),
    "access_to_write": ("read_to_write", "write_to_write"),
    "access_to_precharge": ("read_to_precharge", "write_to_precharge"),
    "auto_precharge_to_act": ("rda_to_act", "wra_to_act"),
    "auto_precharge_to_implicit": ("rda_to_implicit_precharge", "wra_to_implicit_precharge"),
    "data_end": ("read_data_end", "write_data_end"),
}

_LIMIT_FIELDS = ("n_banks", "stop_commands", "rounds_left")

_PROGRESS_FIELDS = (
    # the run
    "now",
    "status",
    "n_requests",
    # trace player
    "presented",
    "n_returned",
    "player_response_due",
    "player_response",
    # arbiter
    "active",
    "held",
    "queue_head",
    "queue_tail",
    "channel_busy",
    "way_busy",
    "accepted_tick",
    "ended_tick",
    "stored_head",
    "stored_tail",
    "request_due",
    "response_due",
    "response_put_first",
    "response",
    # controller
    "waiting",
    "waiting_from",
    "in_controller",
    "n_completed",
    "busy_since",
    "busy_ticks",
    "buffered",
    "buffered_writes",
    "last_bank",
    "last_is_write",
    "response_under_way",
    "response_end",
    "response_head",
    "response_tail",
    "next_data_end",
    "last_command_tick",
    "open_banks",
    "act_index",
    # banks that propose something and banks that must propose again, one bit each; which bank's proposal is next, for which
    # request, and when (-1: to be chosen anew)
    "proposing",
    "choice",
    "choice_request",
    "choice_time",
    "stale_banks",
    # earliest tick of the commands to all banks
    "prea_earliest",
    "refa_earliest",
    # refresh
    "refresh_counter",
    "refresh_trigger",
    "refresh_pulled_in",
    "refresh_command",
    "refresh_time",
    "blocked",
    # alarms; what the next round begins with
    "heap_size",
    "n_settings",
    "next_alarms",
    "next_workers",
    "next_to_arbiter",
    "next_to_player",
    # energy
    "n_commands",
    "n_precharged_banks",
    "powered_banks",
    "powered_since",
    "all_closed_at",
    "powered_cycles",
    "last_command",
    "implicit_precharge_tick",
    # which mechanisms the run exercised
    "n_input_stalls",
    "n_arbiter_holds",
    "n_forced_refreshes",
    "n_pull_in_decisions",
    "n_activated_answered",
)


def _int64(*names: str) -> list[tuple[str, type[np.int64]]]:
    return [(name, np.int64) for name in names]


SCALAR_FIELDS = (*CONFIG_FIELDS, *CONSTRAINT_FIELDS, *_LIMIT_FIELDS, *_PROGRESS_FIELDS)
STATE = np.dtype(
    [
        *_int64(*SCALAR_FIELDS),
        *((name, np.int64, (2,)) for name in PAIRED_CONSTRAINTS),
        # Earliest tick of a bank's command as far as the rank decides, by `rank_group`, and the commands issued.
        ("rank_earliest", np.int64, (N_RANK_GROUPS,)),
        ("counts", np.int64, (N_COMMANDS,)),
        ("recent_acts", np.int64, (4,)),
        # What each bank proposes: a command, its earliest tick as far as the bank itself decides, and request and bank.
        ("proposed_command", np.int64, (MAX_BANKS,)),
        ("proposed_time", np.int64, (MAX_BANKS,)),
        ("proposed_order", np.int64, (MAX_BANKS,)),
        # The heap entry of each alarm's pending timed setting, `UNSET` for none.
        ("alarm_entry", np.int64, (N_ALARMS,)),
    ]
)
"""All that is not per bank or per request. Times are ticks; requests are positions in the trace, -1 for none."""

BANK = np.dtype(
    _int64(
        "open_row",
        "queue_length",
        "n_hits",
        "chosen_position",
        "act_earliest",
        "precharge_earliest",
        "access_earliest",
        "rda_earliest",
        "activated_at",
    )
)
"""One bank: its open row (-1: none), how many buffered requests hit it, and the earliest tick of each command as far as the bank
decides."""

QUEUED = np.dtype(_int64("request", "row", "is_write", "address"))
"""One request in the buffer, with what of `TRACE` a bank machine looks at."""

TRACE = np.dtype(_int64("arrival", "is_write", "address", "bank", "row"))
"""One request of the trace, its address decoded. Shared by all runs, never written."""

REQUEST_STATE = np.dtype(_int64("presented", "accepted", "response", "activated", "data_end", "issued", "stored"))
"""What happened to one request: ticks when it was first presented, accepted and answered, whether it needed an ACT, when its
data leaves the bus. `issued` and `stored` are queues of requests: in the order of their RD or WR, and held by the arbiter."""

COMMAND_RECORD = np.dtype(_int64("tick", "command", "bank", "row", "request"))
"""One issued command; bank, row and request are -1 where they do not apply."""
