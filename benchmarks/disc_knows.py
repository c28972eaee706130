"""What D of a run knows: of demonstrations, new ones, and of actions.

  python benchmarks/disc_knows.py LOGDIR STORE... --out FILE

For the steps of each store: the mean logit of D, the share that it holds for
the expert's, and how much the action matters, as the standard deviation of the
logit over all actions in the same state, and as the logit of the action that
was taken less their mean. For a discrete action.
"""

import argparse
import pathlib

import jax
import jax.numpy as jnp
import numpy as np

from dreamer_gail_plugin import pairs
from dreamer_gail_plugin import worldmodel
from dreamer_gail_plugin.evaluate import error_terms
from dreamer_gail_plugin.evaluate import policy as policylib
from dreamer_gail_plugin.experiments import results
from dreamer_gail_plugin.running import checkpoint
from dreamer_gail_plugin.running import checks
from dreamer_gail_plugin.running import provenance


def main(logdir, paths, out):
  """Measure, print and write the JSON."""
  config = checks.platform(policylib.load_config(logdir))
  checks.prepare_jax(config)
  folder = checkpoint.find(logdir)
  actor = policylib.load_actor(config, folder)
  found = {}
  for path in paths:
    parts = error_terms.sequences(path, config)
    data = jax.tree.map(lambda *xs: np.concatenate(xs), *parts)
    found[pathlib.Path(path).name] = measure(actor, data)
    print(path, found[pathlib.Path(path).name])
  results.save(out, {
      'logdir': str(logdir), 'commit': provenance.commit(),
      'step': checkpoint.step(logdir, folder, config), 'stores': found})


def measure(actor, data):
  """Return numbers by name for sequences (N, T, ...)."""
  logits, known = error_terms.call(actor, lambda x: judge(actor, x), data)
  known = known > 0
  taken = np.take_along_axis(logits, data['action'][..., None], -1)[..., 0]
  taken, logits = taken[known], logits[known]  # (M,), (M, A)
  return {
      'steps': int(known.sum()),
      'logit': round(float(taken.mean()), 3),
      'expert': round(float((taken > 0).mean()), 3),
      'action_sd': round(float(logits.std(-1).mean()), 3),
      'action_taken': round(float((taken - logits.mean(-1)).mean()), 3)}


def judge(actor, data):
  """Return D's logits of all actions (N, T, A), and which steps it judges."""
  model = actor.model
  inputs = worldmodel.expert_inputs(model, data, False)
  shown = pairs.shown(model, worldmodel.observe_expert(model, inputs, False)[-1])
  logit = lambda action: model.disc(model.disc.inputs(
      shown, {'action': jnp.full_like(data['action'], action)}))
  count = int(actor.act_space['action'].classes)
  logits = jnp.stack([logit(x) for x in range(count)], -1)
  return logits, pairs.acted(model, data)


if __name__ == '__main__':
  parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
  parser.add_argument('logdir', type=pathlib.Path)
  parser.add_argument('stores', nargs='+', type=pathlib.Path)
  parser.add_argument('--out', type=pathlib.Path, required=True)
  args = parser.parse_args()
  main(args.logdir, args.stores, args.out)
