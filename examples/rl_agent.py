"""Reinforcement learning: MaskablePPO designs a DRAM controller, one parameter a step. Run it: ``python examples/rl_agent.py [STEPS]``.

Needs the extra ``rl``: ``pip install designgym[rl]``.
"""

import sys

import gymnasium
import numpy as np
from sb3_contrib import MaskablePPO
from stable_baselines3.common.monitor import Monitor

import designgym as dg  # noqa: F401  # its import tells Gymnasium of the environments


def main(steps: int = 600) -> None:
    # a reward is the score in decades, a range that gradient methods can work with
    env = Monitor(gymnasium.make("designgym/DramController-v0", form="sequential", workload="cloud-like", objective="energy_delay"))
    agent = MaskablePPO("MlpPolicy", env, n_steps=100, batch_size=50, gamma=1.0, seed=0, device="cpu")
    agent.learn(total_timesteps=steps)
    rewards = env.get_episode_rewards()
    first, last = np.mean(rewards[:10]), np.mean(rewards[-10:])
    print(f"{len(rewards)} designs tried; mean reward of the first 10: {first:.3f}, of the last 10: {last:.3f}")

    observation, info = env.reset()
    over = False
    while not over:
        masks = env.get_wrapper_attr("action_masks")()
        action, _ = agent.predict(observation, action_masks=masks, deterministic=True)
        observation, _, terminated, truncated, info = env.step(int(action))
        over = terminated or truncated
    metrics, units = info["metrics"], info["units"]
    print("the agent's design:", dict(info["design"]))
    for name in ("total_time_ns", "energy_pj", "power_mw"):
        print(f"  {name} = {metrics[name]:.6g} {units[name]}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
