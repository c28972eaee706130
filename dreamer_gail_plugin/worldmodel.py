"""The world model's losses, and the expert's steps as it observes them.

Functions of an `agent.Agent`. Arrays are (B, T, ...); `carry` is that of
encoder, RSSM and decoder, `prevact` the actions before each step. `past` is
what is known of the expert's steps before a row: the RSSM's carry and the last
actions.
"""

import copy

import dreamerv3.agent
import jax
import jax.numpy as jnp

from . import rows

f32 = jnp.float32
sg = dreamerv3.agent.sg


def unknown(agent, batch_size):
  """Return the `past` of rows of which nothing is known."""
  _, dyn, _, act = agent.init_policy(batch_size)
  return dyn, act


def replay(agent, carry, obs, prevact, expert, past, training):
  """Return what `losses` returns, the expert's features and its new past.

  The demonstrations do not move the model (the paper).
  """
  inputs = expert_inputs(agent, expert, training, past)
  if agent.gail.joint_scan:
    dyn, observed = _joint_dyn(agent, inputs)
    out = losses(agent, carry, obs, prevact, dyn, training)
    expcarry, expfeat = observed[0]
  else:
    out = losses(agent, carry, obs, prevact, agent.dyn, training)
    expcarry, _, expfeat = observe_expert(agent, inputs, training)
  return out, expfeat, (expcarry, _last(agent, expert))


def both(agent, carry, obs, prevact, expert, past, training):
  """Return the same where the model learns from the expert's rows, too.

  From all but those first steps that follow others which the row does not
  have (as V-MAIL, Rafailov et al., 2021).
  """
  obs = {k: obs[k] for k in obs if k in expert}  # Without the reward.
  act = {k: expert[k] for k in agent.act_space}
  dyn, before = past
  # Upstream's encoder and decoder carry nothing.
  enc, dec = [x.initial(len(obs['is_first'])) for x in (agent.enc, agent.dec)]
  *out, los, metrics = losses(agent, *rows.joint(
      (carry, obs, prevact),
      ((enc, dyn, dec), {k: expert[k] for k in obs},
       rows.previous(act, before)),
  ), agent.dyn, training)
  (*out, ours), (expcarry, _, _, expfeat, demos) = rows.disjoint((*out, los))
  los = jax.tree.map(
      lambda x, y: (x + y * ~expert['is_cut']) / 2, ours, demos)
  return (*out, los, metrics), expfeat, (expcarry[1], _last(agent, expert))


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
  observed = []
  def observe(carry, tokens, action, reset, training):
    ours = (carry, tokens, action, reset)
    outs, (expcarry, _, feat) = rows.disjoint(agent.dyn.observe(
        *rows.joint(ours, inputs), training))
    observed.append(sg((expcarry, feat)))
    return outs
  dyn = copy.copy(agent.dyn)  # Of the same name, so of the same parameters.
  dyn.observe = observe
  return dyn, observed


@jax.named_scope('expert')
def expert_inputs(agent, expert, training, past=None):
  """Return (carry, tokens, prevact, reset), what the RSSM takes."""
  reset = expert['is_first']
  dyn, before = past or unknown(agent, len(reset))
  prevact = rows.previous({k: expert[k] for k in agent.act_space}, before)
  _, _, tokens = agent.enc(
      agent.enc.initial(len(reset)), expert, reset, training)
  return dyn, sg(tokens), prevact, reset


@jax.named_scope('expert')
def observe_expert(agent, inputs, training):
  """Return what the RSSM makes of `expert_inputs`: (carry, entries, feat)."""
  return sg(agent.dyn.observe(*inputs, training))


def _last(agent, expert):
  return {k: expert[k][:, -1] for k in agent.act_space}
