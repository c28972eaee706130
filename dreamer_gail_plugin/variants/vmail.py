"""The actor of V-MAIL: D's reward is differentiated through the dynamics.

With `agent.gail.actor: dynamics` the imagined states and actions carry
gradients back to the policy, and its loss is minus the return that D gives
along them. World model, D and critic are constants in it. Unlike in the
default, D's reward is then no constant to the policy: it sees how the reward
changes with state and action, which is what the method is.

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

f32 = jnp.float32
sg = jax.lax.stop_gradient
concat = dreamerv3.agent.concat


def imagine(agent, starts, first, length, training):
  """Return imagined (feat, act), (N, H + 1, ...), with the policy's gradient.

  As the agent's own imagination, but that discrete actions are one-hot,
  (N, H + 1, ..., classes). `starts` is a carry of the dynamics (N, ...) and
  `first` the features of it (N, 1, ...); both are constants here.
  """
  starts, first = sg(starts), sg(first)
  dyn = copy.copy(agent.dyn)  # Of the same name, so of the same parameters.
  dyn.act_space = relaxed(agent.act_space)
  policy = lambda feat: {
      k: straight_through(v)
      for k, v in agent.pol(agent.feat2tensor(feat), 1).items()}
  def rollout():
    _, feat, act = dyn.imagine(starts, policy, length, training)
    feat = concat([first, feat], 1)
    # Upstream's imagination hides its states from the policy's input, too.
    last = policy(sg(jax.tree.map(lambda x: x[:, -1], feat)))
    return feat, concat([act, jax.tree.map(lambda x: x[:, None], last)], 1)
  return frozen(rollout, agent.pol)


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


def constants(agent, path):
  """Return the (feat, act) of `imagine` as the other losses take them.

  Without gradients, and with numbers of choices for their one-hot forms.
  """
  feat, act = sg(path)
  return feat, {
      k: jnp.argmax(v, -1).astype(jnp.int32)
      if agent.act_space[k].discrete else v for k, v in act.items()}


def policy_loss(agent, path, inputs):
  """Return the policy's loss (N, H) along the path of `imagine`.

  `inputs` (N, H, F) is what D saw of the path. The loss of a step is minus its
  return, on the scale of upstream's, minus the entropy bonus; it counts by the
  chance that the episode still goes on.
  """
  config = agent.config
  scale = agent.retnorm.stats()[1]
  ret, weight = frozen(lambda: returns(agent, path, inputs), agent.pol)
  dists = agent.pol(agent.feat2tensor(sg(path[0])), 2)
  ent = sum(v.entropy()[:, :-1] for v in dists.values())
  return -sg(weight) * (ret / scale + config.imag_loss.actent * ent)


def returns(agent, path, inputs):
  """Return the lambda returns (N, H) along a path and the weights (N, H).

  r(s_t, a_t) stands at t + 1, as upstream's returns read it, and the critic
  gives the value after the last step.
  """
  config = agent.config
  tensor = agent.feat2tensor(path[0])
  rew = agent.reward(agent.disc(through(inputs, _inputs(agent, path))))
  rew = jnp.pad(rew, [[0, 0], [1, 0]])
  con = agent.con(tensor, 2).prob(1)  # (N, H + 1)
  offset, scale = agent.valnorm.stats()
  val = agent.val(tensor, 2).pred() * scale + offset
  disc = 1 if config.contdisc else 1 - 1 / config.horizon
  weight = jnp.cumprod(disc * con, 1) / disc
  ret = dreamerv3.agent.lambda_return(
      jnp.zeros_like(con), 1 - con, rew, val, val, disc, config.imag_loss.lam)
  return ret, weight[:, :-1]


def through(value, carrier):
  """Return `value` with the gradient of `carrier`, which has its shape."""
  assert value.shape == carrier.shape, (value.shape, carrier.shape)
  return sg(value) + (carrier - sg(carrier))


def _inputs(agent, path):
  # What D sees of the path but for the last step. D's own method would lose
  # the gradient of choices, so these columns, the last ones, are put in again.
  feat, act = jax.tree.map(lambda x: x[:, :-1], path)
  spaces = relaxed(agent.act_space)
  clipped = {
      k: act[k] if agent.act_space[k].discrete else jnp.clip(act[k], -1, 1)
      for k in spaces}
  flat = f32(nn.DictConcat(spaces, 1)(clipped))
  hard = constants(agent, (feat, act))[1]
  whole = agent.disc.inputs(feat, hard)
  return jnp.concatenate([whole[..., :-flat.shape[-1]], flat], -1)


def frozen(fn, but):
  """Return fn(), in which all parameters but those of a module are constant.

  Gradients pass through what `fn` calls and do not move it. `fn` must not
  change any state, as the changes are lost.
  """
  if nj.creating():
    return fn()
  state = {
      k: v if k.startswith(but.path + '/') else sg(v)
      for k, v in nj.context().items()}
  return nj.pure(fn, nested=True)(state, seed=nj.seed())[1]
