"""Numbers that make no sense are refused before anything is written."""

import math

import pytest

from dreamer_gail_plugin import configs
from dreamer_gail_plugin.running import ranges
from helpers.refusals import refused

DEFAULTS = configs.load_config([])
NUMBERS = {k: v for k, v in DEFAULTS.flat.items() if ranges.numeric(v)}


def check(key, value):
  ranges.check(configs.load_config([f'--{key}', str(value)]))


def test_the_blocks_are_inside():
  for name, block in configs.blocks().items():
    ranges.check(DEFAULTS if name == 'defaults' else DEFAULTS.update(block))


@pytest.mark.parametrize('key', sorted(NUMBERS))
def test_every_number_has_a_range(key):
  bounds = ranges.find(key)
  low, high = map(float, bounds[1:-1].split(','))
  value = NUMBERS[key][0] if isinstance(
      NUMBERS[key], tuple) else NUMBERS[key]
  for wrong in (low - 1, high + 1, *([low] if bounds[0] == '(' else [])):
    if math.isfinite(wrong):
      with refused(f'--{key} ', 'expected a number: '):
        check(key, int(wrong) if isinstance(value, int) else wrong)
  if isinstance(value, float):
    for wrong in ('nan', 'inf', '-inf'):
      with refused(f'--{key} {wrong}', 'finite' if math.isinf(high) else ''):
        check(key, wrong)
  for right in (low, high):
    if math.isfinite(right) and ranges.inside(right, bounds):
      check(key, int(right))


def test_every_pattern_is_of_use():
  used = {ranges.find(k): k for k in NUMBERS}
  assert None not in used
  first = [
      next(p for p in ranges.RANGES if ranges.re.fullmatch(p, k))
      for k in NUMBERS]
  assert set(first) == set(ranges.RANGES)


@pytest.mark.parametrize('bounds, text', [
    ('[0, inf)', '0 or more, finite'), ('(0, 1]', 'over 0, 1 or less'),
    ('[0, 1)', '0 or more, below 1'), ('(-inf, inf)', 'finite'),
    ('[0, 4294967295]', '0 or more, 4294967295 or less')])
def test_in_words(bounds, text):
  assert ranges.describe(bounds) == f'a number: {text}'


def test_lists():
  with refused('--agent.enc.simple.mults 2 0'):
    ranges.check(configs.load_config(
        ['--agent.enc.simple.mults', '2', '0']))
