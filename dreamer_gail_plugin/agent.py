"""Dreamer-GAIL: upstream's DreamerV3 agent with a discriminator for a reward.

With `gail.reward: env` every method defers to upstream, so the agent is plain
DreamerV3. Otherwise `loss` follows upstream's step by step, in upstream's
order of random draws up to the imagination, with three differences: nothing
reads the environment's reward, expert sequences pass through the encoder and
the RSSM, and D(s, a) is updated and then rewards imagined and replayed steps.
"""

import copy

import dreamerv3.agent
import embodied.jax
import embodied.jax.nets as nn
import jax
import jax.numpy as jnp
import ninjax as nj
import optax

from . import discriminator
from . import expert as expertlib
from . import openloop
from . import rewards

f32 = jnp.float32
sg = dreamerv3.agent.sg
sample, prefix = dreamerv3.agent.sample, dreamerv3.agent.prefix
concat, isimage = dreamerv3.agent.concat, dreamerv3.agent.isimage


class Agent(dreamerv3.agent.Agent):
  """Upstream's agent plus `config.gail`; see configs.yaml for its keys.

  Batches carry `expert/<key>` arrays, which `make_stream` adds, beside
  upstream's keys, unless the reward is `env`.
  """

  def __init__(self, obs_space, act_space, config):
    super().__init__(obs_space, act_space, config)
    self.gail = config.gail
    self.rewfn = rewards.REWARDS.get(config.gail.reward)
    if not self.imitates:
      return
    self.disc = discriminator.Discriminator(
        act_space, **self.gail.disc, name='disc')
    self.discopt = embodied.jax.Optimizer(
        [self.disc], optax.adam(**self.gail.opt), summary_depth=1,
        name='discopt')
    # Nothing calls the reward head, so it never gets any parameters.
    self.modules.remove(self.rew)
    self.opt.modules = self.modules
    self.scales.pop('rew')
    if self.gail.cloning:
      self.scales['clone'] = self.gail.cloning

  @property
  def imitates(self):
    """Whether the reward comes from demonstrations."""
    return self.config.gail.reward != 'env'

  @property
  def ext_space(self):
    """Upstream's extra inputs, and those of the expert stream."""
    if not self.imitates:
      return super().ext_space
    return {
        **super().ext_space,
        **expertlib.space(self.obs_space, self.act_space)}

  def loss(self, carry, obs, prevact, training):
    """Return the loss and (carry, entries, outs, metrics), as upstream does.

    `obs` holds arrays (B, T, ...) and the expert's, which are longer by the
    replay's context, under `expert/`. One call updates D first and then
    scores with the new D, in the order of Algorithm 1.
    """
    if not self.imitates:
      return super().loss(carry, obs, prevact, training)
    expert = {k[7:]: v for k, v in obs.items() if k.startswith('expert/')}
    expert = skip(expert, self.config.replay_context)
    if not self.gail.terminals:
      obs = {**obs, 'is_terminal': jnp.zeros_like(obs['is_terminal'])}
    B, T = obs['is_first'].shape
    K = min(self.config.imag_last or T, T)

    carry, entries, losses, metrics, tokens, repfeat, expfeat = (
        self._world_loss(carry, obs, prevact, expert, training))
    imgfeat, imgact = self._imagine(carry[1], entries[1], repfeat, K, training)

    con = self.con(self.feat2tensor(imgfeat), 2).prob(1)  # (B*K, H+1)
    pairs = self._pairs(
        expert, obs, prevact, repfeat, expfeat, imgfeat, imgact, con, K)
    rewimg, rewrep, mets = self._reward(pairs, training)
    metrics.update(prefix(mets, 'disc'))
    los, mets = self._actor_critic_loss(
        obs, repfeat, imgfeat, imgact, con, rewimg, rewrep, K, training)
    losses.update(los)
    metrics.update(mets)
    if self.gail.cloning:
      losses['clone'] = self._clone_loss(expert, expfeat)

    assert set(losses.keys()) == set(self.scales.keys()), (
        sorted(losses.keys()), sorted(self.scales.keys()))
    metrics.update({f'loss/{k}': v.mean() for k, v in losses.items()})
    loss = sum([v.mean() * self.scales[k] for k, v in losses.items()])
    outs = {'tokens': tokens, 'repfeat': repfeat, 'losses': losses}
    return loss, (carry, entries, outs, metrics)

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
    videos = openloop.videos(
        self.dyn, self.dec, carry, obs, prevact, outs['tokens'])
    metrics.update(prefix(videos, 'openloop'))
    return (*new_carry, {k: data[k][:, -1] for k in self.act_space}), metrics

  def _apply_replay_context(self, carry, data):
    # The expert's rows have no replay context of their own. Handing them on
    # inside obs lets upstream's train() serve unchanged.
    carry, obs, prevact, stepid = super()._apply_replay_context(carry, data)
    rows = {k: v for k, v in data.items() if k.startswith('expert/')}
    return carry, {**obs, **rows}, prevact, stepid

  def _world_loss(self, carry, obs, prevact, expert, training):
    # Upstream's world model losses without the reward head, and the features
    # of the expert's steps.
    enc_carry, dyn_carry, dec_carry = carry
    reset = obs['is_first']
    enc_carry, enc_entries, tokens = self.enc(
        enc_carry, obs, reset, training)
    (dyn_carry, dyn_entries, losses, repfeat, metrics), expfeat = (
        self._dyn_loss(dyn_carry, tokens, prevact, reset, expert, training))
    dec_carry, dec_entries, recons = self.dec(
        dec_carry, repfeat, reset, training)
    con = f32(~obs['is_terminal'])
    if self.config.contdisc:
      con *= 1 - 1 / self.config.horizon
    losses['con'] = self.con(self.feat2tensor(repfeat), 2).loss(con)
    for key, recon in recons.items():
      space, value = self.obs_space[key], obs[key]
      assert value.dtype == space.dtype, (key, space, value.dtype)
      target = f32(value) / 255 if isimage(space) else value
      losses[key] = recon.loss(sg(target))
    assert all(x.shape == reset.shape for x in losses.values())
    carry = (enc_carry, dyn_carry, dec_carry)
    entries = (enc_entries, dyn_entries, dec_entries)
    return carry, entries, losses, metrics, tokens, repfeat, expfeat

  def _dyn_loss(self, carry, tokens, prevact, reset, expert, training):
    # What upstream's loss of the RSSM returns, and the expert's features.
    expert = self._expert_inputs(expert, training)
    if not self.gail.joint_scan:
      out = self.dyn.loss(carry, tokens, prevact, reset, training)
      return out, self._observe_expert(expert, training)
    expfeat = []
    def observe(carry, tokens, action, reset, training):
      replay = (carry, tokens, action, reset)
      initial = self.dyn.initial(len(reset))
      outs, (_, _, feat) = disjoint(self.dyn.observe(
          *joint(replay, (initial, *expert)), training))
      expfeat.append(sg(feat))
      return outs
    dyn = copy.copy(self.dyn)  # Of the same name, so of the same parameters.
    dyn.observe = observe
    out = dyn.loss(carry, tokens, prevact, reset, training)
    return out, expfeat[0]

  @jax.named_scope('expert')
  def _expert_inputs(self, expert, training):
    # What the RSSM takes to observe the expert's steps.
    reset = expert['is_first']
    prevact = jax.tree.map(
        lambda x: jnp.concatenate([0 * x[:, :1], x[:, :-1]], 1),
        {k: expert[k] for k in self.act_space})
    _, _, tokens = self.enc(
        self.enc.initial(len(reset)), expert, reset, training)
    return sg(tokens), prevact, reset

  @jax.named_scope('expert')
  def _observe_expert(self, inputs, training):
    initial = self.dyn.initial(len(inputs[-1]))
    return sg(self.dyn.observe(initial, *inputs, training)[2])

  def _imagine(self, dyn_carry, dyn_entries, repfeat, K, training):
    # Roll the policy out for H steps from the last K replayed states.
    H = self.config.imag_length
    B = len(jax.tree.leaves(repfeat)[0])
    starts = self.dyn.starts(dyn_entries, dyn_carry, K)
    policyfn = lambda feat: sample(self.pol(self.feat2tensor(feat), 1))
    _, imgfeat, imgprevact = self.dyn.imagine(starts, policyfn, H, training)
    first = jax.tree.map(
        lambda x: x[:, -K:].reshape((B * K, 1, *x.shape[2:])), repfeat)
    imgfeat = concat([sg(first, skip=self.config.ac_grads), sg(imgfeat)], 1)
    lastact = policyfn(jax.tree.map(lambda x: x[:, -1], imgfeat))
    lastact = jax.tree.map(lambda x: x[:, None], lastact)
    imgact = concat([imgprevact, lastact], 1)
    assert all(x.shape[:2] == (B * K, H + 1) for x in jax.tree.leaves(imgfeat))
    assert all(x.shape[:2] == (B * K, H + 1) for x in jax.tree.leaves(imgact))
    return imgfeat, imgact

  def _pairs(
      self, expert, obs, prevact, repfeat, expfeat, imgfeat, imgact, con, K):
    # D's inputs (rows, steps, F) and weights (rows, steps) of the pairs
    # (s_t, a_t) of the expert, of the imagination and of the last K replayed
    # steps. All are constants to every gradient.
    inputs = lambda feat, act: sg(self.disc.inputs(feat, act))
    window = lambda xs: jax.tree.map(lambda x: x[:, -K:], xs)
    butlast = lambda xs: jax.tree.map(lambda x: x[:, :-1], xs)
    shown = self._shown(sg(window(repfeat)))  # (B, K, ...)
    starts = jax.tree.map(
        lambda x: x.reshape((-1, 1, *x.shape[2:])), shown)  # (B*K, 1, ...)
    later = {k: sg(imgfeat[k])[:, 1: -1] for k in starts}
    # Imagined pairs count by the chance that the episode still goes on.
    alive = sg(jnp.cumprod(con, 1))
    # The action at the last step is not known yet, and the last step of an
    # episode has none.
    repact = jax.tree.map(lambda x: x[:, 1:], window(prevact))
    acted = f32(~window(obs['is_last']))
    return {
        'expert': self._expert_pairs(expert, expfeat),
        'imag': (
            inputs(concat([starts, later], 1), butlast(imgact)),
            butlast(alive)),
        'replay': (inputs(butlast(shown), repact), butlast(acted)),
    }

  def _expert_pairs(self, expert, feat):
    act = {k: expert[k] for k in self.act_space}
    inputs = sg(self.disc.inputs(self._shown(feat), act))
    return inputs, self._acted(expert)

  def _acted(self, expert):
    # Weights (B, T): whether the state is known and the expert acted in it.
    known = settled(expert['is_first'], expert['is_cut'], self.gail.burnin)
    return f32(known & ~expert['is_last'])

  def _clone_loss(self, expert, expfeat):
    # -ln pi(a | s) of what the expert did. The states are those that the
    # policy acts on, posterior samples, and constants: only the policy moves.
    policy = self.pol(self.feat2tensor(expfeat), 2)
    loss = sum(v.loss(expert[k]) for k, v in policy.items())  # (B, T)
    return discriminator.wmean(loss, self._acted(expert))

  def _shown(self, feat):
    # Imagined states are prior samples. Showing observed ones as posterior
    # samples lets D tell the two apart whatever the policy does.
    deter, stoch = feat['deter'], feat['stoch']
    if self.gail.expert_latent == 'prior':
      stoch = nn.cast(self.dyn._dist(self.dyn._prior(deter)).sample(nj.seed()))
    return dict(deter=deter, stoch=sg(stoch))

  def _reward(self, pairs, training):
    # Update D on the pairs, then score them with the new D. Returns rewards
    # aligned with upstream's returns, which read rew[t + 1] for a_t.
    flat = {
        k: (x.reshape((-1, x.shape[-1])), w.reshape(-1))
        for k, (x, w) in pairs.items()}
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
      logit, weight = self.disc(pairs[key][0]), pairs[key][1]
      rews[key] = sg(self.rewfn(logit))
      metrics[f'acc_{key}'] = discriminator.wmean(f32(logit < 0), weight)
    rew = rews['imag']
    metrics.update(
        rew_mean=rew.mean(), rew_std=rew.std(),
        rew_min=rew.min(), rew_max=rew.max(),
        rew_replay=rews['replay'].mean())
    arrived = lambda x: jnp.pad(x, [[0, 0], [1, 0]])
    return arrived(rews['imag']), arrived(rews['replay']), metrics

  def _actor_critic_loss(
      self, obs, repfeat, imgfeat, imgact, con, rewimg, rewrep, K, training):
    # Upstream's actor and critic losses under the discriminator's reward.
    B = len(rewrep)
    inp = self.feat2tensor(imgfeat)
    los, outs, metrics = dreamerv3.agent.imag_loss(
        imgact, rewimg, con,
        self.pol(inp, 2),
        self.val(inp, 2),
        self.slowval(inp, 2),
        self.retnorm, self.valnorm, self.advnorm,
        update=training,
        contdisc=self.config.contdisc,
        horizon=self.config.horizon,
        **self.config.imag_loss)
    losses = {k: v.mean(1).reshape((B, K)) for k, v in los.items()}
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


