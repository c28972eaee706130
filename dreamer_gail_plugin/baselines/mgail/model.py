"""MGAIL's networks, losses and update."""

import embodied.jax
import jax
import jax.numpy as jnp
import ninjax as nj
import optax

from ... import discriminator
from . import networks

sg = jax.lax.stop_gradient
wmean = discriminator.wmean


class Model(nj.Module):
  """Encoder, decoder, forward model, D and policy, and their optimizers.

  `settings` are those of the block `mgail`. Observations are (C, H, W) bytes
  or vectors, latent states z are numbers between -1 and 1.
  """

  def __init__(self, space, actions, settings, gamma):
    s = settings
    self.actions, self.settings, self.gamma = actions, s, gamma
    self.enc = networks.Encoder(space, s.units, s.latent, name='enc')
    self.dec = networks.Decoder(space, s.units, name='dec')
    self.fwd = networks.Forward(s.units, s.latent, name='fwd')
    self.pol = networks.MLP(s.units, actions, name='pol')
    self.disc = discriminator.Discriminator(
        None, layers=2, units=s.units, act='relu', name='disc')
    make = lambda modules, name: embodied.jax.Optimizer(
        modules, optax.chain(
            optax.clip_by_global_norm(s.clip), optax.adam(s.learning_rate)),
        summary_depth=1, name=name)
    self.modelopt = make([self.enc, self.dec, self.fwd], 'modelopt')
    self.discopt = make([self.disc], 'discopt')
    self.polopt = make([self.pol], 'polopt')

  def act(self, obs):
    """Return actions (N,) drawn for observations (N, ...)."""
    return jax.random.categorical(nj.seed(), self.logits(obs))

  def logits(self, obs):
    """Return the policy's logits (N, A)."""
    return self.pol(self.enc(obs))

  def train(self, batch, expert):
    """Do one update of model, D and policy in this order; return metrics.

    `batch` is what the Memory samples, `expert` observations (M, ...) and
    actions (M,). The three losses move their own modules alone.
    """
    mets = {}
    _, (z, found) = self.modelopt(self.model_loss, *batch, has_aux=True)
    mets.update({f'mgail/{k}': v for k, v in found.items()})
    z = sg(z)  # (B, L + 1, Z)
    _, found = self.discopt(
        lambda: self.disc_loss(z, *batch[1:], *expert), has_aux=True)
    mets.update({f'disc/{k}': v for k, v in found.items()})
    _, found = self.polopt(
        lambda: self.policy_loss(z[:, 0]), has_aux=True)
    mets.update({f'mgail/{k}': v for k, v in found.items()})
    return mets

  def model_loss(self, obs, acts, live):
    """Return the loss of what the model sees and foresees, z and metrics.

    Foreseen are the states after the actions that were taken, from the first
    one on: what is decoded from them, and the encoder's own states.
    """
    B, L = acts.shape
    flat = lambda x: x.reshape((-1, *x.shape[2:]))
    z = self.enc(flat(obs)).reshape((B, L + 1, -1))
    ahead, onehot = [z[:, 0]], self.onehot(acts)
    for t in range(L):
      ahead.append(self.fwd(ahead[-1], onehot[:, t]))
    ahead = jnp.stack(ahead[1:], 1)  # (B, L, Z)
    later = flat(obs[:, 1:])
    first = self.dec.loss(z[:, 0], obs[:, 0]).mean()
    seen = wmean(self.dec.loss(flat(z[:, 1:]), later), flat(live))
    foreseen = wmean(self.dec.loss(flat(ahead), later), flat(live))
    latent = wmean(jnp.square(ahead - sg(z[:, 1:])).sum(-1), live)
    loss = first + seen + foreseen + latent
    return loss, (z, {
        'seen': seen, 'foreseen': foreseen, 'latent': latent})

  def disc_loss(self, z, acts, live, obs, expacts):
    """Return D's loss on pairs of the agent and the expert, and metrics."""
    pair = lambda z, acts: jnp.concatenate([z, self.onehot(acts)], -1)
    agent = pair(z[:, :-1], acts)  # (B, L, Z + A)
    expert = pair(sg(self.enc(obs)), expacts)
    return discriminator.disc_loss(
        self.disc, (expert, jnp.ones(len(expert))),
        [(agent.reshape((-1, agent.shape[-1])), live.reshape(-1))],
        penalty=self.settings.penalty, target=1.0)

  def policy_loss(self, z):
    """Return the policy's loss along L steps of the model from z (N, Z).

    The mean over the steps of -gamma^t ln D(z_t, a_t), less an entropy bonus.
    """
    loss, ents, s = 0.0, [], self.settings
    for t in range(s.length):
      logits = self.pol(z)
      act = gumbel_softmax(logits, s.temperature)
      ents.append(entropy(logits).mean())
      h = self.disc(jnp.concatenate([z, act], -1))
      # -ln D = softplus(-h).
      cost = jax.nn.softplus(-h).mean() - s.ent_coef * ents[-1]
      loss += self.gamma ** t * cost / s.length
      z = self.fwd(z, act)
    return loss, {'policy': loss, 'entropy': jnp.stack(ents).mean()}

  def onehot(self, acts):
    """Return choices (...) as (..., A)."""
    return jax.nn.one_hot(acts, self.actions)


def gumbel_softmax(logits, temperature):
  """Return one-hot samples, the shape of logits, with a soft gradient.

  Backward they are softmax((logits + Gumbel noise) / temperature). Source:
  Jang et al., 2017, the straight-through estimator of section 2.2.
  """
  logits = logits + jax.random.gumbel(nj.seed(), logits.shape)
  soft = jax.nn.softmax(logits / temperature, -1)
  hard = jax.nn.one_hot(logits.argmax(-1), logits.shape[-1])
  return sg(hard - soft) + soft


def entropy(logits):
  """Return the entropy (...) in nats of choices with logits (..., A)."""
  logp = jax.nn.log_softmax(logits, -1)
  return -(jnp.exp(logp) * logp).sum(-1)
