"""What functional-equivalence hashing saves, what it costs, and how often it is wrong; the studies of Gillard et al. (2023).

Tables: ``search`` (evaluations and CPU time to a target under each kind of cache), ``distributions`` (hit rates by what a search
proposes), ``collisions`` (mantissa bits), ``examples`` (canonical examples), ``noise`` (measurements M and forgetting F),
``merges`` (false merges), ``splits`` (false splits), ``cost`` (CPU time per design); all of them by default.

Run: python benchmarks/hashing.py [TABLE ...] [--domain NAME ...] [--seeds N] [--quick] [--memory FOLDER] [--curves FOLDER]

Same seeds, same tables, but for the CPU times. That of the thread is reported, for it does not depend on what else a machine does.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from hashing_tables.catalogue import STUDIES, TABLES, search
from hashing_tables.domains import DOMAINS
from hashing_tables.laboratory import Laboratory

STUDIED = "programs"  # the studies are of this domain unless one is given
QUICK_PROPOSALS = 150


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", metavar="TABLE", choices=[*TABLES, []], help="by default all")
    parser.add_argument("--domain", action="append", choices=list(DOMAINS), help="repeat for several; by default all, studies: programs")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--quick", action="store_true", help="two seeds and short searches: to see that it works")
    parser.add_argument("--memory", type=Path, help="folder in which measurements are kept and found again, with their CPU times")
    parser.add_argument("--curves", type=Path, help="folder for the curves of best score against evaluations, as CSV and HTML")
    options = parser.parse_args()
    seeds = 2 if options.quick else options.seeds
    laboratories: dict[str, Laboratory] = {}
    for table in options.tables or TABLES:
        for name in options.domain or ([STUDIED] if table in STUDIES else list(DOMAINS)):
            if name not in laboratories:
                domain = replace(DOMAINS[name], proposals=QUICK_PROPOSALS) if options.quick else DOMAINS[name]
                laboratories[name] = Laboratory(domain, options.memory and options.memory / f"{name}.jsonl")
            laboratory = laboratories[name]
            frame = search(laboratory, seeds, options.curves) if table == "search" else TABLES[table](laboratory, seeds)
            print(f"\n{table}: {laboratory.domain.id}, {laboratory.domain.workload}, {seeds} seeds")
            print(frame.to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
