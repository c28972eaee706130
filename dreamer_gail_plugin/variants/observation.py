"""Demonstrations without actions, as films are (`gail.actions`).

D sees the states that actions lead to (outcomes.py). To observe the expert the
RSSM needs actions, too. They are named by an inverse model, which learns from
the agent's own replay which action leads from one observation to the next (as
in BCO, Torabi et al., 2018), or left out.
"""

from typing import NamedTuple

import embodied.jax
import jax
import jax.numpy as jnp

from .. import agent
from .. import discriminator
from . import outcomes

f32 = jnp.float32
i32 = jnp.int32
sg = agent.sg
BLOCK, SHARE = 64, 16  # One of 16 blocks of 64 replayed steps is held out.


class Frames(NamedTuple):
  """Rows of demonstrations without actions, see worldmodel.Rows.

  `before` are the observations (B, ...) before the first step.
  """

  carry: tuple
  obs: dict
  before: dict


class Observation(outcomes.Outcomes):
  """Dreamer-GAIL that is told what the expert saw and not what it did."""

  def __init__(self, obs_space, act_space, config):
    super().__init__(obs_space, act_space, config)
    outs = {
        k: 'categorical' if v.discrete else 'mse'
        for k, v in act_space.items()}
    self.inv = embodied.jax.MLPHead(
        act_space, outs, **config.gail.inv, name='inv')
    self.modules.append(self.inv)
    self.scales.update(inv=1.0)

  @property
  def ext_space(self):
    """The method's extra inputs but for the expert's actions."""
    acts = {f'expert/{k}' for k in self.act_space}
    return {k: v for k, v in super().ext_space.items() if k not in acts}

  def init_train(self, batch_size):
    """Return upstream's carry with the expert's RSSM state and observation."""
    *carry, (dyn, _), act = super().init_train(batch_size)
    zeros = lambda x: jnp.zeros((batch_size, *x.shape), x.dtype)
    before = {k: zeros(v) for k, v in self.enc.obs_space.items()}
    return (*carry, (dyn, before), act)

  init_report = init_train

  def _apply_replay_context(self, carry, data):
    carry, obs, prevact, stepid = super()._apply_replay_context(carry, data)
    return carry, {**obs, 'held': held_out(stepid)}, prevact, stepid

  def _expert_rows(self, expert, past):
    dyn, before = past
    enc, _, dec, _ = self.init_policy(len(expert['is_first']))
    return Frames((enc, dyn, dec), expert, before)

  def _model(self, replay, expert, training):
    model, seen = super()._model(replay, expert, training)
    losses, metrics = self._inverse(replay, sg(model.tokens))
    return model._replace(
        losses={**model.losses, 'inv': losses},
        metrics={**model.metrics, **metrics}), seen

  def _inverse(self, replay, tokens):
    # Losses (B, T - 1) of the inverse model, and how well it names the actions
    # of held-out steps: the share that is right, or the mean distance.
    obs, acts = replay.obs, {k: v[:, 1:] for k, v in replay.prevact.items()}
    dists = self.inv(between(tokens), 2)
    goes = f32(~obs['is_first'][:, 1:])  # (B, T - 1)
    held = f32(obs['held'][:, :-1])
    losses = sum(dists[k].loss(sg(v)) for k, v in acts.items())
    metrics = {}
    for key, act in acts.items():
      guess = dists[key].pred()
      discrete = self.act_space[key].discrete
      value = f32(guess == act) if discrete else jnp.abs(guess - act)
      value = value.reshape((*goes.shape, -1)).mean(-1)
      name = 'acc' if discrete else 'error'
      metrics[f'inv/{name}_{key}'] = discriminator.wmean(value, goes * held)
    return losses * goes * (1 - held), metrics

  @jax.named_scope('expert')
  def _watch(self, expert, seen, training):
    (enc, dyn, _), obs, before = expert
    reset = obs['is_first']
    frames = {
        k: jnp.concatenate([v[:, None], obs[k]], 1)
        for k, v in before.items()}  # (B, T + 1, ...)
    starts = jnp.pad(reset, [[0, 0], [1, 0]], constant_values=True)
    _, _, tokens = self.enc(enc, frames, starts, training)
    acts = sg(self._named(tokens))
    carry, _, feat = self.dyn.observe(
        dyn, sg(tokens[:, 1:]), acts, reset, training)
    past = carry, {k: obs[k][:, -1] for k in before}
    return sg(feat), acts, past

  def _named(self, tokens):
    # The actions (B, T) before each step.
    acts = {k: v.pred() for k, v in self.inv(between(tokens), 2).items()}
    if self.gail.actions == 'none':
      acts = jax.tree.map(jnp.zeros_like, acts)
    return {
        k: v if self.act_space[k].discrete else jnp.clip(v, -1, 1)
        for k, v in acts.items()}


def between(tokens):
  """Return two observations' tokens each, (B, T - 1, 2 F), of (B, T, ...)."""
  tokens = tokens.reshape((*tokens.shape[:2], -1))
  return jnp.concatenate([tokens[:, :-1], tokens[:, 1:]], -1)


def held_out(stepid):
  """Return which steps of the replay, bools (B, T), are only for measuring.

  They are chosen by their `stepid` (B, T, 20): 16 bytes of the chunk, 4 of the
  place in it.
  """
  chunk = i32(stepid[..., :16]).sum(-1)
  place = (i32(stepid[..., -2:]) * jnp.array([256, 1])).sum(-1)
  return (chunk + place // BLOCK) % SHARE == 0
