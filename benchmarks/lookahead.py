"""Whether what an agent values is better advice than its policy.

  python benchmarks/lookahead.py LOGDIR --value live return --out FILE

The agent of a run plays as ever, greedily, and then with a look ahead: of each
action the mean over rollouts of the model, in which the policy acts on, is
added to the logarithm of its probability, after division by the temperature.
The actions that are likeliest by this sum are played.

  live    how many of the next steps the game goes on, by the continue head
  return  D's rewards from the next step on, and the critic's value at the end

D's reward of the action itself is left out, as of actions that nobody takes D
knows nothing. The file has the mean score of each and its standard error. The
score is for this report only.
"""

import argparse
import pathlib

import elements
import jax
import jax.numpy as jnp
import ninjax as nj
import numpy as np

from dreamer_gail_plugin.evaluate import policy as policylib
from dreamer_gail_plugin.evaluate import protocol
from dreamer_gail_plugin.experiments import results
from dreamer_gail_plugin.running import checkpoint
from dreamer_gail_plugin.running import checks
from dreamer_gail_plugin.running import provenance

STEPS, ROLLOUTS = 6, 8
VALUES = ('live', 'return')


class Actor(policylib.Actor):
  """Looks ahead with all networks of a saved agent, of one choice a step."""

  def __init__(self, config, params, value, temperature):
    super().__init__(config, params, greedy=True)
    self.params = jax.device_put(params)
    self.value, self.temperature = value, temperature

  def _policy(self, carry, obs):
    model = self.model
    carry, _, out = model.policy(carry, obs, mode='eval')
    feat = {k: carry[1][k] for k in ('deter', 'stoch')}
    with model.seeing(obs):
      dist = model.pol(model.feat2tensor(feat), 1)['action']
    score = jax.nn.log_softmax(dist.logits, -1)  # (1, actions)
    if self.value:
      score += self._ahead(feat, score.shape[-1]) / self.temperature
    act = {'action': jnp.argmax(score, -1).astype(jnp.int32)}
    finite = jnp.array([x.all() for x in jax.tree.leaves(out['finite'])])
    return (*carry[:-1], act), act, finite.all()

  def _ahead(self, feat, actions):
    model = self.model
    feat = jax.tree.map(lambda x: jnp.repeat(x, actions * ROLLOUTS, 0), feat)
    act = {'action': jnp.repeat(jnp.arange(actions, dtype='int32'), ROLLOUTS)}
    total, alive = 0.0, 1.0
    for _ in range(STEPS):
      feat, _ = model.dyn.imagine(feat, act, 1, False, single=True)
      alive *= model.con(model.feat2tensor(feat), 1).prob(1)
      draw = model.pol(model.feat2tensor(feat), 1)['action']
      act = {'action': draw.sample(nj.seed())}
      inputs = model.disc.inputs(feat, act)
      total += alive * (
          1 if self.value == 'live' else model.rewfn(model.disc(inputs)))
    if self.value == 'return':
      total += alive * model.val(model.feat2tensor(feat), 1).pred()
    return total.reshape((actions, ROLLOUTS)).mean(1)[None]


def main(args):
  """Play all games and write the file, new after each way to act."""
  config = checks.platform(policylib.load_config(args.logdir))
  checks.prepare_jax(config)
  saved = {}
  folder = checkpoint.choose(args.logdir, None, config)
  elements.checkpoint.load(folder, {'agent': saved.update})
  params = {
      k: v for k, v in saved['params'].items()
      if not k.startswith(('opt/', 'discopt/'))}
  games = protocol.parse([
      '--logdir', args.logdir, '--chunks', '1',
      '--episodes', str(args.episodes), '--no-films'])
  ways = [('', 1.0)] + [(v, t) for v in args.value for t in args.temperature]
  rows = []
  for value, temperature in ways:
    played = protocol.play(
        config, Actor(config, params, value, temperature), games,
        value or 'policy')
    scores = np.array([x['score'] for x in played])
    rows.append({
        'value': value or 'policy', 'temperature': temperature,
        'mean': round(float(scores.mean()), 2),
        'error': round(float(scores.std() / len(scores) ** 0.5), 2)})
    print(rows[-1])
    results.save(args.out, {
        'logdir': args.logdir,
        'commit': provenance.commit(), 'versions': provenance.versions(),
        'task': config.task, 'episodes': args.episodes, 'steps': STEPS,
        'rollouts': ROLLOUTS, 'rows': rows})


if __name__ == '__main__':
  parser = argparse.ArgumentParser(
      description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
  parser.add_argument('logdir')
  parser.add_argument('--out', type=pathlib.Path, required=True)
  parser.add_argument('--value', nargs='+', choices=VALUES, default=VALUES)
  parser.add_argument('--temperature', nargs='+', type=float, default=[0.3])
  parser.add_argument('--episodes', type=int, default=40)
  main(parser.parse_args())
