"""Videos for people: open-loop predictions, and boards shown in colour."""

import colorsys

import jax
import jax.numpy as jnp
import numpy as np

BORDER = 2  # Pixels.
SEEN, IMAGINED = (0, 255, 0), (255, 0, 0)


def videos(dyn, dec, carry, obs, prevact, tokens, rows=6):
  """Return {key: uint8 video (T, H, W, 3)} of the model's predictions.

  The first `rows` sequences stand side by side. The model observes the first
  half of each (green border) and imagines the second from its actions alone
  (red border). From top to bottom: the truth, the prediction, the difference.
  """
  T = obs['is_first'].shape[1]
  half = T // 2
  head = lambda xs: jax.tree.map(lambda x: x[:rows, :half], xs)
  tail = lambda xs: jax.tree.map(lambda x: x[:rows, half:], xs)
  _, dyn_carry, dec_carry = jax.tree.map(lambda x: x[:rows], carry)
  reset = obs['is_first']
  dyn_carry, _, seen = dyn.observe(
      dyn_carry, head(tokens), head(prevact), head(reset), training=False)
  _, imagined, _ = dyn.imagine(
      dyn_carry, tail(prevact), length=T - half, training=False)
  dec_carry, _, recon1 = dec(dec_carry, seen, head(reset), training=False)
  _, _, recon2 = dec(
      dec_carry, imagined, jnp.zeros_like(tail(reset)), training=False)
  result = {}
  for key in dec.imgkeys:
    pred = jnp.concatenate([recon1[key].pred(), recon2[key].pred()], 1)
    result[key] = grid(obs[key][:rows] / 255, pred, half)
  return result


def grid(true, pred, half):
  """Return a uint8 video (T, H, W, 3) of truth and prediction side by side.

  Both are (B, T, h, w, C) in [0, 1]. The border turns red at step `half`.
  """
  true, pred = colour(true, jnp), colour(pred, jnp)
  stack = jnp.concatenate([true, pred, (pred - true + 1) / 2], 2)
  stack = (255 * jnp.clip(stack, 0, 1)).astype(jnp.uint8)
  B, T, H, W, _ = stack.shape
  frame = jnp.where((jnp.arange(T) < half)[:, None], *map(
      jnp.array, (SEEN, IMAGINED))).astype(jnp.uint8)  # (T, 3)
  size = (B, T, H + 2 * BORDER, W + 2 * BORDER, 3)
  canvas = jnp.broadcast_to(frame[None, :, None, None], size)
  canvas = canvas.at[:, :, BORDER: -BORDER, BORDER: -BORDER].set(stack)
  return canvas.transpose((1, 2, 0, 3, 4)).reshape((T, size[2], -1, 3))


def colour(images, np=np):
  """Return images (..., h, w, 3) of floats (..., h, w, C) in [0, 1].

  One channel is grey and three are RGB. With any other number, as on MinAtar's
  boards, each channel has a hue of its own, and hues at one pixel add up.
  """
  channels = images.shape[-1]
  if channels == 3:
    return images
  if channels == 1:
    return np.repeat(images, 3, -1)
  hues = [colorsys.hsv_to_rgb(i / channels, 1, 1) for i in range(channels)]
  return np.clip(images @ np.array(hues), 0, 1)


class ColourOutput:
  """Logger output that turns videos of any channel count into RGB ones."""

  def __init__(self, output):
    self.output = output
    if hasattr(output, 'wait'):
      self.wait = output.wait

  def __call__(self, summaries):
    """Pass the summaries, tuples of (step, name, value), to the output."""
    self.output(tuple(
        (step, name, self._convert(value)) for step, name, value in summaries))

  def _convert(self, value):
    isvideo = getattr(value, 'ndim', 0) == 4 and value.dtype == np.uint8
    if not isvideo or value.shape[-1] in (1, 3):
      return value
    return (255 * colour(value / 255)).astype(np.uint8)
