"""Any environment with a Gymnasium id."""

import elements
import embodied

from ..errors import UserError
from . import common
from . import foreign
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

  See `gym_spaces` for the observations and actions this gives; `texts` says
  what each is. The end of the task (terminated) is terminal, a time limit
  (truncated) is not. `action_meanings` holds the names of the actions where
  the environment gives them, as Atari does, and is empty otherwise. `seen` is
  the latest observation as the environment gave it.

  Args:
    task: the id, such as 'CartPole-v1' or 'ALE/Pong-v5'. For environments
      that a package or a module in the working directory registers when it is
      imported: 'package:Id-v0'. Raises UserError for an id that is not known
      or cannot be made.
    size: height and width of images, with a zero in it as they are, with -1
      as `arrays` decides.
    image: what arrays are, see `arrays.parse`.
    scale: bounds of actions that have none, see `gym_spaces.action`.
    kwargs: what the environment is made with, a JSON object as text.
    traceback: let exceptions of the environment through. Otherwise all that
      it raises, and what is not as it declares, is a UserError.
    seed: given to the first reset, from which the others follow.
    render_mode: for `game.render()`, which a person looks at; the agent sees
      the observations.
  """

  def __init__(
      self, task, size=(-1, -1), image='auto', scale=(), kwargs='',
      traceback=False, seed=None, render_mode=None):
    self.foreign = foreign.Foreign(task, traceback)
    # Not None, which environments that never render need not take.
    extra = {'render_mode': render_mode} if render_mode else {}
    self.game = self.foreign.make(kwargs, extra)
    self.seed = seed
    with self.foreign.said():
      space = self.game.observation_space
      self.obs = gym_spaces.observation(space, size, image)
      self.act = gym_spaces.action(self.game.action_space, scale)
      for what, found in (('observation', self.obs), ('action', self.act)):
        if not found.spaces:
          raise UserError(f'its {what} space has no parts')
      meanings = getattr(self.game.unwrapped, 'get_action_meanings', list)
      self.action_meanings = list(meanings() or ())
    for key in self.obs.spaces:
      if key in RESERVED or key in self.act.spaces:
        raise UserError(
            f'The observation {key!r} of the Gymnasium environment {task!r} '
            'has a name that is reserved. Rename it in the environment.')
    self.foreign.declare(space, self.game.action_space)
    self.texts = {**gym_spaces.texts(self.obs), **gym_spaces.texts(self.act)}
    self.done = True

  @property
  def limit(self):
    """Return the time limit of an episode in steps, or None."""
    return self.game.spec.max_episode_steps

  @property
  def obs_space(self):
    return {**self.obs.spaces, **common.standard_spaces()}

  @property
  def act_space(self):
    return {**self.act.spaces, 'reset': elements.Space(bool)}

  def step(self, action):
    if action['reset'] or self.done:
      obs = self.foreign.reset(self.game, self.seed)
      self.seed = None
      self.done = False
      self.seen = obs
      return {**self.obs.flatten(obs), **common.standard(first=True)}
    obs, reward, terminated, truncated = self.foreign.step(
        self.game, self.act.restore(action))
    self.seen = obs
    self.done = bool(terminated or truncated)
    return {
        **self.obs.flatten(obs),
        **common.standard(reward, last=self.done, terminal=terminated)}

  def close(self):
    self.foreign.close(self.game)
