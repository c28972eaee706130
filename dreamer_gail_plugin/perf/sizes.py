"""Prints the parameter counts of all model sizes for a task.

  python -m dreamer_gail_plugin.perf.sizes [--configs atari]

Nothing is allocated: the shapes alone are computed.
"""

import contextlib
import io
import math
import re

import elements
import jax
import ninjax as nj
import numpy as np

from .. import build
from .. import configs
from .. import errors

SIZES = (
    'tiny', 'small', 'medium', 'large', 'xlarge', 'size1m', 'size12m',
    'size25m', 'size50m', 'size100m', 'size200m', 'size400m')


def count(config):
  """Return the numbers of parameters of DreamerV3 and of the discriminator."""
  plain = shapes(config.update({'agent.gail.reward': 'env'}))
  full = shapes(config)
  total = lambda tree, regex: sum(
      math.prod(x.shape) for k, x in tree.items() if re.search(regex, k))
  return total(plain, build.MODEL), total(full, r'^disc/')


def shapes(config):
  """Return {name: shape and dtype} of all that the agent's training keeps."""
  model, data = make_model(config, 1, 2)
  def train(data):
    return model.train(model.init_train(1), data)
  init = lambda data: nj.init(train)({}, data, seed=jax.random.PRNGKey(0))
  with contextlib.redirect_stdout(io.StringIO()):  # Upstream prints counts.
    return jax.eval_shape(init, data)


def make_model(config, batch_size, batch_length):
  """Return the agent's model, with no parameters, and a batch of zeros."""
  model = build.make_model(config)
  batch = (batch_size, batch_length + config.replay_context)
  spaces = {**model.obs_space, **model.act_space, **model.ext_space}
  return model, {
      k: np.zeros((*batch, *v.shape), v.dtype) for k, v in spaces.items()}


def table(argv):
  """Print one line per size for the flags `argv`."""
  parsed, other = elements.Flags(configs=['atari']).parse_known(argv)
  print(f'{"size":<10} {"DreamerV3":>14} {"discriminator":>14}')
  for size in SIZES:
    config = configs.load_config(['--configs', *parsed.configs, size, *other])
    model, disc = count(config)
    print(f'{size:<10} {model:>14,} {disc:>14,}', flush=True)


if __name__ == '__main__':
  errors.run(table)
