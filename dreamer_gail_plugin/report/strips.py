"""Chooses what play the page shows: the expert's and one run's per method."""

import numpy as np

from ..errors import UserError
from ..evaluate import stats
from . import behaviour
from . import evaluations
from . import style
from . import summary


def experts(runs, notes):
  """Return {task: Play} of the demonstrations.

  Those of the random policy are left out. For tasks whose demonstrations
  cannot be read, a sentence is added to `notes`.
  """
  found, failed = {}, {}
  for run in runs:
    if run.expert is not None:
      found.setdefault(run.task, behaviour.Play(score=run.expert))
    name = run.flat.get('agent.gail.expert', 'random')
    if name == 'random' or run.task in found:
      continue
    try:
      found[run.task] = behaviour.expert(run.flat, run.path)
    except UserError as error:
      failed.setdefault(run.task, str(error).split('\n')[0])
  notes += [
      f'{k}: no demonstrations to compare with. {v}'
      for k, v in failed.items() if k not in found]
  return found


def shown(runs, experts):
  """Return {(task, method): (run, Play)}: one run for each method.

  It is the run of median score, or the one nearest to it that has some play.
  The Play is None where no run has any.
  """
  groups, found = {}, {}
  for run in runs:
    if run.path:
      groups.setdefault((run.task, run.method), []).append(run)
  for (task, method), members in groups.items():
    meanings = experts[task].meanings if task in experts else ()
    members = sorted(members, key=_distance(members))
    tried = ((x, behaviour.learner(x.path, meanings)) for x in members)
    found[task, method] = next((x for x in tried if x[1]), (members[0], None))
  return found


def _distance(members):
  scores = [summary.score(x) for x in members]
  means = {id(x): y.games.mean() for x, y in zip(members, scores) if y}
  if not means:  # No game has ended lately.
    return lambda run: 0.0
  # The lower of two in the middle, so that it is the score of a run.
  middle = np.percentile(list(means.values()), 50, method='lower')
  return lambda run: abs(means.get(id(run), np.inf) - middle)


def strips(shown, expert):
  """Return the film strips of the page, the expert's first, a list of dicts.

  Each has `who`, `method`, `origin`, `films` [(URI, name)], and either
  `frames` [(URI, caption)] or, of an evaluation, `pictures` [(URI, name)].
  """
  found = []
  if expert and expert.strip:
    score = stats.number(expert.score)
    found.append(dict(
        who='Expert', method='', frames=_frames(expert.strip), pictures=[],
        origin=f'{expert.origin}; mean score {score}', films=_film(expert)))
  for method, (run, own) in shown.items():
    found += _of_run(method, run, own)
  return found


def _of_run(method, run, own):
  pictures, films = [
      [(style.uri(x, kind), name) for name, x in evaluations.pictures(
          run.path, run.evals, kind.partition('/')[2])]
      for kind in ('image/png', 'video/mp4')]
  if pictures or films:
    return [dict(
        who=method, method=method, films=films, pictures=pictures, frames=[],
        origin=f'{run.name}, games of its evaluation')]
  if own and own.strip:
    return [dict(
        who=method, method=method, films=_film(own), pictures=[],
        frames=_frames(own.strip), origin=f'{run.name}, {own.origin}')]
  return []


def _film(play):
  return [(style.uri(play.film, 'video/mp4'), 'the game')]


def _frames(strip):
  return [(style.uri(data, 'image/png'), text) for data, text in strip]


def actions(shown, expert):
  """Return (names, {method: shares (A,)}, expert's shares or None), or None.

  None if no method has counts of its actions.
  """
  counts = {
      k: own.actions for k, (_, own) in shown.items()
      if own and own.actions is not None}
  if not counts:
    return None
  own = expert.actions if expert else None
  size = max(len(x) for x in [*counts.values(), own] if x is not None)
  meanings = expert.meanings if expert else ()
  names = [
      meanings[i] if i < len(meanings) else str(i) for i in range(size)]
  share = lambda x: np.pad(x, (0, size - len(x))) / max(1, x.sum())
  return (
      names, {k: share(v) for k, v in counts.items()},
      None if own is None else share(own))
