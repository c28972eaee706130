"""Dreamer-GAIL: upstream's DreamerV3 agent with a discriminator for a reward.

With `gail.reward: env` every method defers to upstream, so the agent is plain
DreamerV3. Otherwise `loss` follows upstream's step by step, in upstream's
order of random draws up to the imagination, with three differences: nothing
reads the environment's reward, expert sequences pass through the encoder and
the RSSM, and D(s, a) is updated and then rewards imagined and replayed steps.
"""

import contextlib

import dreamerv3.agent
import embodied.jax
import jax
import jax.numpy as jnp
import ninjax as nj
import optax

from . import discriminator
from . import expert as expertlib
from . import pairs
from . import rewards
from . import rows
from . import worldmodel
from .running import videos
from .variants import absorbing
from .variants import anchor
from .variants import black
from .variants import decoder
from .variants import risk
from .variants import risk_stream
from .variants import vmail

f32 = jnp.float32
sg = dreamerv3.agent.sg
sample, prefix = dreamerv3.agent.sample, dreamerv3.agent.prefix
concat = dreamerv3.agent.concat


class Agent(dreamerv3.agent.Agent):
  """Upstream's agent plus `config.gail`; see configs.yaml for its keys.

  Batches carry `expert/<key>` arrays, which `make_stream` adds, beside
  upstream's keys, unless the reward is `env`.
  """

  def __init__(self, obs_space, act_space, config):
    super().__init__(obs_space, act_space, config)
    if config.image_loss == 'binary':
      self.dec = decoder.BinaryImages(self.dec)
    if config.image_zero == 'black':
      self.enc = black.Around(self.enc)
    self.gail = config.gail
    self.rewfn = rewards.REWARDS.get(config.gail.reward)
    if not self.imitates:
      return
    self.disc = discriminator.Discriminator(
        act_space, **self.gail.disc, name='disc')
    self.discopt = embodied.jax.Optimizer(
        [self.disc], optax.adam(**self.gail.opt), summary_depth=1,
        name='discopt')
    self.absorbing = None
    if self.gail.absorbing:
      self.absorbing = absorbing.Absorbing(self.rewfn)
    # Nothing calls the reward head, so it never gets any parameters.
    self.modules.remove(self.rew)
    self.opt.modules = self.modules
    self.scales.pop('rew')
    if self.gail.anchor:
      self.anchor = anchor.Anchor(
          self.enc.obs_space, act_space, config, name='anchor')
      self.slowanchor = anchor.Anchor(
          self.enc.obs_space, act_space, config, name='slowanchor')
      self.modules.append(self.anchor)
      self.scales.update(anchor=1.0, anchor_kl=self.gail.anchor)
      self.risk, self.slowrisk = None, None
      if risk_stream.needed(self.gail, act_space):
        self.risk, self.slowrisk = [
            risk.Risk(self.enc.obs_space, act_space, config, name=x)
            for x in ('risk', 'slowrisk')]
        self.modules.append(self.risk)
        self.scales.update(risk=1.0)
      self.pol = anchor.Anchored(
          self.pol, self.slowanchor, self.dyn, self.dec, self.slowrisk)

  def _make_opt(self, **kwargs):
    # Upstream's has one rate for all networks. The state stays as it is, so
    # that a run can go on with another rate, which optax.masked would change.
    opt, rate = super()._make_opt(**kwargs), self.config.ac_rate
    if rate == 1:
      return opt
    def update(grads, state, params=None):
      updates, state = opt.update(grads, state, params)
      return {
          k: v * rate if k.startswith(('pol/', 'val/')) else v
          for k, v in updates.items()}, state
    return optax.GradientTransformation(opt.init, update)

  @property
  def imitates(self):
    """Whether the reward comes from demonstrations."""
    return self.config.gail.reward != 'env'

  @property
  def ext_space(self):
    """Upstream's extra inputs, and those of the expert stream."""
    if not self.imitates:
      return super().ext_space
    spaces = self.obs_space, self.act_space
    return {
        **super().ext_space,
        **expertlib.space(*spaces, bool(self.gail.anchor)),
        **(risk_stream.space(*spaces)
           if risk_stream.needed(self.gail, self.act_space) else {})}

  def init_train(self, batch_size):
    """Return upstream's carry, and what is known of the expert's past."""
    carry = super().init_train(batch_size)
    if not self.imitates:
      return carry
    *carry, prevact = carry
    return (*carry, worldmodel.unknown(self, batch_size), prevact)

  def init_report(self, batch_size):
    """Return the same as `init_train`."""
    return self.init_train(batch_size)

  @property
  def policy_keys(self):
    """The parameters that acting needs, a regular expression."""
    return f'{super().policy_keys}|^slowanchor/|^slowrisk/'

  def policy(self, carry, obs, mode='train'):
    """Return the new carry, the actions and outs, as upstream does."""
    with self.seeing(obs):
      return super().policy(carry, obs, mode)

  def train(self, carry, data):
    """Return the new carry, outs and metrics, as upstream does."""
    result = super().train(carry, data)
    if self.imitates and self.gail.anchor:
      self.slowanchor.follow(self.anchor, self.gail.anchor_rate)
      if self.risk:
        self.slowrisk.follow(self.risk, self.gail.anchor_rate)
    return result

  def reward(self, logit):
    """Return the rewards of D's logits, less the absorbing state's if any."""
    rew = self.rewfn(logit)
    # A constant is the control for what the absorbing state takes away.
    if self.absorbing and self.gail.reward != 'constant':
      rew -= self.absorbing()
    return rew

  def seeing(self, obs):
    """Return a context in which the policy knows the observation, too."""
    if self.imitates and self.gail.anchor:
      return self.pol.seeing(obs)
    return contextlib.nullcontext()

  def loss(self, carry, obs, prevact, training):
    """Return the loss and (carry, entries, outs, metrics), as upstream does.

    `obs` holds arrays (B, T, ...) and the expert's, which are longer by the
    replay's context, under `expert/`. One call updates D first and then
    scores with the new D, in the order of Algorithm 1.
    """
    if not self.imitates:
      return super().loss(carry, obs, prevact, training)
    single, before, expert = (
        {k[len(x):]: v for k, v in obs.items() if k.startswith(x)}
        for x in ('single/', 'ends/', 'expert/'))
    expert = rows.skip(expert, self.config.replay_context)
    past = obs['past']
    if not self.gail.terminals:
      obs, expert = [
          {**x, 'is_terminal': jnp.zeros_like(x['is_terminal'])}
          for x in (obs, expert)]
    if self.absorbing and training:
      self.absorbing.update(expert['is_terminal'], obs['is_terminal'])
    B, T = obs['is_first'].shape
    K = min(self.config.imag_last or T, T)

    (carry, entries, tokens, repfeat, losses, metrics), expfeat, past = (
        worldmodel.WAYS[self.gail.world](
            self, carry, obs, prevact, expert, past, training))
    path = self._imagine(carry[1], entries[1], repfeat, K, training)
    dynamics = self.gail.actor == 'dynamics'
    imgfeat, imgact = vmail.constants(self, path) if dynamics else path
    anchored = imgact.pop('anchor', None)

    con = self.con(self.feat2tensor(imgfeat), 2).prob(1)  # (B*K, H+1)
    inputs = pairs.collect(
        self, expert, obs, prevact, repfeat, expfeat, imgfeat, imgact, con, K)
    rewimg, rewrep, mets = self._reward(inputs, training)
    metrics.update(prefix(mets, 'disc'))
    metrics.update(self._top(imgact, 'top_imag'))
    metrics.update(self._top(
        {k: expert[k] for k in self.act_space}, 'top_expert'))
    los, mets = self._actor_critic_loss(
        obs, repfeat, imgfeat, imgact, anchored, con, rewimg, rewrep, K,
        training)
    losses.update(los)
    metrics.update(mets)
    if dynamics:
      los = vmail.policy_loss(self, path, inputs['imag'][0])
      losses['policy'] = los.mean(1).reshape((B, K))
    if self.gail.anchor:
      losses['anchor'] = discriminator.wmean(
          self.anchor.loss(single, single), f32(~single['is_last']))
      if self.risk:
        target = before['target']
        if self.absorbing:
          target = self.absorbing.weigh(target)
        losses['risk'] = self.risk.loss(before, before, target)

    assert set(losses.keys()) == set(self.scales.keys()), (
        sorted(losses.keys()), sorted(self.scales.keys()))
    metrics.update({f'loss/{k}': v.mean() for k, v in losses.items()})
    loss = sum([v.mean() * self.scales[k] for k, v in losses.items()])
    outs = {'tokens': tokens, 'repfeat': repfeat, 'losses': losses}
    return loss, ((*carry, sg(past)), entries, outs, metrics)

  def report(self, carry, data):
    """Return the new carry and metrics: all losses and open-loop videos.

    Upstream's own report drops the metrics and fails on images that have
    neither one nor three channels, as boards and frame stacks do.
    """
    if not self.config.report:
      return carry, {}
    carry, obs, prevact, _ = self._apply_replay_context(carry, data)
    _, (new_carry, _, outs, metrics) = self.loss(
        carry, obs, prevact, training=False)
    if self.config.report_gradnorms:
      metrics.update(self._gradnorms(carry, obs, prevact))
    films = videos.videos(
        self.dyn, self.dec, carry, obs, prevact, outs['tokens'])
    metrics.update(prefix(films, 'openloop'))
    return (*new_carry, {k: data[k][:, -1] for k in self.act_space}), metrics

  def _apply_replay_context(self, carry, data):
    # The expert's rows have no replay context of their own. Handing them on
    # inside obs lets upstream's train() serve unchanged.
    if not self.imitates:
      return super()._apply_replay_context(carry, data)
    *carry, past, prevact = carry
    carry, obs, prevact, stepid = super()._apply_replay_context(
        (*carry, prevact), data)
    expert = {
        k: v for k, v in data.items()
        if k.startswith(('expert/', 'single/', 'ends/'))}
    return carry, {**obs, **expert, 'past': past}, prevact, stepid

  def _imagine(self, dyn_carry, dyn_entries, repfeat, K, training):
    # Roll the policy out for H steps from the last K replayed states.
    H = self.config.imag_length
    B = len(jax.tree.leaves(repfeat)[0])
    starts = self.dyn.starts(dyn_entries, dyn_carry, K)
    first = jax.tree.map(
        lambda x: x[:, -K:].reshape((B * K, 1, *x.shape[2:])), repfeat)
    if self.gail.actor == 'dynamics':
      return vmail.imagine(self, starts, first, H, training)
    policyfn = lambda feat: self._act(self.feat2tensor(feat))
    _, imgfeat, imgprevact = self.dyn.imagine(starts, policyfn, H, training)
    imgfeat = concat([sg(first, skip=self.config.ac_grads), sg(imgfeat)], 1)
    lastact = policyfn(jax.tree.map(lambda x: x[:, -1], imgfeat))
    lastact = jax.tree.map(lambda x: x[:, None], lastact)
    imgact = concat([imgprevact, lastact], 1)
    assert all(x.shape[:2] == (B * K, H + 1) for x in jax.tree.leaves(imgfeat))
    assert all(x.shape[:2] == (B * K, H + 1) for x in jax.tree.leaves(imgact))
    return imgfeat, imgact

  def _act(self, inp):
    # Actions at latents (N, F). What the anchor is made of goes with them, as
    # the loss would have to decode all states again.
    if not self.gail.anchor:
      return sample(self.pol(inp, 1))
    dists, given = self.pol.both(inp, 1)
    given = {k: anchor.numbers(v) for k, v in given.items()}
    return {**sample(dists), 'anchor': given}

  def _top(self, act, name):
    # The share of the most frequent action, of each discrete key.
    return {
        f'{name}/{k}': jax.nn.one_hot(v, space.classes).reshape(
            (-1, int(space.classes))).mean(0).max()
        for k, v in act.items() if (space := self.act_space[k]).discrete
        and not space.shape}

  def _reward(self, inputs, training):
    # Update D on the pairs, then score them with the new D. Returns rewards
    # aligned with upstream's returns, which read rew[t + 1] for a_t.
    flat = {
        k: (x.reshape((-1, x.shape[-1])), w.reshape(-1))
        for k, (x, w) in inputs.items()}
    negatives = {
        'imagination': [flat['imag']],
        'replay': [flat['replay']],
        'both': [flat['imag'], flat['replay']],
    }[self.gail.negatives]
    lossfn = lambda: discriminator.disc_loss(
        self.disc, flat['expert'], negatives, **self.gail.disc_loss)
    if training:
      optmets, metrics = self.discopt(lossfn, has_aux=True)
      metrics['grad_norm'] = optmets['discopt/grad_norm']
    else:
      _, metrics = lossfn()
    rews = {}
    for key in ('imag', 'replay'):
      logit, weight = self.disc(inputs[key][0]), inputs[key][1]
      rews[key] = sg(self.reward(logit))
      metrics[f'acc_{key}'] = discriminator.wmean(f32(logit < 0), weight)
    # The same steps as posterior and as prior samples: what D makes of it is
    # no behaviour.
    gap = self.disc(inputs['replay'][0]) - self.disc(inputs['other'][0])
    sign = -1 if self.gail.expert_latent == 'prior' else 1
    metrics['latent_gap'] = sign * discriminator.wmean(
        gap, inputs['replay'][1])
    rew = rews['imag']
    metrics.update(
        rew_mean=rew.mean(), rew_std=rew.std(),
        rew_min=rew.min(), rew_max=rew.max(),
        rew_replay=rews['replay'].mean())
    if self.absorbing:
      metrics['rew_end'] = self.absorbing()
    arrived = lambda x: jnp.pad(x, [[0, 0], [1, 0]])
    return arrived(rews['imag']), arrived(rews['replay']), metrics

  def _actor_critic_loss(
      self, obs, repfeat, imgfeat, imgact, anchored, con, rewimg, rewrep, K,
      training):
    # Upstream's actor and critic losses under the discriminator's reward.
    B = len(rewrep)
    inp = self.feat2tensor(imgfeat)
    policy, kl = self._policy(inp, anchored)
    los, outs, metrics = dreamerv3.agent.imag_loss(
        imgact, rewimg, con,
        policy,
        self.val(inp, 2),
        self.slowval(inp, 2),
        self.retnorm, self.valnorm, self.advnorm,
        update=training,
        contdisc=self.config.contdisc,
        horizon=self.config.horizon,
        **self.config.imag_loss)
    losses = {k: v.mean(1).reshape((B, K)) for k, v in {**los, **kl}.items()}
    if self.config.repval_loss:
      inp = self.feat2tensor(jax.tree.map(
          lambda x: x[:, -K:], sg(repfeat, skip=self.config.repval_grad)))
      los, _, mets = dreamerv3.agent.repl_loss(
          obs['is_last'][:, -K:], obs['is_terminal'][:, -K:], rewrep,
          outs['ret'][:, 0].reshape(B, K),
          self.val(inp, 2),
          self.slowval(inp, 2),
          self.valnorm,
          update=training,
          horizon=self.config.horizon,
          **self.config.repl_loss)
      losses.update(los)
      metrics.update(prefix(mets, 'reploss'))
    return losses, metrics

  def _policy(self, inp, anchored):
    # The policy at imagined states (N, H+1, F), and its divergence from the
    # anchor in nats (N, H), if there is one, as a loss of that name.
    if not self.gail.anchor:
      return self.pol(inp, 2), {}
    policy, dists = self.pol.both(inp, 2, anchored)
    kl = sum(policy[k].kl(dists[k]) for k in policy)
    return policy, {'anchor_kl': kl[:, :-1]}

  def _gradnorms(self, carry, obs, prevact):
    # One backward pass a loss: slow, for debugging.
    metrics = {}
    for key in self.scales:
      lossfn = lambda: self.loss(
          carry, obs, prevact, training=False)[1][2]['losses'][key].mean()
      try:
        grad = nj.grad(lossfn, self.modules)()[-1]
      except KeyError:
        print(f'Skipping gradnorm summary for missing loss: {key}')
        continue
      metrics[f'gradnorm/{key}'] = optax.global_norm(grad)
    return metrics
