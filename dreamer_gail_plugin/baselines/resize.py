"""Bundled demonstrations for images of another size.

Those of Atari are seeds and actions, so they can be played again with the
size that a baseline sees. The game does not depend on it, and everything but
the images must come out as in the store of the size they were made with.
"""

import numpy as np
import tqdm

from .. import envs
from .. import upstream
from ..data import recipe
from ..data import record
from ..data import store
from ..errors import UserError


def fitting(config, path):
  """Return the path of a store with images of the size of the task.

  `path` is what `build.expert_path` gave. It is returned itself where it is no
  bundled recipe or fits already; the other store is made once and kept beside
  it.
  """
  source = upstream.resource('expert_data') / f'{config.task}.json'
  suite = config.task.partition('_')[0]
  size = list(config.env.get(suite, {}).get('size', ()))
  if config.agent.gail.expert != 'auto' or not source.exists() or not size:
    return path
  data = recipe.load(source)
  if data['attrs']['preprocessing']['size'] == size:
    return path
  target = path.with_name(f'{path.stem}-{size[0]}x{size[1]}.h5')
  if not target.exists():
    data['attrs']['preprocessing']['size'] = size
    print(f'Playing {source} for images of {size[0]} x {size[1]} once, into '
          f'{target}')
    with store.Store(path) as made:
      store.write(target, _play(data, made), data['attrs'])
  return target


def _play(data, made):
  attrs = data['attrs']
  suite, _, name = attrs['task'].partition('_')
  for number, info in enumerate(tqdm.tqdm(data['trajectories'], 'play')):
    env = envs.make(suite, name, **attrs['preprocessing'], seed=info['seed'])
    found = record.rollout(
        env, recipe.Playback(info['actions']), info['length'], attrs['limit'])
    env.close()
    first = made.read(number)
    for key in set(found) - {'image'}:
      if not np.array_equal(found[key], first[key]):
        raise UserError(
            f'{attrs["task"]}: trajectory {number}, played with images of '
            f'another size, has other values of {key}. Import demonstrations '
            f'of this size and name them by --expert.')
    yield {**found, 'attrs': {k: info[k] for k in ('seed', 'source_id')}}
