"""What a VAE's encoder keeps beside that of the run's world model.

Section 6 of the paper says why DreamerV3's latents should serve D better than
a VAE's (equations 3 to 5); this measures it. The VAE has the encoder network
of the run and as many numbers for a latent, and learns from the images of the
run's replay (`demos replay --source LOGDIR`). Probes learn from the latents of
both. Expert and agent must be new to the run, as for `error_terms`.

examples:
  dreamer-gail encoders --logdir LOGDIR --frames replay.h5 \\
      --expert held_out.h5 --agent play.h5
  dreamer-gail encoders --logdir LOGDIR --frames replay.h5 \\
      --expert held_out.h5 --agent play.h5 --out encoders.json --overwrite
"""

import jax
import jax.numpy as jnp
import ninjax as nj
import numpy as np

from .. import arguments
from .. import build
from .. import discriminator
from .. import errors
from .. import pairs
from .. import worldmodel
from ..errors import UserError
from . import error_terms
from . import output
from . import probes
from . import saved
from . import trajectories

PROGRAM = ('encoders',)
NAME = 'encoders.json'  # In the logdir.
MOST = 2000  # Updates of a probe.
UNITS = 256  # Of what decodes images.
SIDES = ('expert', 'agent')
COLUMNS = 'now', 'next', 'tell', 'accuracy'


def main(argv=None):
  """Measure, print the table and write the JSON; return the results."""
  args = parse(argv)
  out = output.place(args, NAME)
  run = saved.Run(args.logdir)
  actor = run.judge()
  if actor.model.enc.veckeys or not actor.model.disc.act_space:
    raise UserError(
        f'--logdir {args.logdir}: expected a run on images alone, whose D '
        'sees actions.')
  parts = {
      side: error_terms.sequences(getattr(args, side), run.config)
      for side in SIDES}
  fit = lambda loss, parts, most=MOST: probes.fit(
      loss, parts, args.seed, min(args.updates, most))
  vae, params, *bound = learn(fit, run.config, args.frames, args.updates)
  parts = {
      side: [encode(actor, vae, params, x) for x in found]
      for side, found in parts.items()}
  views = {
      view: measure(fit, view, parts, run.config.agent.gail.disc)
      for view in parts['expert'][0]['views']}
  print(f'\n{"nats":<16}' + ''.join(f'{x:>10}' for x in COLUMNS))
  for view, row in views.items():
    print(f'{view:<16}' + ''.join(f'{row[x]:>10.3f}' for x in COLUMNS))
  return output.write(out, {
      'views': views, 'vae': bound, 'step': run.step}, argv, PROGRAM)


def parse(argv=None):
  """Return the parsed flags."""
  parser = arguments.Parser(
      prog='dreamer-gail encoders', description=__doc__)
  add = parser.add_argument
  add('--logdir', required=True, help='of a run with a discriminator')
  for name, what in (
      ('frames', 'store that the VAE learns from'),
      ('expert', 'demonstrations new to the run'),
      ('agent', 'store with play of the run')):
    add(f'--{name}', required=True, metavar='H5', help=what)
  add('--updates', type=arguments.natural, default=10_000,
      help=f'of the VAE; each probe has at most {MOST:,}')
  add('--seed', type=arguments.count, default=0, help='of VAE and probes')
  output.add_flags(add, NAME)
  return parser.parse_args(argv)


class VAE(nj.Module):
  """A variational autoencoder (Kingma and Welling, 2014) of single images.

  `enc` is an encoder as upstream's. A latent has `size` numbers.
  """

  def __init__(self, enc, size):
    self.enc, self.size = enc, size

  def encode(self, images):
    """Return means and deviations (N, size) of arrays (N, ...) of images."""
    obs = {k: x[:, None] for k, x in zip(self.enc.imgkeys, images)}
    reset = jnp.ones((len(images[0]), 1), bool)
    tokens = self.enc({}, obs, reset, False)[2][:, 0]
    code = self.sub('code', discriminator.Dense, 2 * self.size)
    mean, raw = jnp.split(code(jnp.float32(tokens)), 2, -1)
    return mean, jax.nn.softplus(raw)

  def draw(self, images):
    """Return latents (N, size)."""
    mean, std = self.encode(images)
    return mean + std * jax.random.normal(nj.seed(), mean.shape)

  def loss(self, images):
    """Return nats an image: equation 3 of the paper, and its second term."""
    mean, std = self.encode(images)
    latent = mean + std * jax.random.normal(nj.seed(), mean.shape)
    kl = (jnp.square(mean) + jnp.square(std) - 1) / 2 - jnp.log(std)
    kl = kl.sum(-1).mean()
    return Decoder(name='vaedec')(latent, flat(images)) + kl, kl


