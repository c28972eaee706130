"""Episodes in Gymnasium's layout become trajectories of a store.

Minari, the `imitation` library and Gymnasium's own loop share one layout: T
steps have T + 1 observations, and action t leads from observation t to t + 1.
"""

import collections

import numpy as np
from gymnasium import spaces as gym_spaces

from ... import arguments
from ... import envs
from ...envs import checks
from ...envs import gym_spaces as translators
from ...errors import UserError
from .. import flags
from .. import tasks

# Arrays (T + 1, ...) and (T, ...), in dicts and tuples where the space is
# such; rewards (T,) or None; two arrays (T,) of bool. Not `whole` means that
# the observation after the last action was not saved: there are T.
Episode = collections.namedtuple('Episode', (
    'place', 'observations', 'actions', 'rewards', 'terminated', 'truncated',
    'whole'), defaults=[True])

# Two Gymnasium spaces, names of actions, and the time limit in steps or None.
Task = collections.namedtuple('Task', 'obs_space act_space meanings limit')


def add_arguments(add, task_help):
  """Add the flags that all sources of episodes have."""
  add('--task', help=task_help)
  add('--size', type=int, nargs=2, metavar=('HEIGHT', 'WIDTH'),
      help='of images (as in configs.yaml)')
  add('--image', help='what arrays are (as in configs.yaml: env.gym.image)')
  add('--kwargs', help='JSON with the arguments of the environment')
  add('--best', type=arguments.natural,
      help='only so many episodes, by their score (all)')


def options(args):
  """Return the options of the suite `gym` that decide what a step shows.

  They are those of configs.yaml, or of the flags.
  """
  if args.size:
    flags.size(args, -1)
  usual = tasks.options('gym_any')
  given = {k: getattr(args, k) for k in ('size', 'image', 'kwargs')}
  return {k: usual[k] if v is None else v for k, v in given.items()}


def task_spaces(args):
  """Return the Task that --task names.

  Raises UserError unless it is gym_ID with an ID that can be made.
  """
  if not args.task or not args.task.startswith('gym_'):
    raise UserError(
        f'--task {args.task}: expected gym_ID with the Gymnasium id of the '
        'environment that the episodes are from, such as gym_CartPole-v1')
  env = envs.make(*tasks.split(args.task), **options(args))
  spaces = env.game.observation_space, env.game.action_space
  meanings = env.action_meanings
  limit = env.limit
  env.close()
  return Task(*spaces, meanings, limit)


def pick(scores, best):
  """Return the numbers of the `best` highest scores, in their old order."""
  order = sorted(range(len(scores)), key=lambda x: scores[x], reverse=True)
  return sorted(order[:best])


class Converter:
  """Turns Episodes of two Gymnasium spaces into trajectories.

  All is translated as the `gym` suite does it with its options `size` and
  `image` (`envs/gym_spaces.py`), so the agent sees the same. `texts` says what
  each key is. `clipped` counts the steps whose actions were outside of the
  bounds.
  """

  def __init__(self, obs_space, act_space, size=(-1, -1), image='auto'):
    self.spaces = (obs_space, act_space)
    self.obs = translators.observation(obs_space, size, image)
    self.act = translators.action(act_space)
    self.texts = {
        **translators.texts(self.obs), **translators.texts(self.act)}
    self.place = ''
    warn = lambda text: print(f'Warning: {self.place}: {text}')
    self.check_obs = checks.Checker(obs_space, 'observations', warn)
    self.check_act = checks.Checker(act_space, 'actions', lambda text: None)
    self.clipped = self.steps = 0
    self.lost = collections.Counter()
    self.range = (np.inf, -np.inf)

  def __call__(self, episode):
    """Return the arrays of one trajectory of T + 1 steps.

    Of an episode that is not whole they are T + 1 if the task ended, whose
    last observation then stands twice, and T if it was cut, without its last
    action and reward; None if nothing is left. Raises UserError if an array
    does not fit its space, holds values that are not finite, or if the
    episode goes on after its end.
    """
    count = _ends(episode)
    self.place = episode.place
    for check, value, length in (
        (self.check_obs, episode.observations, count + episode.whole),
        (self.check_act, episode.actions, count)):
      fault = check(value, (length,))
      if fault:
        raise UserError(f'{self.place}: {fault}')
    if not episode.whole:
      episode = self._finish(episode)
      count = len(episode.terminated)
      if not count:
        return None
    actions = self._clip(episode.actions, self.spaces[1], count)
    steps = np.arange(count + 1)
    # The action of a last step means nothing and stays zero.
    result = {
        k: np.zeros((count + 1, *v.shape), v.dtype)
        for spaces in (self.obs.spaces, self.act.spaces)
        for k, v in spaces.items()}
    for coder, value, length in (
        (self.obs, episode.observations, count + 1),
        (self.act, actions, count)):
      for t in range(length):
        for key, array in coder.flatten(at(value, t)).items():
          result[key][t] = array
    if episode.rewards is not None:
      result['reward'] = np.append(0, episode.rewards).astype(np.float32)
    last = steps == count
    return {
        **result, 'is_first': steps == 0, 'is_last': last,
        'is_terminal': last & bool(episode.terminated[-1])}

  def report(self):
    """Print what each key is, and what had to be changed, if anything."""
    for key, text in self.texts.items():
      print(f'  {key}: {text}')
    if self.clipped:
      print(
          f'  {self.clipped:,} of {self.steps:,} actions were outside of the '
          'bounds of the action space and are cut to them')
    if self.lost:
      counts = (f'{v:,} {k}' for k, v in self.lost.items())
      print(
          '  observations after the last action were not saved. Episodes: '
          + '; '.join(counts))
    if translators.unbounded(self.spaces[1]):
      print(
          f'  actions without bounds, here from {self.range[0]:.4g} to '
          f'{self.range[1]:.4g}: a run scales what the agent does to the '
          'largest of each, or by --env.gym.scale')

  def _finish(self, episode):
    # A step too many at an end of the task keeps its action and reward and
    # marks the end after them. At a cut there is no end to mark.
    ended = bool(episode.terminated[-1])
    if ended:
      self.lost['ended, with their last observation twice'] += 1
      steps = np.append(np.arange(len(episode.terminated)), -1)
      return episode._replace(observations=at(episode.observations, steps))
    few = len(episode.terminated) == 1
    self.lost[
        'of one step left out' if few else 'cut, one step shorter'] += 1
    part = slice(0, -1)
    rewards = None if episode.rewards is None else episode.rewards[part]
    return episode._replace(
        actions=at(episode.actions, part), rewards=rewards,
        terminated=episode.terminated[part], truncated=episode.truncated[part])

  def _clip(self, value, space, count):
    bounded = lambda x: isinstance(x, gym_spaces.Box) and x.dtype.kind == 'f'
    outside = np.zeros(count, bool)

    def leaf(value, space):
      if not bounded(space):
        return value
      inside = np.clip(value, space.low, space.high)
      outside[(inside != value).reshape(count, -1).any(-1)] = True
      if translators.unbounded(space):
        self.range = (
            min(self.range[0], inside.min()), max(self.range[1], inside.max()))
      return inside
    result = _map(leaf, value, space)
    self.clipped += int(outside.sum())
    self.steps += count
    return result


def at(value, index):
  """Return one step, or some, of arrays that may be in dicts and tuples."""
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
