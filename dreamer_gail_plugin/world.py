"""The world model's losses, and the expert's steps as it observes them.

Functions of an `agent.Agent`. Arrays are (B, T, ...); `carry` is that of
encoder, RSSM and decoder, `prevact` the actions before each step.
"""

import copy

import dreamerv3.agent
import jax
import jax.numpy as jnp

from . import rows

f32 = jnp.float32
sg = dreamerv3.agent.sg


def replay(agent, carry, obs, prevact, expert, training):
  """Return what `losses` returns and the features of the expert's steps.

  The demonstrations do not move the model (the paper).
  """
  inputs = expert_inputs(agent, expert, training)
  if agent.gail.joint_scan:
    dyn, expfeat = _joint_dyn(agent, inputs)
    out = losses(agent, carry, obs, prevact, dyn, training)
    return out, expfeat[0]
  out = losses(agent, carry, obs, prevact, agent.dyn, training)
  return out, observe_expert(agent, inputs, training)[-1]


def both(agent, carry, obs, prevact, expert, training):
  """Return the same where the model learns from the expert's rows, too.

  From all but those first steps that follow others which the row does not
  have (as V-MAIL, Rafailov et al., 2021).
  """
  obs = {k: obs[k] for k in obs if k in expert}  # Without the reward.
  act = {k: expert[k] for k in agent.act_space}
  parts = (agent.enc, agent.dyn, agent.dec)
  initial = tuple(x.initial(len(obs['is_first'])) for x in parts)
  *out, los, metrics = losses(agent, *rows.joint(
      (carry, obs, prevact),
      (initial, {k: expert[k] for k in obs}, rows.previous(act)),
  ), agent.dyn, training)
  (*out, ours), (_, _, _, expfeat, demos) = rows.disjoint((*out, los))
  los = jax.tree.map(
      lambda x, y: (x + y * ~expert['is_cut']) / 2, ours, demos)
  return (*out, los, metrics), expfeat


WAYS = {'replay': replay, 'both': both}  # By `gail.world`.


def losses(agent, carry, obs, prevact, dyn, training):
  """Return (carry, entries, tokens, feat, losses, metrics), as upstream's.

  The losses, a dict of (B, T), are upstream's without that of the reward.
  """
  enc_carry, dyn_carry, dec_carry = carry
  reset = obs['is_first']
  enc_carry, enc_entries, tokens = agent.enc(enc_carry, obs, reset, training)
  dyn_carry, dyn_entries, los, feat, metrics = dyn.loss(
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
  return carry, entries, tokens, feat, los, metrics


def _joint_dyn(agent, inputs):
  # The RSSM, but what it observes passes one scan with the expert's inputs,
  # whose features it then puts into the list.
  feats = []
  def observe(carry, tokens, action, reset, training):
    ours = (carry, tokens, action, reset)
    initial = agent.dyn.initial(len(reset))
    outs, (_, _, feat) = rows.disjoint(agent.dyn.observe(
        *rows.joint(ours, (initial, *inputs)), training))
    feats.append(sg(feat))
    return outs
  dyn = copy.copy(agent.dyn)  # Of the same name, so of the same parameters.
  dyn.observe = observe
  return dyn, feats


@jax.named_scope('expert')
def expert_inputs(agent, expert, training):
  """Return (tokens, prevact, reset), what the RSSM takes of the expert."""
  reset = expert['is_first']
  prevact = rows.previous({k: expert[k] for k in agent.act_space})
  _, _, tokens = agent.enc(
      agent.enc.initial(len(reset)), expert, reset, training)
  return sg(tokens), prevact, reset


@jax.named_scope('expert')
def observe_expert(agent, inputs, training):
  """Return what the RSSM makes of `expert_inputs`: (carry, entries, feat)."""
  initial = agent.dyn.initial(len(inputs[-1]))
  return sg(agent.dyn.observe(initial, *inputs, training))