class Decoder(nj.Module):
  """Nats that are open about an image, once some numbers are known."""

  def __call__(self, x, pixels):
    """Return the mean cross entropy of pixels (N, P) in [0, 1], per image."""
    x = jax.nn.silu(self.sub('hidden', discriminator.Dense, UNITS)(x))
    logit = self.sub('out', discriminator.Dense, pixels.shape[-1])(x)
    return (jax.nn.softplus(logit) - pixels * logit).sum(-1).mean()


def flat(images):
  """Return pixels (..., P) in [0, 1] of arrays (..., H, W, C)."""
  return jnp.concatenate([
      x.reshape((*x.shape[:-3], -1)) for x in images], -1) / 255


def learn(fit, config, path, updates):
  """Return a VAE, its parameters, learned from the images of a store, and
  what it has for those held out: the bound and its KL, in nats an image.
  """
  model = build.make_model(config)
  found = list(trajectories.read(path, config))
  images = [
      np.concatenate([x[k] for x in found]) for k in model.enc.imgkeys]
  ends = [0, *(int(len(images[0]) * x) for x in (0.8, 0.9, 1))]
  rssm = config.agent.dyn.rssm
  vae = VAE(model.enc, rssm.stoch * rssm.classes, name='vae')
  params, (loss, kl) = fit(vae.loss, [
      [tuple(x[a: b] for x in images)] for a, b in zip(ends, ends[1:])],
      updates)
  print(f'VAE: {loss:.2f} nats an image, {kl:.2f} of them KL')
  return vae, params, loss, kl


def encode(actor, vae, params, data):
  """Return {view: (M, F)} of steps, and what is to be told of them.

  Steps whose past the model does not know are left out, and last ones.
  """
  model = actor.model
  images = tuple(data[k] for k in model.enc.imgkeys)  # (N, T, H, W, C)
  def fn(data):
    feat, _ = worldmodel.observe(
        model, worldmodel.expert_rows(model, data), False)
    empty = {'deter': jnp.zeros((*data['is_first'].shape, 0))}
    empty['stoch'] = empty['deter'][..., None]
    act = model.disc.inputs(empty, {k: data[k] for k in model.act_space})
    return feat['deter'], feat['stoch'], act, pairs.acted(model, data) > 0
  deter, stoch, act, known = actor.call(fn, data)
  shape = known.shape
  with jax.transfer_guard('allow'):
    code = nj.pure(vae.draw)(params, tuple(
        x.reshape((-1, *x.shape[2:])) for x in images),
        seed=np.uint32([0, 1]))[1]
    pixels = np.asarray(flat(images))
  stoch = stoch.reshape((*shape, -1))
  views = {
      'VAE, z': np.asarray(code).reshape((*shape, -1)), 'model, z': stoch,
      'model, h and z': np.concatenate([deter, stoch], -1), 'image': pixels}
  chosen = known[:, :-1]
  cut = lambda x: np.float32(x[:, :-1][chosen])
  return {
      'views': {k: cut(v) for k, v in views.items()}, 'act': cut(act),
      'now': cut(pixels), 'next': np.float32(pixels[:, 1:][chosen])}


def measure(fit, view, parts, network):
  """Return what a view keeps, in nats on held-out steps.

  `now` and `next` are open about the image of the step and the one after it,
  the latter with the action (lower is better). `tell`: of ln 2 what tells
  expert from agent, by (s, a), with the `accuracy` (higher is better).
  """
  disc = discriminator.Discriminator({}, **network, name='probe')
  decoder = Decoder(name='decoder')
  state = lambda x: x['views'][view]
  both = lambda x: np.concatenate([x['views'][view], x['act']], -1)
  def open_about(inputs, key):
    data = [[tuple(
        np.concatenate([fn(parts[side][i]) for side in SIDES])
        for fn in (inputs, lambda x: x[key]))] for i in range(3)]
    return fit(lambda group: (decoder(*group), 0.0), data)[1][0]
  loss, accuracy = fit(probes.tell(disc), [
      [(both(parts[side][i]),) for side in SIDES] for i in range(3)])[1]
  return {
      'now': open_about(state, 'now'), 'next': open_about(both, 'next'),
      'tell': float(np.log(2)) - loss, 'accuracy': accuracy}


if __name__ == '__main__':
  errors.run(main)
