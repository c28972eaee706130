"""What arrays of Gymnasium spaces are taken for."""

import numpy as np
import pytest
from gymnasium import spaces

from dreamer_gail_plugin.envs import arrays
from dreamer_gail_plugin.envs import gym_spaces
from helpers.refusals import refused

AUTO = (-1, -1)
U8, F32 = np.uint8, np.float32


def pixels(*shape, dtype=U8, low=0, high=255):
  return spaces.Box(low, high, shape, dtype)


@pytest.mark.parametrize('box, shape, said', [
    (pixels(3, 84, 84), (64, 64, 3), 'channels first, resized to 64 x 64'),
    (pixels(1, 84, 84), (64, 64, 1), 'channels first'),
    (pixels(4, 84, 84), (64, 64, 4), 'channels first'),
    (pixels(12, 48, 64), (48, 64, 12), '48 x 64 x 12, channels first'),
    (pixels(210, 160, 3), (64, 64, 3), 'channels last'),
    (pixels(84, 84), (64, 64, 1), '84 x 84 x 1, resized'),
    (pixels(32, 32, 3), (32, 32, 3), '32 x 32 x 3, channels last'),
    (pixels(3, 32, 32), (32, 32, 3), '32 x 32 x 3, channels first'),
    (pixels(50, 50, 3), (64, 64, 3), 'resized to 64 x 64'),
    (pixels(4, 84, 84, 3), (64, 64, 12), '4 frames of 84 x 84 x 3'),
    (pixels(4, 3, 84, 84), (64, 64, 12), '4 frames of 84 x 84 x 3, channels'),
    (pixels(64, 64, 3, dtype=F32, high=1), (64, 64, 3), '0 to 1 shown as'),
    (pixels(3, 64, 64, dtype=F32, low=-1, high=1), (64, 64, 3), '-1 to 1'),
    (pixels(64, 64, 3, dtype=F32), (64, 64, 3), '0 to 255 shown'),
    (pixels(96, 96, 3, dtype=np.int64), (64, 64, 3), 'channels last'),
    (pixels(3, 96, 96, dtype=np.int64), (64, 64, 3), 'channels first'),
    (pixels(9, 84, 84), (64, 64, 9), '84 x 84 x 9, channels first'),
    (pixels(3, 210, 160), (64, 64, 3), '210 x 160 x 3, channels first'),
    (pixels(4, 84, 84, 1), (64, 64, 4), '4 frames of 84 x 84 x 1, channels l'),
    (pixels(4, 1, 84, 84), (64, 64, 4), '4 frames of 84 x 84 x 1, channels f'),
    (pixels(64, 64, 4), (64, 64, 4), '64 x 64 x 4, channels last'),
    (pixels(64, 64, 1), (64, 64, 1), '64 x 64 x 1, channels last'),
    (pixels(1, 64, 64, dtype=np.uint16, high=65535), (64, 64, 1),
     'channels first, 0 to 65535 shown as 0 to 255'),
    (pixels(64, 64, 3, dtype=np.float16, high=1), (64, 64, 3), '0 to 1 shown'),
    (pixels(3, 96, 96, dtype=np.float64, high=1), (64, 64, 3), 'first, 0 to'),
    (pixels(17, 19, 19, high=1), (64, 64, 17), 'without blending'),
    (pixels(10, 10, 4, high=1), (10, 10, 4), 'a board of 0 and 1'),
    (pixels(10, 10, 4, dtype=bool, high=1), (10, 10, 4), 'a board of 0 and 1'),
    (pixels(4, 10, 10, high=1), (10, 10, 4), 'channels first, a board'),
    (pixels(84, 84, 2, high=1), (64, 64, 2), 'without blending'),
])
def test_images(box, shape, said):
  coder = gym_spaces.observation(box, AUTO)
  space, = coder.spaces.values()
  assert list(coder.spaces) == ['image']
  assert (space.shape, space.dtype) == (shape, np.uint8)
  assert said in coder.text
  assert coder.flatten(box.sample())['image'] in space


