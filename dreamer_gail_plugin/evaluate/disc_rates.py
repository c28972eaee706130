"""How far D moves at a learning rate: D learns alone, all else is frozen.

A new D learns at each rate to tell the expert's pairs from those that the
saved run imagines from the play of its agent (`demos rollout --from LOGDIR`):
from the same start, the same batches, without a penalty. Trajectories that it
has not seen judge it. Each line is written, so it may be stopped at any time.

examples:
  dreamer-gail disc_rates --logdir LOGDIR --expert demos.h5 --agent play.h5
  dreamer-gail disc_rates --logdir LOGDIR --expert demos.h5 \\
      --agent play.h5 --rates 3e-9 1e-4 --updates 1e4 --out rates.json
"""

import jax
import jax.numpy as jnp
import ninjax as nj
import numpy as np
import optax

from .. import arguments
from .. import atomic
from .. import discriminator
from .. import errors
from ..errors import UserError
from ..running import provenance
from . import frozen
from . import output
from . import saved

PROGRAM = ('disc_rates',)
NAME = 'disc_rates.json'  # In the logdir.
UPDATES = 781_250  # 2.5e7 steps, each replayed 32 times in batches of 1024.
BATCH = 256  # Pairs of each side in an update.


def main(argv=None):
  """Train D, print a line and write the JSON at each count; return it."""
  args = parse(argv)
  out = output.place(args, NAME)
  run = saved.Run(args.logdir)
  run.config = run.config.update({'agent.gail.expert_latent': (
      args.latents or run.config.agent.gail.expert_latent)})
  actor = run.judge()
  sides = frozen.sides(actor, args.expert, args.agent, run.config)
  gail = run.config.agent.gail
  network = {**gail.disc, 'units': args.units or gail.disc.units}
  results = {
      'task': run.config.task, 'latents': gail.expert_latent, **network,
      'command': provenance.command(argv, PROGRAM), 'rows': []}
  print('updates      rate      gap  accuracy   spread     moved  still')
  for row in learn(sides, network, args.rates, args.updates):
    if not np.isfinite(row['gap']):
      raise UserError(f'--rates {row["rate"]:g}: D diverged; give a lower one')
    results['rows'].append(row)
    print('{updates:>7}{rate:>10.0e}{gap:>9.4f}{accuracy:>10.3f}{spread:>9.4f}'
          '{moved:>10.1e}{still:>7.2f}'.format(**row), flush=True)
    atomic.write_json(out, results)
  print(f'Wrote {out}')
  return results


def parse(argv=None):
  """Return the parsed flags."""
  parser = arguments.Parser(
      prog='dreamer-gail disc_rates', description=__doc__)
  add = parser.add_argument
  add('--logdir', required=True, help='of a run with a discriminator')
  add('--expert', required=True, help='demonstrations')
  add('--agent', required=True, help='store with play of the run')
  add('--rates', type=arguments.positive, nargs='+',
      default=(3e-9, 1e-7, 1e-5, 1e-4), help='learning rates of D')
  add('--updates', type=arguments.natural, default=UPDATES, help='how many')
  add('--latents', choices=('posterior', 'prior'),
      help='how D sees observed states; as in the run if not given')
  add('--units', type=arguments.natural,
      help="width of D; the run's if not given")
  output.add_flags(add, NAME)
  return parser.parse_args(argv)


def learn(sides, network, rates, updates):
  """Yield {updates, rate, ...} of each rate after 0, 1, 2, 5, ... updates.

  `sides` are those of `frozen.sides`. Of the pairs held out: `gap`, the
  expert's mean logit less the imagined one; `accuracy`, the mean of both
  sides; `spread`, the standard deviation of -ln(1 - D) over imagined pairs.
  Of the kernels: `moved`, the largest change, and `still`, the share of
  weights as at the start: a step may be too small for 32 bits.
  """
  fit, held = zip(*sides)
  disc = discriminator.Discriminator({}, **network, name='probe')
  loss = nj.pure(lambda expert, policy: discriminator.disc_loss(
      disc, expert, [policy], penalty=0.0, target=1.0))
  adam = optax.scale_by_adam()
  def update(params, state, rate, batch):
    grads = jax.grad(lambda params: loss(params, *batch)[1][0])(params)
    steps, state = adam.update(grads, state)
    steps = jax.tree.map(lambda x: -rate * x, steps)
    return optax.apply_updates(params, steps), state
  @jax.jit
  def advance(both, start, stop, fit):
    def step(count, both):
      key = jax.random.fold_in(jax.random.key(0), count)
      draw = jax.random.uniform(key, (2, BATCH))
      index = [jnp.int32(u * len(x[1])) for u, x in zip(draw, fit)]
      batch = [tuple(y[i] for y in x) for i, x in zip(index, fit)]
      return jax.vmap(update, (0, 0, 0, None))(*both, speeds, batch)
    return jax.lax.fori_loop(start, stop, step, both)
  with jax.transfer_guard('allow'):
    speeds = jnp.asarray(rates, jnp.float32)
    first = nj.init(lambda x: disc(x))(
        {}, fit[0][0][:1], seed=np.uint32([0, 0]))
    params = jax.tree.map(lambda x: jnp.stack([x] * len(rates)), first)
    both, done = (params, jax.vmap(adam.init)(params)), 0
    fit, held = jax.tree.map(jnp.asarray, (fit, held))
    scores = jax.jit(jax.vmap(
        lambda *xs: judge(disc, *xs), (0, None, None)))
    every = [0, *(x * 10 ** y for y in range(10) for x in (1, 2, 5))]
    for count in [*(x for x in every if x < updates), updates]:
      both, done = advance(both, done, count, fit), count
      found = jax.device_get(scores(both[0], first, held))
      for index, rate in enumerate(rates):
        yield {'updates': count, 'rate': float(rate), **{
            k: float(v[index]) for k, v in found.items()}}


def judge(disc, params, first, held):
  """Return the measures of `learn` for parameters that were `first`."""
  wmean, logits = discriminator.wmean, nj.pure(lambda x: disc(x))
  (hexp, wexp), (himg, wimg) = [
      (logits(params, x)[1], weight) for x, weight in held]
  right = wmean(1.0 * (hexp > 0), wexp), wmean(1.0 * (himg < 0), wimg)
  reward = jax.nn.softplus(himg)  # Equation 1 of the paper.
  spread = wmean(jnp.square(reward - wmean(reward, wimg)), wimg)
  change = jnp.concatenate([
      jnp.ravel(params[k] - first[k]) for k in first if 'kernel' in k])
  return {
      'gap': wmean(hexp, wexp) - wmean(himg, wimg),
      'accuracy': sum(right) / 2, 'spread': jnp.sqrt(spread),
      'moved': jnp.abs(change).max(), 'still': (change == 0).mean()}


if __name__ == '__main__':
  errors.run(main)
