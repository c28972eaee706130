"""The expert stream: real sequences, seeded, without rewards."""

import re
import time

import elements
import numpy as np
import pytest

from dreamer_gail_plugin import expert
from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.errors import UserError

BOOL = elements.Space(bool)
OBS = {
    'image': elements.Space(np.uint8, (16, 20)),
    'reward': elements.Space(np.float32),
    'is_first': BOOL,
    'is_last': BOOL,
    'is_terminal': BOOL,
    'log/extra': elements.Space(np.float32),
}
ACT = {'action': elements.Space(np.int32, (), 0, 1000), 'reset': BOOL}
KEYS = {
    'image', 'action', 'is_first', 'is_last', 'is_terminal', 'is_cut'}
ADDED = {'is_cut'}  # What the single steps do not have.


def trajectory(start, length, first=(), last=(), reward=0.0):
  """The action of step n of the whole set is n, its image is full of n."""
  steps = np.arange(start, start + length)
  return {
      'image': np.broadcast_to(
          steps[:, None, None], (length, 16, 20)).astype(np.uint8),
      'action': steps.astype(np.int32),
      'is_first': np.isin(steps, first),
      'is_last': np.isin(steps, last),
      'is_terminal': np.isin(steps, last),
      'reward': np.full(length, reward, np.float32),
  }


def mixed(reward=0.0):
  """50 steps: two whole episodes, a cut with a border in it, a cut."""
  return [
      trajectory(0, 5, [0], [4], reward),
      trajectory(5, 3, [5], [7], reward),
      trajectory(8, 20, [18], [17], reward),
      trajectory(28, 22, [], [], reward),
  ]


STARTS = {0, 5, 18}
JOINS = {0, 5, 8, 28}


@pytest.fixture
def path(tmp_path):
  path = tmp_path / 'demos.h5'
  store.write(path, mixed(), {})
  return path


def make(path, size=8, length=13, **kw):
  return expert.ExpertReplay(path, size, length, OBS, ACT, **kw)


def equal(left, right):
  assert left.keys() == right.keys()
  for key, value in left.items():
    assert value.dtype == right[key].dtype
    np.testing.assert_array_equal(value, right[key])


