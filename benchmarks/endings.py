"""Whether a run's world model knows where games end.

  python benchmarks/endings.py LOGDIR --out FILE

The agent plays new games. At each step the state is `seen`, with its board
observed, and `foreseen`, one step ahead of it: a sample of the prior, given
the state and the action before. For the steps at which a game was lost and
for all others: the probability of an end by the continue head, the area under
the ROC curve by which it tells one from the other (0.5 is chance), and the
pixels of the decoded board that are wrong, beside those of a `copied` board.

`end_board` is what a network of the encoder's size makes of the board alone,
which has learned from the run's replay: what there is to see.
"""

import argparse
import pathlib
from functools import partial as bind

import elements
import jax
import ninjax as nj
import numpy as np
import optax
import scipy.stats
import tqdm

from dreamer_gail_plugin import main as mainlib
from dreamer_gail_plugin.evaluate import games
from dreamer_gail_plugin.evaluate import policy as policylib
from dreamer_gail_plugin.evaluate import protocol
from dreamer_gail_plugin.experiments import results
from dreamer_gail_plugin.running import checkpoint
from dreamer_gail_plugin.running import checks
from dreamer_gail_plugin.running import provenance
from dreamer_gail_plugin.variants import anchor

END = elements.Space(np.int32, (), 0, 2)


def main(logdir, number, out):
  """Play, measure, print and write the JSON."""
  config = checks.platform(policylib.load_config(logdir))
  checks.prepare_jax(config)
  folder = checkpoint.choose(logdir, None, config)
  actor = Watcher(config, folder)
  played = games.play(
      actor, bind(games.make_env, config),
      protocol.seeds(0, 0, number), number)
  ended, found = actor.steps()
  boards = Boards(config)
  boards.learn(logdir / 'replay')
  found['end_board'] = boards(found.pop('board'))
  result = {
      'logdir': str(logdir), 'task': config.task,
      'step': checkpoint.step(logdir, folder, config), 'games': number,
      'score': float(np.mean([x['score'] for x in played])),
      'ends': int(ended.sum()), 'others': int((~ended).sum()),
      **{k: summary(v, ended) for k, v in found.items()},
      'commit': provenance.commit(), 'versions': provenance.versions()}
  [print(k, v) for k, v in result.items()]
  results.save(out, result)


def summary(values, ended):
  """Return the means of values at ends and elsewhere, and the AUC."""
  ends, others = values[ended], values[~ended]
  above = scipy.stats.mannwhitneyu(ends, others).statistic
  return {
      'ends': round(float(ends.mean()), 4),
      'others': round(float(others.mean()), 4),
      'auc': round(float(above / len(ends) / len(others)), 3)}


class Watcher(policylib.Actor):
  """An Actor that notes what its world model thinks of each step."""

  def __init__(self, config, folder):
    saved = {}
    elements.checkpoint.load(folder, {'agent': saved.update})
    super().__init__(config, saved['params'])
    # Those of the continue head and of the decoder, too.
    self.params = jax.device_put(saved['params'])
    self.look = jax.jit(lambda params, seed, *args: nj.pure(self._look)(
        params, *args, seed=seed)[1])
    self.notes, self.last = [], None

  def __call__(self, carry, obs, keys, times):
    before, (carry, acts) = carry, super().__call__(carry, obs, keys, times)
    seen = self.look(
        self.params, keys[0] + len(self.notes), before, carry,
        {k: obs[k] for k in self.obs_space}, self.last)
    flags = {k: obs[k].copy() for k in ('is_first', 'is_last', 'is_terminal')}
    self.notes.append({**flags, **jax.device_get(seen)})
    self.last = {k: v.copy() for k, v in obs.items() if k in self.obs_space}
    return carry, acts

  def _look(self, before, carry, obs, last):
    model = self.model
    (key,) = model.dec.imgkeys
    on = lambda x: x[key] > 127
    _, (foreseen, _) = model.dyn.imagine(
        before[1], before[3], 1, False, single=True)
    found = {'board': obs[key]}
    for name, feat in dict(seen=carry[1], foreseen=foreseen).items():
      inp = model.feat2tensor(feat)
      found[f'end_{name}'] = 1 - model.con(inp, 1).prob(1)
      board = model.dec(
          {}, feat, obs['is_first'], False, single=True)[2][key].pred() > 0.5
      found[f'wrong_{name}'] = (board != on(obs)).sum((-3, -2, -1))
    if last is not None:
      found['wrong_copied'] = (on(last) != on(obs)).sum((-3, -2, -1))
    return found

  def steps(self):
    """Return which steps were ends (N,), and {name: values (N,)}."""
    keys = self.notes[-1].keys()
    notes = {k: np.stack([x[k] for x in self.notes[1:]]) for k in keys}
    over = np.cumsum(notes['is_last'], 0) - notes['is_last'] > 0
    keep = ~over & ~notes['is_first']
    ended = notes['is_terminal'][keep]
    return ended, {
        k: v[keep] for k, v in notes.items() if not k.startswith('is_')}


class Boards:
  """The probability that a game ends, from one board.

  The encoder and the policy head of the run's config, whose only action is
  whether the game ended.
  """

  batch, updates = 512, 2000

  def __init__(self, config):
    spaces, _ = mainlib.spaces(config)
    self.net = anchor.Anchor(
        {'image': spaces['image']}, {'end': END},
        elements.Config(**config.agent), name='boards')
    self.params = None

  def learn(self, replay):
    """Fit the steps of a replay by Adam, rate 1e-3, cross entropy."""
    chunks = [np.load(x) for x in sorted(replay.glob('*.npz'))]
    image, end = [
        np.concatenate([x[k] for x in chunks])
        for k in ('image', 'is_terminal')]
    rng, opt = np.random.default_rng(0), optax.adam(1e-3)
    lossfn = lambda obs, end: self.net.loss(
        {'image': obs[None]}, {'end': end[None]}).mean()
    def draw():
      index = rng.integers(len(end), size=self.batch)
      return image[index], np.int32(end[index])
    seed = jax.random.PRNGKey(0)
    self.params = nj.init(lossfn)({}, *draw(), seed=seed)
    state = opt.init(self.params)
    @jax.jit
    def update(params, state, obs, end):
      grads = jax.grad(lambda params: nj.pure(lossfn)(
          params, obs, end, seed=seed)[1])(params)
      grads, state = opt.update(grads, state)
      return optax.apply_updates(params, grads), state
    for _ in tqdm.trange(self.updates, desc='boards', unit='update'):
      self.params, state = update(self.params, state, *draw())

  def __call__(self, image):
    """Return probabilities (N,) of boards (N, H, W, C)."""
    fn = jax.jit(lambda x: nj.pure(
        lambda x: self.net({'image': x}, 1)['end'].prob(1))(
            self.params, x, seed=jax.random.PRNGKey(0))[1])
    return np.concatenate([
        fn(image[i: i + 1000]) for i in range(0, len(image), 1000)])


if __name__ == '__main__':
  parser = argparse.ArgumentParser(
      description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
  parser.add_argument('logdir', type=pathlib.Path)
  parser.add_argument('--games', type=int, default=100)
  parser.add_argument('--out', type=pathlib.Path, required=True)
  args = parser.parse_args()
  main(args.logdir, args.games, args.out)