@pytest.mark.parametrize('box, said', [
    (pixels(7, 7, 3), '7 x 7 x 3 as 147 numbers, a grid of codes, or an image '
     'so small that only --env.gym.image last makes it one'),
    (pixels(3, 16, 16), 'only --env.gym.image first makes it one'),
    (pixels(11, 11, 3, high=10), 'a grid of codes'),
    (pixels(40, 40, 3, high=18), 'a grid of codes'),
    (pixels(25, 25), 'a grid of codes'),
    (pixels(7, 7, 3, dtype=np.int64, high=10), '7 x 7 x 3 as 147 numbers'),
    (pixels(13, 13, dtype=np.uint16, high=500), '13 x 13 as 169 numbers'),
    (pixels(64, 64, high=5), '64 x 64 as 4096 numbers, a grid of codes'),
    (pixels(20, 20, 5), '20 x 20 x 5 as 2000 numbers, a grid of codes'),
    (pixels(7, 7, 3, dtype=F32, high=10), '147 numbers'),
    (pixels(64, 64, dtype=np.uint16, high=65535), '4096 numbers'),
    (pixels(3, 3, dtype=np.int8, high=2), '9 numbers'),
    (pixels(3, 3, 2, high=1), 'a board of 0 and 1'),
    (pixels(8, 8, 8, high=1), 'a board of 0 and 1'),
    (pixels(10, 10, 4, dtype=F32, high=1), '400 numbers'),
    (pixels(100, 50, dtype=F32, high=1), '5000 numbers'),
    (spaces.Box(-np.inf, np.inf, (84, 84, 3)), '21168 numbers'),
    (pixels(), '1 number'),
    (pixels(4), '4 numbers'),
])
def test_numbers(box, said):
  coder = gym_spaces.observation(box, AUTO)
  assert said in coder.text
  value = box.sample()
  assert coder.flatten(value)['vector'].tolist() == pytest.approx(
      np.ravel(value).tolist())


@pytest.mark.parametrize('shape', [
    (84, 84, 84), (3, 84, 3), (84, 3, 84), (64, 64, 48), (84, 84, 3, 2),
    (2, 84, 5)])
def test_refuses_axes_that_do_not_tell(shape):
  with refused('image', str(shape), '--env.gym.image', 'image=first'):
    gym_spaces.observation(pixels(*shape), AUTO)


@pytest.mark.parametrize('translate', [
    lambda box: gym_spaces.observation(box, AUTO), gym_spaces.action])
def test_bounds_that_are_nan(translate):
  box = spaces.Box(-1, 1, (2,))
  box.high[1] = np.nan
  with refused('NaN in its bounds'):
    translate(box)


@pytest.mark.parametrize('shape', [(0,), (64, 64, 0), (0, 84, 84)])
def test_no_elements(shape):
  with refused(str(shape), 'no elements'):
    gym_spaces.observation(pixels(*shape), AUTO)


