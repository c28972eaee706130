"""What Minari has no place for, in two small stores beside its own file.

Minari ignores both. They hold the attributes of a store, and the reward and
the action at the ends of a cut episode: what it takes to make the same store
again.
"""

import contextlib
import json

import numpy as np
import tqdm

from ...data import store
from ...errors import UserError

SIDECAR = 'dreamer_gail.h5'  # All but the observations.
SINGLE = 'dreamer_gail_single.h5'  # Episodes cut to one step: no move at all.
KEYS = 'minari_keys'  # Attribute: the keys of observations and of actions.
OWN = ('format', 'version')  # Attributes that the store writes itself.


def write(demos, folder, keys, single):
  """Write both stores of an open store that was exported to a folder.

  `keys` are lists of its observation keys and of its action keys, `single`
  are the episodes of one step, without their actions.
  """
  obs_keys, _ = keys
  small = [k for k in demos.keys if k not in obs_keys]
  attrs = {k: v for k, v in demos.attrs.items() if k not in OWN}
  trajectories = (
      {**demos.read(i, keys=small), 'attrs': demos.infos[i]}
      for i in range(len(demos)))
  store.write(folder / SIDECAR, trajectories, {**attrs, KEYS: keys})
  if single:
    store.write(folder / SINGLE, single, {})


def there(folder):
  """Return whether a folder has them: it was exported from a store."""
  return (folder / SIDECAR).is_file()


def rebuild(folder, episodes):
  """Return (trajectories, attributes) of the store that was exported.

  `episodes` is an iterable of Episode in their order. The trajectories are a
  generator, which raises UserError where the dataset was changed since.
  """
  with store.Store(folder / SIDECAR) as side:
    attrs = {k: v for k, v in side.attrs.items() if k not in OWN}
    keys = _read_keys(folder, attrs.pop(KEYS, ''), side.keys)
  return _rebuild(folder, keys, iter(episodes)), attrs


def _rebuild(folder, keys, episodes):
  with contextlib.ExitStack() as stack:
    side = stack.enter_context(store.Store(folder / SIDECAR))
    single = iter(())
    if (folder / SINGLE).is_file():
      alone = stack.enter_context(store.Store(folder / SINGLE))
      single = (alone.read(i) for i in range(len(alone)))
    for index in tqdm.trange(len(side), desc='read', unit=' trajectories'):
      data, parts = side.read(index), []
      for start, stop in segments(data):
        if stop - start == 1:
          part = next(single, {})
        else:
          steps = {k: v[start: stop] for k, v in data.items()}
          part = _same(folder, next(episodes, None), steps, keys)
        lost = [k for k in keys[0] if k not in part]
        if lost:
          raise _changed(folder, f'lacks {lost[0]} of trajectory {index}')
        parts.append(part)
      obs = {k: np.concatenate([x[k] for x in parts]) for k in keys[0]}
      yield {**obs, **data, 'attrs': side.infos[index]}
    if next(episodes, None) is not None:
      raise _changed(folder, 'has more episodes than were exported')


def _same(folder, episode, steps, keys):
  # Someone may have edited the dataset, and then the sidecar is wrong.
  if episode is None:
    raise _changed(folder, 'has fewer episodes than were exported')
  obs = _unnest(episode.observations, keys[0])
  actions = _unnest(episode.actions, keys[1])
  length = len(steps['is_first'])
  if any(len(np.atleast_1d(x)) != length for x in obs.values()):
    raise _changed(folder, f'{episode.place} has another length')
  for key in keys[1]:
    if not np.array_equal(actions.get(key), steps[key][:-1]):
      raise _changed(folder, f'{episode.place} has other actions')
  return obs


def _changed(folder, what):
  return UserError(
      f'{folder}: was changed after its export: {what}. To import it like any '
      f'other set, remove {SIDECAR} from it')


def _read_keys(folder, text, have):
  try:
    obs, acts = json.loads(text)
    if obs and acts and set(acts) <= set(have) and not set(obs) & set(have):
      return [str(x) for x in obs], [str(x) for x in acts]
  except (ValueError, TypeError):
    pass
  raise UserError(
      f'{folder / SIDECAR}: the attribute {KEYS} does not name its keys; '
      'export the store again')


def _unnest(value, keys):
  return value if isinstance(value, dict) else {keys[0]: value}


def segments(data):
  """Return [(start, stop)] of the episodes in the arrays of a trajectory."""
  starts = np.flatnonzero(data['is_first']).tolist()
  edges = sorted({0, *starts, len(data['is_first'])})
  return list(zip(edges[:-1], edges[1:]))
