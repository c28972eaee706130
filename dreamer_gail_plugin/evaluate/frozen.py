"""The pairs that a saved run would show D, made once: all else is frozen."""

import numpy as np

from .. import worldmodel
from ..errors import UserError
from . import trajectories

PAIRS = 2048  # Of a trajectory, at most.


def sides(actor, expert_path, play_path, config):
  """Return the expert's and the imagined pairs, each to learn from and held
  out: (inputs (N, F), weights (N,)) four times, as [[fit, held], [fit, held]].

  Imagination starts from the play of a store. The last fifth of the
  trajectories, at least one, is held out. Raises UserError for one alone.
  """
  return [
      split(path, collect(actor, path, config, fn))
      for path, fn in ((expert_path, expert), (play_path, imagined))]


def expert(model, data):
  """Return D's inputs (1, T, F) and weights (1, T) of the expert's pairs."""
  feat, _ = worldmodel.observe(
      model, worldmodel.expert_rows(model, data), False)
  return model.expert_pairs(data, feat)


def imagined(model, data):
  """Return the same (K, H, ...) of pairs imagined from K states of play."""
  rows = worldmodel.expert_rows(model, data)
  feat, carry = worldmodel.observe(model, rows, False)
  count = data['is_first'].shape[1] - model.gail.burnin
  states = {k: feat[k] for k in ('deter', 'stoch')}
  imag = model._imagine(carry, states, feat, count, False)
  con = model.con(model.feat2tensor(imag.feat), 2).prob(1)
  return model._pairs(
      (data, feat), (data, rows.prevact, feat),
      (imag.feat, imag.act, con), count)['imag']


def collect(actor, path, config, fn):
  """Return inputs and weights of each trajectory, at most PAIRS of them."""
  found, rng = [], np.random.default_rng(0)
  call = lambda data: fn(actor.model, data)
  for data in trajectories.read(path, config):
    inputs, weights = actor.call(
        call, trajectories.row(data, len(data['is_first'])))
    index = rng.permutation(np.flatnonzero(weights > 0))[:PAIRS]
    found.append((
        inputs.reshape((weights.size, -1))[index], weights.ravel()[index]))
  return found


def split(path, found):
  """Return what is learned from and what is held out, by trajectories."""
  if len(found) < 2:
    raise UserError(
        f'{path}: expected two trajectories or more, as D is judged on one '
        'that it has not seen; record more.')
  held = max(1, len(found) // 5)
  return [
      tuple(np.concatenate(x) for x in zip(*part))
      for part in (found[:-held], found[-held:])]
