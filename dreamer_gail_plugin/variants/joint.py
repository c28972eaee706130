"""The world model learns from the demonstrations, too (`gail.world: both`).

Half of a batch's rows are then demonstrations (`configs.rows`), and losses are
means over both halves, as in V-MAIL (Rafailov et al., 2021). No reward of
either is read.
"""

import jax
import jax.numpy as jnp

from .. import agent
from .. import worldmodel


class Joint(agent.Agent):
  """Dreamer-GAIL whose world model learns from replay and demonstrations."""

  def _model(self, replay, expert, training):
    # An expert's step at which the model starts anew in mid-episode has no
    # loss.
    keys = [k for k in self.obs_space if k in expert.obs]  # Not the reward.
    seen = lambda rows: rows._replace(obs={k: rows.obs[k] for k in keys})
    out = worldmodel.losses(self, joint(seen(replay), seen(expert)), training)
    ours, demos = disjoint(out._replace(metrics={}))
    losses = jax.tree.map(
        lambda x, y: (x + y * ~expert.obs['is_cut']) / 2,
        ours.losses, demos.losses)
    ours = ours._replace(losses=losses, metrics=out.metrics)
    return ours, (demos.feat, demos.carry[1])


def joint(xs, ys):
  """Return rows (2 B, ...) of two trees of rows (B, ...), in turns.

  In turns, so that devices which share the rows keep their own of both.
  """
  return jax.tree.map(
      lambda x, y: jnp.stack([x, y], 1).reshape((-1, *x.shape[1:])), xs, ys)


def disjoint(xys):
  """Return the two trees of rows that `joint` put together."""
  part = lambda i: jax.tree.map(lambda x: x[i::2], xys)
  return part(0), part(1)
