"""Plays whole episodes of a scripted expert and of random play, side by side.

Writes the scores, and what Crafter's episodes achieved, as JSON.

examples:
  dreamer-gail demos expert_scores --task crafter_reward --out scores.json
  dreamer-gail demos expert_scores --task minatar_freeway --episodes 20 \\
      --out scores.json
"""

import platform

import numpy as np
import tqdm

from ... import arguments
from ... import atomic
from ... import envs
from ...data import recipe
from ...data import record
from ...errors import UserError
from .. import flags
from .. import tasks
from . import planner

PREFIX = 'log/achievement_'


def add_arguments(parser):
  """Add the flags of the subcommand to an argparse parser."""
  add = parser.add_argument
  add('--task', required=True, help='as in crafter_reward')
  add('--out', required=True, type=arguments.out_file,
      help='the .json file to write')
  add('--overwrite', action='store_true', help='replace it if it exists')
  add('--episodes', type=arguments.natural, default=10, help='how many')
  add('--limit', type=arguments.natural, default=1024,
      help='steps after which an episode is stopped')
  add('--seed', type=arguments.count, default=0, help='of the games')
  add('--recipe', default='', help='a recipe that the expert made with this '
      'seed: its actions are played, where planning takes minutes')


def run(args):
  """Play the episodes and write the results; raises UserError for mistakes."""
  out = flags.output(args)
  policies = {
      x: planner.make_policy(args.task, x) for x in ('planner', 'random')}
  if args.recipe:
    policies['planner'] = repeat(args)
  results = {}
  for name, policy in policies.items():
    episodes = [
        episode(args.task, policy, record.seeds(args.seed, i), args.limit)
        for i in tqdm.trange(args.episodes, desc=name, unit='episode')]
    results[name] = summary(episodes)
    print(f'{args.task}, {name}: {describe(results[name])}')
  atomic.write_json(out, {
      'task': args.task, 'limit': args.limit, 'seed': args.seed,
      'command': (
          f'python -m dreamer_gail_plugin.demos expert_scores --task '
          f'{args.task} --episodes {args.episodes} --limit {args.limit} '
          f'--seed {args.seed} --out {args.out}'
          f'{f" --recipe {args.recipe}" if args.recipe else ""}'),
      'python': platform.python_version(), **results})


def repeat(args):
  """Return the constructor of the policy that plays the actions of a recipe.

  Raises UserError if the recipe is not of these episodes.
  """
  data = recipe.load(args.recipe)
  found = (data['attrs']['task'], data['attrs'].get('seed'))
  if found != (args.task, args.seed):
    raise UserError(
        f'--recipe {args.recipe}: was made for --task {found[0]} --seed '
        f'{found[1]}; give these')
  made = data['trajectories']
  # The last step is not acted on.
  shortest = min(x['length'] - 1 for x in made)
  shortest = min(shortest, data['attrs']['limit'] or shortest)
  if args.episodes > len(made) or args.limit > shortest:
    raise UserError(
        f'--recipe {args.recipe}: holds {len(made)} trajectories with '
        f'{shortest} actions; lower --episodes or --limit to these')
  actions = {
      record.seeds(args.seed, i)[1]: x['actions'] for i, x in enumerate(made)}
  return lambda env, seed: recipe.Playback(actions[seed])


def episode(task, make_policy, seeds, limit):
  """Return score, length and achievements of one episode, as a dict.

  `length` counts actions. Achievements are there for Crafter only.
  """
  suite, name = tasks.split(task)
  options = tasks.options(task)
  if 'logs' in options:
    options['logs'] = True
  env = envs.make(suite, name, **options, seed=seeds[0])
  policy = make_policy(env, seeds[1])
  obs = env.step({'action': np.int32(0), 'reset': True})
  score, length = 0.0, 0
  while not obs['is_last'] and length < limit:
    obs = env.step({**policy(obs), 'reset': False})
    score += float(obs['reward'])
    length += 1
  env.close()
  result = {'score': score, 'length': length, 'ended': bool(obs['is_last'])}
  reached = {
      k.removeprefix(PREFIX): int(v)
      for k, v in obs.items() if k.startswith(PREFIX)}
  if reached:
    result['achievements'] = sorted(k for k, v in reached.items() if v)
  return result


def summary(episodes):
  """Return mean and sd of the scores, and the episodes themselves."""
  scores = [x['score'] for x in episodes]
  result = {'mean': float(np.mean(scores)), 'sd': float(np.std(scores))}
  if 'achievements' in episodes[0]:
    result['mean_achievements'] = float(np.mean(
        [len(x['achievements']) for x in episodes]))
  return {**result, 'episodes': episodes}


def describe(result):
  """Return a summary as text."""
  text = f'mean score {result["mean"]:.2f} (sd {result["sd"]:.2f})'
  if 'mean_achievements' in result:
    text += f', {result["mean_achievements"]:.1f} achievements'
  return text
