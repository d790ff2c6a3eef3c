"""The shared words of designgym: parameters, spaces, designs, metrics, objectives, trials, protocols, the evaluator, the registry."""
