"""What can be said of a task: which method is ahead, or that it is open.

The rule stands in docs/evaluation.md.
"""

import dataclasses

from ..evaluate import stats
from ..evaluate import twins
from ..evaluate.stats import number

MOST = 5  # Methods that a sentence names.
OPEN = 'nothing can be said'


@dataclasses.dataclass
class Lead:
  """How far a method's mean is above another's, over their runs.

  `low` and `high` are the ends of Welch's 95 % interval of the difference,
  `improvement` is the probability that a run of the first scores higher than
  one of the other.
  """

  first: str
  second: str
  difference: float
  low: float
  high: float
  improvement: float

  @property
  def clear(self):
    """Return whether the interval is above zero."""
    return self.low > 0


def lead(row, other):
  """Return the Lead of a Row over another; both need two runs or more."""
  low, high = stats.welch(row.values, other.values)
  return Lead(
      row.method, other.method, row.mean - other.mean, low, high,
      stats.improvement([row.values], [other.values]))


def leads(rows):
  """Return the Leads of the best Row over each other, the narrowest first.

  Rows of one run are left out. Empty for fewer than two others.
  """
  several = sorted(
      (x for x in rows if len(x.values) > 1), key=lambda x: -x.mean)
  found = [lead(several[0], x) for x in several[1:]]
  return sorted(found, key=lambda x: x.low)


def sentence(rows):
  """Return what can be said of the Rows of one task, as text."""
  found = leads(rows)
  single = [x for x in rows if len(x.values) < 2]
  named = {x.method: _named(x) for x in rows}
  if not found:
    return _nothing(rows)
  text = _open(found, named) or _ahead(found, named)
  if not single:
    return text[0].upper() + text[1:] if text.startswith(OPEN) else text
  others = _listed([named[x.method] for x in _sorted(single)])
  return (
      f'Of the methods with two runs or more, {text} Not compared, as a '
      f'single run says nothing of another: {others}.')


def shares(rows):
  """Return sentences on D's share of the methods of one task, as text."""
  scores = {x.method: x.values for x in rows}
  found = [twins.share(x, scores) for x in scores]
  return ' '.join(filter(None, found))


def _nothing(rows):
  scores = _listed([_named(x) for x in _sorted(rows)])
  if len(rows) == 1:
    return f'There is one method, so there is nothing to compare: {scores}.'
  return (
      'Nothing can be said of which method is ahead, as that takes two runs '
      f'of two methods: {scores}.')


def _ahead(found, named):
  near, *others = found
  text = (
      f'{named[near.first]} is ahead: of {named[near.second]} by '
      f'{_interval(near)}')
  others = [named[x.second] for x in others]
  return text + (f'; and of {_listed(others)}.' if others else '.')


def _open(found, named):
  # None if the first is ahead of all others.
  near = sorted(
      (x for x in found if not x.clear), key=lambda x: x.difference)
  if not near:
    return None
  others = [named[x.second] for x in near]
  text = (
      f'{OPEN} of which is ahead, {named[near[0].first]} or '
      f'{_listed(others, "or")}. The difference to {near[0].second} is '
      f'{_interval(near[0])}.')
  clear = [named[x.second] for x in found if x.clear]
  return text + (
      f' {near[0].first} is ahead of {_listed(clear)}.' if clear else '')


def _interval(x):
  return (
      f'{number(x.difference)}, 95 % interval {number(x.low)} to '
      f'{number(x.high)}, probability of improvement {x.improvement:.2f}')


def _named(row):
  star = '*' if 'training' in row.sources else ''
  reward = ', with reward' if row.uses_reward else ''
  return f'{row.method} ({number(row.mean)}{star}{reward})'


def _sorted(rows):
  return sorted(rows, key=lambda x: -x.mean)


def _listed(texts, word='and'):
  if len(texts) > MOST:
    texts = [*texts[:MOST - 1], f'{len(texts) - MOST + 1} more']
  *first, last = texts
  return f'{", ".join(first)} {word} {last}' if first else last
