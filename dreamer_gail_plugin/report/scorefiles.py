"""Reads and writes scores in the formats of DreamerV3's repository.

Its score files are gzipped JSON, `scores/SUITE-METHOD.json.gz`: a list of
{task, method, seed, xs, ys}, one entry a run, with the frames `xs` and the
scores `ys` at them (null for none). Its plot.py reads folders
STAMP-TASK-METHOD-SEED with a scores.jsonl inside. This module writes both and
reads the first.
"""

import gzip
import json
import math
import pathlib
import re
import zlib

import numpy as np

from ..errors import UserError
from . import runs as runlib

SUFFIX = '.json.gz'
LARGEST = 1_000_000_000  # Bytes when unpacked; upstream's have up to 10 MB.


def load(path):
  """Return the Runs in a score file; raises UserError if it is none."""
  path = pathlib.Path(path)
  try:
    with gzip.open(path) as file:
      text = file.read(LARGEST)
    records = json.loads(text)
    runs = [_run(x, path) for x in records]
  except (
      OSError, ValueError, KeyError, TypeError, EOFError, zlib.error,
      RecursionError, OverflowError) as error:
    raise UserError(
        f'{path}: not a score file of DreamerV3 ({type(error).__name__}: '
        f'{str(error)[:80]}); expected gzipped JSON, a list of task, method, '
        'seed, xs and ys') from None
  if not runs:
    raise UserError(f'{path}: this score file holds no runs')
  return runs


def _run(record, path):
  if len(record['xs']) != len(record['ys']):
    raise ValueError('xs and ys differ in length')
  pairs = [
      (float(x), float(y)) for x, y in zip(record['xs'], record['ys'])
      if y is not None and math.isfinite(y)]
  task, method, seed = record['task'], record['method'], int(record['seed'])
  if not isinstance(task, str) or not isinstance(method, str):
    raise TypeError('task and method are text')
  steps, scores = np.array(sorted(pairs)).reshape((-1, 2)).T
  return runlib.Run(
      f'{path.name.removesuffix(SUFFIX)}: {task}, seed {seed}', task=task,
      method=method, seed=seed, steps=steps, scores=scores,
      state='imported' if len(steps) else 'empty',
      problems=[] if len(steps) else ['the score file has no score of it'])


def save(runs, folder):
  """Write the training scores of the runs in both formats below a folder.

  Returns the names of the score files. Runs that were read from a score file
  are left out.
  """
  runs = [x for x in runs if len(x.steps) and x.state != 'imported']
  folder.mkdir(parents=True, exist_ok=True)
  groups = {}
  for run in runs:
    suite = plain(run.task.partition('_')[0])
    groups.setdefault(f'{suite}-{plain(run.method)}{SUFFIX}', []).append(run)
    _save_folder(run, folder / 'runs')
  for name, members in groups.items():
    _save_file([_record(x) for x in members], folder / name)
  return sorted(groups)


def plain(name):
  """Return a name as upstream writes them: lower case, words joined by _."""
  return re.sub(r'\W+', '_', name.lower()).strip('_') or 'name'


def _record(run):
  return dict(
      task=run.task, method=plain(run.method), seed=run.seed,
      xs=[int(x) for x in run.steps], ys=run.scores.tolist())


def _save_file(records, path):
  text = json.dumps(records, separators=(',', ':'))
  path.write_bytes(gzip.compress(text.encode(), mtime=0))


def _save_folder(run, folder):
  # plot.py splits the name at '-', so no part may contain one. It ignores the
  # stamp, which is the name of the run here.
  task = re.sub(r'\W+', '_', run.task)
  rest = f'{task}-{plain(run.method)}-{run.seed}'
  name, count = f'{plain(run.name)}-{rest}', 1
  while (folder / name).exists():  # Names may differ in a dash alone.
    count += 1
    name = f'{plain(run.name)}_{count}-{rest}'
  (folder / name).mkdir(parents=True)
  (folder / name / 'scores.jsonl').write_text(''.join(
      json.dumps({'step': int(x), 'episode/score': y}) + '\n'
      for x, y in zip(run.steps, run.scores.tolist())))
