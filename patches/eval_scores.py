"""`train_eval` logs evaluation and training games under one name.

Wrong: both go to `episode/score` and `epstats`, at steps of the same clock, so
neither curve can be drawn. Of several evaluation games at one step only the
last is written to a file.
Versions: dreamer 3.3.0 and upstream's git.
Mended: evaluation games are logged once an evaluation, as the means
`eval/score` and `eval/length` with their number `eval/episodes`, and the rest
of them under `evalstats`.
"""

import functools

import elements
import embodied

from . import dryrun
from . import loops
from . import proxies


class Driver(embodied.Driver):
  """A driver that tells whether it was last asked for episodes, not steps.

  That is how the loop asks for an evaluation.
  """

  evaluating = False

  def __call__(self, policy, steps=0, episodes=0):
    Driver.evaluating = bool(episodes)
    super().__call__(policy, steps=steps, episodes=episodes)


def needed():
  """Return whether the loop has one name for both kinds of games."""
  added = dryrun.run('train_eval', report_every=1e-9).added
  names = lambda score: {
      k for k, v in added if v.get('score') == score}
  return bool(names(0) & names(2))


def apply():
  """Give the loop that driver, and a logger that looks at it."""
  module = loops.module('train_eval')
  module.embodied = proxies.Proxy(module.embodied, Driver=Driver)
  loops.wrap('train_eval', 'train_eval', separated)


def separated(loop, given):
  """Run the loop with a logger that keeps evaluation apart."""
  Driver.evaluating = False
  given['make_logger'] = functools.partial(
      make_logger, given['make_logger'])
  return loop(**given)


def make_logger(make_logger):
  """Return the logger with another `add`."""
  logger = make_logger()
  logger.add = functools.partial(add, logger.add, elements.Agg())
  return logger


def add(add, games, mapping, prefix=None):
  """Log as before, but games of an evaluation together, at its end."""
  if not Driver.evaluating or prefix not in ('episode', 'epstats'):
    add(mapping, prefix)
  elif prefix == 'episode':
    games.add(mapping, agg='avg')
    games.add('episodes', 1, agg='sum')
  else:
    add(games.result(), 'eval')
    add(mapping, 'evalstats')
