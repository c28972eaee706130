"""Discrete soft actor-critic on imagined latents, for D's reward.

The actor knows the values of all choices, so the expectation over actions is
exact and needs no gradient through a sample. It is the fix for V-MAIL's
discrete actions that the Dreamer-GAIL paper (section 6) leaves to future work;
vmail.py has the other one, straight-through samples.

Source: Christodoulou (2019), with the two changes of Zhou et al. (2024) that
keep it stable: values are the mean of the twins, learned with a clip, and the
entropy must not change fast. Rewards, and so values, are in units of the
method's `retnorm`, so that `imag_loss.actent` is the temperature.
"""

import elements
import embodied.jax
import jax
import jax.numpy as jnp
import numpy as np

from .. import agent
from ..errors import UserError

f32 = jnp.float32
sg = jax.lax.stop_gradient


class SoftActorCritic(agent.Agent):
  """Dreamer-GAIL whose actor learns from the values of all actions.

  The method's critic goes on: it shapes the latents by the replayed steps and
  says in which units returns are.
  """

  def __init__(self, obs_space, act_space, config):
    self.key = choice(act_space)
    super().__init__(obs_space, act_space, config)
    values = elements.Space(np.float32, (int(act_space[self.key].classes),))
    head = lambda name: embodied.jax.MLPHead(
        values, **config.value, name=name)
    slow = lambda copy, source: embodied.jax.SlowModel(
        copy, source=source, **config.slowvalue)
    self.qval = [head(f'qval{i}') for i in range(2)]
    self.slowqval = [
        slow(head(f'slowqval{i}'), q) for i, q in enumerate(self.qval)]
    self.slowpol = slow(embodied.jax.MLPHead(
        act_space, {self.key: config.policy_dist_disc}, **config.policy,
        name='slowpol'), self.pol)
    self.modules.extend(self.qval)
    self.scales.update(qval=1.0)

  def train(self, carry, data):
    """Return the new carry, outs and metrics, as upstream does."""
    result = super().train(carry, data)
    for copy in (*self.slowqval, self.slowpol):
      copy.update()
    return result

  def _variant_losses(self, obs, imag, inputs):
    # In the place of upstream's policy loss; a step counts by the chance that
    # the episode still goes on. The losses move `pol` and `qval` alone.
    losses = super()._variant_losses(obs, imag, inputs)
    config, gail = self.config, self.gail
    inp = sg(self.feat2tensor(imag.feat))  # (B*K, H+1, F)
    con = sg(self.con(inp, 2).prob(1))
    disc = 1 if config.contdisc else 1 - 1 / config.horizon
    weight = (jnp.cumprod(disc * con, 1) / disc)[:, :-1]
    rew = sg(self.reward(self.disc(inputs['imag'][0])))  # (B*K, H)
    scale = self.retnorm.stats()[1]
    logp, slowlogp = [
        jax.nn.log_softmax(pol(inp, 2)[self.key].logits)
        for pol in (self.pol, self.slowpol)]  # (B*K, H+1, A)
    # A slow copy can be called once its source has been.
    twins = [q(inp[:, :-1], 2) for q in self.qval]
    slow = [sg(q(inp, 2).pred()) for q in self.slowqval]
    target = targets(
        rew, disc * con[:, 1:], sum(slow)[:, 1:] / 2, sg(logp)[:, 1:],
        config.imag_loss.actent * scale)
    act = imag.act[self.key][:, :-1]
    value = sum(
        value_loss(q, s[:, :-1], act, target, gail.sac.clip * scale)
        for q, s in zip(twins, slow))
    mean = sg(sum(q.pred() for q in twins)) / 2 / scale
    policy = policy_loss(
        logp[:, :-1], mean, sg(slowlogp)[:, :-1],
        config.imag_loss.actent, gail.sac.entropy_penalty)
    rows = lambda x: (weight * x).mean(1).reshape((len(obs['is_first']), -1))
    return {**losses, 'policy': rows(policy), 'qval': rows(value)}


def targets(rew, con, values, logp, temperature):
  """Return the values of the actions taken, arrays (N, H).

  That is the reward and what the next state is worth with its entropy, by the
  exact expectation over its actions.

  Args:
    rew, con: rewards of the steps and discounts behind them, (N, H).
    values, logp: of all actions in the states behind them, (N, H, A).
    temperature: of the entropy, in units of the rewards.
  """
  soft = (jnp.exp(logp) * (values - temperature * logp)).sum(-1)
  return rew + con * soft


def value_loss(dist, slow, act, target, clip):
  """Return losses (N, H) of the values of actions, with Q-clip.

  A value that is further than `clip` from its slow copy does not move, unless
  it moves back. This is the larger one of the losses of the value and of the
  clipped value (Zhou et al., 2024).

  Args:
    dist: values of all actions as upstream's head gives them, (N, H, A).
    slow: those of the slow copy, (N, H, A).
    act: actions taken, (N, H).
    target: what they were worth, (N, H).
  """
  assert slow.shape[:-1] == act.shape == target.shape
  taken = lambda x: jnp.take_along_axis(x, act[..., None], -1).squeeze(-1)
  losses = dist.output.loss(jnp.broadcast_to(target[..., None], slow.shape))
  value, slow = sg(taken(dist.pred())), taken(slow)
  clipped = jnp.clip(value, slow - clip, slow + clip)
  worse = jnp.abs(clipped - target) > jnp.abs(value - target)
  return taken(losses) * ~worse


def policy_loss(logp, values, slowlogp, temperature, penalty):
  """Return losses (N, H) of a policy by the values of all actions.

  It goes to the softmax of values over temperature. The penalty holds its
  entropy near that of its slow copy. All arguments are (N, H, A) but for the
  last two.
  """
  entropy = lambda logp: -(jnp.exp(logp) * logp).sum(-1)
  gain = (jnp.exp(logp) * (values - temperature * logp)).sum(-1)
  change = entropy(logp) - entropy(slowlogp)
  return penalty / 2 * jnp.square(change) - gain


def choice(act_space):
  """Return the key of the only action; raises UserError if it is no choice."""
  (key, space), *others = act_space.items()
  if others or not space.discrete or space.shape:
    raise UserError(
        '--agent.gail.actor sac: needs a task whose action is one choice, '
        f'found {", ".join(act_space)}')
  return key
