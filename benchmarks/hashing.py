"""What functional-equivalence hashing saves, what it costs, and how often it is wrong; the studies of Gillard et al. (2023).

Tables: ``search`` (evaluations and CPU time to two targets under each kind of cache), ``curves`` (best score by evaluations paid),
``served`` (wrong results per result served), ``merges`` (false merges per merge), ``splits`` (false splits), ``cost`` (CPU time per
design), and the studies: ``distributions`` (hit rates by what a search proposes), ``collisions`` (mantissa bits), ``examples``
(canonical examples), ``noise`` (measurements M and forgetting F); all of them by default.

Run: python benchmarks/hashing.py [TABLE ...] [--domain NAME ...] [--seeds N] [--quick] [--store FILE] [--figures FOLDER]

Same seeds, same tables, but for the CPU times. That of the thread is reported, for it does not depend on what else a machine does.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

from hashing_tables.catalogue import STUDIES, TABLES
from hashing_tables.domains import DOMAINS
from hashing_tables.laboratory import Laboratory
from hashing_tables.search_tables import save_curves

from designgym.studies.store import open_store

QUICK = {"proposals": 150, "study_proposals": 50, "paid": 10, "drawn": 500}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", metavar="TABLE", choices=[*TABLES, []], help="by default all")
    parser.add_argument("--domain", action="append", choices=list(DOMAINS), help="repeat for several; by default all")
    parser.add_argument("--seeds", type=int, help="of searches; by default as many as the domain says")
    parser.add_argument("--study-seeds", type=int, help="likewise of studies, which search anew for each setting")
    parser.add_argument("--quick", action="store_true", help="two seeds and short searches: to see that it works")
    parser.add_argument("--store", type=Path, help="database in which measurements are kept and found again, with their CPU times")
    parser.add_argument("--figures", type=Path, help="folder for the curves of best score against evaluations, as CSV and HTML")
    options = parser.parse_args()
    store = open_store(options.store) if options.store else None
    for name in options.domain or DOMAINS:
        given = replace(DOMAINS[name], **QUICK) if options.quick else DOMAINS[name]
        laboratories: dict[bool, Laboratory] = {}
        for table in options.tables or TABLES:
            studied = table in STUDIES
            domain = given.studied() if studied else given
            laboratory = laboratories[studied] = laboratories.get(studied) or Laboratory(domain, store)
            wanted = (options.study_seeds or domain.study_seeds) if studied else (options.seeds or domain.seeds)
            seeds = 2 if options.quick else wanted
            started = time.process_time()
            frame = TABLES[table](laboratory, seeds)
            print(f"\n{table}: {domain.id}, {domain.workload}, {seeds} seeds, {time.process_time() - started:.0f} s of CPU time")
            print(frame.to_string(index=False), flush=True)
            if table == "search" and options.figures:
                save_curves(laboratory, seeds, options.figures)


if __name__ == "__main__":
    main()
