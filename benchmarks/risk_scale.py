"""What the risk critic does to the games of a saved agent.

  python benchmarks/risk_scale.py LOGDIR --out FILE

The agent of a run plays the same games with other scales of its risk critic
(`agent.gail.risk`), 0 among them, which is the policy without it. It was
trained with the scale of its config, by which its own games were played.
The file has mean scores and lengths and the standard errors of the former.
The score is for this report only.
"""

import argparse
import pathlib

import numpy as np

from dreamer_gail_plugin.evaluate import policy as policylib
from dreamer_gail_plugin.evaluate import protocol
from dreamer_gail_plugin.experiments import results
from dreamer_gail_plugin.running import checkpoint
from dreamer_gail_plugin.running import checks
from dreamer_gail_plugin.running import provenance


def main(args):
  """Play all games and write the file, new after each scale."""
  config = checks.platform(policylib.load_config(args.logdir))
  checks.prepare_jax(config)
  folder = checkpoint.choose(args.logdir, None, config)
  rows = []
  for scale in args.scales:
    actor = policylib.load_actor(
        config.update({'agent.gail.risk': scale}), folder)
    rows.append(measure(config, actor, args.episodes, scale=scale))
    results.save(args.out, {
        'logdir': args.logdir, 'task': config.task,
        'trained_with': config.agent.gail.risk, 'episodes': args.episodes,
        'rows': rows, 'commit': provenance.commit(),
        'versions': provenance.versions()})


def measure(config, actor, episodes, **name):
  """Play the games of an evaluation; return and print a row of the file.

  It starts with what `name` has.
  """
  games = protocol.parse([
      '--logdir', config.logdir, '--chunks', '1',
      '--episodes', str(episodes), '--no-films'])
  title = ' '.join(f'{k} {v}' for k, v in name.items())
  played = protocol.play(config, actor, games, title)
  scores = np.array([x['score'] for x in played])
  row = {
      **name, 'mean': round(float(scores.mean()), 2),
      'error': round(float(scores.std() / len(scores) ** 0.5), 2),
      'length': round(float(np.mean([x['length'] for x in played])), 1)}
  print(row)
  return row


if __name__ == '__main__':
  parser = argparse.ArgumentParser(
      description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
  parser.add_argument('logdir')
  parser.add_argument('--out', type=pathlib.Path, required=True)
  parser.add_argument(
      '--scales', nargs='+', type=float, default=[0, 5, 10, 20, 40])
  parser.add_argument('--episodes', type=int, default=250)
  main(parser.parse_args())
