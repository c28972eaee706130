"""Episodes in Gymnasium's layout become trajectories of a store.

Minari, the `imitation` library and Gymnasium's own loop share one layout: T
steps have T + 1 observations, and action t leads from observation t to t + 1.
"""

import collections

import numpy as np
from gymnasium import spaces as gym_spaces

from ... import envs
from ...envs import gym_spaces as translators
from ...errors import UserError
from .. import flags
from .. import tasks

# Arrays (T + 1, ...) and (T, ...), in dicts and tuples where the space is
# such; rewards (T,) or None; two arrays (T,) of bool.
Episode = collections.namedtuple('Episode', (
    'place', 'observations', 'actions', 'rewards', 'terminated', 'truncated'))


def add_arguments(add, task_help):
  """Add the flags that all sources of episodes have."""
  add('--task', help=task_help)
  add('--size', type=int, nargs=2, metavar=('HEIGHT', 'WIDTH'),
      help='of images (as in configs.yaml)')
  add('--best', type=int, help='only so many episodes, by their score (all)')


def task_spaces(task):
  """Return (observation space, action space, names of actions) of a task.

  Raises UserError unless it is gym_ID with an ID that can be made.
  """
  if not task or not task.startswith('gym_'):
    raise UserError(
        f'--task {task}: expected gym_ID with the Gymnasium id of the '
        'environment that the episodes are from, such as gym_CartPole-v1')
  env = envs.make(*tasks.split(task))
  spaces = env.game.observation_space, env.game.action_space
  meanings = env.action_meanings
  env.close()
  return *spaces, meanings


def image_size(args):
  """Return height and width of images: the flag, or what training uses."""
  flags.size(args, 0)
  return args.size or tasks.options('gym_any')['size']


def pick(scores, best):
  """Return the numbers of the `best` highest scores, in their old order."""
  order = sorted(range(len(scores)), key=lambda x: scores[x], reverse=True)
  return sorted(order[:best])


class Converter:
  """Turns Episodes of two Gymnasium spaces into trajectories.

  Images are resized to `size`, everything else is translated as the `gym`
  suite does it (`envs/gym_spaces.py`), so the agent sees the same. `clipped`
  counts the steps whose actions were outside of the bounds.
  """

  def __init__(self, obs_space, act_space, size):
    self.spaces = (obs_space, act_space)
    self.obs = translators.observation(obs_space, size)
    self.act = translators.action(act_space)
    self.clipped = self.steps = 0

  def __call__(self, episode):
    """Return the arrays of one trajectory of T + 1 steps.

    Raises UserError if an array does not fit its space, holds values that
    are not finite, or if the episode goes on after its end.
    """
    count = _ends(episode)
    place = episode.place
    _check(episode.observations, self.spaces[0], count + 1,
           f'{place}: observations')
    _check(episode.actions, self.spaces[1], count, f'{place}: actions')
    actions = self._clip(episode.actions, self.spaces[1], count)
    with np.errstate(over='ignore'):  # Infinite as float32: found below.
      obs = [
          self.obs.flatten(at(episode.observations, t))
          for t in range(count + 1)]
    acts = [self.act.flatten(at(actions, t)) for t in range(count)]
    # The action of a last step means nothing.
    acts.append({k: np.zeros_like(v) for k, v in acts[-1].items()})
    steps = np.arange(count + 1)
    result = {
        k: np.stack([x[k] for x in rows]).astype(space.dtype)
        for rows, spaces in ((obs, self.obs.spaces), (acts, self.act.spaces))
        for k, space in spaces.items()}
    _finite(result, place)
    if episode.rewards is not None:
      result['reward'] = np.append(0, episode.rewards).astype(np.float32)
    last = steps == count
    return {
        **result, 'is_first': steps == 0, 'is_last': last,
        'is_terminal': last & bool(episode.terminated[-1])}

  def report(self):
    """Print what had to be changed, if anything."""
    if self.clipped:
      print(
          f'  {self.clipped:,} of {self.steps:,} actions were outside of the '
          'bounds of the action space and are cut to them')

  def _clip(self, value, space, count):
    bounded = lambda x: isinstance(x, gym_spaces.Box) and x.dtype.kind == 'f'
    outside = np.zeros(count, bool)

    def leaf(value, space):
      if not bounded(space):
        return value
      inside = np.clip(value, space.low, space.high)
      outside[(inside != value).reshape(count, -1).any(-1)] = True
      return inside
    result = _map(leaf, value, space)
    self.clipped += int(outside.sum())
    self.steps += count
    return result


