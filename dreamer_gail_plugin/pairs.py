"""The pairs of state and action that D sees.

Functions of an `agent.Agent`. Arrays are (B, T, ...) or, of imagined steps,
(B*K, H+1, ...); `feat` are latent states as the RSSM gives them.
"""

import dreamerv3.agent
import embodied.jax.nets as nn
import jax
import jax.numpy as jnp
import ninjax as nj

from . import worldmodel

f32 = jnp.float32
sg = dreamerv3.agent.sg
concat = dreamerv3.agent.concat


def collect(agent, expert, replay, imagined, K):
  """Return D's inputs (rows, steps, F) and weights (rows, steps), a dict.

  Of the pairs (s_t, a_t) of the expert (`expert`), of the imagination (`imag`)
  and of the last K replayed steps (`replay`), the last also with states in
  the way that D does not see them (`other`). No gradient passes through them.

  Args:
    expert: observations with actions, and features.
    replay: observations, the actions before them, and features.
    imagined: features, actions, and the chances (B*K, H+1) that the episode
      goes on.
    K: number of replayed steps from which imagination starts.
  """
  obs, prevact, repfeat = replay
  imgfeat, imgact, con = imagined
  inputs = lambda feat, act: sg(agent.disc.inputs(feat, act))
  window = lambda xs: jax.tree.map(lambda x: x[:, -K:], xs)
  butlast = lambda xs: jax.tree.map(lambda x: x[:, :-1], xs)
  seen, other = both_ways(agent, sg(window(repfeat)))  # (B, K, ...)
  later = {k: sg(imgfeat[k])[:, 1: -1] for k in seen}
  states = concat([worldmodel.starts(seen, K), later], 1)
  # An imagined pair counts by the chance that the episode still goes on.
  alive = sg(jnp.cumprod(con, 1))
  # The action at the last step is not known yet, and the last step of an
  # episode has none.
  repact = jax.tree.map(lambda x: x[:, 1:], window(prevact))
  going = f32(~window(obs['is_last']))
  return {
      'expert': agent.expert_pairs(*expert),
      'imag': (inputs(states, butlast(imgact)), butlast(alive)),
      'replay': (inputs(butlast(seen), repact), butlast(going)),
      'other': (inputs(butlast(other), repact), butlast(going)),
  }


def of_expert(agent, obs, feat):
  """Return D's inputs (B, T, F) and weights (B, T) of the expert's steps."""
  act = {k: obs[k] for k in agent.act_space}
  inputs = sg(agent.disc.inputs(shown(agent, feat), act))
  return inputs, acted(agent, obs)


def acted(agent, obs):
  """Return weights (B, T): is the state known and did the expert act in it?"""
  known = settled(obs['is_first'], obs['is_cut'], agent.gail.burnin)
  return f32(known & ~obs['is_last'])


def settled(reset, cut, burnin):
  """Return bools (B, T): whether the RSSM knows the state at a step.

  `reset` marks where the RSSM restarts, `cut` where it does so in the middle
  of an episode. There it lacks the past, so the next `burnin` states of this
  batch do not count. After the true start of an episode all do.
  """
  time = jnp.arange(reset.shape[1])[None]  # (1, T)
  start = jax.lax.cummax(jnp.where(reset, time, 0), axis=1)  # (B, T)
  incut = jnp.take_along_axis(cut, start, 1)
  return ~incut | (time - start >= burnin)


def shown(agent, feat):
  """Return observed states as D sees them, by `gail.expert_latent`."""
  return both_ways(agent, feat)[0]


def both_ways(agent, feat):
  """Return observed states as D sees them, and in the other way.

  Imagined states are samples of the prior. Showing observed ones as samples
  of the posterior lets D tell the two apart whatever the policy does.
  """
  deter = feat['deter']
  prior = nn.cast(agent.dyn._dist(agent.dyn._prior(deter)).sample(nj.seed()))
  ways = [dict(deter=deter, stoch=sg(x)) for x in (prior, feat['stoch'])]
  return ways if agent.gail.expert_latent == 'prior' else ways[::-1]
