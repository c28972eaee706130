"""Keeps what the logs of a run tell of its learning, also if it was stopped.

  python benchmarks/curves.py LOGDIR --out FILE

The file has how the run was started, mean training scores of every 10,000
steps and, for every 5,000, the means of the model's losses in nats: of the
image, of the dynamics (the KL divergence that its prior is trained by) and of
cloning.
"""

import argparse
import json
import pathlib

import numpy as np

from dreamer_gail_plugin import provenance
from dreamer_gail_plugin.benchmark import jobs
from dreamer_gail_plugin.benchmark import results

LOSSES = ('image', 'dyn', 'clone')
EVERY = 5_000


def main(logdir, out):
  """Write the file; an existing one is replaced."""
  rows = [
      json.loads(x) for x in (logdir / 'metrics.jsonl').open()]
  last = max(x['step'] for x in rows)
  starts = provenance.load(logdir / 'run.json')
  results.save(out, {
      'starts': [{k: x[k] for k in (
          'command', 'commit', 'seed', 'versions', 'machine')}
          for x in starts],
      'steps': last,
      'training': jobs.training(logdir, last),
      'losses': losses(rows, last)})


def losses(rows, last):
  """Return a list of {step, image, dyn, clone}, means up to each step."""
  found = []
  for end in range(EVERY, last + 1, EVERY):
    part = [x for x in rows if end - EVERY < x['step'] <= end]
    means = {
        k: np.mean([
            x[f'train/loss/{k}'] for x in part if f'train/loss/{k}' in x])
        for k in LOSSES}
    found.append({
        'step': end, **{k: round(float(v), 4) for k, v in means.items()}})
  return found


if __name__ == '__main__':
  parser = argparse.ArgumentParser(
      description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
  parser.add_argument('logdir', type=pathlib.Path)
  parser.add_argument('--out', type=pathlib.Path, required=True)
  args = parser.parse_args()
  main(args.logdir, args.out)
