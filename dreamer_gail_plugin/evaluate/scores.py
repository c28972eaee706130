"""Training scores of runs, beside random play and the expert of known tasks.

A table of the mean training score over the last steps of each run, as text
and as JSON. Where the twin with a constant reward is among them, it says what
D adds.

examples:
  dreamer-gail scores ~/logdir/breakout ~/logdir/seaquest
  dreamer-gail scores ~/logdir/breakout --last 2000 --out scores.json
"""

import json
import os
import pathlib
import sys

import numpy as np

from .. import arguments
from .. import atomic
from .. import configs
from .. import errors
from ..data import record
from ..errors import UserError
from . import twins

WINDOW = 10_000  # Environment steps.
NONE = {'mean': float('nan'), 'sd': float('nan'), 'episodes': 0}


def read(logdir):
  """Return arrays (N,) of the steps and scores of a run's episodes.

  They come from upstream's scores.jsonl. A step is counted in frames (the
  environment's action repeat included) and is that of an episode's end. Where
  a run was resumed from a save, the episodes after that save count once.
  Lines that a kill has cut off are left out, which is said.
  """
  filename = pathlib.Path(logdir).expanduser() / 'scores.jsonl'
  if not filename.exists():
    raise UserError(f'{filename}: not found; is {logdir} a logdir of a run?')
  rows, cut = [], []
  text = filename.read_text(errors='replace')
  for number, line in enumerate(text.splitlines(), 1):
    try:
      row = json.loads(line)
    except (ValueError, RecursionError):
      cut.append(number)
      continue
    try:
      rows.append((float(row['step']), float(row['episode/score'])))
    except (ValueError, KeyError, TypeError):
      raise UserError(
          f'{filename}: line {number} has no step and episode/score; it was '
          f'edited, remove it') from None
  if cut:
    print(
        f'{filename}: left out what was cut off or damaged, {len(cut)} of '
        f'{number} lines, the first is line {cut[0]}', file=sys.stderr)
  steps, scores = np.array(rows, np.float64).reshape((-1, 2)).T
  keep = kept(steps)
  return steps[keep], scores[keep]


def kept(steps):
  """Return bools (N,): which lines of a log at `steps` (N,) still count.

  A run that goes back to its last save writes the steps after it once more.
  """
  return steps <= np.minimum.accumulate(steps[::-1])[::-1]


def window(logdir, last=WINDOW):
  """Return mean, sd and number of scores of the last steps, a dict."""
  return average(*read(logdir), last)


def average(steps, scores, last):
  """Return the same of arrays (N,) as `read` returns them."""
  scores = scores[steps > steps.max(initial=0) - last]
  if not len(scores):
    return NONE
  return {
      'mean': float(scores.mean()), 'sd': float(scores.std()),
      'episodes': len(scores)}


def play_random(make_env, steps=WINDOW, episodes=100):
  """Return mean, sd and number of scores of the uniformly random policy.

  It plays until there are `episodes` whole episodes or `steps` steps are
  over. At least one episode is played to its end.
  """
  env = make_env(0)
  policy = record.Random(env)
  acts = {
      k: np.zeros(v.shape, v.dtype)
      for k, v in env.act_space.items() if k != 'reset'}
  scores, score, step = [], 0.0, 0
  last = True
  while len(scores) < episodes and (step < steps or not scores):
    obs = env.step({**acts, 'reset': last})
    acts, last = policy(obs), bool(obs['is_last'])
    score += float(obs['reward'])
    step += 1
    if last:
      scores.append(score)
      score = 0.0
  env.close()
  return {
      'mean': float(np.mean(scores)), 'sd': float(np.std(scores)),
      'episodes': len(scores)}


def curves(logdir):
  """Return the command that shows the curves of a run and those beside it."""
  folder = pathlib.Path(logdir).expanduser().absolute().parent
  return arguments.typed('curves', folder)


