"""The steps before ends: which they are, what they are worth, how many."""

import elements
import numpy as np
import pytest

from dreamer_gail_plugin.variants import risk_stream

BOOL = elements.Space(bool)
OBS = {
    'image': elements.Space(np.uint8, (1, 1, 1)),
    'reward': elements.Space(np.float32),
    'is_first': BOOL, 'is_last': BOOL, 'is_terminal': BOOL}
ACT = {'action': elements.Space(np.int32, (), 0, 1000)}
KEYS = {'ends/image', 'ends/action', 'ends/target'}


def flags(text):
  """Return first, last and terminal of rows such as `f..T|f.l.`.

  f first, l last, T last and terminal, t terminal though the game goes on.
  """
  rows = np.array([list(x) for x in text.split('|')])
  return rows == 'f', np.isin(rows, ['l', 'T']), np.isin(rows, ['t', 'T'])


@pytest.mark.parametrize('text, ahead, end', [
    ('f..T', [3, 2, 1, 0], [1, 1, 1, 1]),
    ('f..l', [3, 2, 1, 0], [0, 0, 0, 0]),
    ('....', [3, 2, 1, 0], [0, 0, 0, 0]),
    ('.Tf.', [1, 0, 1, 0], [1, 1, 0, 0]),
    ('..f.', [1, 0, 1, 0], [0, 0, 0, 0]),  # The expert's ring joins here.
    ('.t.T', [1, 0, 1, 0], [1, 1, 1, 1]),
])
def test_until(text, ahead, end):
  found = risk_stream.until(*flags(text))
  assert [list(x[0]) for x in found] == [ahead, [bool(x) for x in end]]


class Source:
  """Batches of rows of flags; step n of all has action n."""

  def __init__(self, agent, expert):
    self.agent, self.expert, self.count = agent, expert, 0

  def __iter__(self):
    return self

  def __next__(self):
    self.count += 1
    return {**self.rows('', self.agent, 0),
            **self.rows('expert/', self.expert, 500)}

  def rows(self, prefix, text, start):
    first, last, terminal = flags(text)
    action = start + np.arange(first.size).reshape(first.shape)
    return {
        f'{prefix}image': np.uint8(action % 256)[..., None, None, None],
        f'{prefix}action': np.int32(action),
        f'{prefix}reward': np.full(first.shape, np.nan, np.float32),
        f'{prefix}is_first': first, f'{prefix}is_last': last,
        f'{prefix}is_terminal': terminal}

  def save(self):
    return self.count

  def load(self, state):
    self.count = state


def make(agent, expert, seed=0, **kwargs):
  return iter(risk_stream.EndStream(
      Source(agent, expert), OBS, ACT, 0.5, seed=seed, **kwargs))


def drawn(stream, batches=30):
  """Return {action: set of targets}, and the share of steps before ends."""
  found, shares = {}, []
  for batch in (next(stream) for _ in range(batches)):
    assert {k for k in batch if k.startswith('ends/')} == KEYS
    action, target = batch['ends/action'], batch['ends/target']
    assert target.dtype == np.float32 and target.shape == action.shape
    assert (batch['ends/image'][..., 0, 0, 0] == action % 256).all()
    for a, y in zip(action.flat, target.flat):
      found.setdefault(int(a), set()).add(float(y))
    shares.append((target != 0).mean())
  return found, shares


PLAIN = '.' * 24


def test_what_steps_are_worth():
  # The end is at step 15, and after the first of the next game come 7 steps.
  found, shares = drawn(make('.' * 15 + 'Tf' + '.' * 7, PLAIN))
  want = {15 - n: {0.5 ** (n - 1)} for n in range(1, 11)}
  assert found == {**want, **{n: {0.0} for n in range(5)}}
  assert set(shares) == {0.5}


