"""What model and cloned policy know of demonstrations that they never saw.

  python benchmarks/held_out.py RESULT.json --held HELD.h5 --play PLAY.h5 FLAGS

trains the world model and the cloning term alone, without play, imagination or
D, on the demonstrations and on the random play of PLAY.h5, with FLAGS of
dreamer_gail_plugin.main, such as `--configs minatar tiny gail`. Every 500
updates both are judged on the demonstrations and on those in HELD.h5. Minutes.
The two stores are made by `demos planner`, docs/results.md has the commands.
"""

import argparse
import json
import pathlib
import time

import elements
import foresight
import jax
import jax.numpy as jnp
import ninjax as nj
import numpy as np

from dreamer_gail_plugin import checks
from dreamer_gail_plugin import error_terms
from dreamer_gail_plugin import main as mainlib
from dreamer_gail_plugin import provenance
from dreamer_gail_plugin import rows
from dreamer_gail_plugin.agent import Agent
from dreamer_gail_plugin.benchmark import results

EVERY = 500  # Updates between two looks.


def main():
  """Train, judge, write the JSON."""
  parser = argparse.ArgumentParser(
      description=__doc__.split('\n')[0], allow_abbrev=False)
  parser.add_argument('out', type=pathlib.Path)
  parser.add_argument('--held', required=True)
  parser.add_argument('--play', required=True)
  parser.add_argument('--updates', type=int, default=1500)
  args, flags = parser.parse_known_args()
  config = mainlib.load_config(flags)
  checks.values(config)
  config = checks.platform(config)
  checks.prepare_jax(config)
  load = lambda path: error_terms.sequences(path, config)
  parts = [
      jax.tree.map(lambda *xs: np.concatenate(xs), *load(path))
      for path in (mainlib.expert_path(config), args.play, args.held)]
  looks = train(Study(config), parts, args.updates, config)
  results.save(args.out, {
      'about': __doc__.split('\n')[0], 'flags': flags, 'seed': config.seed,
      'versions': provenance.versions(), 'commit': provenance.commit(),
      'looks': looks})


class Study:
  """World model and policy of an agent, with an optimizer of their own."""

  def __init__(self, config):
    keys = (
        'logdir', 'seed', 'batch_size', 'batch_length', 'replay_context',
        'report_length', 'replica', 'replicas')
    self.model = Agent(*mainlib.spaces(config), elements.Config(
        **config.agent, **{k: config[k] for k in keys},
        jax={**config.jax, 'precompile': False})).model
    model = self.model
    self.opt = type(model.opt)(
        [x for x in model.modules if x not in (model.val, model.slowval)],
        model._make_opt(**config.agent.opt), summary_depth=1, name='heldout')

  def update(self, fit, play):
    """Learn from sequences (B, T, ...) of demonstrations and of play."""
    def loss():
      both = jax.tree.map(lambda *xs: jnp.concatenate(xs), play, fit)
      feat, losses = self.observe(both, True)
      scales = self.model.scales
      model = sum(
          scales[k] * (v * ~both['is_cut']).mean() for k, v in losses.items())
      rows_ = jax.tree.map(lambda x: x[len(play['is_cut']):], feat)
      return model + scales['clone'] * self.model._clone_loss(fit, rows_)
    return self.opt(loss)

  def observe(self, data, training):
    """Return features (N, T, ...) and the world model's losses (N, T)."""
    model = self.model
    initial = tuple(
        x.initial(len(data['is_first']))
        for x in (model.enc, model.dyn, model.dec))
    acts = {k: data[k] for k in model.act_space}
    obs = {k: v for k, v in data.items() if k in model.obs_space}
    *_, feat, losses, _ = model._world_loss(
        initial, obs, rows.previous(acts), model.dyn, training)
    return feat, losses

  def judge(self, data):
    """Return what is known of sequences (N, T, ...), a dict of numbers.

    `pixels`: of each channel of a board, the harmonic mean of precision and
    recall of the decoded pixels that are on. `foreseen` is the same of all
    channels where the latents are samples of the prior, which does not know
    the image; `copied` where the last image stands for the next. `kl`: nats
    between posterior and prior. Of the policy: `neglogp`, nats of the expert's
    action, `right` how often it is the likeliest, `moves` how often where it
    is not the demonstrations' commonest.
    """
    model, (key,) = self.model, self.model.dec.imgkeys
    feat, losses = self.observe(data, False)
    known = model._acted(data) > 0
    on, said = foresight.boards(model, feat, data)
    seen = said['seen']
    count = lambda x: (x & known[..., None, None, None]).sum((0, 1, 2, 3))
    agree = lambda x: 2 * count(on & x).sum() / (count(on) + count(x)).sum()
    policy = model.pol(model.feat2tensor(feat), 2)['action']
    act = data['action']
    right = policy.pred() == act
    common = jnp.argmax(jnp.bincount(act.flatten(), length=32))
    mean = lambda x, where: (x * where).sum() / where.sum()
    return {
        'pixels': 2 * count(on & seen) / (count(on) + count(seen)),
        'foreseen': agree(said['foreseen']),
        'copied': agree(said['copied']),
        'kl': mean(losses['dyn'], known),
        'image_nats': mean(losses[key], known),
        'neglogp': mean(policy.loss(act), known),
        'right': mean(right, known),
        'moves': mean(right, known & (act != common))}


def train(study, parts, updates, config):
  """Return a list of looks, `judge` of both sets of demonstrations."""
  fit, play, held = parts
  rng = np.random.default_rng(config.seed)
  seed = lambda: rng.integers(0, 2 ** 32, 2, np.uint32)
  draw = lambda data: window(data, config, rng)
  judge = jax.jit(nj.pure(study.judge))
  looks, start = [], time.process_time()
  with jax.transfer_guard('allow'):
    params = nj.init(study.update)({}, draw(fit), draw(play), seed=seed())
    update = jax.jit(nj.pure(study.update), donate_argnums=0)
    for count in range(1, updates + 1):
      params, _ = update(params, draw(fit), draw(play), seed=seed())
      if count == 1:
        start = time.process_time()  # The compilation is over.
      if count % EVERY == 0:
        used = time.process_time() - start
        looks.append({'updates': count, 'cpu_seconds': round(used, 1), **{
            name: jax.tree.map(
                lambda x: np.asarray(x, float).round(4).tolist(),
                judge(params, data, seed=seed())[1])
            for name, data in (('learned', fit), ('unseen', held))}})
        print(json.dumps(looks[-1]), flush=True)
  return looks


def window(data, config, rng):
  """Return rows (batch_size, batch_length, ...) of sequences, at random."""
  count, length = data['is_first'].shape
  row = rng.integers(0, count, config.batch_size)
  time_ = rng.integers(0, length - config.batch_length + 1, config.batch_size)
  index = time_[:, None] + np.arange(config.batch_length)
  data = {k: v[row[:, None], index] for k, v in data.items()}
  first = data['is_first'].copy()
  cut = np.zeros_like(first)
  cut[:, 0] = ~first[:, 0] | data['is_cut'][:, 0]
  first[:, 0] = True
  return {**data, 'is_first': first, 'is_cut': cut}


if __name__ == '__main__':
  main()
