"""What a check finds, and which questions it could decide."""

import collections

import numpy as np

FEW = 0.02  # A fault in a smaller share of the steps is a note only.

# What is asked of all demonstrations. Each needs enough steps to answer.
STEP = 'at which step actions stand'
TABLE = 'which action is which'
LEFT_OUT = 'whether steps were left out'
PAID = 'at which step rewards stand'
QUESTIONS = (STEP, TABLE, LEFT_OUT, PAID)

Finding = collections.namedtuple('Finding', 'level text')
problem = lambda text: Finding('problem', text)
note = lambda text: Finding('note', text)
# A question to which there is an answer, be it good or bad.
decided = lambda text: Finding('decided', text)


def weigh(demos, indices):
  """Return `problem`, or `note` where few steps are in these trajectories."""
  # Gaps in a record leave a few short pieces, which do no harm.
  share = sum(demos.lengths[i] for i in indices) / sum(demos.lengths)
  return problem if share > FEW else note


def some(numbers):
  """Return the first numbers as text."""
  more = ' ...' if len(numbers) > 5 else ''
  return ', '.join(str(x) for x in numbers[:5]) + more


def action_keys(demos):
  """Return the names of the actions in a store."""
  return [k for k in demos.keys if k == 'action' or k.startswith('action_')]


def follows(data):
  """Return where (T - 1,) step t + 1 follows step t in one episode.

  Not where the task ended and its last observation, which was not saved,
  stands in for the one after it.
  """
  good = ~data['is_last'][:-1] & ~data['is_first'][1:]
  ends = np.flatnonzero(good & data['is_terminal'][1:])
  for key in {'image', 'vector'} & data.keys():
    same = data[key][ends] == data[key][ends + 1]
    good[ends[same.all(tuple(range(1, same.ndim)))]] = False
  return good
