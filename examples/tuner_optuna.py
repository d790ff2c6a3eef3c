"""Optuna: duplicates are recognised before they are evaluated, and the sampler is told the known value."""

import optuna

from designgym.hashing.tuners import dedupe


def suggest(trial):
    return sorted([trial.suggest_int("first", 0, 9), trial.suggest_int("second", 0, 9)])  # the order of the stages has no effect


def objective(trial):
    first, second = suggest(trial)
    return (first - 3) ** 2 + (second - 7) ** 2


study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
deduped = dedupe(objective, key=suggest)
study.optimize(deduped, n_trials=100)
print(study.best_params, deduped.memo.counts)
