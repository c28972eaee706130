"""What one action, taken at every step, scores in the games of a recipe.

  python benchmarks/one_action.py RECIPE --action UP --out FILE

A trajectory has the seed and the number of steps of the recipe's.
"""

import argparse
import pathlib

import numpy as np

from dreamer_gail_plugin import envs
from dreamer_gail_plugin.data import recipe
from dreamer_gail_plugin.data import record
from dreamer_gail_plugin.experiments import results
from dreamer_gail_plugin.running import provenance


def main(path, action, out):
  """Play, print and write the JSON."""
  data = recipe.load(path)
  attrs = data['attrs']
  suite, _, name = attrs['task'].partition('_')
  make = lambda seed: envs.make(
      suite, name, **attrs['preprocessing'], seed=seed)
  scores = [
      score(make(x['seed']), action, x['length'])
      for x in data['trajectories']]
  result = {
      'recipe': path.name, 'task': attrs['task'], 'action': action,
      'mean': float(np.mean(scores)), 'sd': float(np.std(scores)),
      'scores': scores, 'commit': provenance.commit(),
      'versions': provenance.versions()}
  print(result['mean'], result['sd'])
  results.save(out, result)


def score(env, action, length):
  """Return the sum of rewards of so many steps."""
  index = np.int32(env.action_meanings.index(action))
  data = record.rollout(env, lambda obs: {'action': index}, length)
  env.close()
  return float(data['reward'].sum())


if __name__ == '__main__':
  parser = argparse.ArgumentParser(
      description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
  parser.add_argument('recipe', type=pathlib.Path)
  parser.add_argument('--action', required=True)
  parser.add_argument('--out', type=pathlib.Path, required=True)
  args = parser.parse_args()
  main(args.recipe, args.action, args.out)
