"""`streams.Mixer` cannot be used.

Wrong: its `__iter__` does not mark it as started, which `__next__` asserts;
`__next__` then spells `np.random` wrongly; and `load` looks iterators up by
name in a list.
Versions: dreamer 3.3.0 and upstream's git.
Mended: the three methods are replaced.
"""

import numpy as np


def needed():
  """Return whether a mixer fails at its first item."""
  from embodied.core import streams
  mixer = streams.Mixer({'a': streams.Stateless(lambda: 0)}, {'a': 1.0})
  try:
    next(iter(mixer))
    return False
  except (AssertionError, AttributeError):
    return True


def apply():
  """Replace the methods that are wrong."""
  from embodied.core import streams
  streams.Mixer.__iter__ = start
  streams.Mixer.__next__ = draw
  streams.Mixer.load = load


def start(self):
  """Return the mixer itself, ready to be drawn from; once only."""
  assert not self.started
  self.started = True
  return self


def draw(self):
  """Return the next item of a source picked with its probability.

  The pick depends on the seed and on the number of items drawn so far.
  """
  assert self.started
  rng = np.random.default_rng((self.seed, self.step))
  self.step += 1
  return next(self.iterators[rng.choice(len(self.keys), p=self.probs)])


def load(self, state):
  """Restore what `save` returned."""
  sources = state['sources']
  assert sorted(sources) == self.keys, (sorted(sources), self.keys)
  self.seed, self.step = state['seed'], state['step']
  for key, iterator in zip(self.keys, self.iterators):
    iterator.load(sources[key])