class TestPixels:

  def square(self):
    value = np.zeros((84, 84, 3), U8)
    value[8:40, 10:30, 0] = 255
    value[50:60, 60:80, 2] = 100
    return value

  def shown(self, box, value, **kwargs):
    return gym_spaces.observation(box, AUTO, **kwargs).flatten(value)['image']

  def test_order_changes_nothing(self):
    value = self.square()
    want = self.shown(pixels(84, 84, 3), value)
    first = value.transpose((2, 0, 1))
    assert (self.shown(pixels(3, 84, 84), first) == want).all()
    frames = np.stack([value, value // 2])
    both = np.concatenate([want, self.shown(pixels(84, 84, 3), value // 2)], 2)
    assert (self.shown(pixels(2, 84, 84, 3), frames) == both).all()
    frames = frames.transpose((0, 3, 1, 2))
    assert (self.shown(pixels(2, 3, 84, 84), frames) == both).all()

  @pytest.mark.parametrize('shape, high, dtype, image, keys', [
      ((7, 7, 3), 10, U8, 'auto', ['vector']),
      ((7, 7, 3), 255, U8, 'auto', ['vector']),
      ((3, 9, 9), 12, U8, 'auto', ['vector']),
      ((40, 40), 18, U8, 'auto', ['vector']),
      ((64, 64), 5, U8, 'auto', ['vector']),
      ((13, 13), 500, np.uint16, 'auto', ['vector']),
      ((9, 9, 3), 11, np.int64, 'auto', ['vector']),
      ((7, 7, 3), 10, U8, 'image=last', ['image']),
      ((3, 20, 20), 12, U8, 'image=first', ['image']),
      ((30, 30), 18, U8, 'image=last', ['image']),
      ((11, 11, 3), 10, np.int64, 'image=last', ['image']),
      ((90, 90, 2), 1, U8, 'auto', ['image']),
      ((84, 84), 1, bool, 'auto', ['image'])])
  def test_no_code_that_is_in_no_cell(self, shape, high, dtype, image, keys):
    box = pixels(*shape, high=high, dtype=dtype)
    value = np.random.default_rng(0).integers(
        0, high, shape, endpoint=True).astype(dtype)
    found = gym_spaces.observation(box, AUTO, image).flatten(value)
    assert list(found) == keys
    times = 255 if high == 1 else 1
    assert set(np.unique(found[keys[0]])) <= set(
        np.unique(value).astype(int) * times)

  def test_choices_in_a_grid_stay_choices(self):
    grid = spaces.MultiDiscrete(np.full((7, 7), 11))
    value = grid.sample()
    coder = gym_spaces.observation(grid, AUTO)
    assert coder.text == '49 choices of 11'
    assert (coder.flatten(value)['token'] == value.ravel()).all()

  def test_16_bits_keep_their_shades(self):
    value = self.square()[:64, :64]
    box = pixels(64, 64, 3, dtype=np.uint16, high=65535)
    assert (self.shown(box, value.astype(np.uint16) * 257) == value).all()

  @pytest.mark.parametrize('low, high', [(0, 1), (-1, 1), (0, 255)])
  def test_floats_keep_their_shades(self, low, high):
    value = self.square()[:64, :64]
    box = pixels(64, 64, 3, dtype=F32, low=low, high=high)
    floats = np.float32(value / 255 * (high - low) + low)
    assert (self.shown(box, floats) == value).all()

  def test_boards_keep_their_contrast(self):
    rng = np.random.default_rng(0)
    for side in (10, 9, 84):
      board = (rng.random((side, side, 4)) < 0.5).astype(U8)
      image = self.shown(pixels(side, side, 4, high=1), board)
      assert set(np.unique(image)) == {0, 255}
      if side == 10:
        assert (image == 255 * board).all()

  def test_flag(self):
    value = np.random.default_rng(0).integers(0, 11, (7, 7, 3)).astype(U8)
    box = pixels(7, 7, 3, high=10)
    image = self.shown(box, value, image='image=last')
    assert image.shape == (64, 64, 3)
    assert set(np.unique(image)) == set(np.unique(value))
    both = spaces.Dict({'a': pixels(84, 84, 84), 'b': pixels(84, 84, 84)})
    coder = gym_spaces.observation(both, AUTO, 'a=first, b=last')
    assert 'channels first' in gym_spaces.texts(coder)['a']
    assert 'channels last' in gym_spaces.texts(coder)['b']
    box = pixels(84, 84, 3)
    assert list(gym_spaces.observation(box, AUTO, 'vector').spaces) == [
        'vector']

  @pytest.mark.parametrize('text, words', [
      ('sideways', ("'sideways'", 'first')), ('map=last', ('not there',))])
  def test_flag_refused(self, text, words):
    with refused('--env.gym.image', *words):
      gym_spaces.observation(pixels(84, 84, 3), AUTO, text)

  def test_images_become_of_one_size(self):
    both = spaces.Dict({'a': pixels(32, 32, 3), 'b': pixels(84, 84, 3)})
    coder = gym_spaces.observation(both, AUTO)
    assert {x.shape for x in coder.spaces.values()} == {(64, 64, 3)}
    with refused('unequal sizes'):
      gym_spaces.observation(both, (0, 0))

  def test_without_bounds_there_are_no_shades(self):
    box = spaces.Box(-np.inf, np.inf, (64, 64, 3))
    with refused('no shades', 'image=last'):
      gym_spaces.observation(box, AUTO, 'image=last')


def test_halvings_are_those_that_upstream_takes():
  assert arrays.halvings((64, 64)) == [2, 3, 4]
  assert arrays.halvings((32, 32)) == [1, 2, 3]
  assert arrays.halvings((10, 10)) == [1]
  assert arrays.halvings((48, 64)) == [2, 3, 4]
  assert arrays.halvings((50, 50)) == []


class TestScale:

  def bounds(self, box, scale):
    space = gym_spaces.action(box, scale).spaces['action']
    return np.stack([space.low, space.high], -1).tolist()

  def test_only_what_has_no_bounds(self):
    box = spaces.Box(
        np.float32([-np.inf, 0, -3]), np.float32([np.inf, np.inf, 4]))
    assert self.bounds(box, [5]) == [[-5, 5], [0, 5], [-3, 4]]
    assert self.bounds(box, [5, 7]) == [[-5, 5], [0, 7], [-3, 4]]
    assert self.bounds(box, [0])[0] == [-np.inf, np.inf]
    action = gym_spaces.action(box, [5, 7]).restore(
        {'action': np.float32([9, 9, 9])})
    assert action.tolist() == [5, 7, 4]

  @pytest.mark.parametrize('dtype, most', [
      (F32, 1e30), (F32, np.finfo(F32).max), (np.float64, 1e300),
      (np.float64, np.inf)])
  def test_bounds_too_far_to_be_any(self, dtype, most):
    box = spaces.Box(-most, most, (2,), dtype)
    assert gym_spaces.unbounded(box) == 2
    assert self.bounds(box, []) == [[-np.inf, np.inf]] * 2
    assert self.bounds(box, [3]) == [[-3, 3]] * 2
    action = gym_spaces.action(box, [3]).restore({'action': F32([9, -9])})
    assert action.tolist() == [3, -3] and action.dtype == dtype

  @pytest.mark.parametrize('box', [
      spaces.Box(-1e6, 1e6, (2,)), spaces.Box(0, 1, (2,)),
      spaces.Box(-5, 5, (2,), np.int32), spaces.Discrete(3)])
  def test_bounds_that_are_some(self, box):
    assert gym_spaces.unbounded(box) == 0

  @pytest.mark.parametrize('shape', [(), (1,), (2, 3)])
  def test_any_shape(self, shape):
    box = spaces.Box(-np.inf, np.inf, shape)
    coder = gym_spaces.action(box, [2])
    size = int(np.prod(shape))
    action = coder.restore({'action': np.full(size, 9, F32)})
    assert action.shape == shape and (action == 2).all()

  @pytest.mark.parametrize('box', [
      spaces.Box(-2 ** 31, 2 ** 31 - 1, (2,), np.int32),
      spaces.Box(0, 2 ** 64 - 1, (1,), np.uint64),
      spaces.Box(0, 10 ** 6, (1,), np.int64)])
  def test_no_outputs_for_all_whole_numbers(self, box):
    with refused('at most 65,536 are choices'):
      gym_spaces.action(box)

  def test_parts_take_their_own(self):
    free = spaces.Box(-np.inf, np.inf, (1,))
    both = spaces.Tuple([free, spaces.Discrete(2), free])
    found = gym_spaces.action(both, [2, 3]).spaces
    assert [found[f'action_{i}'].high.tolist() for i in (0, 2)] == [[2], [3]]

  @pytest.mark.parametrize('scale, low', [
      ([1, 2, 3], 0), ([-1], 0), ([1], 1), ([1, 2, 3, 4], -1)])
  def test_refused(self, scale, low):
    with refused('--env.gym.scale'):
      gym_spaces.action(spaces.Box(low, np.inf, (2,)), scale)
