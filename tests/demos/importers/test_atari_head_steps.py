"""From rows of Atari-HEAD to steps: alignment, ends, actions, parts."""

import numpy as np
import pytest

from dreamer_gail_plugin.demos.importers import atari_head_files as files
from dreamer_gail_plugin.demos.importers import atari_head_steps


def steps(rows, rule='majority', repeat=4, pooling=2, resumed=False):
  names = [f'a_{i}' for i in range(len(rows))]
  values = np.array([
      [np.nan if x is None else x for x in row] for row in rows], float)
  episode, score, reward, action = values.T
  return atari_head_steps.make_steps(
      files.Labels(names, episode, score, reward, action), repeat, pooling,
      atari_head_steps.RULES[rule], resumed)


class TestSteps:

  def rows(self, actions, rewards=None, episodes=None, scores=None):
    count = len(actions)
    columns = [episodes or [None] * count, scores or [None] * count,
               rewards or list(range(count)), actions]
    return list(zip(*columns))

  def test_alignment(self):
    # Rows 8 and 9 cannot make a step: nobody saw where it led.
    made, counts = steps(self.rows([5] * 4 + [6] * 6))
    assert made.screens.tolist() == [[0, 0], [4, 3], [8, 7]]
    assert made.action.tolist() == [5, 6, 0]
    assert made.reward.tolist() == [0, 0 + 1 + 2 + 3, 4 + 5 + 6 + 7]
    assert made.is_first.tolist() == [True, False, False]
    assert made.is_last.tolist() == [False, False, True]
    assert made.is_terminal.tolist() == [False, False, False]
    assert counts['tail'] == 1

  def test_no_skip(self):
    made, _ = steps(self.rows([1, 2, 3]), repeat=1, pooling=1)
    assert made.screens.tolist() == [[0], [1], [2]]
    assert made.action.tolist() == [1, 2, 0]
    assert made.reward.tolist() == [0, 0, 1]

  @pytest.mark.parametrize('rows', [9, 10, 11, 12])
  def test_end_of_a_record(self, rows):
    made, counts = steps(self.rows([1] * rows))
    assert len(made.action) == 3
    assert counts['tail'] == rows - 9

  @pytest.mark.parametrize('key', ['episodes', 'scores'])
  @pytest.mark.parametrize('end, screens', [
      (5, [[0, 0], [4, 3], [4, 3]]),
      (6, [[0, 0], [4, 3], [5, 4]]),
      (8, [[0, 0], [4, 3], [7, 6]]),
  ])
  def test_game_over(self, key, end, screens):
    values = {
        'episodes': [1] * end + [2] * 5, 'scores': [30] * end + [0] * 5}
    made, counts = steps(self.rows(
        [7] * end + [8] * 5, [10] * end + [1] * 5, **{key: values[key]}))
    assert counts['episodes'] == 2
    assert made.screens.tolist() == [
        *screens, [end, end], [end + 4, end + 3]]
    assert made.action.tolist() == [7, 7, 0, 8, 0]
    assert made.reward.tolist() == [0, 40, 10 * (end - 4), 0, 4]
    assert made.is_first.tolist() == [True, False, False, True, False]
    assert made.is_last.tolist() == [False, False, True, False, True]
    assert made.is_terminal.tolist() == [False, False, True, False, False]

  def test_null_episode_is_no_border(self):
    made, counts = steps(self.rows(
        [1] * 9, episodes=[1, 1, None, 1, 1, None, 1, 1, None]))
    assert counts['episodes'] == 1

  def test_resumed_game_does_not_start(self):
    made, _ = steps(self.rows([1] * 9), resumed=True)
    assert not made.is_first.any()

  @pytest.mark.parametrize('rule, wanted', [
      ('first', [1, 4, 0]), ('last', [3, 5, 0]), ('majority', [2, 4, 0])])
  def test_rules(self, rule, wanted):
    made, counts = steps(self.rows([1, 2, 2, 3, 4, 4, 5, 5, 0]), rule)
    assert made.action.tolist() == wanted
    assert counts['mixed'] == 2

  def test_null_rows(self):
    null = None
    made, counts = steps(self.rows(
        [null, 2, 2, 3, null, null, null, null, 5, 5, 5, 5, null],
        [null, 1, 1, 1, null, null, null, null, 2, 2, 2, 2, null]))
    assert made.action.tolist() == [2, -1, 5, 0]
    assert made.reward.tolist() == [0, 3, 0, 8]
    assert counts['empty'] == 1
    assert counts['null'] == 6


class TestCut:

  def test_parts_are_spread_evenly(self):
    assert atari_head_steps.cut(4300, 5, 1024) == [
        (0, 1024), (819, 1843), (1638, 2662), (2457, 3481), (3276, 4300)]
    assert atari_head_steps.cut(100, 3, 10) == [(0, 10), (45, 55), (90, 100)]
    assert atari_head_steps.cut(100, 1, 10) == [(0, 10)]

  def test_short_trials(self):
    assert atari_head_steps.cut(10, 5, 10) == [(0, 10)]
    assert atari_head_steps.cut(7, 5, 10) == [(0, 7)]
    assert atari_head_steps.cut(12, 5, 10) == [(0, 10), (1, 11), (2, 12)]

  def test_split_at_unknown_actions(self):
    action = np.array([-1, 1, 1, -1, 1, -1, -1, 1, 1, 1])
    assert atari_head_steps.split(0, 10, action) == [(1, 3), (7, 10)]
    assert atari_head_steps.split(1, 9, action) == [(1, 3), (7, 9)]
    assert atari_head_steps.split(0, 1, action) == []
