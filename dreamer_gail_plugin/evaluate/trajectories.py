"""The trajectories of a store as the networks of a run take them."""

import numpy as np

from .. import build
from ..data import store
from ..errors import UserError


def read(path, config, extra=()):
  """Yield a dict of arrays (T, ...) for every trajectory of a store.

  Actions are in the agent's units. `extra` names further keys of the store.
  Raises UserError where the store does not fit the run's task or lacks one.
  """
  obs_space, act_space = build.raw_spaces(config)
  with store.Store(path) as demos:
    store.validate(demos, obs_space, act_space, config.task)
    missing = [k for k in extra if k not in demos.keys]
    if missing:
      raise UserError(
          f'{path}: has no {missing[0]}, which is needed here; name a store '
          'that was recorded with it.')
    keys = [k for k in (*obs_space, *act_space) if store.needed(k)]
    for index in range(len(demos)):
      data = demos.read(index, keys=[*keys, *extra])
      acts = build.normalize_actions(
          {f'expert/{k}': data[k][None] for k in act_space}, act_space)
      yield {**data, **{k: acts[f'expert/{k}'][0] for k in act_space}}


def row(data, size):
  """Return a trajectory (T, ...) as one row (1, size, ...) of a batch.

  It is filled up with zeros, so that all trajectories have one shape.
  """
  data = {k: v for k, v in data.items() if k != 'reward'}
  data['is_cut'] = np.zeros_like(data['is_first'])
  data['is_cut'][0] = ~data['is_first'][0]
  data['is_first'] = np.r_[True, data['is_first'][1:]]
  extra = size - len(data['is_first'])
  return {
      k: np.pad(v, [(0, extra)] + [(0, 0)] * (v.ndim - 1))[None]
      for k, v in data.items()}
