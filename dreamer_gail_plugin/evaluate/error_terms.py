"""The two error terms of learning in a model's latents, measured for a run.

docs/paper.md derives the terms. The representation term is how much of what
tells expert and agent apart is lost in the latents. The model term is how far
imagination drifts from what happens. Both stores must be new to the run:
demonstrations that it did not learn from, and play of its agent
(`demos rollout --from LOGDIR`).

examples:
  dreamer-gail error_terms --logdir LOGDIR --expert held_out.h5 --agent play.h5
  dreamer-gail error_terms --logdir LOGDIR --expert held_out.h5 \\
      --agent play.h5 --out error_terms.json --overwrite
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from .. import arguments
from .. import discriminator
from .. import errors
from .. import pairs
from .. import worldmodel
from ..errors import UserError
from . import output
from . import probes
from . import saved
from . import trajectories

PROGRAM = ('error_terms',)
NAME = 'error_terms.json'  # In the logdir.
LENGTH = 48  # Steps of a sequence.
CONTEXT = 32  # Steps of it that the model observes before it imagines.
STACK = 4  # Latest images that a probe sees at once.
SPLITS = ('fit', 'choose', 'test')


def main(argv=None):
  """Measure, print the tables and write the JSON; return the results."""
  args = parse(argv)
  out = output.place(args, NAME)
  run = saved.Run(args.logdir)
  config = run.config
  actor = run.judge()
  if not actor.model.disc.act_space:
    raise UserError(
        f'--logdir {args.logdir}: its D sees no actions, which are compared '
        'here (--agent.gail.actions, --agent.gail.outcomes).')
  if not actor.model.dec.imgkeys:
    raise UserError(
        f'--logdir {args.logdir}: {config.task} has no images, whose '
        'reconstructions the latents are compared with.')
  views, drifts = {}, {}
  for name in ('expert', 'agent'):
    parts = sequences(getattr(args, name), config)
    views[name] = [encode(actor, x) for x in parts]
    drifts[name] = drift(actor, parts)
  results = {
      'representation': representation(views, config, args.seed),
      'model': drifts, 'context': CONTEXT}
  show(results)
  return output.write(
      out, {**results, 'step': run.step}, argv, PROGRAM)


def parse(argv=None):
  """Return the parsed flags."""
  parser = arguments.Parser(
      prog='dreamer-gail error_terms', description=__doc__)
  add = parser.add_argument
  add('--logdir', required=True, help='of a run with a discriminator')
  add('--expert', required=True, help='demonstrations new to the run')
  add('--agent', required=True, help='store with play of the run')
  output.add_flags(add, NAME)
  add('--seed', type=arguments.count, default=0, help='of the probes')
  return parser.parse_args(argv)


def sequences(path, config):
  """Return the sequences of a store, for each split a dict of arrays.

  The arrays are (N, LENGTH, ...). A trajectory goes into one split. Raises
  UserError if there are fewer than three or one is shorter than a sequence.
  """
  found = list(trajectories.read(path, config))
  if len(found) < len(SPLITS) or min(
      len(x['is_first']) for x in found) < LENGTH:
    raise UserError(
        f'{path}: expected {len(SPLITS)} trajectories or more, none shorter '
        f'than {LENGTH} steps; record more.')
  parts = [[] for _ in SPLITS]
  for index, data in enumerate(found):
    # A probe is judged on the last trajectory.
    parts[max(0, index - len(found) + len(SPLITS))].append(cut(data))
  return [jax.tree.map(lambda *xs: np.concatenate(xs), *x) for x in parts]


def cut(data):
  """Return sequences (N, LENGTH, ...) of a trajectory's arrays (T, ...).

  The rest is left out. `is_cut` is True where one starts in mid-episode.
  """
  count = len(data['is_first']) // LENGTH
  data = {
      k: v[:count * LENGTH].reshape((count, LENGTH, *v.shape[1:]))
      for k, v in data.items()}
  first = data['is_first'].copy()
  data['is_cut'] = np.zeros_like(first)
  data['is_cut'][:, 0] = ~first[:, 0]
  first[:, 0] = True
  return {**data, 'is_first': first}


def encode(actor, data):
  """Return {view: inputs (M, F)} of the pairs (s, a) in some sequences.

  The views are D's input (latents), the decoded image, the image and the
  latest images, each with the action. Steps whose past the model does not
  know are left out, as in D's batch.
  """
  model, keys = actor.model, actor.model.dec.imgkeys
  def fn(data):
    rows = worldmodel.expert_rows(model, data)
    feat, _ = worldmodel.observe(model, rows, False)
    act = {k: data[k] for k in actor.act_space}
    recons = model.dec({}, feat, data['is_first'], False)[2]
    nothing = {'deter': jnp.zeros((*data['is_first'].shape, 0))}
    nothing['stoch'] = nothing['deter'][..., None]
    return {
        'latents': model.disc.inputs(pairs.shown(model, feat), act),
        'recons': {k: recons[k].pred() for k in keys},
        'action': model.disc.inputs(nothing, act),
        'chosen': pairs.acted(model, data) > 0}
  seen = actor.call(fn, data)
  chosen = seen['chosen']
  flat = lambda xs: np.concatenate([
      np.reshape(xs[k], (*chosen.shape, -1)) for k in keys], -1)
  last = {k: [
      stack(*x) for x in zip(data[k], data['is_first'])] for k in keys}
  views = {
      'recons': flat(seen['recons']),
      'image': flat(data) / np.float32(255),
      'images': flat(last) / np.float32(255)}
  views = {
      k: np.concatenate([v, seen['action']], -1) for k, v in views.items()}
  return {
      k: v[chosen] for k, v in {'latents': seen['latents'], **views}.items()}


def stack(images, is_first):
  """Return each image (T, H, W, C) with those before it, (T, H, W, STACK * C).

  The oldest comes first. At the start of an episode or of the array its first
  image stands for those that are missing.
  """
  time = np.arange(len(images))
  start = np.maximum.accumulate(np.where(is_first, time, 0))
  return np.concatenate([
      images[np.maximum(start, time - back)]
      for back in reversed(range(STACK))], -1)


def representation(views, config, seed):
  """Return {view: {accuracy, tv}} of probes that tell expert from agent.

  A probe has D's network. `accuracy` is the mean of its accuracies on the
  expert's and on the agent's pairs, of trajectories that it has not seen.
  `tv` = 2 accuracy - 1 estimates a lower bound of the total variation
  distance.
  """
  result = {}
  for view in views['expert'][0]:
    parts = [
        [views[side][i][view] for side in ('expert', 'agent')]
        for i in range(len(SPLITS))]
    accuracy = probe(parts, config.agent.gail.disc, seed)
    result[view] = {'accuracy': accuracy, 'tv': 2 * accuracy - 1}
  return result


def probe(parts, network, seed):
  """Return the accuracy of a probe of D's `network` on the last of the parts.

  Each part is a pair of inputs (M, F), the expert's and the agent's. The probe
  learns from the first part. Its parameters with the least loss on the second
  are judged on the third.
  """
  disc = discriminator.Discriminator({}, **network, name='probe')
  parts = [[(x,) for x in part] for part in parts]
  return probes.fit(probes.tell(disc), parts, seed)[1][1]


def drift(actor, parts):
  """Return lists by horizon 1, 2, ...: how far imagination drifts.

  The model observes CONTEXT steps and imagines the rest with the actions that
  were taken. The imagined states are compared with those that it has when it
  observes the rest, too:

  - `deter`: root mean square of the difference, over the standard deviation
    of the observed states;
  - `kl`: nats from the observed state's distribution to the imagined one's;
  - `reward`: mean absolute difference of D's reward;
  - `bias`: mean of D's reward, imagined less observed;
  - `spread` (one number): standard deviation of D's observed rewards.

  Sequences in which an episode starts or ends are left out.
  """
  data = jax.tree.map(lambda *xs: np.concatenate(xs), *parts)
  whole = ~(data['is_first'][:, 1:].any(1) | data['is_last'].any(1))
  if not whole.any():
    raise UserError('No sequence lies within an episode; record more.')
  data = jax.tree.map(lambda x: x[whole], data)
  return jax.tree.map(
      lambda x: np.asarray(x, float).round(4).tolist(),
      actor.call(functools.partial(_drift, actor.model), data))


def _drift(model, data):
  tail = lambda xs: jax.tree.map(lambda x: x[:, CONTEXT:], xs)
  rows = worldmodel.expert_rows(model, data)
  feat, _ = worldmodel.observe(model, rows, False)
  start = {k: feat[k][:, CONTEXT - 1] for k in ('deter', 'stoch')}
  length = LENGTH - CONTEXT
  _, imagined, _ = model.dyn.imagine(
      start, tail(rows.prevact), length, training=False)
  observed = tail(feat)
  act = {k: tail(data[k]) for k in model.act_space}
  reward = lambda feat: model.rewfn(
      model.disc(model.disc.inputs(pairs.shown(model, feat), act)))
  rewards = reward(observed), reward(imagined)
  dist = lambda logit: model.dyn._dist(logit)
  kl = dist(observed['logit']).kl(dist(imagined['logit']))  # (N, H)
  deter = [jnp.float32(x['deter']) for x in (observed, imagined)]
  spread = jnp.square(deter[0] - deter[0].mean((0, 1))).mean()
  gap = rewards[1] - rewards[0]
  return {
      'deter': jnp.sqrt(jnp.square(deter[1] - deter[0]).mean((0, 2)) / spread),
      'kl': kl.mean(0), 'reward': jnp.abs(gap).mean(0), 'bias': gap.mean(0),
      'spread': rewards[0].std()}


def show(results):
  """Print the tables of both terms."""
  print("\nHow well a probe of D's size tells expert from agent")
  print(f'{"view":<10}{"accuracy":>10}{"tv":>8}')
  for view, row in results['representation'].items():
    print(f'{view:<10}{row["accuracy"]:>10.3f}{row["tv"]:>8.3f}')
  for side, rows_ in results['model'].items():
    print(f"\nDrift of imagination, {side}'s sequences (sd of D's reward "
          f'{rows_["spread"]:.3f})')
    print(f'{"horizon":<10}{"deter":>8}{"kl":>8}{"reward":>8}{"bias":>8}')
    for index in range(0, LENGTH - CONTEXT):
      print(f'{index + 1:<10}' + ''.join(
          f'{rows_[k][index]:>8.3f}'
          for k in ('deter', 'kl', 'reward', 'bias')))


if __name__ == '__main__':
  errors.run(main)
