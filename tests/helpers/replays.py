"""Replays as a run of DreamerV3 leaves them, of random play."""

import elements
import embodied
import gymnasium
import numpy as np

from dreamer_gail_plugin import envs
from dreamer_gail_plugin.envs import common as envs_common

spaces = gymnasium.spaces


class Reach(gymnasium.Env):
  """Episodes of three to six steps with bounded and unbounded actions."""

  observation_space = spaces.Box(-9, 9, (2,), np.float32)
  action_space = spaces.Dict({
      'arm': spaces.Box(np.float32([-2, 0]), np.float32([2, 8])),
      'mode': spaces.Discrete(3)})

  def reset(self, seed=None, options=None):
    super().reset(seed=seed)
    self.left = int(self.np_random.integers(3, 7))
    return self.look(), {}

  def step(self, action):
    self.left -= 1
    return self.look(), float(action['arm'].sum()), self.left == 0, False, {}

  def look(self):
    return self.np_random.normal(size=2).astype(np.float32)


gymnasium.register('ImportReach-v0', Reach)


def record(folder, task, steps, workers=2, chunksize=7):
  """Play at random as upstream's driver does and save upstream's replay.

  Return the whole episodes of each worker, with actions in the units of the
  environment.
  """
  buffer = embodied.replay.Replay(
      length=4, capacity=1000, directory=folder, chunksize=chunksize,
      save_wait=True)
  rng = np.random.default_rng(0)
  found = []
  for worker in range(workers):
    env = envs.make(*task.split('_', 1), seed=worker)
    units = env.act_space
    seen = []
    for key, space in units.items():
      if not space.discrete:
        env = embodied.wrappers.NormalizeAction(env, key)
    env.step, play = seen_by(env.step, seen), env.step
    acts = {k: np.zeros(v.shape, v.dtype) for k, v in env.act_space.items()}
    acts['reset'] = np.bool_(True)
    episode = []
    for _ in range(steps):
      obs = play(acts)
      last = bool(obs['is_last'])
      acts = {
          k: rng.integers(0, v.high, v.shape).astype(v.dtype) if v.discrete
          else rng.uniform(-1, 1, v.shape).astype(v.dtype)
          for k, v in env.act_space.items()}
      acts['reset'] = np.bool_(last)
      masked = {k: v * (1 - last) for k, v in acts.items()}
      buffer.add({
          **{k: np.asarray(v) for k, v in obs.items()},
          **{k: np.asarray(v, acts[k].dtype) for k, v in masked.items()},
          'dyn/deter': np.zeros(3, np.float32)}, worker)
      own = {
          k: envs_common.restore(acts[k], units[k]) for k in units}
      episode.append({**obs, **own})
      if last:
        found.append(episode)
        episode = []
  buffer.save()
  return found


def seen_by(step, seen):
  def wrapped(action):
    seen.append(action)
    return step(action)
  return wrapped


def config(logdir, **values):
  elements.Config(values).save(elements.Path(str(logdir / 'config.yaml')))
