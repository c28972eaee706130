"""Small networks that show what some inputs tell, judged on unseen data."""

import jax
import ninjax as nj
import numpy as np
import optax

BATCH, UPDATES, EVERY, RATE = 256, 3000, 100, 1e-3


def fit(loss, parts, seed, updates=UPDATES):
  """Return parameters that learn on parts[0] and are best on parts[1], and
  what `loss` is on parts[2] with these.

  Args:
    loss: ninjax function of some groups, returns a number and an extra one.
    parts: three lists of groups; a group is a tuple of arrays whose rows
      belong together. A batch has BATCH rows of each group.
    seed: of parameters and batches.
  """
  optimizer, pure = optax.adam(RATE), nj.pure(loss)
  def call(params, key, groups):
    return pure(params, *groups, seed=key)[1]
  @jax.jit
  def update(params, state, key, groups):
    grads = jax.grad(call, has_aux=True)(params, key, groups)[0]
    change, state = optimizer.update(grads, state)
    return optax.apply_updates(params, change), state
  judge = jax.jit(call)
  rng = np.random.default_rng(seed)
  key = lambda: rng.integers(0, 2 ** 32, 2, np.uint32)
  def draw(group):
    index = rng.integers(0, len(group[0]), BATCH)
    return tuple(x[index] for x in group)
  with jax.transfer_guard('allow'):
    first = [tuple(x[:1] for x in group) for group in parts[0]]
    params = nj.init(loss)({}, *first, seed=key())
    state, best, fixed = optimizer.init(params), (np.inf, params), key()
    for count in range(1, updates + 1):
      params, state = update(
          params, state, key(), [draw(x) for x in parts[0]])
      if count % EVERY == 0:
        outside = float(judge(params, fixed, parts[1])[0])
        best = min(best, (outside, params), key=lambda x: x[0])
    return best[1], tuple(
        float(x) for x in judge(best[1], fixed, parts[2]))


def tell(disc):
  """Return a loss by which `disc` tells expert from agent, and its accuracy.

  Both are means of the two sides; the loss is in nats.
  """
  def loss(expert, agent):
    hexp, hagent = disc(expert[0]), disc(agent[0])
    right = ((hexp > 0).mean() + (hagent < 0).mean()) / 2
    return (
        jax.nn.softplus(-hexp).mean() + jax.nn.softplus(hagent).mean()
    ) / 2, right
  return loss
