"""Reads the files of evaluations in a logdir; damaged ones are left out."""

import json

import numpy as np

FORMAT = 1
POLICIES = ('sampled', 'greedy')
TYPES = dict(
    task=str, seed=int, step=(int, float), policy=str, episodes=list,
    summary=dict)
# How files of these kinds begin.
BEGIN = {'png': b'\x89PNG\r\n\x1a\n', 'mp4': b'\0\0\0'}
LARGEST = 4_000_000  # Bytes of a file; larger ones would slow the page.


def load(logdir, problems):
  """Return the evaluations of a run, the latest step last.

  Each is the dict of its file with arrays (N,) `scores`, `lengths`, `chunks`
  and `limits` of its N episodes. A damaged file is left out, and a sentence
  on it is added to `problems`.
  """
  found = []
  for path in sorted((logdir / 'eval').glob('*.json')):
    try:
      found.append(_parse(json.loads(path.read_bytes())))
    except (ValueError, KeyError, TypeError, OSError) as error:
      problems.append(
          f'eval/{path.name}: not an evaluation that this version reads, left '
          f'out ({type(error).__name__}: {str(error)[:80]})')
  return sorted(found, key=lambda x: x['step'])


def latest(evals, policy):
  """Return the evaluation of a policy at the latest step, or None."""
  found = [x for x in evals if x['policy'] == policy]
  return found[-1] if found else None


def best(evals):
  """Return the evaluation that counts, or None: sampled before greedy."""
  found = [latest(evals, x) for x in POLICIES]
  return next((x for x in found if x), None)


def pictures(logdir, evals, kind):
  """Return the strips (png) or films (mp4) of games: [(name, bytes)].

  They are those of the evaluation that counts, STEP_POLICY_NAME.png. If it has
  none, all in the logdir are returned.
  """
  found = []
  for path in sorted((logdir / 'eval').glob(f'*.{kind}')):
    data = path.read_bytes() if path.stat().st_size < LARGEST else b''
    if data.startswith(BEGIN[kind]):
      found.append((path.stem, data))
  which = best(evals)
  start = f'{which["step"]:.0f}_{which["policy"]}_' if which else ''
  own = [(k.removeprefix(start), v) for k, v in found if k.startswith(start)]
  return own or found


def _parse(data):
  if data['format'] != FORMAT:
    raise ValueError(f'format is {data["format"]}, expected {FORMAT}')
  for key, kind in TYPES.items():
    if not isinstance(data[key], kind):
      raise TypeError(f'{key} has type {type(data[key]).__name__}')
  if data['policy'] not in POLICIES or not data['episodes']:
    raise ValueError('no such policy, or no episodes')
  column = lambda key, dtype: np.array(
      [x[key] for x in data['episodes']], dtype)
  arrays = dict(
      scores=column('score', np.float64), lengths=column('length', np.float64),
      chunks=column('chunk', np.int64), limits=column('limit', bool))
  if not np.isfinite(arrays['scores']).all():
    raise ValueError('scores that are not finite')
  return {**data, **arrays}
