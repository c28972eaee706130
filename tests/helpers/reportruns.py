"""Logdirs for the tests of the report, in upstream's own file formats."""

import functools
import json
import os
import time

import elements
import numpy as np
import ruamel.yaml as yaml

from dreamer_gail_plugin import upstream

DAY = 86400
HOSTILE = '<b onerror=alert(1)>'
STEPS = 20_000
DISC = {
    'train/disc/acc_expert': 0.8, 'train/disc/acc_imag': 0.7,
    'train/disc/bce': 0.5, 'train/disc/rew_mean': 0.6}
KINDS = {
    'gail': {},
    'env': {'agent.gail.reward': 'env'},
    'random': {'random_agent': True},
}


@functools.cache
def defaults():
  """Return the config of `--configs minatar tiny gail`."""
  blocks = yaml.YAML(typ='safe').load(
      upstream.resource('configs.yaml').read_text())
  config = elements.Config(blocks['defaults'])
  for name in ('minatar', 'tiny', 'gail'):
    config = config.update(blocks[name])
  return config


def config(**changes):
  """Return that config with a run of STEPS and changes, dots written __."""
  return defaults().update({
      'run.steps': STEPS, 'jax.platform': 'cpu',
      'jax.compute_dtype': 'float32',
      **{k.replace('__', '.'): v for k, v in changes.items()}})


def log(logdir, steps, score, metrics=None, fps=50.0):
  """Write the logs of a run by upstream's logger: a game every 100 steps.

  `score` maps a step to the score of the game that ended there, `metrics` are
  values logged every 1000 steps.
  """
  outputs = [
      elements.logger.JSONLOutput(logdir, 'metrics.jsonl'),
      elements.logger.JSONLOutput(logdir, 'scores.jsonl', 'episode/score')]
  step = elements.Counter()
  logger = elements.Logger(step, outputs)
  for number in range(100, steps + 1, 100):
    step.load(number)
    logger.add({'score': score(number), 'length': 30}, prefix='episode')
    if number % 1000 == 0:
      logger.add({'fps/policy': fps, **(metrics or {})})
  logger.write()
  [x.wait() for x in outputs if hasattr(x, 'wait')]


def evaluation(logdir, scores, policy='sampled', step=STEPS, **changes):
  """Write an evaluation of 5 chunks with the scores as evaluate does."""
  episodes = [
      dict(
          chunk=i % 5, seed=i % 5, score=float(x), length=40 + i % 3,
          limit=i % 4 == 0) for i, x in enumerate(scores)]
  data = dict(
      format=1, task='minatar_breakout', reward='gail', seed=0, step=step,
      policy=policy, episodes=episodes, summary=dict(flags=[]), config={},
      versions={'jax': '0.10.2'}, commit='abc1234', command='', wall_seconds=1)
  folder = logdir / 'eval'
  folder.mkdir(exist_ok=True)
  path = folder / f'{step}_{policy}.json'
  path.write_text(json.dumps({**data, **changes}))
  return path


def started(logdir, seed, times=1):
  """Write the record of a run that was started so many times."""
  starts = [
      dict(
          time=f'2026-01-0{i + 1}T10:00:00+00:00', seed=seed, commit='def5678',
          argv=['--seed', str(seed), '--note', HOSTILE],
          command=f'python -m dreamer_gail_plugin.main --seed {seed} '
          f'--note {HOSTILE}', versions={'jax': '0.9.9'},
          machine={'system': 'Linux', 'cores': 2, 'memory_gb': 8})
      for i in range(times)]
  (logdir / 'run.json').write_text(
      json.dumps({'format': 1, 'starts': starts}))


def age(logdir, seconds=2 * DAY):
  """Let all files of a run be as old as that."""
  then = time.time() - seconds
  for path in logdir.rglob('*'):
    os.utime(path, (then, then))


def save(logdir, steps=STEPS, score=lambda step: step / STEPS, **changes):
  """Write a whole run; return its logdir."""
  logdir.mkdir(parents=True)
  made = config(logdir=str(logdir), **changes)
  made.save(elements.Path(str(logdir)) / 'config.yaml')
  learns = not made.random_agent
  metrics = {'train/rand/action': 0.3, 'train/loss/image': 2.0}
  if made.agent.gail.reward != 'env':
    metrics.update(DISC)
  log(logdir, steps, score, metrics if learns else {})
  age(logdir)
  return logdir


def factorial(folder):
  """Write 3 methods x 2 tasks x 3 seeds; three of them are in a bad way.

  Games of gail score 4 + seed at the end, of env 2 + seed, of random 1, all
  of it doubled on seaquest.
  """
  level = {'gail': 4, 'env': 2, 'random': 1}
  for task in ('breakout', 'seaquest'):
    for kind, changes in KINDS.items():
      for seed in range(3):
        top = (level[kind] + seed * (kind != 'random')) * (
            1 + (task == 'seaquest'))
        final = lambda step, top=top: top * (
            1.0 if step > STEPS / 2 else step / STEPS)
        save(
            folder / f'{task}_{kind}_{seed}', score=final,
            task=f'minatar_{task}', seed=seed, **changes)
  for seed in (0, 1):
    evaluation(folder / f'breakout_gail_{seed}', np.full(50, 5 + 2 * seed))
  for seed in range(3):
    started(folder / f'breakout_env_{seed}', seed, times=1 + (seed == 2))
  (folder / 'seaquest_env_0' / 'run.json').write_text('{')
  broken = folder / 'breakout_gail_2' / 'config.yaml'
  broken.write_text(broken.read_text()[:200] + '\n\t{')
  for name in ('scores.jsonl', 'metrics.jsonl'):
    (folder / 'breakout_env_1' / name).unlink()
  cut(folder / 'seaquest_gail_2')
  return folder


def cut(logdir, keep=STEPS // 2):
  """Let a run be in the middle of writing its log."""
  for name in ('scores.jsonl', 'metrics.jsonl'):
    lines = (logdir / name).read_text().splitlines(True)
    lines = [x for x in lines if json.loads(x)['step'] <= keep]
    (logdir / name).write_text(''.join(lines) + lines[-1][:20])
