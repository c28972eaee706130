"""Episodes of Gymnasium, with every kind of space."""

import gymnasium
import numpy as np

from dreamer_gail_plugin import envs

spaces = gymnasium.spaces


class Mixed(gymnasium.Env):
  """Five steps with every kind of space, all values drawn from a seed."""

  def __init__(self):
    self.observation_space = spaces.Dict({
        'eye': spaces.Box(0, 255, (6, 5, 3), np.uint8),
        'arm': spaces.Tuple([
            spaces.Box(-9, 9, (2, 2), np.float64),
            spaces.Discrete(3, start=2)]),
    })
    self.action_space = spaces.Dict({
        'go': spaces.Discrete(4),
        'turn': spaces.Box(-2, 3, (2,), np.float32)})

  def reset(self, seed=None, options=None):
    if seed is not None:
      self.observation_space.seed(seed)
    self.count = 0
    return self.observation_space.sample(), {}

  def step(self, action):
    self.count += 1
    # Ends by itself at 5, or by a time limit if it went 0 at 3.
    limit = self.count == 3 and action['go'] == 0
    return (
        self.observation_space.sample(), self.count / 2, self.count == 5,
        bool(limit), {})


class Pair(gymnasium.Env):
  """A Tuple of an image, channels first, and a place, which never ends."""

  observation_space = spaces.Tuple([
      spaces.Box(0, 255, (3, 40, 48), np.uint8), spaces.Box(0, 1, (2,))])
  action_space = spaces.Discrete(3)

  def reset(self, seed=None, options=None):
    return self.observation_space.sample(), {}

  def step(self, action):
    return self.observation_space.sample(), 1.0, False, False, {}


gymnasium.register('ImportMixed-v0', 'helpers.gymepisodes:Mixed')
gymnasium.register('ImportPair-v0', 'helpers.gymepisodes:Pair')
MIXED = 'gym_ImportMixed-v0'
PAIR = 'gym_ImportPair-v0'


def play(env, task, count, seed=0):
  """Play episodes in a wrapped environment and in the agent's of the same
  seed, side by side; return what the agent's showed, and the actions."""
  own = envs.make('gym', task.removeprefix('gym_'), seed=seed)
  env.action_space.seed(seed)
  result = []
  for episode in range(count):
    # Minari would draw a seed of its own.
    env.reset(
        seed=None if episode else seed, options={'minari_autoseed': False})
    steps = [(own.step({'reset': True}), None)]
    while not steps[-1][0]['is_last']:
      action = env.action_space.sample()
      env.step(action)
      acts = own.act.flatten(action)
      steps[-1] = (steps[-1][0], acts)
      steps.append((own.step({**acts, 'reset': False}), None))
    result.append(steps)
  env.close()
  return own, result


def same(trajectories, played):
  """Check that trajectories are what was played, byte for byte."""
  assert len(trajectories) == len(played)
  for data, steps in zip(trajectories, played):
    assert len(data['is_first']) == len(steps)
    for t, (obs, acts) in enumerate(steps):
      last = t == len(steps) - 1
      acts = {
          k: np.zeros_like(v) for k, v in steps[0][1].items()} if last \
          else acts
      for key, value in {**obs, **acts}.items():
        np.testing.assert_array_equal(data[key][t], value, f'{key} {t}')
        assert data[key].dtype == np.asarray(value).dtype, key


def save(path, steps, obs=4, **change):
  """Save an episode of CartPole that ends by itself."""
  data = {
      'observations': np.zeros((steps + 1, obs), np.float32),
      'actions': np.zeros(steps, np.int64), 'rewards': np.ones(steps),
      'terminations': np.arange(steps) == steps - 1,
      'truncations': np.zeros(steps, bool), **change}
  np.savez(path, **{k: v for k, v in data.items() if v is not None})
