"""Operations of a program are counted with all rounds of its loops."""

import jax
import jax.numpy as jnp

from dreamer_gail_plugin.perf import scale


def counted(fn, *shapes):
  return scale.count(jax.make_jaxpr(fn)(*map(jnp.zeros, shapes)).jaxpr)


def test_product():
  work = counted(lambda x, y: x @ y, (2, 3), (3, 5))
  assert work[:2] == (2 * 2 * 3 * 5, 4 * (6 + 15 + 10)) and work.runs == 1
  assert work.seconds == work.bytes / scale.MEMORY


def test_loop():
  def fn(x, y):
    return jax.lax.scan(lambda x, _: (jax.jit(jnp.dot)(x, y), 0), x, None, 7)
  assert counted(fn, (4, 4), (4, 4)) == counted(
      jnp.dot, (4, 4), (4, 4)).times(7)


def test_gradient_of_a_loop():
  def fn(x, y):
    return jax.lax.scan(lambda x, _: (x @ y, 0), x, None, 7)[0].sum()
  one = counted(jnp.dot, (4, 4), (4, 4))
  assert counted(jax.grad(fn, (0, 1)), (4, 4), (4, 4)).ops == 21 * one.ops


def test_convolution():
  def fn(x, y):
    return jax.lax.conv_general_dilated(
        x, y, (1, 1), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC'))
  # 8 x 8 pixels of 6 channels, each from 3 x 3 x 4 numbers.
  assert counted(fn, (2, 8, 8, 4), (3, 3, 4, 6)).ops == 2 * (
      2 * 64 * 6) * (9 * 4)
