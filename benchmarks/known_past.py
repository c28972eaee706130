"""What D makes of the same steps by how long the RSSM has run before.

  python benchmarks/known_past.py LOGDIR STORE... --out FILE

The steps of each store pass the RSSM as whole trajectories and in rows of
batch_length that each start from a reset. For those past the burn-in of a row:
the mean logit of D and the share that it holds for the expert's, either way,
and the mean logit by the steps since a row's reset. A D that looks at
behaviour alone says the same of both. For discrete actions.
"""

import argparse
import pathlib

import numpy as np

from dreamer_gail_plugin import main as mainlib
from dreamer_gail_plugin import pairs
from dreamer_gail_plugin import worldmodel
from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.evaluate import error_terms
from dreamer_gail_plugin.evaluate import policy as policylib
from dreamer_gail_plugin.experiments import results
from dreamer_gail_plugin.running import checkpoint
from dreamer_gail_plugin.running import checks
from dreamer_gail_plugin.running import provenance


def main(args):
  """Measure, print and write the JSON."""
  config = checks.platform(policylib.load_config(args.logdir))
  checks.prepare_jax(config)
  folder = checkpoint.find(args.logdir)
  actor = policylib.load_actor(config, folder)
  found = {}
  for path in args.stores:
    found[path.name] = measure(actor, trajectories(path, config), config)
    print(path, found[path.name])
  results.save(args.out, {
      'logdir': str(args.logdir), 'commit': provenance.commit(),
      'step': checkpoint.step(args.logdir, folder, config), 'stores': found})


def trajectories(path, config):
  """Return a store's trajectories (N, T, ...), cut to a multiple of a row."""
  keys = [k for x in mainlib.spaces(config) for k in x if store.needed(k)]
  with store.Store(path) as demos:
    length = min(demos.lengths) // config.batch_length * config.batch_length
    parts = [demos.read(i, keys=keys) for i in range(len(demos))]
  return {k: np.stack([x[k][:length] for x in parts]) for k in keys}


def measure(actor, data, config):
  """Return numbers by name for trajectories (N, T, ...)."""
  T = config.batch_length
  rows = {k: v.reshape((-1, T, *v.shape[2:])) for k, v in data.items()}
  ways = {
      name: [x.reshape((-1, T)) for x in error_terms.call(
          actor, lambda x: judge(actor.model, x), from_reset(part))]
      for name, part in (('whole', data), ('rows', rows))}
  inside = ~rows['is_first'].any(1, keepdims=True)  # Rows within an episode.
  counts = inside & (ways['whole'][1] > 0) & (ways['rows'][1] > 0)
  times = [t for t in range(T) if counts[:, t].any()]
  mean = lambda x: round(float(x.mean()), 3)
  return {'steps': int(counts.sum()), **{
      name: {
          'logit': mean(logit[counts]),
          'expert': mean(logit[counts] > 0),
          'by_time': {t: mean(logit[:, t][counts[:, t]]) for t in times}}
      for name, (logit, _) in ways.items()}}


def from_reset(data):
  """Return arrays (N, T, ...) that the RSSM reads from a reset on."""
  first = data['is_first'].copy()
  cut = np.zeros_like(first)
  cut[:, 0], first[:, 0] = ~first[:, 0], True
  return {**data, 'is_first': first, 'is_cut': cut}


def judge(model, data):
  """Return D's logits (N, T), and which steps count."""
  inputs = worldmodel.expert_inputs(model, data, False)
  shown = pairs.shown(model, worldmodel.observe_expert(model, inputs, False)[-1])
  acts = {k: data[k] for k in model.act_space}
  return model.disc(model.disc.inputs(shown, acts)), pairs.acted(model, data)


if __name__ == '__main__':
  parser = argparse.ArgumentParser(
      description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
  parser.add_argument('logdir', type=pathlib.Path)
  parser.add_argument('stores', nargs='+', type=pathlib.Path)
  parser.add_argument('--out', type=pathlib.Path, required=True)
  main(parser.parse_args())
