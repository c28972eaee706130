"""Marks: scores of human play, Crafter's score, signs of false success."""

import numpy as np
import pytest
from ale_py import roms

from dreamer_gail_plugin.evaluate import references

# Of 20 episodes each of five people, how many reached an achievement: counted
# in the scores of the human dataset by Crafter's author (Hafner, 2021), in
# the order of their names.
HUMANS = """
18 17 18 16 17
1 1 3 4 3
17 19 18 19 19
12 9 11 10 11
11 17 12 14 13
20 20 20 20 20
20 20 20 20 20
5 7 7 3 9
14 17 15 20 18
18 19 17 17 18
0 1 3 2 2
4 4 6 8 4
2 4 6 6 4
16 14 18 15 15
15 14 18 16 15
20 20 20 20 20
6 10 8 11 10
4 5 8 9 6
2 4 8 7 3
19 16 19 19 17
20 20 20 20 20
14 11 17 16 15
"""


class TestCrafter:

  def test_golden_value(self):
    # The author's table says 50.5 +- 6.8 % for the mean over the people.
    rates = np.array([x.split() for x in HUMANS.split('\n') if x], float) / 20
    assert rates.shape == (22, 5)
    scores = [references.crafter_score(x) for x in rates.T]
    assert round(np.mean(scores), 1) == 50.5
    assert round(np.std(scores), 1) == 6.8
    # Pooled over all people it is another number.
    assert round(references.crafter_score(rates.mean(1)), 1) == 52.0

  def test_by_hand(self):
    assert references.crafter_score([0] * 22) == 0
    assert references.crafter_score([1] * 22) == pytest.approx(100)
    # exp((ln(1 + 0) + ln(1 + 3)) / 2) - 1
    assert references.crafter_score([0, 0.03]) == pytest.approx(1)

  def test_success_rates(self):
    rates = references.success_rates([
        {'eat': 0, 'sleep': 3}, {'eat': 1, 'sleep': 0}, {'eat': 0, 'sleep': 1},
        {'eat': 0, 'sleep': 1}])
    assert rates == {'eat': 0.25, 'sleep': 0.75}


class TestHuman:

  def test_ends_of_the_scale(self):
    assert references.human_normalised('atari_seaquest', 68.4) == 0
    assert references.human_normalised('atari_seaquest', 42054.7) == 1
    assert references.human_normalised(
        'atari100k_alien', 1140) == pytest.approx(
        (1140 - 227.8) / (7127.7 - 227.8))
    assert references.human_normalised('atari_james_bond', 302.8) == 1

  def test_unknown(self):
    assert references.human_normalised('minatar_seaquest', 3) is None
    assert references.human_normalised('atari_tetris', 3) is None

  def test_table(self):
    assert len(references.ATARI) == 57
    assert references.ATARI.keys() <= set(roms.get_all_rom_ids())
    assert all(low < high for low, high in references.ATARI.values())


def games(score, length, limit=0.0, count=40):
  """Return games whose scores vary a little around a mean."""
  noise = np.tile([-1, 1], count // 2)
  return [
      {'score': score + x, 'length': length, 'limit': i < limit * count}
      for i, x in enumerate(noise)]


class TestFlags:

  chance = games(2.0, 100)

  @pytest.mark.parametrize('played', [
      games(2.0, 100),  # Random play itself.
      games(9.0, 900),  # Lives long and scores.
      games(9.0, 10),  # A quick win.
      games(0.0, 100),  # Simply bad.
      games(9.0, 300, limit=1.0),
      games(-9.0, 10),  # Dies with a loss.
  ])
  def test_none(self, played):
    assert references.flags(played, self.chance) == []

  @pytest.mark.parametrize('played', [
      games(2.0, 200), games(0.0, 5000), games(2.3, 200),
      games(2.0, 100, limit=0.5)])
  def test_survives_without_scoring(self, played):
    flag, = references.flags(played, self.chance)
    assert flag.startswith('Survives without scoring')

  @pytest.mark.parametrize('played, chance', [
      (games(0.0, 50), chance), (games(2.0, 5), chance),
      # Where random play loses, ending early avoids the loss.
      (games(0.0, 50), games(-20.0, 100)),
      (games(-10.0, 50), games(-20.0, 100))])
  def test_dies_without_losing(self, played, chance):
    flag, = references.flags(played, chance)
    assert flag.startswith('Dies without losing')

  def test_the_difference_must_be_clear(self):
    # 4 games of these tell nothing, 400 do.
    few, many = [games(2.3, 200, count=x) for x in (4, 400)]
    chance = games(2.0, 100, count=400)
    assert references.flags(few, chance) and not references.flags(many, chance)

  def test_numbers_in_the_sentence(self):
    flag, = references.flags(games(0.0, 5000, limit=0.25), self.chance)
    for number in ('0.00', '5000.0', '2.00', '100.0', '25%'):
      assert number in flag
