"""Puts the results of runs into a study, a file to be committed."""

from ..evaluate import results
from . import plans
from . import suites


def pack(path, new, setting=''):
  """Add results to the study at `path`; return how many are new and replaced.

  The study is made if it is not there. A run takes the place of one of the
  same setting, method, task and seed. Settings stay in the order in which
  they came.
  """
  old = results.study(path) if path.exists() else []
  runs = {_key(x): x for x in old}
  runs.update({_key(x): x for x in (brief(x, setting) for x in new)})
  settings = list(dict.fromkeys(x[0] for x in runs))
  order = sorted(runs, key=lambda x: (
      settings.index(x[0]), *map(suites.place, x[1:3]), x[3]))
  results.write(path, [runs[x] for x in order])
  added = len(runs) - len(old)
  return added, len(new) - added


def brief(result, setting=''):
  """Return what a study keeps of a result: all but its config.

  The folder of the run goes, too, and the expert's score is that of the
  bundled demonstrations, so that runs with others compare.
  """
  flags = list(result['flags'])
  if '--logdir' in flags:
    start = flags.index('--logdir')
    del flags[start: start + 2]
  setting = setting or result.get('setting', '')
  own = {k: v for k, v in result.items() if k not in ('config', 'setting')}
  return _short({
      **({'setting': setting} if setting else {}), **own, 'flags': flags,
      'expert': plans.bundled(result['suite'], result['task']),
      'evaluations': {
          k: {
              'step': x['step'],
              'summary': {y: x['summary'][y] for y in results.SUMMARY},
              'scores': x['scores']}
          for k, x in result['evaluations'].items()}})


def _key(run):
  return run.get('setting', ''), run['method'], run['task'], run['seed']


def _short(value):
  # Most scores are whole numbers; of others six places are enough.
  if isinstance(value, dict):
    return {k: _short(v) for k, v in value.items()}
  if isinstance(value, list):
    return [_short(x) for x in value]
  if isinstance(value, float):
    return int(value) if value.is_integer() else round(value, 6)
  return value