def summary(config, expert, make_env, chance=None):
  """Return the text that ends a run: its score beside others, what is next.

  `expert` are the stats of the demonstrations or None, `chance` is the score
  of random play as `play_random` returns it, if it is known already.
  """
  try:
    agent, note = window(config.logdir), []
  except UserError as error:  # No reason to fail after the training.
    agent, note = NONE, [f'  {error}']
  rows = [
      ('random policy', chance or play_random(make_env)), ('this run', agent)]
  if expert:
    rows.append(('expert', {'mean': expert['score']}))
  lines = ['', f'Mean episode score on {config.task}:']
  for name, row in rows:
    lines.append(f'  {name:<14} {describe(row)}')
  lines += note + [
      '', f'Training games that ended up to {WINDOW:,} steps before the last. '
      'Next:',
      f'  {curves(config.logdir)}',
      f'  {arguments.typed("evaluate", "--logdir", config.logdir)}',
      '  the same command with another --logdir and --seed, --task,',
      '  or --agent.gail.reward env for plain DreamerV3 with reward']
  return '\n'.join(lines)


def describe(row):
  """Return one score as text, with its spread where that is known."""
  if row.get('episodes') == 0:
    return 'no episode has ended yet'
  if np.isnan(row['mean']):
    return 'unknown'
  text = f'{row["mean"]:8.2f}'
  if 'episodes' in row:
    text += f'  (sd {row["sd"]:.2f}, {row["episodes"]} episodes)'
  return text


def row(logdir, last):
  """Return what the table says of one run, as a dict."""
  filename = pathlib.Path(logdir).expanduser() / 'config.yaml'
  if not filename.exists():
    raise UserError(f'{filename}: not found; is {logdir} a logdir of a run?')
  config = configs.read(filename)
  try:
    named = {
        'task': str(config.task), 'method': configs.method(config.flat),
        'seed': int(config.seed)}
  except (AttributeError, KeyError, TypeError, ValueError) as error:
    raise UserError(
        f'{filename}: is not the config of a run: {error}') from None
  # The file appears when the first episode ends.
  begun = filename.with_name('scores.jsonl').exists()
  steps, scores = read(logdir) if begun else np.zeros((2, 0))
  return {
      **named, 'steps': int(steps.max(initial=0)), 'last': last,
      **average(steps, scores, last), 'logdir': pathlib.Path(logdir).name}


def names(logdirs):
  """Return the shortest names of runs, by folders, that can tell them apart.
  """
  places = [pathlib.Path(x).expanduser().resolve() for x in logdirs]
  top = os.path.commonpath([x.parent for x in places])
  return [x.relative_to(top).as_posix() for x in places]


def table(rows):
  """Return the rows as text, a line each."""
  head = f'{"task":<20} {"method":<15} {"seed":>4} {"steps":>9}  score and run'
  lines = [head, '-' * len(head)]
  for x in rows:
    lines.append(
        f'{x["task"]:<20} {x["method"]:<15} {x["seed"]:>4} {x["steps"]:>9,}'
        f'  {describe(x)}  {x["logdir"]}')
  return '\n'.join(lines)


def shares(rows):
  """Return a line on D's share for each method whose twin is there."""
  scores = {}
  for x in rows:
    if x['episodes']:
      methods = scores.setdefault(x['task'], {})
      methods.setdefault(x['method'], []).append(x['mean'])
  return [
      f'{task}: {text}' for task, methods in scores.items()
      for text in (twins.share(x, methods) for x in methods) if text]


def main(argv=None):
  """Print the table of the runs named on the command line."""
  parser = arguments.Parser(
      prog='dreamer-gail scores', description=__doc__)
  parser.add_argument(
      'logdirs', nargs='+', metavar='LOGDIR', type=arguments.place,
      help='of runs')
  parser.add_argument(
      '--last', type=arguments.natural, default=WINDOW,
      help='steps at the end whose games count')
  parser.add_argument(
      '--out', type=arguments.out_file, help='JSON file to write')
  args = parser.parse_args(argv)
  rows = [
      {**row(x, args.last), 'logdir': name}
      for x, name in zip(args.logdirs, names(args.logdirs))]
  print(table(rows))
  [print(x) for x in shares(rows)]
  if args.out:
    # A NaN, which stands for no score, cannot be in JSON.
    rows = [{k: None if x != x else x for k, x in y.items()} for y in rows]
    atomic.write_json(args.out, rows)


if __name__ == '__main__':
  errors.run(main)
