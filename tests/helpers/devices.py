"""Updates of one agent on one device and on several, in a process of its own.

  python -m helpers.devices 1,8 gail anchor

prints how far the parameters and metrics of each count of devices are from
those of the first one. The devices are parts of one CPU, which JAX has to be
told before it starts.
"""

import json
import os
import sys

import numpy as np

os.environ['XLA_FLAGS'] = '--xla_force_host_platform_device_count=8'

from dreamer_gail_plugin import configs  # noqa: E402
from helpers import agents  # noqa: E402

UPDATES = 2
FLAGS = {
    **agents.FLAGS, 'batch_size': 8, 'batch_length': 3,
    'agent.imag_length': 2}
METHOD = [k for k in FLAGS if k.startswith(('agent.gail', 'agent.image'))]


def main(counts, *blocks):
  """Print {count: {params, metrics}}, the largest distances, as JSON."""
  counts = list(map(int, counts.split(',')))
  alone, found = update(blocks, counts[0]), {}
  for count in counts[1:]:
    other = update(blocks, count, alone)
    found[count] = {
        'params': max(
            distance(other['after'][k], v, v - alone['before'][k])
            for k, v in alone['after'].items()),
        'metrics': max(
            distance(other['metrics'][k], v, v)
            for k, v in alone['metrics'].items())}
  print(json.dumps(found))


def update(blocks, count, alone=None):
  """Return parameters before and after UPDATES, and the first metrics."""
  config = configs.load_config(['--configs', 'minatar', *blocks, 'debug'])
  config = config.update({k: v for k, v in FLAGS.items() if k not in METHOD})
  agent = agents.outer(
      config.update({'jax.train_devices': list(range(count))}))
  agent.initial = alone['before'] if alone else agents.params(agent)
  after, metrics = agents.train(
      agent, [agents.batch(agent, x) for x in range(UPDATES)])
  return {'before': agent.initial, 'after': after, 'metrics': metrics[0]}


def distance(left, right, size):
  """Return the largest distance, in units of the largest of `size`."""
  left, right = np.float64(left), np.float64(right)
  return float(np.abs(left - right).max() / max(np.abs(size).max(), 1e-3))


if __name__ == '__main__':
  main(*sys.argv[1:])