def test_what_the_batch_does_not_show():
  # Cut off at a time limit, at the border of the batch and at a join.
  found, shares = drawn(make('.' * 11 + 'lf' + '.' * 11, PLAIN))
  assert found == {n: {0.0} for n in (0, 1, 12, 13)}
  assert set(shares) == {0.0}


def test_ends_of_the_expert():
  one = '.' * 23 + 'T'
  found, shares = drawn(make(PLAIN, one))
  near = {500 + 23 - n: {-0.5 ** (n - 1)} for n in range(1, 11)}
  assert {k: v for k, v in found.items() if k >= 500} == near
  assert {k: v for k, v in found.items() if k < 500} == {
      n: {0.0} for n in range(14)}
  assert set(shares) == {0.5}


def test_ends_of_both_are_as_many():
  # The agent's game ends three times as often as the expert's.
  agent = '|'.join(['.' * 23 + 'T'] * 3 + [PLAIN])
  expert = '|'.join(['.' * 23 + 'T'] + [PLAIN] * 3)
  batches = [next(x) for x in [make(agent, expert)] for _ in range(30)]
  target = np.stack([x['ends/target'] for x in batches])
  assert (target > 0).mean() == (target < 0).mean() == 0.25


def test_steps_before_ends_are_kept():
  source = Source('.' * 23 + 'T', PLAIN)
  stream = iter(risk_stream.EndStream(source, OBS, ACT, 0.5))
  next(stream)
  source.agent = PLAIN
  assert set(drawn(stream)[1]) == {0.5}


def test_short_batches():
  found, _ = drawn(make('...T..', '......'))
  assert found == {2: {1.0}, 1: {0.5}, 0: {0.0}}
  found, _ = drawn(make('.T', '..'))
  assert found == {0: {0.0}}


def test_kept_are_the_latest():
  kept = risk_stream.Kept(5)
  for start in (0, 3, 6):
    kept.add({'target': np.arange(start, start + 3)})
  assert sorted(kept.steps['target']) == [4, 5, 6, 7, 8]


def test_depends_on_the_seed():
  text = '.' * 15 + 'T' + '.' * 8
  draw = lambda seed: [
      next(x)['ends/action'] for x in [make(text, PLAIN, seed)]
      for _ in range(3)]
  one, two, other = draw(0), draw(0), draw(1)
  assert all((x == y).all() for x, y in zip(one, two))
  assert not all((x == y).all() for x, y in zip(one, other))
  assert not (one[0] == one[1]).all()


def test_goes_on_where_it_was():
  stream = make(PLAIN, PLAIN)
  [next(stream) for _ in range(3)]
  state, want = stream.save(), next(stream)
  again = make(PLAIN, PLAIN)
  again.load(state)
  assert again.source.count == 3
  assert (next(again)['ends/action'] == want['ends/action']).all()


def test_mirrors_what_it_draws():
  def mirror(rng, steps):
    steps['action'] += 100
  stream = make('.' * 15 + 'T' + '.' * 8, PLAIN, mirror=mirror)
  batch = next(stream)
  assert batch['ends/action'].min() >= 100 > batch['action'].max()
  assert next(stream)['ends/action'].max() < 200  # What is kept is as it was.


def test_spaces():
  act = {**ACT, 'number': elements.Space(np.float32, (), -1, 1)}
  spaces = risk_stream.space({**OBS, 'log/x': BOOL}, act)
  assert set(spaces) == KEYS
  assert spaces['ends/image'] == OBS['image']


@pytest.mark.parametrize('gail, act, want', [
    ({}, ACT, True), ({'anchor': 0.0}, ACT, False), ({'risk': 0}, ACT, False),
    ({'terminals': False}, ACT, False),
    ({}, {'action': elements.Space(np.float32, (), -1, 1)}, False),
    ({}, {'action': elements.Space(np.int32, (2,), 0, 3)}, False)])
def test_needed(gail, act, want):
  gail = elements.Config(**{
      'anchor': 0.1, 'risk': 20, 'terminals': True, **gail})
  assert risk_stream.needed(gail, act) is want
