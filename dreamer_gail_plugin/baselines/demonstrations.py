"""A store of demonstrations as the learner of a baseline would see it."""

import collections
import json

import numpy as np

from .. import build
from ..data import settings
from ..data import store
from ..data import stores
from ..errors import UserError
from . import config as configlib
from . import gymenv
from . import resize

# Observations (T + 1, ...), actions (T, ...), whether it ended by termination.
Episode = collections.namedtuple('Episode', 'obs, acts, terminal')


def check(config):
  """Compare the demonstrations with the task; return their path.

  Raises UserError where they do not fit and warns where they were made with
  other settings of the environment. `--expert random` records them first, and
  bundled ones are played again where images have another size.
  """
  if config.agent.gail.expert == 'random':
    build.record_random(config)
  path = resize.fitting(config, build.expert_path(config))
  obs_space, act_space = build.raw_spaces(config)
  with stores.opened(path) as demos:
    store.validate(
        demos, obs_space, _told(config, act_space), config.task)
  settings.warn(config, path)
  return path


def spaces(config):
  """Return the Gymnasium spaces of what the learner sees and does."""
  obs_space, act_space = build.spaces(config)
  eyes = gymenv.Eyes(obs_space, config)
  return eyes.space, gymenv.Hands(act_space).space


def score(path):
  """Return the mean score of the expert of a store, NaN if unknown."""
  with stores.opened(path) as demos:
    if 'expert_score' in demos.attrs:
      return float(demos.attrs['expert_score'])
    return float(np.mean([x['score'] for x in demos.infos]))


def load(config, path):
  """Return the episodes of a store as Trajectories of `imitation`."""
  from imitation.data import types
  return [
      types.Trajectory(obs=x.obs, acts=x.acts, infos=None, terminal=x.terminal)
      for x in episodes(config, path)]


def episodes(config, path):
  """Return an Episode for every one of a store.

  Observations and actions are what the learner sees and does. Rewards are
  not read. The last action of an episode that is cut has no next observation
  and is left out. Who learns from observations alone gets zeros for actions.
  """
  obs_space, act_space = build.raw_spaces(config)
  eyes = gymenv.Eyes(obs_space, config)
  key, = act_space
  told = _told(config, act_space)
  result = []
  with stores.opened(path) as demos:
    for index in range(len(demos)):
      data = demos.read(index, keys=[*store.FLAGS, eyes.key, *told])
      space = act_space[key]
      zeros = np.zeros((len(data['is_first']), *space.shape), space.dtype)
      acts = build.normalize_actions(
          {f'expert/{key}': data.get(key, zeros)}, act_space)[f'expert/{key}']
      starts = np.flatnonzero(data['is_first'])
      for start, stop in zip(
          [0, *starts[starts > 0]], [*starts[starts > 0], len(acts)]):
        if stop - start > 1:
          result.append(_episode(eyes, data, acts, slice(start, stop)))
  return result


def _told(config, act_space):
  return {} if config.baseline in configlib.OBSERVERS else act_space


def _episode(eyes, data, acts, span):
  seen = []
  for image in data[eyes.key][span]:
    seen.append(eyes({eyes.key: image}, seen[-1] if seen else None))
  return Episode(
      np.stack(seen), acts[span][:-1], bool(data['is_terminal'][span][-1]))


def enough(found, key, batch):
  """Raise UserError if the episodes have fewer steps than a batch."""
  total = sum(len(x.acts) for x in found)
  if total < batch:
    raise UserError(
        f'--{key} {batch}: the demonstrations have {total} steps only. Use a '
        f'smaller one.')


def describe(path, found):
  """Return a line that says what the demonstrations are."""
  with stores.opened(path) as demos:
    made = json.loads(demos.attrs['preprocessing'] or '{}')
  steps = sum(len(x.acts) for x in found)
  return (
      f'Demonstrations: {path}: {len(found)} episodes, {steps:,} steps, '
      f'mean expert score {score(path):.1f}, made with {made}')
