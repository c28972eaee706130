"""Rows of a batch: the expert's, and those with the replayed ones.

Arrays are (B, T, ...), a row is one sequence of T steps.
"""

import jax
import jax.numpy as jnp


def previous(act, before):
  """Return the actions (B, T, ...) before each step, `before` (B, ...) first.
  """
  return jax.tree.map(
      lambda x, y: jnp.concatenate([y[:, None], x[:, :-1]], 1), act, before)


def settled(reset, cut, burnin):
  """Return bools (B, T): whether the RSSM knows the state at a step.

  `reset` marks where the RSSM restarts, `cut` where it does so in the middle
  of an episode. There it lacks the past, so the next `burnin` states of this
  batch do not count; after the true start of an episode all do.
  """
  time = jnp.arange(reset.shape[1])[None]  # (1, T)
  start = jax.lax.cummax(jnp.where(reset, time, 0), axis=1)  # (B, T)
  incut = jnp.take_along_axis(cut, start, 1)
  return ~incut | (time - start >= burnin)


def skip(rows, steps):
  """Return the expert's arrays without their first steps, (B, T - steps, ...).

  Where a row starts anew, the model starts from a reset at the first step that
  is left.
  """
  rows = {k: v[:, steps:] for k, v in rows.items()}
  first, cut = rows['is_first'], rows['is_cut']
  anew = rows['consec'][:, 0] == 0
  return {
      **rows, 'is_cut': cut.at[:, 0].max(anew & ~first[:, 0]),
      'is_first': first.at[:, 0].max(anew)}


def joint(xs, ys):
  """Return rows (2 B, ...) of two trees of rows (B, ...), in turns.

  Not one after the other: where devices share the rows, both stay at home.
  """
  return jax.tree.map(
      lambda x, y: jnp.stack([x, y], 1).reshape((-1, *x.shape[1:])), xs, ys)


def disjoint(xys):
  """Return the two trees of rows that `joint` put together."""
  part = lambda i: jax.tree.map(lambda x: x[i::2], xys)
  return part(0), part(1)
