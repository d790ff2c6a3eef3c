"""A driver on a cluster of two hosts. Arguments: address, store."""

import sys
from pathlib import Path

from designgym.studies.plugins import load_plugin
from designgym.studies.study import Study

if __name__ == "__main__":
    address, store = sys.argv[1:]
    load_plugin(Path(__file__).parents[1] / "studies" / "counting_env.py")
    study = Study("s", "test/Counting-v0", searchers=["random", "regularized_evolution"], budget=30, seeds=2, functional="off")
    there = study.run(store=store, address=address).frame.sort_values(["run", "number"])
    here = study.run(store=":memory:", backend="local").frame.sort_values(["run", "number"])
    assert there["key_literal"].tolist() == here["key_literal"].tolist()
    print(*sorted(set(there["worker"].str.split(":").str[0])))
