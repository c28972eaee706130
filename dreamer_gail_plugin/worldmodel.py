"""The world model's losses, and the expert's steps as it observes them.

Functions of an `agent.Agent`. Arrays are (B, T, ...); a row is one sequence.
"""

from typing import NamedTuple

import dreamerv3.agent
import jax
import jax.numpy as jnp

f32 = jnp.float32
sg = dreamerv3.agent.sg


class Rows(NamedTuple):
  """Sequences, and what comes before them.

  `carry` is that of encoder, RSSM and decoder before the first step, `obs` a
  dict of arrays (B, T, ...), `prevact` the actions (B, T, ...) before each
  step.
  """

  carry: tuple
  obs: dict
  prevact: dict


class Modelled(NamedTuple):
  """What `losses` returns: upstream's names, and losses by key (B, T)."""

  carry: tuple
  entries: tuple
  tokens: jax.Array
  feat: dict
  losses: dict
  metrics: dict


def losses(agent, rows, training):
  """Return upstream's world model losses of some rows, as Modelled.

  All but that of the reward. Restates the first part of upstream's
  `Agent.loss`.
  """
  (enc_carry, dyn_carry, dec_carry), obs, prevact = rows
  reset = obs['is_first']
  enc_carry, enc_entries, tokens = agent.enc(enc_carry, obs, reset, training)
  dyn_carry, dyn_entries, los, feat, metrics = agent.dyn.loss(
      dyn_carry, tokens, prevact, reset, training)
  dec_carry, dec_entries, recons = agent.dec(dec_carry, feat, reset, training)
  con = f32(~obs['is_terminal'])
  if agent.config.contdisc:
    con *= 1 - 1 / agent.config.horizon
  los['con'] = agent.con(agent.feat2tensor(feat), 2).loss(con)
  for key, recon in recons.items():
    space, value = agent.obs_space[key], obs[key]
    assert value.dtype == space.dtype, (key, space, value.dtype)
    image = dreamerv3.agent.isimage(space)
    los[key] = recon.loss(sg(f32(value) / 255 if image else value))
  assert all(x.shape == reset.shape for x in los.values())
  carry = (enc_carry, dyn_carry, dec_carry)
  entries = (enc_entries, dyn_entries, dec_entries)
  return Modelled(carry, entries, tokens, feat, los, metrics)


def expert_rows(agent, obs, past=None):
  """Return the Rows of the expert's arrays `obs`, actions among them.

  `past` is the RSSM's carry and the actions before the first step. Without
  it every row must start from a reset.
  """
  B = len(obs['is_first'])
  enc, dyn, dec, before = agent.init_policy(B)
  dyn, before = past or (dyn, before)
  act = {k: obs[k] for k in agent.act_space}
  prevact = jax.tree.map(
      lambda x, y: jnp.concatenate([y[:, None], x[:, :-1]], 1), act, before)
  return Rows((enc, dyn, dec), obs, prevact)


@jax.named_scope('expert')
def observe(agent, rows, training):
  """Return the RSSM's features (B, T, ...) of rows, and its carry after them.

  Both are constants: the demonstrations do not move the model (Algorithm 1).
  """
  (enc, dyn, _), obs, prevact = rows
  reset = obs['is_first']
  _, _, tokens = agent.enc(enc, obs, reset, training)
  carry, _, feat = agent.dyn.observe(
      dyn, sg(tokens), prevact, reset, training)
  return sg((feat, carry))


def starts(feat, K):
  """Return the last K of states (B, T, ...) as starts (B*K, 1, ...)."""
  return jax.tree.map(
      lambda x: x[:, -K:].reshape((-1, 1, *x.shape[2:])), feat)