def at(value, index):
  """Return one step of arrays that may be in dicts and tuples."""
  if isinstance(value, dict):
    return {k: at(v, index) for k, v in value.items()}
  if isinstance(value, tuple):
    return tuple(at(x, index) for x in value)
  return value[index]


def read(space, name, get, number=str):
  """Return arrays in the structure of a space; `get(name)` reads one.

  Names of parts are joined by slashes; `number` names the parts of a tuple.
  """
  if isinstance(space, gym_spaces.Dict):
    return {
        k: read(v, f'{name}/{k}', get, number)
        for k, v in space.spaces.items()}
  if isinstance(space, gym_spaces.Tuple):
    return tuple(
        read(x, f'{name}/{number(i)}', get, number)
        for i, x in enumerate(space.spaces))
  return get(name)


def _map(fn, value, space):
  if isinstance(space, gym_spaces.Dict):
    return {k: _map(fn, value[k], v) for k, v in space.spaces.items()}
  if isinstance(space, gym_spaces.Tuple):
    return tuple(_map(fn, x, y) for x, y in zip(value, space.spaces))
  return fn(value, space)


def _ends(episode):
  count = len(np.atleast_1d(episode.terminated))
  wanted = {'terminations': episode.terminated,
            'truncations': episode.truncated, 'rewards': episode.rewards}
  for name, value in wanted.items():
    if value is not None and value.shape != (count,):
      raise UserError(
          f'{episode.place}: {name} has shape {value.shape}, expected one '
          f'value for each of {count} steps')
  if not count:
    raise UserError(f'{episode.place}: has no steps; leave it out')
  over = (episode.terminated | episode.truncated)[:-1]
  if over.any():
    raise UserError(
        f'{episode.place}: ends at step {int(over.argmax())} of {count} and '
        'goes on; expected one episode, so split it there')
  if episode.rewards is not None and not np.isfinite(episode.rewards).all():
    raise UserError(f'{episode.place}: rewards are not all finite')
  return count


def _check(value, space, count, place):
  def leaf(value, space):
    shape = (count, *space.shape)
    if value.shape != shape:
      raise UserError(
          f'{place} have shape {value.shape}, expected {shape} for {space}')
    if not np.can_cast(value.dtype, space.dtype, 'same_kind'):
      raise UserError(
          f'{place} have type {value.dtype}, expected {space.dtype}')
    low, high = _bounds(space)
    if low is not None and ((value < low) | (value > high)).any():
      raise UserError(
          f'{place} have values from {value.min()} to {value.max()}, expected '
          f'{np.min(low)} to {np.max(high)}')
  _map(leaf, value, space)


def _bounds(space):
  # Of whole numbers only: bounds of floats are often left anyhow.
  if isinstance(space, gym_spaces.Discrete):
    return space.start, space.start + space.n - 1
  if isinstance(space, gym_spaces.MultiDiscrete):
    return space.start, space.start + space.nvec - 1
  if isinstance(space, gym_spaces.MultiBinary):
    return 0, 1
  if space.dtype.kind in 'iu':
    return space.low, space.high
  return None, None


def _finite(arrays, place):
  for key, value in arrays.items():
    if value.dtype.kind == 'f' and not np.isfinite(value).all():
      raise UserError(
          f'{place}: {key} has values that are not finite as float32; leave '
          'the episode out')
