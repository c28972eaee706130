"""Images whose black is zero to upstream's encoder (`agent.image_zero`)."""


class Around:
  """Upstream's encoder, but zero is black to it and not gray.

  Upstream makes x / 255 - 1/2 of images. Where these are black but for a few
  objects, black pixels are most of what the first layer adds up. A world model
  learns faster without (docs/results.md).
  """

  def __init__(self, enc):
    self.enc = enc

  def __getattr__(self, name):
    return getattr(self.enc, name)

  def __call__(self, carry, obs, *args, **kwargs):
    """Return carry, entries and tokens, as upstream's encoder does."""
    images = {k: lifted(obs[k]) for k in self.enc.imgkeys}
    return self.enc(carry, {**obs, **images}, *args, **kwargs)


def lifted(image):
  """Return the uint8 image of which upstream's encoder makes x / 510."""
  return 128 + image // 2
