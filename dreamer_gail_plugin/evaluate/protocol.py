"""The paper's protocol: games of saved policies, and their statistics."""

import argparse
import math
import os
import pathlib
import time
from functools import partial as bind

import numpy as np
import tqdm

from .. import arguments
from .. import atomic
from .. import build
from .. import configs
from ..errors import UserError
from ..running import provenance
from . import actors as actorlib
from . import games
from . import highlights
from . import references
from . import stats

FORMAT = 1
POLICIES = ('sampled', 'greedy')
IN_PROCESS = ('minatar',)  # A step costs less than a message to a process.
DOMAIN = 250  # Sets the seeds here apart from those of training games.


def judge(config, actors, step, expert, args, repeat):
  """Let actors play and write the results; return the files written.

  Args:
    config: of the run; its `config.yaml` goes into the files.
    actors: dict of an actor (see actors.Actor) for each policy.
    step: at which they were saved, in frames.
    expert: mean score of the demonstrations or None.
    args: flags as from `parse`.
    repeat: the command that repeats this.
  """
  written = files(args, step, actors)
  check_new(written)
  if args.disc and not all(x.imitates for x in actors.values()):
    raise UserError('--disc: this run has no discriminator.')
  chance = play_random(config, args)
  for kind, filename in written.items():
    start, actor = time.time(), actors[kind]
    played = play(config, actor, args, kind)
    result = {
        'format': FORMAT, 'task': config.task, 'reward': reward(config),
        'seed': config.seed, 'step': step, 'policy': kind,
        'episodes': played,
        'summary': summary(config, played, chance, expert),
        'config': plain(configs.read(
            pathlib.Path(args.logdir).expanduser() / 'config.yaml')),
        'versions': provenance.versions(), 'commit': provenance.commit(),
        'command': repeat,
        'wall_seconds': round(time.time() - start, 2)}
    atomic.write_json(filename, result)
    print(describe(result), f'Written: {filename}', sep='\n')
    if args.films:
      highlights.record(config, actor, result, filename, rows(args), args.disc)
  return list(written.values())


def files(args, step, kinds):
  """Return {policy: file} of the results."""
  folder = pathlib.Path(args.out or f'{args.logdir}/eval').expanduser()
  return {kind: folder / f'{step}_{kind}.json' for kind in kinds}


def check_new(files):
  """Raise UserError if one of the files, or a film of it, exists."""
  for filename in files.values():
    # Films, too, so that none of another evaluation is left.
    there = sorted(filename.parent.glob(f'{filename.stem}*'))
    if there:
      raise UserError(
          f'{there[0]}: is there already. Remove what begins with '
          f'{filename.stem}, or name another folder by --out')


def parse(argv, doc=None, prog='dreamer-gail evaluate'):
  """Return the parsed flags; `doc` is the description for --help."""
  parser = arguments.Parser(prog=prog, description=doc)
  add = parser.add_argument
  add('--logdir', required=True, help='folder of the run')
  add('--checkpoint',
      help='another save than the latest: its step, its name or a folder')
  add('--policy', nargs='+', choices=POLICIES, default=POLICIES,
      help='how actions are taken; both by default')
  add('--chunks', type=arguments.natural, default=5,
      help='groups of games, each with a mean of its own')
  add('--episodes', type=arguments.natural, default=50, help='of each chunk')
  add('--seed', type=arguments.count, default=0,
      help='decides the games, not the agent')
  add('--envs', type=arguments.natural, default=50,
      help='games played side by side')
  add('--workers', type=arguments.natural,
      help='processes that play them; if not given, one for each processor, '
      'or none beside this one for MinAtar')
  add('--platform', choices=('auto', 'cpu', 'cuda'), default='auto',
      help='what the policy runs on')
  add('--out', type=arguments.out_folder,
      help='folder for the results instead of LOGDIR/eval')
  add('--no-films', dest='films', action='store_false',
      help='do not record the best, median and worst game')
  add('--disc', action='store_true',
      help='add up the reward of the discriminator in every game, compare '
      'it with the score, and show it in the films')
  return parser.parse_args(argv)


def rows(args):
  """Return how many games are played side by side."""
  return min(args.envs, args.chunks * args.episodes)


def seeds(seed, chunk, episodes):
  """Return the seeds of the games of a chunk, a list of integers."""
  words = np.random.SeedSequence([abs(seed), chunk, DOMAIN])
  return [int(x) >> 1 for x in words.generate_state(episodes)]


def play(config, actor, args, name):
  """Let an actor play; return the games, dicts with their `chunk`.

  A progress bar with this name shows the mean score so far.
  """
  chunks = [
      (chunk, seed) for chunk in range(args.chunks)
      for seed in seeds(args.seed, chunk, args.episodes)]
  total, returns = 0.0, np.zeros(len(chunks))
  def watch(number, obs, act, reward):
    returns[number] += 0 if act is None else reward()
  disc = args.disc and actor.imitates  # Random play does not.
  with tqdm.tqdm(total=len(chunks), desc=name, unit='game') as bar:
    def ended(game):
      nonlocal total
      total += game['score']
      bar.set_postfix_str(f'score {total / (bar.n + 1):.2f}', refresh=False)
      bar.update()
    played = games.play(
        actor, bind(games.make_env, config), [x for _, x in chunks],
        rows(args), workers(config, args), ended, watch if disc else None)
  if disc:
    played = [
        {**x, 'disc_return': round(float(y), 4)}
        for x, y in zip(played, returns)]
  return [{'chunk': c, **game} for (c, _), game in zip(chunks, played)]


