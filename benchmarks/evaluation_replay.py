"""Plays the games of an evaluation again, by plain loops, and compares.

  python benchmarks/evaluation_replay.py LOGDIR RESULT.json [OUT.json]

One game after the other, one call of upstream's own `policy` a step, with the
parameters unpickled from the save at the step of the result: nothing of
evaluate.py, games.py or policy.py. For MinAtar. Exits with 1 if any score or
length differs.
"""

import json
import pathlib
import pickle
import sys
import time

import jax
import ninjax as nj
import numpy as np
import ruamel.yaml as yaml

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / 'tests'))
import agents  # noqa: E402

from dreamer_gail_plugin import envs  # noqa: E402
from dreamer_gail_plugin import main  # noqa: E402


def play(step, params, carry, config, seed, greedy):
  """Return the score and the length of one game."""
  suite, task = config.task.split('_', 1)
  env = envs.make(suite, task, seed=seed, **config.env[suite])
  key = np.random.SeedSequence([seed, 1]).generate_state(2)
  obs, score, time = env.step({'reset': True}), 0.0, 0
  while not obs['is_last']:
    batch = {k: np.asarray(v)[None] for k, v in obs.items()}
    carry, act, logits = step(
        params, carry, batch, jax.random.fold_in(key, time))
    if greedy:
      act = {'action': np.argmax(logits, -1).astype(np.int32)}
      carry = (*carry[:-1], act)
    obs = env.step({'action': int(act['action'][0]), 'reset': False})
    score += float(obs['reward'])
    time += 1
  return score, time


def replay(logdir, result):
  """Return [(score, length)] of the games of a result, played again."""
  flat = yaml.YAML(typ='safe').load((logdir / 'config.yaml').read_text())
  config = main.load_config([]).update(flat)
  saves = [
      x for x in (logdir / 'checkpoint.pkl').glob('2*')
      if pickle.loads((x / 'step.pkl').read_bytes()) == result['step']]
  params = pickle.loads((saves[-1] / 'agent.pkl').read_bytes())['params']
  model = agents.outer(config).model
  def logits(feat):
    return model.pol(model.feat2tensor(feat), 1)['action'].logits
  def step(params, carry, obs, seed):
    carry, act, _ = nj.pure(model.policy)(params, carry, obs, seed=seed)[1]
    return carry, act, nj.pure(logits)(params, carry[1], seed=seed)[1]
  with jax.transfer_guard('allow'):
    carry = nj.pure(model.init_policy)({}, 1, seed=np.zeros(2, np.uint32))[1]
    step = jax.jit(step)
    return [
        play(step, params, carry, config, x['seed'],
             result['policy'] == 'greedy') for x in result['episodes']]


def run(logdir, filename, out=None):
  """Compare, print and write what came of it; return the exit code."""
  result = json.loads(pathlib.Path(filename).read_text())
  start = time.time()
  again = replay(pathlib.Path(logdir), result)
  known = [(x['score'], x['length']) for x in result['episodes']]
  same = sum(x == y for x, y in zip(again, known))
  found = {
      'step': result['step'], 'policy': result['policy'],
      'games': len(known), 'equal': same,
      'mean': float(np.mean([x for x, _ in again])),
      'seconds': round(time.time() - start, 1)}
  print(json.dumps(found))
  if out:
    pathlib.Path(out).write_text(json.dumps(found) + '\n')
  return int(same < len(known))


if __name__ == '__main__':
  sys.exit(run(*sys.argv[1:]))
