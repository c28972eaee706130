"""From the rows of an Atari-HEAD trial to steps of the environment."""

import collections

import numpy as np

# Which of the actions that were pressed during a step becomes its action.
RULES = {
    'first': lambda actions: actions[0],
    'last': lambda actions: actions[-1],
    # The earliest one if two are held equally long.
    'majority': lambda actions: max(actions, key=actions.count),
}


def make_steps(labels, repeat, pooling, rule, resumed):
  """Return the steps of a whole trial and what was counted on the way.

  Frame n was on the screen when action n was pressed, and reward n came with
  frame n + 1. The environment holds an action for `repeat` frames and shows
  the last `pooling` of them. So step t of an episode that starts at frame s
  shows the frames up to s + repeat * t, its action is that of the `repeat`
  rows from there on, and its reward is the sum of the rows before it.

  Steps has arrays (T, ...): `screens` (T, pooling) numbers of the frames to
  pool, `action` -1 where none is known, `reward`, and the flags. The screen
  after a game over was never saved, so a last step that is terminal shows
  the last screens before it.
  """
  spans, rows = episodes(labels), []
  counts = collections.Counter(episodes=len(spans))
  counts['null'] = int(np.isnan(labels.action).sum())
  for start, stop in spans:
    over = stop < len(labels.action)
    first = start > 0 or not resumed
    windows = -(-(stop - start) // repeat) if over else (
        (stop - start - 1) // repeat)
    reward = 0.0
    for index in range(windows + 1):
      at = start + index * repeat
      last = index == windows
      end = min(at + repeat, stop)
      newest = stop - 1 if last and over else at
      known = labels.action[at: end]
      known = [] if last else known[~np.isnan(known)].astype(int).tolist()
      action = 0 if last else rule(known) if known else -1
      counts['mixed'] += len(set(known)) > 1
      counts['empty'] += action < 0
      rows.append((
          [max(newest - x, start) for x in range(pooling)], action, reward,
          first and index == 0, last, last and over))
      reward = np.nansum(labels.reward[at: end])
    counts['tail'] += 0 if over else stop - 1 - at
  types = (np.int64, np.int32, np.float32, bool, bool, bool)
  return Steps(*[np.array(x, t) for x, t in zip(zip(*rows), types)]), counts


Steps = collections.namedtuple(
    'Steps', 'screens action reward is_first is_last is_terminal')


def episodes(labels):
  """Return [(start, stop)] of the episodes in rows of labels.

  By episode_id; where a trial has none, by a falling score; where it has
  none either, the trial is one episode.
  """
  known = ~np.isnan(labels.episode)
  if known.any():
    rows = np.flatnonzero(known)
    borders = rows[1:][np.diff(labels.episode[rows]) != 0]
  else:
    rows = np.flatnonzero(~np.isnan(labels.score))
    borders = rows[1:][np.diff(labels.score[rows]) < 0]
  edges = [0, *borders.tolist(), len(labels.action)]
  return list(zip(edges[:-1], edges[1:]))


def cut(total, parts, length):
  """Return [(start, stop)] of parts spread evenly over `total` steps.

  The first part starts with the trial and the last one ends with it; they
  overlap if there are too few steps. A trial shorter than a part is one.
  """
  if total <= length:
    return [(0, total)]
  starts = np.linspace(0, total - length, parts).round().astype(int).tolist()
  return [(x, x + length) for x in dict.fromkeys(starts)]


def split(start, stop, action):
  """Return the stretches [(start, stop)] of a part without unknown actions.

  A single step holds no move and is left out.
  """
  gaps = [x for x in range(start, stop) if action[x] < 0]
  edges = [(a + 1, b) for a, b in zip([start - 1, *gaps], [*gaps, stop])]
  return [(a, b) for a, b in edges if b - a > 1]
