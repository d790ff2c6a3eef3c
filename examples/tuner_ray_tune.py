"""Ray Tune: any search algorithm, and no trial is started for a behaviour that was evaluated before."""

from ray import tune
from ray.tune.search.optuna import OptunaSearch

from designgym.hashing.tuners import CachedSearchAlg

search = CachedSearchAlg(OptunaSearch(seed=0), key=lambda config: sorted([config["first"], config["second"]]))
tuner = tune.Tuner(
    lambda config: {"loss": (config["first"] - 3) ** 2 + (config["second"] - 7) ** 2},
    param_space={"first": tune.randint(0, 5), "second": tune.randint(0, 5)},
    tune_config=tune.TuneConfig(search_alg=search, metric="loss", mode="min", num_samples=12, reuse_actors=True),
)
results = tuner.fit()
print(len(results), "trials:", search.memo.counts)
