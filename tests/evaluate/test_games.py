"""Every game counts once, whatever its length."""

from functools import partial as bind

import embodied
import numpy as np
import pytest

from dreamer_gail_plugin.evaluate import games
from helpers import knowngames


class Idle:
  """An actor that remembers what it was shown."""

  def __init__(self):
    self.shown = []

  def start(self, rows):
    return np.zeros(rows, int)

  def __call__(self, carry, obs, keys, times):
    self.shown.append({**{k: v.copy() for k, v in obs.items()}, 'key': (
        keys.copy()), 'time': times.copy()})
    return carry + 1, {'action': np.zeros(len(carry), np.int32)}

  def rewards(self, carry, acts, keys, times):
    return 100.0 * carry


SEEDS = list(range(40))


def expected(seed):
  """Return the game that a seed must give."""
  odd = seed % 2
  return {
      'seed': seed, 'score': pytest.approx(10.0 * odd),
      'length': 30 if odd else 2, 'limit': bool(odd)}


class TestPlay:

  @pytest.mark.parametrize('rows', [1, 3, 8, 40, 64])
  def test_known_games(self, rows):
    played = games.play(Idle(), knowngames.Known, SEEDS, rows)
    assert played == [expected(x) for x in SEEDS]
    assert np.mean([x['score'] for x in played]) == pytest.approx(5)

  def test_stopping_at_a_number_of_episodes_is_biased(self):
    # The mistake this protocol avoids: so that the test above could fail.
    driver = embodied.Driver(
        [bind(knowngames.Known, 2 * x) for x in range(8)], parallel=False)
    scores = np.zeros(8)
    ended = []
    def step(tran, worker):
      scores[worker] = (
          tran['reward'] + (0 if tran['is_first'] else scores[worker]))
      tran['is_last'] and ended.append(scores[worker])
    driver.on_step(step)
    driver.reset(lambda n: None)
    driver(lambda carry, obs: (carry, {'action': np.zeros(8, np.int32)}, {}),
        episodes=8)
    assert len(ended) == 8 and np.mean(ended) == 0

  def test_more_rows_take_fewer_calls(self):
    calls = []
    for rows in (1, 8):
      actor = Idle()
      games.play(actor, knowngames.Known, SEEDS, rows)
      calls.append(len(actor.shown))
    # The reset is a step as well: 20 games of 31 and 20 of 3.
    assert calls[0] == 20 * 31 + 20 * 3
    assert calls[1] < calls[0] / 5

  def test_the_actor_sees_a_row_for_each_game(self):
    actor = Idle()
    games.play(actor, knowngames.Known, SEEDS[:3], 4)
    for shown in actor.shown:
      # The fourth row never has a game: it starts anew each time.
      assert shown['is_first'][3] and shown['time'][3] == 0
      live = ~shown['is_first'][:3]
      assert (shown['image'][:3, 0, 0, 0] == shown['time'][:3])[live].all()
    first = actor.shown[0]['key'][:3]
    assert len({tuple(x) for x in first}) == 3
    alone = Idle()
    games.play(alone, knowngames.Known, [SEEDS[2]], 4)
    np.testing.assert_array_equal(alone.shown[0]['key'][0], first[2])

  def test_ended_and_watch(self):
    ended, watched = [], []
    def watch(number, obs, act, reward):
      watched.append((
          number, int(obs['image'][0, 0, 0]), act and int(act['action']),
          reward()))
    games.play(
        Idle(), knowngames.Known, [0, 2], 1, ended=ended.append, watch=watch)
    assert ended == [expected(0), expected(2)]
    assert watched == [
        (0, 0, 0, 100), (0, 1, 0, 200), (0, 2, None, 300),
        (1, 0, 0, 400), (1, 1, 0, 500), (1, 2, None, 600)]


class TestProcesses:

  def test_same_games_until_one_fails(self):
    pool = games.ProcessPool(knowngames.make_env, 2)
    try:
      played = games._play(Idle(), pool, SEEDS, 5, None, None)
      assert played == [expected(x) for x in SEEDS]
      with pytest.raises(RuntimeError, match='process .* has ended'):
        games._play(Idle(), pool, [0, 101], 2, None, None)
    finally:
      pool.close()
    assert [x.is_alive() for x in pool.processes] == [False, False]
