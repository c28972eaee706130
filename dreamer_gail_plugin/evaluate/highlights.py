"""Films of the best, the median and the worst game of an evaluation."""

from functools import partial as bind

import numpy as np

from .. import build
from ..errors import UserError
from . import film
from . import games


def pick(played):
  """Return the indices {'best': i, 'median': i, 'worst': i} by score.

  Of equal scores the first game is taken, of two in the middle the lower one.
  """
  order = sorted(range(len(played)), key=lambda i: (-played[i]['score'], i))
  # Reversed order would take the last of equal ones.
  worst = min(range(len(played)), key=lambda i: (played[i]['score'], i))
  return {'best': order[0], 'median': order[len(order) // 2], 'worst': worst}


def record(config, actor, result, filename, rows, disc=False):
  """Play the best, median and worst game again and film them.

  Writes `<stem>_<name>.mp4` and `.png` beside `filename`, the file of the
  `result`, and prints their names. A game depends on its seed and on `rows`
  alone, so it is the same game. If it is not, as in environments that ignore
  their seed, the film says so. `disc` shows the discriminator's reward.
  """
  played, picks = result['episodes'], pick(result['episodes'])
  key = image_key(build.spaces(config)[0])
  if key is None:
    print(f'No films: {config.task} has no images.')
    return
  title = (
      f'{result["task"]}, reward {result["reward"]}, seed {result["seed"]}, '
      f'step {result["step"]:,}, {result["policy"]} policy: ')
  reels = [
      film.Reel(filename.with_name(f'{filename.stem}_{name}'), title + name)
      for name in picks]
  def watch(number, obs, act, rewards):
    reward = rewards() if disc and act is not None else None
    reels[number].add(obs[key], games.reward(obs), reward)
  chosen = [played[index] for index in picks.values()]
  try:
    again = games.play(
        actor, bind(games.make_env, config), [x['seed'] for x in chosen],
        rows, watch=watch)
    for reel, before, after in zip(reels, chosen, again):
      same = all(before[k] == after[k] for k in after)
      of = f' of {len(played)} games' + ('' if same else (
          f' (played again; this time it differs from score '
          f'{before["score"]:g} in {before["length"]} steps)'))
      for path in reel.close(of):
        print(f'Written: {path}')
  except OSError as error:
    raise UserError(f'{filename.parent}: cannot write films: {error}') from (
        None)
  finally:
    [reel.discard() for reel in reels]


def image_key(spaces):
  """Return the key of the first image (H, W, C) uint8 in spaces, or None."""
  keys = [
      k for k, v in spaces.items() if v.dtype == np.uint8 and
      len(v.shape) == 3 and not k.startswith('log/')]
  return keys[0] if keys else None