def play_random(config, args):
  """Return one chunk of games of random play, for comparison."""
  actor = actorlib.RandomActor(build.spaces(config)[1])
  one = argparse.Namespace(**{**vars(args), 'chunks': 1})
  return play(config, actor, one, 'random')


def workers(config, args):
  """Return the number of processes for the environments."""
  if args.workers:
    return min(args.workers, rows(args))
  if config.task.partition('_')[0] in IN_PROCESS:
    return 1
  return min(len(os.sched_getaffinity(0)), rows(args))


def summary(config, played, chance, expert=None):
  """Return the statistics of the games, as docs/evaluation.md lists them.

  `chance` are games of random play on the same task and `expert` the mean
  score of the demonstrations or None.
  """
  values = np.array([x['score'] for x in played])
  chunks = np.array([x['chunk'] for x in played])
  strata = [values[chunks == x] for x in np.unique(chunks)]
  low, high = stats.bootstrap(strata, stats.iqm, seed=0)
  mean, random = float(values.mean()), average('score', chance)
  result = {
      'episodes': len(played), 'mean': mean, 'sd': float(values.std()),
      'median': float(np.median(values)), 'iqm': stats.iqm(values),
      'iqm_low': low, 'iqm_high': high,
      'limit_share': average('limit', played),
      'length_mean': average('length', played),
      'random_mean': random, 'random_length': average('length', chance)}
  if not config.random_agent:
    result['flags'] = references.flags(played, chance)
  result.setdefault('flags', [])
  human = references.human_normalised(config.task, mean)
  if human is not None:
    result['human_normalised'] = human
  if expert is not None:
    result['expert_mean'] = expert
    result['expert_normalised'] = references.normalised(mean, random, expert)
  if 'disc_return' in played[0]:
    result.update(informative(played))
  if 'achievements' in played[0]:
    rates = references.success_rates([x['achievements'] for x in played])
    result['crafter_score'] = references.crafter_score(rates.values())
    result['success'] = rates
  return result


def informative(played):
  """Return Spearman's rank correlation of D's reward and the score, a dict.

  It is computed for D's sum over a game, and for D's mean a step, which does
  not grow with the length of the game. It is None where all games are equal
  in one of the two. It is for reports only: no score leaves them.
  """
  scores = [x['score'] for x in played]
  sums = [x['disc_return'] for x in played]
  means = [x['disc_return'] / max(1, x['length']) for x in played]
  return {
      'disc_sum_rank': stats.rank_correlation(sums, scores),
      'disc_mean_rank': stats.rank_correlation(means, scores)}


def average(key, games):
  """Return the mean of one value over games."""
  return float(np.mean([x[key] for x in games]))


def expert_score(config):
  """Return the mean score of the run's demonstrations, None if unknown."""
  try:
    score = build.make_expert(config, 1).stats['score']
  except UserError:  # They need not be on this machine.
    return None
  return None if math.isnan(score) else score


def reward(config):
  """Return the name of the reward that the agent learned from, or 'random'.
  """
  return 'random' if config.random_agent else config.agent.gail.reward


def plain(value):
  """Return a config as JSON can hold it, with `inf` and `nan` as text."""
  if isinstance(value, dict):
    return {k: plain(v) for k, v in value.items()}
  if isinstance(value, (list, tuple)):
    return [plain(x) for x in value]
  if isinstance(value, float) and not math.isfinite(value):
    return str(value)
  return value


def describe(result):
  """Return the summary of a result as lines of text."""
  x = result['summary']
  lines = [
      '', f'{result["task"]}, reward {result["reward"]}, seed '
      f'{result["seed"]}, step {result["step"]:,}, {result["policy"]} policy, '
      f'{x["episodes"]} games:',
      f'  score   mean {x["mean"]:.2f}  sd {x["sd"]:.2f}  '
      f'median {x["median"]:.2f}  IQM {x["iqm"]:.2f} '
      f'(95 % interval {x["iqm_low"]:.2f} to {x["iqm_high"]:.2f})',
      f'  length  mean {x["length_mean"]:.1f}, '
      f'{x["limit_share"]:.0%} of the games ended by the time limit',
      f'  random  mean {x["random_mean"]:.2f}, '
      f'length {x["random_length"]:.1f}']
  if 'expert_mean' in x:
    lines.append(f'  expert  mean {x["expert_mean"]:.2f}')
  for key, name in (
      ('expert_normalised', 'of the way from random play to the expert'),
      ('human_normalised', 'of the way from random play to human play')):
    if x.get(key) is not None:
      lines.append(f'  {x[key]:.1%} {name}')
  for key, name in (
      ('disc_sum_rank', 'sum over a game'), ('disc_mean_rank', 'mean a step')):
    if x.get(key) is not None:
      lines.append(
          f"  D's reward, {name}, and the score: rank correlation "
          f'{x[key]:+.2f}')
  if 'crafter_score' in x:
    lines.append(f'  Crafter score {x["crafter_score"]:.1f} %')
  return '\n'.join(lines + [f'  Note: {flag}' for flag in x['flags']])
