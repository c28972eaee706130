"""Gathers what runs of baselines came to in one file, a line a run.

  python benchmarks/baselines/collect.py LOGDIR... --out FILE

Each has the command, seed, commit, steps, seconds of training on the clock,
from the start of the program's work to its last save (null for a run that was
stopped), the step of the last game, the mean training score of the first and
last tenth of the games, and the evaluations there are.
"""

import argparse
import datetime
import json
import pathlib

import numpy as np


def main():
  """Write the file that the command line names."""
  parser = argparse.ArgumentParser(
      description=__doc__,
      formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument('logdirs', nargs='+', type=pathlib.Path)
  parser.add_argument('--out', required=True, type=pathlib.Path)
  args = parser.parse_args()
  rows = {x.name: run(x) for x in sorted(args.logdirs)}
  text = ',\n '.join(f'{json.dumps(k)}: {json.dumps(v)}'
                     for k, v in rows.items())
  args.out.write_text('{' + text + '}\n')
  for name, row in rows.items():
    scores = ', '.join(
        f'{k} {v["mean"]:.2f} (random {v["random_mean"]:.2f})'
        for k, v in row['evaluations'].items())
    print(f'{name}: {row["steps"]} steps, {row["seconds"]} s, {scores}')


def run(logdir):
  """Return what is known of the run in a logdir, a dict."""
  start = json.loads((logdir / 'run.json').read_text())['starts'][0]
  begin = datetime.datetime.fromisoformat(start['time']).timestamp()
  saves = [x.stat().st_mtime for x in logdir.glob('policy.*')]
  found = [json.loads(x) for x in lines(logdir / 'scores.jsonl')]
  scores = [x['episode/score'] for x in found if 'episode/score' in x]
  tenth = max(1, len(scores) // 10)
  return {
      'command': start['command'], 'seed': start['seed'],
      'commit': start['commit'], 'machine': start['machine'],
      'versions': start['versions'],
      'seconds': round(max(saves) - begin, 1) if saves else None,
      'games': len(scores), 'steps': found[-1]['step'] if found else None,
      'training': [
          float(np.mean(x)) for x in (scores[:tenth], scores[-tenth:])
          if x],
      'metrics': final(logdir),
      'evaluations': {
          x.stem.split('_')[-1]: json.loads(x.read_text())['summary']
          for x in sorted((logdir / 'eval').glob('*_*.json'))}}


def final(logdir):
  """Return the last value of every metric of training."""
  found = {}
  for line in lines(logdir / 'metrics.jsonl'):
    found.update(json.loads(line))
  return {k: v for k, v in found.items() if k.startswith(('train/', 'fps/'))}


def lines(path):
  """Return the lines of a file, none if it is not there."""
  return path.read_text().splitlines() if path.exists() else []


if __name__ == '__main__':
  main()
