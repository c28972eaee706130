"""The agent on an anchor: a policy cloned from single observations.

Three things are added to Dreamer-GAIL, none of them in the paper. The anchor
policy is cloned from the demonstrations (anchor.py). The agent's policy is
the anchor times what its own network adds on latents, and a KL divergence
holds both together, as in piKL (Jacob et al., 2022). Where the agent acts, a
critic takes off what actions risk (risk.py).
"""

import dreamerv3.agent
import elements
import embodied.jax.nets as nets
import jax
import jax.numpy as jnp

from .. import agent
from .. import discriminator
from .. import expert as expertlib
from . import anchor
from . import risk
from . import risk_stream

f32 = jnp.float32
sg = jax.lax.stop_gradient
sample = dreamerv3.agent.sample


class Anchored(agent.Agent):
  """Dreamer-GAIL whose policy is built on one that is cloned.

  The anchor and the risk critic learn with the world model's optimizer. What
  acts and what the policy is built on are moving averages of theirs, the
  slow ones.
  """

  def __init__(self, obs_space, act_space, config):
    super().__init__(obs_space, act_space, config)
    make = lambda cls, *names: [
        cls(self.enc.obs_space, act_space, config, name=x) for x in names]
    self.anchor, self.slowanchor = make(
        anchor.Anchor, 'anchor', 'slowanchor')
    self.modules.append(self.anchor)
    self.scales.update(anchor=1.0, anchor_kl=self.gail.anchor)
    self.risk, self.slowrisk = None, None
    if risk_stream.needed(self.gail, act_space):
      self.risk, self.slowrisk = make(risk.Risk, 'risk', 'slowrisk')
      self.modules.append(self.risk)
      self.scales.update(risk=1.0)
    self.pol = anchor.Policy(self.pol, self._advice)

  @property
  def ext_space(self):
    """The method's inputs, and what anchor and risk critic learn from."""
    spaces = {
        **super().ext_space,
        **expertlib.space(self.obs_space, self.act_space, singles=True)}
    if self.risk:
      spaces.update(risk_stream.space(self.obs_space, self.act_space))
    return spaces

  @property
  def policy_keys(self):
    """The parameters that acting needs, a regular expression."""
    return f'{super().policy_keys}|^slowanchor/|^slowrisk/'

  def policy(self, carry, obs, mode='train'):
    """Return the new carry, the actions and outs, as upstream does."""
    # Upstream's code, on this agent with another policy network.
    knowing = object.__new__(type(self))
    vars(knowing).update(vars(self), pol=self.acting(obs))
    return super(Anchored, knowing).policy(carry, obs, mode)

  def acting(self, obs):
    """Return the policy network of agents that see observations (N, ...)."""
    return anchor.Policy(
        self.pol.own, lambda inp, bdims: self._advice_at(obs, bdims))

  def train(self, carry, data):
    """Return the new carry, outs and metrics, as upstream does."""
    result = super().train(carry, data)
    self.slowanchor.follow(self.anchor, self.gail.anchor_rate)
    if self.risk:
      self.slowrisk.follow(self.risk, self.gail.anchor_rate)
    return result

  def _apply_replay_context(self, carry, data):
    carry, obs, prevact, stepid = super()._apply_replay_context(carry, data)
    parts = elements.tree.nestdict(data)
    parts = {k: parts[k] for k in ('single', 'ends') if k in parts}
    return carry, {**obs, **parts}, prevact, stepid

  def _act(self, inp):
    # The anchor's part goes with the actions, as the losses would have to
    # decode all states again.
    dists, given = self.pol.both(inp, 1)
    given = {k: anchor.numbers(v) for k, v in given.items()}
    return {**sample(dists), 'anchor': given}

  def _imagine(self, *args):
    imag = super()._imagine(*args)
    act = dict(imag.act)
    given = act.pop('anchor', None)
    return imag._replace(act=act, extra={**imag.extra, 'anchor': given})

  def _policy(self, inp, imag):
    policy, given = self.pol.both(inp, 2, imag.extra['anchor'])
    kl = sum(policy[k].kl(given[k]) for k in policy)
    return policy, {'anchor_kl': kl[:, :-1]}

  def _variant_losses(self, obs, imag, inputs):
    losses = super()._variant_losses(obs, imag, inputs)
    single = obs['single']
    losses['anchor'] = discriminator.wmean(
        self.anchor.loss(single, single), f32(~single['is_last']))
    if self.risk:
      target = self._weigh(obs['ends']['target'])
      losses['risk'] = self.risk.loss(obs['ends'], obs['ends'], target)
    return losses

  def _weigh(self, target):
    # The risk critic's targets, as a variant weighs them.
    return target

  def _advice(self, inp, bdims):
    # The numbers of the anchor at what latents decode to.
    return _numbers(self.slowanchor(self._decode(inp, bdims), bdims))

  def _advice_at(self, obs, bdims):
    # The same where the observation is known, less what actions risk.
    given = _numbers(self.slowanchor(obs, bdims))
    if self.slowrisk:
      given = risk.less_risk(
          given, self.slowrisk(obs, bdims), self.slowrisk.scale)
    return given

  def _decode(self, inp, bdims):
    deter, stoch = jnp.split(sg(inp), [self.dyn.deter], -1)
    shape = (self.dyn.stoch, self.dyn.classes)
    stoch = stoch.reshape((*stoch.shape[:-1], *shape))
    recons = self.dec(
        {}, dict(deter=deter, stoch=stoch), jnp.zeros(inp.shape[:-1], bool),
        training=False, single=bdims == 1)[2]
    return {k: self._observed(k, v.pred()) for k, v in recons.items()}

  def _observed(self, key, value):
    # The observation that upstream's decoder means by what it predicts.
    space = self.dec.obs_space[key]
    if key in self.dec.imgkeys:
      value = jnp.round(value * 255)
    elif self.dec.symlog and not space.discrete:
      value = nets.symexp(value)
    return sg(value).astype(space.dtype)


def _numbers(dists):
  return {k: anchor.numbers(v) for k, v in dists.items()}
