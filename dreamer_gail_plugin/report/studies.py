"""Reads studies, as committed in scores/, as Runs of the report."""

import pathlib
import shlex

import numpy as np

from ..baselines import config as baselines
from ..errors import UserError
from ..evaluate import references
from ..evaluate import results
from . import methods
from . import runs as runlib

WINDOW = 10_000  # Steps of a mean training score, which ends at its step.
WITH_REWARD = {'env', *baselines.NAMES} - {*baselines.IMITATORS}


def load(path, named):
  """Return the Runs in the file of a study; raises UserError if it is none.

  With `named` the study is part of the methods' names, so that they are not
  averaged with those of other files, which may have other settings.
  """
  path = pathlib.Path(path)
  name = path.name.removesuffix(results.SUFFIX)
  try:
    return [_run(x, name, named) for x in results.study(path)]
  except (ValueError, LookupError, AttributeError, TypeError) as error:
    raise UserError(
        f'{path}: not a study of this program ({type(error).__name__}: '
        f'{str(error)[:80]}); expected what `experiments pack` writes'
    ) from None


def _run(found, name, named):
  task, kind, seed = str(found['task']), found['method'], int(found['seed'])
  about = [str(found['setting'])] if found.get('setting') else []
  about += [f'in {name}'] * named
  random = kind == methods.RANDOM and not named
  method = kind
  if about and not random:
    method = f'{kind} ({", ".join(about)})'
  run = runlib.Run(
      f'{name}: {task}, {" ".join([kind, *about])}, seed {seed}', task=task,
      method=method, seed=seed, state='imported', expert=found['expert'],
      flat={
          'uses_reward': kind in WITH_REWARD, 'random_agent': random},
      starts=[_start(found, seed)])
  run.evals = [_evaluation(k, v, found) for k, v in sorted(
      found['evaluations'].items())]
  if not all(x['scores'] for x in found['evaluations'].values()):
    run.problems.append('the study has the mean of its games, not each')
  _training(run, found)
  return run


def _training(run, found):
  # A mean stands in the middle of its window.
  pairs = [
      (x - WINDOW / 2, y) for x, y in zip(
          found['training']['steps'], found['training']['scores'])
      if y is not None and x - WINDOW / 2 < found['steps']]
  run.steps, run.scores = np.array(pairs, np.float64).reshape((-1, 2)).T
  seconds = found['wall_seconds'].get('train')
  if pairs and seconds:
    fps = np.array([found['steps'] / seconds])
    run.metrics['fps/policy'] = np.array([run.steps[-1]]), fps


def _evaluation(policy, found, run):
  summary = dict(found['summary'])
  if run['expert'] is not None:
    summary['expert_normalised'] = references.normalised(
        summary['mean'], summary['random_mean'], run['expert'])
  scores = np.array(found['scores'] or [summary['mean']], np.float64)
  return dict(
      policy=policy, scores=scores,
      step=found.get('step') or run['steps'] or 0,
      chunks=np.zeros(len(scores)), summary=summary,
      lengths=_known(summary, 'length_mean'),
      limits=_known(summary, 'limit_share'))


def _known(summary, key):
  return np.array([summary[key]], np.float64) if key in summary else None


def _start(found, seed):
  flags = list(found.get('flags', ()))
  if '--seed' in flags:  # So that those of all seeds are shown once.
    flags[flags.index('--seed') + 1] = 'SEED'
  return dict(
      time='', seed=seed, commit=', '.join(found.get('commits', ())),
      command=shlex.join(flags),
      versions=dict(found.get('versions', {})),
      machine=dict(found.get('machine', {})))