def settled(reset, cut, burnin):
  """Return bools (B, T): whether the RSSM knows the state at a step.

  `reset` marks where the RSSM restarts, `cut` where it does so in the middle
  of an episode. There it lacks the past, so the next `burnin` states do not
  count; after the true start of an episode all do.
  """
  time = jnp.arange(reset.shape[1])[None]  # (1, T)
  start = jax.lax.cummax(jnp.where(reset, time, 0), axis=1)  # (B, T)
  incut = jnp.take_along_axis(cut, start, 1)
  return ~incut | (time - start >= burnin)


def skip(rows, steps):
  """Return the expert's arrays without their first steps, (B, T - steps, ...).

  The model starts from a reset at the first step that is left.
  """
  rows = {k: v[:, steps:] for k, v in rows.items()}
  cut = rows['is_cut'].at[:, 0].max(~rows['is_first'][:, 0])
  return {
      **rows, 'is_cut': cut, 'is_first': rows['is_first'].at[:, 0].set(True)}


def joint(xs, ys):
  """Return rows (2 B, ...) of two trees of rows (B, ...), in turns.

  Not one after the other: where devices share the rows, both stay at home.
  """
  return jax.tree.map(
      lambda x, y: jnp.stack([x, y], 1).reshape((-1, *x.shape[1:])), xs, ys)


def disjoint(xys):
  """Return the two trees of rows that `joint` put together."""
  part = lambda i: jax.tree.map(lambda x: x[i::2], xys)
  return part(0), part(1)
