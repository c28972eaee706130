"""Keeps what the logs of a run tell of its learning, also if it was stopped.

  python benchmarks/curves.py LOGDIR --out FILE

The file has how the run was started, mean training scores of every 10,000
steps and, for every 5,000, means of metrics: the model's losses in nats, of
the image and of the dynamics (the KL divergence that its prior is trained by),
the anchor policy's loss and the policy's divergence from it, the policy's
entropy, D's accuracy on the expert's steps, and mean and deviation of its
reward, its mean on replayed steps and that of the absorbing state; those that
the run has.
"""

import argparse
import json
import pathlib

import numpy as np

from dreamer_gail_plugin.experiments import jobs
from dreamer_gail_plugin.experiments import results
from dreamer_gail_plugin.running import provenance

METRICS = (
    'loss/image', 'loss/dyn', 'loss/anchor', 'loss/anchor_kl', 'ent/action',
    'disc/acc_expert', 'disc/rew_mean', 'disc/rew_std', 'disc/rew_replay',
    'disc/rew_end')
EVERY = 5_000


def main(logdir, out):
  """Write the file; an existing one is replaced."""
  rows = [json.loads(x) for x in (logdir / 'metrics.jsonl').open()]
  last = max(x['step'] for x in rows)
  starts = provenance.load(logdir / 'run.json')
  results.save(out, {
      'starts': [{k: x[k] for k in (
          'command', 'commit', 'seed', 'versions', 'machine')}
          for x in starts],
      'steps': last,
      'training': jobs.training(logdir, last),
      'metrics': metrics(rows, last)})


def metrics(rows, last):
  """Return a list of {step, NAME: mean up to that step}."""
  found = []
  for end in range(EVERY, last + 1, EVERY):
    part = [
        x for x in rows
        if end - EVERY < x['step'] <= end and f'train/{METRICS[0]}' in x]
    found.append({'step': end, **{
        k: round(float(np.mean([x[f'train/{k}'] for x in part])), 4)
        for k in METRICS if part and f'train/{k}' in part[-1]}})
  return found


if __name__ == '__main__':
  parser = argparse.ArgumentParser(
      description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
  parser.add_argument('logdir', type=pathlib.Path)
  parser.add_argument('--out', type=pathlib.Path, required=True)
  args = parser.parse_args()
  main(args.logdir, args.out)
