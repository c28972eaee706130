"""A saved agent that acts: `policy = load_policy(logdir)`, `policy(obs)`."""

import numpy as np

from .. import build
from ..envs import gym
from ..errors import UserError
from . import actors
from . import saved

STANDARD = ('reward', 'is_first', 'is_last', 'is_terminal')


def load_policy(logdir, save=None, greedy=False, seed=0):
  """Return the Policy of a run's latest checkpoint.

  Args:
    logdir: folder of the run, with its config.yaml.
    save: an earlier checkpoint, by its step or name, or the folder of
      another one; see `checkpoint.choose`.
    greedy: take the likeliest action instead of drawing one.
    seed: of the draws.

  Raises UserError if a file is missing or does not fit the others.
  """
  run = saved.Run(logdir, save)
  return Policy(run.config, run.actor(greedy), seed)


class Policy:
  """Acts in one environment: `policy(obs)` returns an action.

  On a `gym` task both are in the form of the Gymnasium environment. On other
  tasks `obs` is the image, or a dict with the keys of `obs_space`, and the
  action is an integer, or a dict of arrays if there are several. Call
  `policy.reset()` where an episode starts.
  """

  def __init__(self, config, actor, seed=0):
    env = build.make_raw_env(config, 0)
    self.obs_space = {
        k: v for k, v in env.obs_space.items()
        if k not in STANDARD and not k.startswith('log/')}
    self.act_space = {k: v for k, v in env.act_space.items() if k != 'reset'}
    self.obs, self.act = None, None
    if isinstance(env, gym.Gym):
      self.obs, self.act = env.obs, env.act
    env.close()
    self.player = actors.Player(actor, self.act_space, seed)
    self.reset()

  def reset(self):
    """Forget the episode so far."""
    self.first = True

  def __call__(self, obs):
    """Return the action for an observation; see the class.

    Raises UserError for an observation of another form than the task's.
    """
    flags = {k: k == 'is_first' and self.first for k in STANDARD[1:]}
    acts = self.player({**self._observation(obs), **flags})
    self.first = False
    if self.act:
      return self.act.restore(acts)
    return next(iter(acts.values())) if len(acts) == 1 else acts

  def _observation(self, obs):
    if self.obs:
      obs = self.obs.flatten(obs)
    elif not isinstance(obs, dict):
      obs = {next(iter(self.obs_space)): obs}
    result = {}
    for key, space in self.obs_space.items():
      value = np.asarray(obs[key]) if key in obs else None
      if value is None or value.shape != space.shape:
        found = 'none' if value is None else f'{value.dtype} {value.shape}'
        raise UserError(
            f'Observation {key!r}: the policy takes {space.dtype} '
            f'{space.shape}, not {found}.')
      # As upstream's wrapper UnifyDtypes does.
      kind = {'f': np.float32, 'i': np.int32}.get(space.dtype.kind)
      result[key] = value.astype(kind or space.dtype)
    return result
