"""Train step with demonstrations against environment reward."""

import numpy as np

from .worker import Worker
from .worker import alternate
from .worker import spread


def run(config, args):
  """Return the figure and the results in milliseconds, bytes and seconds.

  The floor is what no implementation of Algorithm 1 can save: one forward
  pass of encoder and RSSM over the expert's rows and the work of D, on top of
  plain DreamerV3's step.
  """
  gail, env = sides(config)
  with Worker(gail) as a, Worker(env) as b:
    workers = {'gail': a, 'env': b}
    info = {k: v.ask('info') for k, v in workers.items()}
    alternate({'gail': (a, 'train'), 'env': (b, 'train')}, 3)
    # Before the floor, whose program takes memory too.
    memory = {k: v.ask('memory') for k, v in workers.items()}
    times = alternate({
        'gail': (a, 'train'), 'env': (b, 'train'),
        'expert_and_disc': (a, 'floor')}, args.repeats)
    parts = {k: v.ask('profile') for k, v in workers.items()}
  plain, extra = np.median(times['env']), np.median(times['expert_and_disc'])
  results = {
      'ratio': round(ratio(times), 3),
      'floor': round(float((plain + extra) / plain), 3),
      'memory_ratio': {
          k: round(memory['gail'][k] / memory['env'][k], 3)
          for k in memory['env']},
      'milliseconds': {k: spread(v) for k, v in times.items()},
      'parts': parts, 'memory': memory, 'info': info,
      'shape': shape(config)}
  show(results)
  return (
      f'step ratio gail/env: {results["ratio"]:.2f} '
      f'(floor {results["floor"]:.2f})'), results


def sides(config):
  """Return the config with demonstrations and the one of plain DreamerV3."""
  config = config.update({
      'jax.compilation_cache': False, 'agent.report': False})
  reward = config.agent.gail.reward
  gail = config.update({
      'agent.gail.reward': 'gail' if reward == 'env' else reward})
  return gail, config.update({'agent.gail.reward': 'env'})


def ratio(times):
  """Return the median of the ratios gail/env of neighbours in time."""
  return float(np.median(times['gail'] / times['env']))


def shape(config):
  """Return what the cost of a step depends on."""
  keys = ('batch_size', 'batch_length', 'replay_context', 'task')
  return {
      **{k: config[k] for k in keys},
      'imag_last': config.agent.imag_last,
      'imag_length': config.agent.imag_length}


def show(results):
  """Print the times and the parts as tables."""
  table(results['milliseconds'])
  print(f'\n{"part of a step, milliseconds":<34}{"gail":>9}{"env":>9}')
  parts = results['parts']
  for key in {**parts['gail'], **parts['env']}:
    row = [parts[side].get(key, 0) for side in ('gail', 'env')]
    print(f'{key:<34}' + ''.join(f'{x:>9.2f}' for x in row))
  for key, value in results['memory_ratio'].items():
    print(f'peak memory, {key}, gail/env: {value:.2f}')
  for side, info in results['info'].items():
    print(f'compile of the train step, {side}: {info["compile_train"]:.1f} s')


def table(rows):
  """Print {name: {median, min, max}}."""
  print(f'{"milliseconds":<34}{"median":>9}{"min":>9}{"max":>9}')
  for key, row in rows.items():
    print(f'{key:<34}' + ''.join(f'{x:>9.2f}' for x in row.values()))
