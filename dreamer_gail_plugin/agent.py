"""Dreamer-GAIL: DreamerV3 whose reward is a discriminator of demonstrations.

`Agent.loss` is Algorithm 1 of the paper. It restates upstream's loss under
upstream's headings, as D needs states with actions where upstream passes the
reward head states alone. tests/test_drift.py tells when upstream's changes.

What learns from what:

  enc, dyn, dec, con   the agent's replay; enc and dyn by val's loss on it, too
  disc (D)             pairs of the expert against imagined ones
  pol, val             imagined steps, and val replayed ones, under D's reward

D's reward enters once, as `rewimg` and `rewrep`, in the place of upstream's
predicted and real rewards. To add one, add a function of D's logit to REWARDS
in rewards.py.

Variants subclass Agent. Its hooks are `_model`, `_watch`, `_act`, `_imagine`,
`_pairs`, `_policy`, `_actent`, `_variant_losses`, `_discriminate` and
`reward`.
`ext_space`, `_apply_replay_context` and `_expert_rows` name the parts of a
batch.
"""

from typing import NamedTuple

import dreamerv3.agent
import elements
import embodied.jax
import jax
import jax.numpy as jnp
import optax

from . import discriminator
from . import dreamer
from . import expert as expertlib
from . import pairs
from . import rewards
from . import worldmodel

f32 = jnp.float32
sg = dreamerv3.agent.sg
sample, prefix = dreamerv3.agent.sample, dreamerv3.agent.prefix
concat = dreamerv3.agent.concat


class Imagined(NamedTuple):
  """Imagined steps, arrays (B*K, H+1, ...).

  `feat` are latent states and `act` the actions in them. `extra` is a dict of
  what a variant hands from its imagination to its losses.
  """

  feat: dict
  act: dict
  extra: dict


