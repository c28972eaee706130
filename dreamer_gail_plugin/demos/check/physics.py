"""Whether vectors change from step to step as they do in random play.

A polynomial, of the third degree if there are few numbers, learns from random
play what an action does.
On random play that it has not seen, it has some largest error. In the same
range of states and actions the demonstrations must not exceed that.
"""

import itertools

import numpy as np

from . import findings
from .findings import note
from .findings import problem

CUBIC = 6  # Numbers of state and action up to which the degree is three.
# Numbers of state and action, above which it is not tried: their products of
# two are 325 columns, of 20,000 steps 50 MB. Of 768 numbers they are 45 GB.
MOST = 24
LEAST = 100  # Steps of demonstrations in the range of random play.
WRONG = 3  # A step is wrong if its error is so many times the largest.
JUMP = 10  # And it is a jump if it is so many times.
SHARE = 0.05  # Share of wrong steps from which on the cause is looked for.
JUMPS = 3  # Jumps that are no chance.
# Errors with the right actions, in those with others: so few if actions
# matter, so many if they have no relation to what happens.
RELATED = (0.5, 0.8)
CLEAR = 4  # Times by which other actions must fit better.
TIGHT = 1.0  # The largest error, in deviations of the change itself.
RIDGE = 1e-3
ROOM = 0.02  # Of the range of random play, beyond it.


def find(parts, play, key, classes):
  """Return the Findings about the vectors and one action.

  `classes` is the number of discrete actions, 0 for continuous ones.
  """
  fit, rest = play.folds()
  known = _steps(rest, key, classes)
  count = known[0].shape[1] + known[1].shape[1]
  if count > MOST:
    return [note(
        f'vector and {key} are {count} numbers, too many to learn from random '
        f'play what an action does to them ({MOST} at most), so that was left '
        'out')]
  model = Model(*_steps(fit, key, classes))
  inside = model.inside(*known[:2])
  if inside.sum() < LEAST:
    return []
  known = [x[inside] for x in known]
  model.calibrate(*known)
  mine = _steps(parts, key, classes)
  inside = model.inside(*mine[:2])
  if inside.sum() < LEAST or not model.tight.any():
    return []
  mine = [x[inside] for x in mine]
  error = model.error(*mine)
  found = [findings.decided(findings.LEFT_OUT)]
  usual, own = relation(model, known), relation(model, mine)
  matter = usual < RELATED[0] and np.isfinite(own)
  if matter:
    found += [findings.decided(x) for x in (findings.STEP, findings.TABLE)]
  wrong, jumps = np.mean(error > WRONG), int((error > JUMP).sum())
  if wrong > SHARE:
    reason = cause(model, parts, key, classes, wrong)
    found.append(problem(
        f'{wrong:.0%} of {len(error):,} steps lead elsewhere than they do in '
        f'random play: {reason}. Look at the importer'))
  elif matter and own > RELATED[1]:
    found.append(problem(
        f'the steps fit other actions as well as those of {key}, and in '
        'random play they do not: actions are of other steps, or of another '
        'player. Look at the importer'))
  if not classes:
    found += normalized(model, mine, play.act_space[key], key)
  if jumps >= JUMPS and wrong <= SHARE:
    found.append(problem(
        f'after {jumps} of {len(error):,} steps the vector jumps as it never '
        'does in random play: an episode ends there without is_last, or '
        'steps are missing, or some are of another time'))
  return found


def normalized(model, steps, space, key):
  """Return findings about actions from -1 to 1 where the task has others."""
  states, actions, after = steps
  low, high = space.low, space.high
  if not np.isfinite([low, high]).all() or np.abs(actions).max() > 1 + ROOM:
    return []
  whole = (high + low) / 2 + (high - low) / 2 * actions
  rows = model.differ(actions, whole)
  if rows.sum() < LEAST:
    return []
  error = lambda x: np.median(np.abs(
      model.change(states, x) - (after - states))[rows], 0) + 1e-9
  ratio = error(whole) / error(actions)
  if ratio.min() > 1 / CLEAR or ratio.max() > 1:
    return []
  return [problem(
      f'the steps fit {key} from {low.min():g} to {high.max():g} '
      'as the task has it, and here it is from -1 to 1: it was stored as '
      'agents give it. Scale it to the bounds of the task')]


