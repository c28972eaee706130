"""What ends the games of a saved agent in MinAtar's Space Invaders.

  python benchmarks/invaders_end.py LOGDIR --out FILE

The sampled policy plays new games. A lost one is `landed` if the last board
has an invader in the cannon's row, else `shot`; `limit` are those that were
not lost. The file has their counts, their mean scores and the mean number of
invaders on the board before the last. Scores are for this report only.
"""

import argparse
import pathlib
from functools import partial as bind

import numpy as np

from dreamer_gail_plugin.evaluate import games
from dreamer_gail_plugin.evaluate import policy as policylib
from dreamer_gail_plugin.evaluate import protocol
from dreamer_gail_plugin.experiments import results
from dreamer_gail_plugin.running import checkpoint
from dreamer_gail_plugin.running import checks
from dreamer_gail_plugin.running import provenance

INVADER = 1  # The channel of MinAtar's boards.


def main(logdir, number, out):
  """Play, count, print and write the JSON."""
  config = checks.platform(policylib.load_config(logdir))
  checks.prepare_jax(config)
  folder = checkpoint.choose(logdir, None, config)
  boards = [[] for _ in range(number)]
  played = games.play(
      policylib.load_actor(config, folder), bind(games.make_env, config),
      protocol.seeds(0, 0, number), number,
      watch=lambda game, obs, act, reward: boards[game].append(
          obs['image'][..., INVADER] > 127))
  ends = [
      'limit' if game['limit'] else 'landed' if board[-1][-1].any()
      else 'shot' for game, board in zip(played, boards)]
  result = {
      'logdir': str(logdir), 'games': number,
      **{x: summary(x, ends, played, boards) for x in sorted(set(ends))},
      'commit': provenance.commit(), 'versions': provenance.versions()}
  [print(k, v) for k, v in result.items()]
  results.save(out, result)


def summary(end, ends, played, boards):
  """Return the count and the means of the games with that end."""
  chosen = [i for i, x in enumerate(ends) if x == end]
  mean = lambda values: round(float(np.mean(values)), 2)
  return {
      'games': len(chosen),
      'score': mean([played[i]['score'] for i in chosen]),
      'invaders': mean([boards[i][-2].sum() for i in chosen])}


if __name__ == '__main__':
  parser = argparse.ArgumentParser(
      description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
  parser.add_argument('logdir', type=pathlib.Path)
  parser.add_argument('--games', type=int, default=250)
  parser.add_argument('--out', type=pathlib.Path, required=True)
  args = parser.parse_args()
  main(args.logdir, args.games, args.out)
