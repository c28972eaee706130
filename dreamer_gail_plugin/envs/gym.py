"""Any environment with a Gymnasium id."""

import importlib

import elements
import embodied
import gymnasium

from ..errors import UserError
from . import common
from . import gym_spaces

# Upstream sums the losses of the observations in one dict with its own, and
# the variants add some. The parts of a batch stand beside the observations.
LOSSES = (
    'dyn', 'rep', 'rew', 'con', 'policy', 'value', 'repval',
    'anchor', 'anchor_kl', 'risk')
RESERVED = (
    *common.standard_spaces(), *LOSSES, 'reset', 'consec', 'stepid',
    'expert', 'single', 'ends')


class Gym(embodied.Env):
  """An environment by its Gymnasium id.

  See `gym_spaces` for the observations and actions this gives. The end of
  the task (terminated) is terminal, a time limit (truncated) is not.
  `action_meanings` holds the names of the actions where the environment
  gives them, as Atari does, and is empty otherwise.

  Args:
    task: the id, such as 'CartPole-v1' or 'ALE/Pong-v5'. For environments
      that a package registers when it is imported: 'package:Id-v0'. Raises
      UserError for an id that is not known or cannot be made.
    size: height and width of images; with a zero in it they stay as they are.
      Upstream's networks halve images several times, so the default is safe.
    seed: given to the first reset, from which the others follow.
    render_mode: for `game.render()`, which a person looks at; the agent sees
      the observations.
  """

  def __init__(self, task, size=(64, 64), seed=None, render_mode=None):
    # Not None, which environments that never render need not take.
    extra = {'render_mode': render_mode} if render_mode else {}
    self.game = _make(task, extra)
    self.seed = seed
    self.obs = gym_spaces.observation(self.game.observation_space, size)
    self.act = gym_spaces.action(self.game.action_space)
    for key in self.obs.spaces:
      if key in RESERVED or key in self.act.spaces:
        raise UserError(
            f'The observation {key!r} of the Gymnasium environment {task!r} '
            'has a name that is reserved. Rename it in the environment.')
    meanings = getattr(self.game.unwrapped, 'get_action_meanings', list)
    self.action_meanings = meanings()
    self.done = True

  @property
  def obs_space(self):
    return {**self.obs.spaces, **common.standard_spaces()}

  @property
  def act_space(self):
    return {**self.act.spaces, 'reset': elements.Space(bool)}

  def step(self, action):
    if action['reset'] or self.done:
      obs, _ = self.game.reset(seed=self.seed)
      self.seed = None
      self.done = False
      return {**self.obs.flatten(obs), **common.standard(first=True)}
    obs, reward, terminated, truncated, _ = self.game.step(
        self.act.restore(action))
    self.done = bool(terminated or truncated)
    return {
        **self.obs.flatten(obs),
        **common.standard(reward, last=self.done, terminal=terminated)}

  def close(self):
    self.game.close()


def _make(task, extra):
  if task.startswith('ALE/'):
    importlib.import_module('ale_py')  # Registers these ids.
  try:
    return gymnasium.make(task, disable_env_checker=True, **extra)
  except (gymnasium.error.Error, ImportError) as error:
    raise UserError(
        f'Cannot make the Gymnasium environment {task!r}: {error} Ids that a '
        'package registers are written package:Id.') from error