def cause(model, parts, key, classes, wrong):
  """Return what would explain the wrong steps best, as text."""
  found = {}
  for text, off in (
      (f'{key} seems to stand 1 step(s) too late', 1),
      (f'{key} seems to stand 1 step(s) too early', -1)):
    found[text] = _share(model, _steps(parts, key, classes, off))
  mine = _steps(parts, key, classes)
  # The second of two steps may have had any of the actions there are.
  options = np.unique(mine[1], axis=0)
  options = options[np.linspace(0, len(options) - 1, 9).astype(int)]
  found['every second step seems to be left out'] = _share(
      model, mine, options)
  if classes:
    table = _table(model, mine, classes)
    names = ', '.join(f'{i} is {x}' for i, x in enumerate(table) if i != x)
    turned = (mine[0], np.eye(classes)[table[mine[1].argmax(1)]], mine[2])
    found[f'actions have the numbers of others ({names})'] = (
        _share(model, turned) if names else 1)
  else:
    found[f'{key} seems to have the wrong sign'] = _share(
        model, (mine[0], -mine[1], mine[2]))
  best = min(found, key=found.get)
  if found[best] < min(wrong / 2, 0.2):
    return best
  return (
      'observations are scaled, in another order or of another task, or '
      'actions are of other steps')


def relation(model, steps):
  """Return the error of steps, in that with the actions of other steps.

  It is near 0 where actions matter, 1 where they tell nothing, and NaN where
  there are too few different ones.
  """
  states, actions, after = steps
  other = np.random.default_rng(0).permutation(actions)
  differ = model.differ(actions, other)
  if differ.sum() < LEAST:
    return np.nan
  states, after = states[differ], after[differ]
  own, others = (
      np.median(model.error(states, x[differ], after))
      for x in (actions, other))
  return own / max(others, 1e-9)


class Model:
  """Predicts the change of a vector, from states, actions and next states."""

  def __init__(self, states, actions, after):
    data = np.concatenate([states, actions], 1)
    self.middle, self.wide = data.mean(0), data.std(0) + 1e-6
    self.low, self.high = np.quantile(data, [0.005, 0.995], 0)
    x, y = self._basis(states, actions), after - states
    self.weights = np.linalg.solve(
        x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ y)
    self.usual = y.std(0) + 1e-9

  def calibrate(self, states, actions, after):
    """Set the largest error, from play that the model was not fitted to."""
    error = np.abs(self.change(states, actions) - (after - states))
    self.largest = np.maximum(error.max(0), 1e-3 * self.usual)
    self.tight = self.largest < TIGHT * self.usual

  def change(self, states, actions):
    """Return the predicted changes (N, D)."""
    return self._basis(states, actions) @ self.weights

  def error(self, states, actions, after):
    """Return errors (N,), in largest errors in random play."""
    error = np.abs(self.change(states, actions) - (after - states))
    return (error / self.largest)[:, self.tight].max(1)

  def differ(self, actions, others):
    """Return where (N,) actions are not almost the same, which fit alike."""
    apart = self.wide[-actions.shape[1]:] / 2
    return (np.abs(others - actions) > apart).any(1)

  def inside(self, states, actions):
    """Return which steps (N,) are in the range of random play."""
    data = np.concatenate([states, actions], 1)
    room = ROOM * (self.high - self.low) + 1e-6
    return ((data >= self.low - room) & (data <= self.high + room)).all(1)

  def _basis(self, states, actions):
    data = np.concatenate([states, actions], 1)
    data = (data - self.middle) / self.wide
    columns = [np.ones(len(data))]
    for degree in range(1, 4 if data.shape[1] <= CUBIC else 3):
      columns += [
          data[:, list(x)].prod(1) for x in
          itertools.combinations_with_replacement(
              range(data.shape[1]), degree)]
    return np.stack(columns, 1)


def _steps(parts, key, classes, off=0):
  # States, actions `off` steps later and next states, inside of episodes.
  found = []
  for data in parts:
    good = findings.follows(data)
    actions = data[key][:-1]
    if off:
      good = good & np.roll(good, -off)
      good[-1 if off > 0 else 0] = False
      actions = np.roll(actions, -off, 0)
    flat = (
        np.eye(classes)[np.clip(actions, 0, classes - 1)] if classes
        else actions.reshape(len(actions), -1))
    found.append((data['vector'][:-1][good], flat[good],
                  data['vector'][1:][good]))
  return [np.concatenate(x).astype(np.float64) for x in zip(*found)]


def _share(model, steps, second=None):
  # Share of wrong steps; with `second` there is one more step of an action
  # out of these, the one that fits best.
  steps = [np.asarray(x) for x in steps]
  inside = model.inside(*steps[:2])
  if inside.sum() < LEAST:
    return 1
  states, actions, after = [x[inside] for x in steps]
  if second is None:
    return np.mean(model.error(states, actions, after) > WRONG)
  middle = states + model.change(states, actions)
  errors = [
      model.error(middle, np.repeat(x[None], len(middle), 0), after)
      for x in second]
  return np.mean(np.min(errors, 0) > WRONG)


def _table(model, steps, classes):
  # For each number of an action, the one whose effect fits best.
  states, actions, after = steps
  table = np.arange(classes)
  for number in range(classes):
    mine = actions[:, number] > 0
    if mine.any():
      table[number] = np.argmin([
          np.mean(model.error(
              states[mine], np.repeat(x[None], mine.sum(), 0),
              after[mine]) > WRONG) for x in np.eye(classes)])
  return table