class Agent(dreamer.Dreamer):
  """Upstream's agent plus D; its settings are `config.gail`.

  Batches have the keys of `ext_space` beside upstream's: the demonstrations,
  under `expert/`, which `build.expert_stream` adds.
  """

  imitates = True

  def __init__(self, obs_space, act_space, config):
    super().__init__(obs_space, act_space, config)
    self.gail = config.gail
    self.rewfn = rewards.REWARDS[self.gail.reward]
    self.disc = discriminator.Discriminator(
        act_space, **self.gail.disc, name='disc')
    self.discopt = embodied.jax.Optimizer(
        [self.disc], optax.adam(**self.gail.opt), summary_depth=1,
        name='discopt')
    # Nothing calls the reward head, so it never gets any parameters. The
    # optimizer has the same list.
    self.modules.remove(self.rew)
    self.scales.pop('rew')

  @property
  def ext_space(self):
    """Upstream's extra inputs, and those of the expert stream."""
    spaces = expertlib.space(self.obs_space, self.act_space)
    return {**super().ext_space, **spaces}

  def init_train(self, batch_size):
    """Return upstream's carry with the expert's RSSM state and last action."""
    carry = super().init_train(batch_size)
    _, dyn, _, act = carry
    return (*carry[:-1], (dyn, act), act)

  init_report = init_train

  def reward(self, logit):
    """Return the rewards of D's logits, of their shape."""
    return self.rewfn(logit)

  def loss(self, carry, obs, prevact, training):
    """Return the loss and (carry, entries, outs, metrics), as upstream does.

    `obs` holds arrays (B, T, ...) and under `expert` the Rows of the
    demonstrations. One call updates D first and then scores with the new D,
    in the order of Algorithm 1. No reward of the environment is read.
    """
    expert = obs['expert']
    B, T = obs['is_first'].shape
    K = min(self.config.imag_last or T, T)  # Imagination starts from the last.
    losses, metrics = {}, {}

    # World model
    rows = worldmodel.Rows(carry, obs, prevact)
    model, seen = self._model(rows, expert, training)
    carry, entries, repfeat = model.carry, model.entries, model.feat
    losses.update(model.losses)
    metrics.update(model.metrics)

    # Expert: observed with the replay already, or else now.
    expfeat, acts, past = self._watch(expert, seen, training)

    # Imagination
    imag = self._imagine(carry[1], entries[1], repfeat, K, training)
    inp = self.feat2tensor(imag.feat)
    con = self.con(inp, 2).prob(1)  # (B*K, H+1)
    metrics.update(self._top(imag.act, 'top_imag'))
    metrics.update(self._top(acts, 'top_expert'))

    # Discriminator
    inputs = self._pairs(
        (expert.obs, expfeat), (obs, prevact, repfeat),
        (imag.feat, imag.act, con), K)
    rewimg, rewrep, mets = self._discriminate(inputs, training)
    metrics.update(prefix(mets, 'disc'))

    # Actor and critic
    policy, own = self._policy(inp, imag)
    los, imgloss_out, mets = dreamerv3.agent.imag_loss(
        imag.act, rewimg, con, policy,
        self.val(inp, 2),
        self.slowval(inp, 2),
        self.retnorm, self.valnorm, self.advnorm,
        update=training,
        contdisc=self.config.contdisc,
        horizon=self.config.horizon,
        **{**self.config.imag_loss, 'actent': self._actent(policy, training)})
    los.update(own)
    losses.update({k: v.mean(1).reshape((B, K)) for k, v in los.items()})
    metrics.update(mets)

    # Replay
    if self.config.repval_loss:
      feat, last, term = jax.tree.map(lambda x: x[:, -K:], (
          sg(repfeat, skip=self.config.repval_grad), obs['is_last'],
          obs['is_terminal']))
      boot = imgloss_out['ret'][:, 0].reshape(B, K)
      inp = self.feat2tensor(feat)
      los, _, mets = dreamerv3.agent.repl_loss(
          last, term, rewrep, boot,
          self.val(inp, 2),
          self.slowval(inp, 2),
          self.valnorm,
          update=training,
          horizon=self.config.horizon,
          **self.config.repl_loss)
      losses.update(los)
      metrics.update(prefix(mets, 'reploss'))

    losses.update(self._variant_losses(obs, imag, inputs))
    assert set(losses.keys()) == set(self.scales.keys()), (
        sorted(losses.keys()), sorted(self.scales.keys()))
    metrics.update({f'loss/{k}': v.mean() for k, v in losses.items()})
    loss = sum([v.mean() * self.scales[k] for k, v in losses.items()])
    outs = {'tokens': model.tokens, 'repfeat': repfeat, 'losses': losses}
    return loss, ((*carry, sg(past)), entries, outs, metrics)

  def _apply_replay_context(self, carry, data):
    # The edge where a batch is split into named parts. Demonstrations have no
    # replay context: their first steps are left out.
    *carry, past, prevact = carry
    carry, obs, prevact, stepid = super()._apply_replay_context(
        (*carry, prevact), data)
    expert = elements.tree.nestdict(data)['expert']
    expert = {k: v[:, self.config.replay_context:] for k, v in expert.items()}
    if not self.gail.terminals:
      obs, expert = [
          {**x, 'is_terminal': jnp.zeros_like(x['is_terminal'])}
          for x in (obs, expert)]
    rows = self._expert_rows(expert, past)
    return carry, {**obs, 'expert': rows}, prevact, stepid

  def _expert_rows(self, expert, past):
    # The Rows of the expert's arrays, which go on from the batch before.
    return worldmodel.expert_rows(self, expert, past)

  def _model(self, replay, expert, training):
    # The world model's losses, and what it has observed of the expert's rows
    # on the way: nothing, as it learns from the agent's own play.
    return worldmodel.losses(self, replay, training), None

  def _watch(self, expert, seen, training):
    # The expert's features and actions, and what its next batch goes on from.
    feat, carry = seen or worldmodel.observe(self, expert, training)
    acts = {k: expert.obs[k] for k in self.act_space}
    return feat, acts, (carry, {k: v[:, -1] for k, v in acts.items()})

  def _imagine(self, dyn_carry, dyn_entries, repfeat, K, training):
    # Roll the policy out for H steps from the last K replayed states.
    H = self.config.imag_length
    starts = self.dyn.starts(dyn_entries, dyn_carry, K)
    first = worldmodel.starts(repfeat, K)  # (B*K, 1, ...)
    policyfn = lambda feat: self._act(self.feat2tensor(feat))
    _, imgfeat, imgprevact = self.dyn.imagine(starts, policyfn, H, training)
    imgfeat = concat([sg(first, skip=self.config.ac_grads), sg(imgfeat)], 1)
    lastact = policyfn(jax.tree.map(lambda x: x[:, -1], imgfeat))
    lastact = jax.tree.map(lambda x: x[:, None], lastact)
    imgact = concat([imgprevact, lastact], 1)
    assert {x.shape[:2] for x in jax.tree.leaves((imgfeat, imgact))} == {
        (len(jax.tree.leaves(first)[0]), H + 1)}
    return Imagined(imgfeat, imgact, {})

  def _act(self, inp):
    # Draw actions at latents (N, F).
    return sample(self.pol(inp, 1))

  def _pairs(self, expert, replay, imagined, K):
    # What D sees, see `pairs.collect`.
    return pairs.collect(self, expert, replay, imagined, K)

  def expert_pairs(self, obs, feat):
    """Return D's inputs (B, T, F) and weights (B, T) of an expert's actions.

    Args:
      obs: arrays (B, T, ...), actions among them if the agent is told them.
      feat: the states (B, T, ...) that the RSSM observed.
    """
    return pairs.of_expert(self, obs, feat)

  def _policy(self, inp, imag):
    # The distributions of actions at imagined latents (B*K, H+1, F), and
    # losses (B*K, H) of a variant's policy.
    return self.pol(inp, 2), {}

  def _actent(self, policy, training):
    # The weight of the policy's entropy.
    return self.config.imag_loss.actent

  def _variant_losses(self, obs, imag, inputs):
    # Losses (B, ...) that a variant adds or puts in the place of others.
    return {}

  def _discriminate(self, inputs, training):
    # Update D on the pairs, then score them with the new D. Return imagined
    # and replayed rewards and metrics. Upstream's returns read rew[t + 1] for
    # the action at t, so r(s_t, a_t) stands there.
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
    # The same steps as posterior and as prior samples. A gap between both
    # means that D tells how a state was made, not what was done in it.
    gap = self.disc(inputs['replay'][0]) - self.disc(inputs['other'][0])
    sign = -1 if self.gail.expert_latent == 'prior' else 1
    metrics['latent_gap'] = sign * discriminator.wmean(
        gap, inputs['replay'][1])
    rew = rews['imag']
    metrics.update(
        rew_mean=rew.mean(), rew_std=rew.std(),
        rew_min=rew.min(), rew_max=rew.max(),
        rew_replay=rews['replay'].mean())
    later = lambda x: jnp.pad(x, [[0, 0], [1, 0]])  # From t to t + 1.
    return later(rews['imag']), later(rews['replay']), metrics

  def _top(self, act, name):
    # The share of the most frequent action, of each discrete key.
    return {
        f'{name}/{k}': jax.nn.one_hot(v, space.classes).reshape(
            (-1, int(space.classes))).mean(0).max()
        for k, v in act.items() if (space := self.act_space[k]).discrete
        and not space.shape}
