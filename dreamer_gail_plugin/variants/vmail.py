"""V-MAIL: D's reward is differentiated through the dynamics.

Imagined states and actions carry gradients back to the policy, and its loss
is minus the return that D gives along them. World model, D and critic are
constants in it. In the method D's reward is a constant to the policy. Here the
policy sees how the reward changes with state and action.

Discrete actions are straight-through samples: one-hot forward, backward the
probabilities. It is the fix that the Dreamer-GAIL paper (section 6) leaves to
future work. Source: V-MAIL (Rafailov et al., 2021), equation 8, and Dreamer
(Hafner et al., 2020), equation 7.
"""

import copy

import dreamerv3.agent
import elements
import embodied.jax
import embodied.jax.nets as nn
import jax
import jax.numpy as jnp
import ninjax as nj
import numpy as np

from .. import agent
from .. import worldmodel

f32 = jnp.float32
sg = jax.lax.stop_gradient
concat = dreamerv3.agent.concat


class VMail(agent.Agent):
  """Dreamer-GAIL whose actor learns by the reward's gradient."""

  def _imagine(self, dyn_carry, dyn_entries, repfeat, K, training):
    # As the method's, but discrete actions are one-hot, (B*K, H+1, ..., A),
    # and states and actions carry the policy's gradient. Other losses take
    # them without.
    dyn = copy.copy(self.dyn)  # Of the same name, so of the same parameters.
    dyn.act_space = relaxed(self.act_space)
    policy = lambda feat: {
        k: straight_through(v)
        for k, v in self.pol(self.feat2tensor(feat), 1).items()}
    begin = sg(self.dyn.starts(dyn_entries, dyn_carry, K))
    first = sg(worldmodel.starts(repfeat, K))  # (B*K, 1, ...)
    def rollout():
      _, feat, act = dyn.imagine(
          begin, policy, self.config.imag_length, training)
      feat = concat([first, feat], 1)
      # Upstream's imagination hides its states from the policy's input, too.
      last = policy(sg(jax.tree.map(lambda x: x[:, -1], feat)))
      return feat, concat([act, jax.tree.map(lambda x: x[:, None], last)], 1)
    path = freeze_except(rollout, self.pol)
    feat, act = sg(path)
    return agent.Imagined(feat, self._chosen(act), {'path': path})

  def _variant_losses(self, obs, imag, inputs):
    # The policy's loss along the path, in the place of upstream's. A step
    # counts by the chance that the episode still goes on.
    losses = super()._variant_losses(obs, imag, inputs)
    path = imag.extra['path']
    scale = self.retnorm.stats()[1]
    ret, weight = freeze_except(
        lambda: self._returns(path, inputs['imag'][0]), self.pol)
    dists = self.pol(self.feat2tensor(sg(path[0])), 2)
    ent = sum(v.entropy()[:, :-1] for v in dists.values())
    actent = self.config.imag_loss.actent
    loss = -sg(weight) * (ret / scale + actent * ent)  # (B*K, H)
    return {
        **losses, 'policy': loss.mean(1).reshape((len(obs['is_first']), -1))}

  def _returns(self, path, inputs):
    # The lambda returns (B*K, H) along a path and the weights of its steps.
    # r(s_t, a_t) stands at t + 1, as upstream's returns read it, and the
    # critic gives the value after the last step.
    config = self.config
    tensor = self.feat2tensor(path[0])
    inputs = straight_through_value(inputs, self._inputs(path))
    rew = jnp.pad(self.reward(self.disc(inputs)), [[0, 0], [1, 0]])
    con = self.con(tensor, 2).prob(1)  # (B*K, H+1)
    offset, scale = self.valnorm.stats()
    val = self.val(tensor, 2).pred() * scale + offset
    disc = 1 if config.contdisc else 1 - 1 / config.horizon
    weight = jnp.cumprod(disc * con, 1) / disc
    ret = dreamerv3.agent.lambda_return(
        jnp.zeros_like(con), 1 - con, rew, val, val, disc,
        config.imag_loss.lam)
    return ret, weight[:, :-1]

  def _inputs(self, path):
    # What D sees of the path but for the last step. D's own method would lose
    # the gradient of choices, so the last columns, theirs, are put in again.
    feat, act = jax.tree.map(lambda x: x[:, :-1], path)
    spaces = relaxed(self.act_space)
    clipped = {
        k: act[k] if self.act_space[k].discrete else jnp.clip(act[k], -1, 1)
        for k in spaces}
    flat = f32(nn.DictConcat(spaces, 1)(clipped))
    whole = self.disc.inputs(feat, self._chosen(sg(act)))
    return jnp.concatenate([whole[..., :-flat.shape[-1]], flat], -1)

  def _chosen(self, act):
    # Numbers of choices in the place of their one-hot forms.
    return {
        k: jnp.argmax(v, -1).astype(jnp.int32)
        if self.act_space[k].discrete else v for k, v in act.items()}


def relaxed(space):
  """Return an action space in which choices are one-hot numbers."""
  def relax(x):
    if not x.discrete:
      return x
    classes = int(np.asarray(x.classes).flatten()[0])
    return elements.Space(np.float32, (*x.shape, classes), 0, 1)
  return {k: relax(v) for k, v in space.items()}


def straight_through(dist):
  """Return a sample of a policy's output that carries its gradient.

  One-hot with the gradient of the probabilities (Bengio et al., 2013) for
  choices, as upstream samples its latent states, and reparameterised noise
  for continuous actions.
  """
  inner = dist.output if isinstance(dist, embodied.jax.outs.Agg) else dist
  if isinstance(inner, embodied.jax.outs.Categorical):
    dist = embodied.jax.outs.OneHot(inner.logits)
  return dist.sample(nj.seed())


def straight_through_value(value, carrier):
  """Return `value` with the gradient of `carrier`, which has its shape."""
  assert value.shape == carrier.shape, (value.shape, carrier.shape)
  return sg(value) + (carrier - sg(carrier))


def freeze_except(fn, module):
  """Return fn(), in which only the parameters of a module are no constants.

  Gradients pass through what `fn` calls and do not move it. `fn` must not
  change any state, as the changes are lost.
  """
  if nj.creating():
    return fn()
  state = {
      k: v if k.startswith(module.path + '/') else sg(v)
      for k, v in nj.context().items()}
  return nj.pure(fn, nested=True)(state, seed=nj.seed())[1]
