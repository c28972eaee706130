"""Demonstrations in a mirror: more for the anchor policy to learn from.

Where a game is the same from right to left, the expert in front of a mirrored
image would do the mirrored action. Whether a game is so,
`agent.gail.anchor_mirror` says.
"""

import re

import numpy as np

from ..data import store
from ..errors import UserError

FLAG = '--agent.gail.anchor_mirror True'
OTHER = {'left': 'right', 'right': 'left', 'LEFT': 'RIGHT', 'RIGHT': 'LEFT'}


class Mirror:
  """Mirrors steps of an environment, each with a chance of one half.

  Its `action_meanings`, such as `left` or ALE's `UPLEFTFIRE`, say what is
  done to an action: `perm` (A,) has the index of each one's counterpart.

  Raises:
    UserError: the actions have no names, one has no counterpart, or an
      observation is no image.
  """

  def __init__(self, env):
    spaces = {k: v for k, v in env.obs_space.items() if store.needed(k)}
    self.images = [k for k in spaces if k not in store.FLAGS]
    numbers = [k for k in self.images if len(spaces[k].shape) != 3]
    if numbers:
      raise UserError(
          f'{FLAG}: only images can be mirrored, which {", ".join(numbers)} '
          f'is not; use False')
    names = getattr(env, 'action_meanings', [])
    if not names:
      raise UserError(
          f'{FLAG}: no names of actions tell left from right here; use False')
    other = [_counterpart(x) for x in names]
    alone = [x for x in other if x not in names]
    if alone:
      raise UserError(
          f'{FLAG}: the environment has no action {", ".join(alone)}, the '
          f'counterpart of another; use False')
    self.perm = np.array([names.index(x) for x in other])

  def __call__(self, rng, steps):
    """Change `steps` {key: (..., *shape)} in place, by numbers of `rng`."""
    chosen = rng.random(steps['action'].shape) < 0.5
    for key in self.images:
      steps[key][chosen] = steps[key][chosen][..., ::-1, :]
    steps['action'][chosen] = self.perm[steps['action'][chosen]]


def _counterpart(name):
  return re.sub('|'.join(OTHER), lambda x: OTHER[x[0]], name)
