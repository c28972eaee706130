"""A world model that learns alone, from recorded play, in minutes.

So a change of the model is judged without policy, D or environment. Its
sequences start from a reset, where those of a run go on from the replay.
"""

import embodied.jax.nets
import jax
import jax.numpy as jnp
import ninjax as nj
import numpy as np
import optax
import tqdm

from .. import build
from .. import worldmodel
from ..errors import UserError
from . import trajectories


def params(config, path, updates):
  """Return the parameters, {name: array}, of a new model of the config.

  It learns from the store at `path`, by upstream's losses and optimizer, with
  batch_size x batch_length steps an update. Those of the policy are new, too.
  Raises UserError if no trajectory is as long as a sequence.
  """
  embodied.jax.nets.COMPUTE_DTYPE = getattr(jnp, config.jax.compute_dtype)
  model = build.make_model(config)
  batches = sample(list(trajectories.read(path, config)), config, path)
  with jax.transfer_guard('allow'):  # An agent may have banned it.
    step, values, state = _learner(model, config, next(batches))
  bar = tqdm.tqdm(range(updates), unit='update', mininterval=1)
  for index in bar:
    values, state, losses = step(*jax.device_put(
        (values, state, next(batches), np.uint32(index + 1))))
    if index % 100 == 0:
      bar.set_postfix_str(' '.join(
          f'{k} {v:.2f}' for k, v in jax.device_get(losses).items()))
  return jax.device_get(values)


def sample(found, config, path):
  """Yield dicts of arrays (B, T, ...): random parts of the trajectories.

  `path` is named where none of them has T steps.
  """
  size, length = config.batch_size, config.batch_length
  rng = np.random.default_rng(config.seed)
  found = [x for x in found if len(x['is_first']) >= length]
  if not found:
    raise UserError(
        f'{path}: no trajectory there has {length} steps, a sequence of '
        '--batch_length; give less')
  room = np.array([len(x['is_first']) - length + 1 for x in found])
  while True:
    rows = []
    for index in rng.choice(len(found), size, p=room / room.sum()):
      start = rng.integers(room[index])
      rows.append(trajectories.row({
          k: v[start: start + length] for k, v in found[index].items()},
          length))
    yield {k: np.concatenate([x[k] for x in rows]) for k in rows[0]}


def _learner(model, config, batch):
  # A function that makes one update, and what it starts from.
  def loss(batch):
    rows = worldmodel.expert_rows(model, batch)
    losses = worldmodel.losses(model, rows, True).losses
    means = {k: v.mean() for k, v in losses.items()}
    return sum(v * model.scales[k] for k, v in means.items()), means

  def everything(batch):
    loss(batch)
    first = {k: v[:, 0] for k, v in batch.items()}
    model.policy(model.init_policy(config.batch_size), first)

  seed = lambda index: jnp.array([config.seed, index], jnp.uint32)
  opt, pure = model._make_opt(**config.agent.opt), nj.pure(loss)

  @jax.jit
  def step(values, state, batch, index):
    fn = lambda values: pure(values, batch, seed=seed(index))[1]
    grads, losses = jax.grad(fn, has_aux=True)(values)
    changes, state = opt.update(grads, state, values)
    return optax.apply_updates(values, changes), state, losses

  values = nj.init(everything)({}, batch, seed=seed(0))
  return step, values, opt.init(values)