class TestSample:

  def test_keys_shapes_types(self, path):
    replay = make(path)
    batch = replay.sample()
    assert set(batch) == set(replay.space) == {'expert/' + k for k in KEYS}
    for key, value in batch.items():
      space = replay.space[key]
      assert value.shape == (8, 13, *space.shape)
      assert value.dtype == space.dtype

  @pytest.mark.parametrize('memory', ['ram', 'disk'])
  @pytest.mark.parametrize('length', [1, 2, 13, 50])
  def test_sequences_are_real(self, path, memory, length):
    replay = make(path, length=length, memory=memory)
    joins = 0
    for _ in range(20):
      batch = {k[7:]: v for k, v in replay.sample().items()}
      for row in range(8):
        steps = batch['action'][row]
        assert (np.diff(steps) % 50 == 1).all()
        assert (batch['image'][row] == steps[:, None, None]).all()
        assert set(steps[batch['is_last'][row]]) <= {4, 7, 17}
        for index, step in enumerate(steps):
          border = index == 0 or step in JOINS | STARTS
          assert batch['is_first'][row, index] == border
          assert batch['is_cut'][row, index] == (
              border and step not in STARTS)
        joins += len(JOINS & set(steps[1:]))
    assert joins or length == 1

  @pytest.mark.parametrize('memory', ['ram', 'disk'])
  def test_rows_go_on(self, path, memory):
    replay = make(path, memory=memory, consec=4, context=3)
    old = None
    for number in range(30):
      batch = {k[7:]: v for k, v in replay.sample().items()}
      # A row in four starts anew with each batch, and each after four; all
      # do with the first.
      anew = (number + np.arange(8) // 2) % 4 == 0
      anew |= number == 0
      steps = batch['action']
      assert (np.diff(steps) % 50 == 1).all()
      borders = np.isin(steps, list(JOINS | STARTS))
      borders[:, 3] |= anew  # The first step after the context.
      assert np.array_equal(batch['is_first'], borders)
      assert np.array_equal(
          batch['is_cut'], borders & ~np.isin(steps, list(STARTS)))
      if old is not None:
        assert np.array_equal(steps[~anew, :3], old['action'][~anew, -3:])
        assert (steps[anew, 0] != old['action'][anew, -3]).any()
      old = batch

  def test_singles_from_disk(self, path):
    batch = make(path, memory='disk', singles=True).sample()
    for key in KEYS - ADDED - {'is_first'}:
      assert (batch[f'single/{key}'] == batch[f'expert/{key}']).all()

  def test_singles(self, path):
    replay, plain = make(path, singles=True), make(path)
    other, steps = make(path, seed=1, singles=True), []
    for _ in range(20):
      batch = replay.sample()
      assert set(batch) == set(replay.space)
      rows = {k: v for k, v in batch.items() if k.startswith('expert/')}
      equal(rows, plain.sample())  # These stay what they are.
      single = {k[7:]: v for k, v in batch.items() if k.startswith('single/')}
      assert set(single) == KEYS - ADDED
      assert single['action'].shape == (8, 13)
      assert (single['image'] == single['action'][..., None, None]).all()
      assert ((single['is_last']) == np.isin(
          single['action'], (4, 7, 17))).all()
      assert (single['action'] != other.sample()['single/action']).any()
      steps.append(single['action'].flatten())
    # 2080 draws, one by one: of each step, and of each next to the last.
    counts = np.bincount(np.concatenate(steps), minlength=50)
    assert counts.min() > 10 and counts.max() < 90
    runs = np.mean(np.diff(np.stack(steps), axis=1) == 1)
    assert runs < 0.05

  def test_every_step_equally_often(self, path):
    replay = make(path, 50, 10)
    counts = np.bincount(np.concatenate([
        replay.sample()['expert/action'].flatten() for _ in range(200)]))
    # 2000 draws of each step, standard deviation about 43.
    assert len(counts) == 50
    assert abs(counts - 2000).max() < 250

  def test_memory_and_disk_are_equal(self, path):
    ram, disk = make(path, memory='ram'), make(path, memory='disk')
    assert (ram.stats['memory'], disk.stats['memory']) == ('ram', 'disk')
    for _ in range(10):
      equal(ram.sample(), disk.sample())

  def test_auto_compares_with_free_memory(self, path, monkeypatch):
    free = lambda amount: monkeypatch.setattr(
        expert.memorylib, 'free_memory', lambda: amount)
    size = 50 * (16 * 20 + 4 + 3)
    free(2 * size)
    assert make(path).stats['memory'] == 'ram'
    free(2 * size - 1)
    assert make(path).stats['memory'] == 'disk'

  def test_batches_do_not_share_memory(self, path):
    replay = make(path, length=50)
    first = replay.sample()
    kept = {k: v.copy() for k, v in first.items()}
    replay.sample()['expert/image'][:] = 99
    equal(first, kept)
    assert (make(path).sample()['expert/image'] < 50).all()


class TestSeed:

  def test_batch_depends_on_seed_and_count(self, path):
    left, right = make(path, seed=3), make(path, seed=3)
    batches = [left.sample() for _ in range(3)]
    for batch in batches:
      equal(batch, right.sample())
    other = make(path, seed=4).sample()
    assert (other['expert/action'] != batches[0]['expert/action']).any()
    assert (
        batches[1]['expert/action'] != batches[0]['expert/action']).any()

  def test_save_and_load(self, path):
    replay = make(path)
    replay.sample()
    state = replay.save()
    wanted = [replay.sample() for _ in range(3)]
    again = make(path)
    again.load(state)
    for batch in wanted:
      equal(again.sample(), batch)

  def test_what_came_before_a_load_is_unknown(self, path):
    replay, again = [make(path, consec=4, context=3) for _ in range(2)]
    for _ in range(3):
      replay.sample()
    again.load(replay.save())
    batch, same = again.sample(), replay.sample()
    assert batch['expert/is_first'][:, 3].all()
    assert not same['expert/is_first'][:, 3].all()
    assert np.array_equal(batch['expert/action'], same['expert/action'])
    equal(again.sample(), replay.sample())


class TestReward:

  def test_never_read(self, path, tmp_path):
    other = tmp_path / 'other.h5'
    store.write(other, mixed(reward=1e6), {})
    left, right = make(path), make(other)
    for _ in range(5):
      batch = left.sample()
      equal(batch, right.sample())
      assert 'expert/reward' not in batch


class TestErrors:

  def test_wrong_task_closes_the_file(self, tmp_path):
    path = tmp_path / 'demos.h5'
    store.write(path, mixed(), {'task': 'one'})
    with pytest.raises(UserError, match='store has one, task wants two'):
      make(path, task='two')

  def test_too_few_steps(self, path):
    with pytest.raises(UserError, match='50 steps, fewer than .* of 51'):
      make(path, length=51)

  def test_missing(self, tmp_path):
    with pytest.raises(UserError, match='no such file'):
      make(tmp_path / 'none.h5')


class TestStats:

  def test_start_line(self, path):
    assert re.fullmatch(
        r'4 trajectories, 50 steps, \d+\.\d kB \(ram\)',
        str(make(path, memory='ram')))

  def test_score_of_whole_games_comes_first(self, tmp_path):
    path = tmp_path / 'demos.h5'
    store.write(path, mixed(1.0), {})
    # 5 and 3 are whole episodes, 20 and 22 are cuts.
    assert make(path).stats['score'] == (5 + 3 + 20 + 22) / 4
    store.write(path, mixed(1.0), {'expert_score': 123.0})
    assert make(path).stats['score'] == 123.0

  def test_unknown_score(self, tmp_path):
    path = tmp_path / 'demos.h5'
    demo = trajectory(0, 20, [0], [])
    del demo['reward']
    store.write(path, [demo], {})
    assert np.isnan(make(path).stats['score'])


class TestSharing:

  def test_streams_of_one_store_share_its_steps(self, path):
    left, right = make(path, 8, 13), make(path, 2, 5, seed=1)
    assert left.steps is right.steps
    store.write(path, mixed()[2:], {})
    assert make(path).stats['steps'] == 42


class Source:
  """A stand-in for upstream's replay stream."""

  def __init__(self, shape):
    self.shape = shape
    self.count = 0

  def __iter__(self):
    return self

  def __next__(self):
    self.count += 1
    return {
        'is_first': np.zeros(self.shape, bool),
        'count': np.full(self.shape, self.count)}

  def save(self):
    return self.count

  def load(self, state):
    self.count = state


class TestStream:

  def test_adds_expert_keys(self, path):
    stream = iter(expert.ExpertStream(Source((8, 13)), make(path)))
    batch = next(stream)
    assert (batch.pop('count') == 1).all()
    assert not batch.pop('is_first').any()
    equal(batch, make(path).sample())

  def test_refuses_another_length(self, path):
    stream = iter(expert.ExpertStream(Source((8, 12)), make(path)))
    with pytest.raises(AssertionError, match='12'):
      next(stream)

  def test_save_and_load(self, path):
    stream = iter(expert.ExpertStream(Source((8, 13)), make(path)))
    next(stream)
    state = stream.save()
    wanted = next(stream)
    again = iter(expert.ExpertStream(Source((8, 13)), make(path)))
    again.load(state)
    batch = next(again)
    assert (batch['count'] == 2).all()
    equal(batch, wanted)

  def test_inside_upstreams_streams(self, path):
    import embodied
    source = embodied.streams.Stateless(Source((8, 13)).__next__)
    source = embodied.streams.Consec(source, 11, 1, prefix=2)
    stream = expert.ExpertStream(source, make(path))
    stream = iter(embodied.streams.Prefetch(stream))
    wanted = make(path)
    for _ in range(3):
      batch = next(stream)
      equal({k: batch[k] for k in wanted.space}, wanted.sample())
    state = stream.save()
    assert state['expert'] == {'count': 3}


class TestSpeed:

  def test_never_the_bottleneck(self, path):
    replay = make(path, 16, 64 - 14, memory='ram')
    replay.sample()
    start = time.perf_counter()
    for _ in range(50):
      replay.sample()
    # Seen: 20 times as many, so only a per-step loop fails on a busy machine.
    assert 50 * 16 * 50 / (time.perf_counter() - start) > 50_000
