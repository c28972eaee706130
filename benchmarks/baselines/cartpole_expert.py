"""An expert of CartPole: a rule that balances for all 500 steps.

  python benchmarks/baselines/cartpole_expert.py FOLDER
  python -m dreamer_gail_plugin.demos gymnasium --source FOLDER \
      --task gym_CartPole-v1 --out cartpole.h5

The first writes ten episodes, the second makes them a store.
"""

import sys

import gymnasium
import numpy as np

from dreamer_gail_plugin.demos.importers.gymnasium_record import RecordEpisodes

EPISODES = 10
# Push to the right where the sum of position, speed, angle and its speed, so
# weighted, is positive.
WEIGHTS = np.array([0.1, 0.3, 1.0, 1.0])


def main(folder, name='CartPole-v1'):
  """Play the episodes, of seeds 0 on, and save each in the folder."""
  env = RecordEpisodes(gymnasium.make(name), folder)
  for seed in range(EPISODES):
    obs, over, score = env.reset(seed=seed)[0], False, 0
    while not over:
      obs, reward, terminated, truncated, _ = env.step(
          int(WEIGHTS @ obs > 0))
      score, over = score + reward, terminated or truncated
    print(f'seed {seed}: score {score:.0f}')
  env.close()


if __name__ == '__main__':
  main(*sys.argv[1:])
