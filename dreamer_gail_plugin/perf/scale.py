"""Train step by batch, length, horizon, demonstrations and devices."""

import numpy as np

from . import step
from .worker import Worker
from .worker import alternate
from .worker import spread

# How each grows; 1 is the config as it is.
FACTORS = {
    'batch_size': (0.5, 2),
    'batch_length': (0.5, 2),
    'agent.imag_length': (0.5, 2),
}
DEVICES = (2, 4)


def run(config, args):
  """Return the figure and the results: milliseconds of a step at each size.

  The number of demonstrations is not a size of the train step, which sees one
  batch of them however many there are: `bench stream` has its growth.
  """
  config, _ = step.sides(config)
  rows = {}
  for name, changed in variants(config).items():
    with Worker(config) as a, Worker(changed) as b:
      times = alternate(
          {'base': (a, 'train'), 'changed': (b, 'train')}, args.repeats)
    rows[name] = {
        'ratio': round(float(np.median(times['changed'] / times['base'])), 3),
        **{k: spread(v) for k, v in times.items()}}
    print(f'{name:<28}{rows[name]["ratio"]:>6.2f} x the step', flush=True)
  figure = (
      f'step growth at twice the batch: '
      f'{rows[f"batch_size {2 * config.batch_size}"]["ratio"]:.2f}')
  return figure, {'rows': rows, 'shape': step.shape(config)}


def variants(config):
  """Return {name: config} of the configs to compare with the given one."""
  configs = {}
  for key, factors in FACTORS.items():
    for factor in factors:
      value = max(2, int(config[key] * factor))
      configs[f'{key} {value}'] = config.update({key: value})
  for count in DEVICES:
    configs[f'mock devices {count}'] = config.update({
        'jax.mock_devices': count, 'jax.policy_devices': [0],
        'jax.train_devices': list(range(count))})
  return configs
