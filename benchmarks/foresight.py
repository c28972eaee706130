"""Whether a run's model foresees the next board better than the last one does.

  python benchmarks/foresight.py LOGDIR STORE --out FILE

For the steps of a store, boards as the model decodes them from what it
observed (`seen`), from samples of the prior one step ahead, which does not
know the board (`foreseen`), and the board of the step before (`copied`): the
mean number of pixels, of the `on` that are not black, that are wrong.
"""

import argparse
import pathlib

import jax
import jax.numpy as jnp
import ninjax as nj
import numpy as np

from dreamer_gail_plugin import worldmodel
from dreamer_gail_plugin.evaluate import error_terms
from dreamer_gail_plugin.evaluate import policy as policylib
from dreamer_gail_plugin.experiments import results
from dreamer_gail_plugin.running import checkpoint
from dreamer_gail_plugin.running import checks
from dreamer_gail_plugin.running import provenance

SKIP = 8  # Steps of a sequence in which the model has seen too little.


def main(logdir, path, out):
  """Measure, print and write the JSON."""
  config = checks.platform(policylib.load_config(logdir))
  checks.prepare_jax(config)
  folder = checkpoint.find(logdir)
  actor = policylib.load_actor(config, folder)
  parts = error_terms.sequences(path, config)
  data = jax.tree.map(lambda *xs: np.concatenate(xs), *parts)
  found = error_terms.call(actor, lambda x: wrong(actor.model, x), data)
  found = {k: round(float(v[:, SKIP:].mean()), 3) for k, v in found.items()}
  print(found)
  results.save(out, {
      'logdir': str(logdir), 'store': pathlib.Path(path).name,
      'step': checkpoint.step(logdir, folder, config),
      'commit': provenance.commit(), **found})


def wrong(model, data):
  """Return numbers of wrong pixels (N, T) by name for sequences (N, T, ...).
  """
  inputs = worldmodel.expert_inputs(model, data, False)
  _, _, feat = worldmodel.observe_expert(model, inputs, False)
  on, found = boards(model, feat, data)
  found['on'] = jnp.zeros_like(on)
  return {k: (x != on).sum((-3, -2, -1)) for k, x in found.items()}


def boards(model, feat, data):
  """Return which pixels (N, T, H, W, C) are on, and {name: what is said}."""
  (key,) = model.dec.imgkeys
  prior = model.dyn._dist(model.dyn._prior(feat['deter']))
  sample = prior.sample(nj.seed()).astype(feat['stoch'].dtype)
  decode = lambda feat: model.dec(
      {}, feat, data['is_first'], False)[2][key].pred() > 0.5
  on = data[key] > 127
  return on, {
      'seen': decode(feat), 'foreseen': decode({**feat, 'stoch': sample}),
      'copied': jnp.concatenate([on[:, :1], on[:, :-1]], 1)}


if __name__ == '__main__':
  parser = argparse.ArgumentParser(
      description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
  parser.add_argument('logdir', type=pathlib.Path)
  parser.add_argument('store')
  parser.add_argument('--out', type=pathlib.Path, required=True)
  args = parser.parse_args()
  main(args.logdir, args.store, args.out)
