"""Where the runs of a sweep are on a Ray cluster: under names of the sweep's own, so that an interrupted one leaves nothing behind."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Mapping
from typing import Any

import ray
from ray.tune import PlacementGroupFactory
from ray.util import get_placement_group, placement_group, placement_group_table, remove_placement_group

GONE_S = 10.0  # longest wait for what was removed to be gone


class Placement(PlacementGroupFactory):
    """What one run needs; each of its placement groups begins with the sweep's name."""

    def __init__(self, name: str, resources: Mapping[str, float]) -> None:
        super().__init__([dict(resources)])
        self.sweep = name

    def to_placement_group(self) -> Any:
        """Return a new group."""
        return placement_group(self.bundles, self.strategy, name=f"{self.sweep}-{uuid.uuid4().hex}")


def clear(name: str) -> None:
    """End all runs of a sweep that are still there, whatever they are doing.

    Tune does so itself at the end of a sweep, but not where an interruption (Ctrl-C) ends it: in a session that goes on, such as a
    notebook, runs would go on too, unseen.
    """
    began = time.monotonic()
    while (left := _groups(name)) and time.monotonic() - began < GONE_S:
        for group in left:
            with contextlib.suppress(ValueError):  # it has gone in the meantime
                remove_placement_group(get_placement_group(group))
        time.sleep(0.05)


def _groups(name: str) -> list[str]:
    if not ray.is_initialized():
        return []
    return [group["name"] for group in placement_group_table().values() if group["name"].startswith(name) and group["state"] != "REMOVED"]
