"""The saved policy of MGAIL: how it is kept, read and played."""

import pathlib

import jax
import ninjax as nj
import numpy as np

from ... import atomic
from ... import configs
from ...errors import UserError
from ...running.device import platform
from ...running.device import prepare_jax
from .. import actors
from .. import demonstrations
from . import learner

NAME = 'policy.npz'


def device(config):
  """Prepare JAX and return what computes, cpu or cuda."""
  base = platform(
      configs.load_config(['--jax.platform', config.device]).update(
          {'jax.compute_dtype': 'float32'}))
  prepare_jax(base)
  if base.jax.platform == 'cpu':
    jax.config.update('jax_platforms', 'cpu')
  return base.jax.platform


class Saver:
  """Writes the arrays of `policy.state_dict()` when called with a step."""

  def __init__(self, logdir):
    self.path = pathlib.Path(logdir) / NAME
    self.policy = None

  def __call__(self, step):
    """Save the parameters, whole or not at all."""
    with atomic.write(self.path) as part, part.open('wb') as file:
      np.savez(file, step=step, **self.policy.state_dict())


def load(config, args):
  """Return the learner's step and a dict of an Actor for each policy.

  Raises UserError if there is no save or if it does not fit.
  """
  path = pathlib.Path(args.checkpoint or args.logdir).expanduser() / NAME
  device(config)
  model = learner.make(config, *demonstrations.spaces(config))
  try:
    with np.load(path, allow_pickle=False) as file:
      params = dict(file)
    step = int(params.pop('step'))
    result = {
        kind: Actor(config, model, params, greedy=(kind == 'greedy'))
        for kind in args.policy}
    for actor in result.values():
      actor.logits(actor.start(1))
  except FileNotFoundError:
    raise UserError(
        f'{path}: not found; is {args.logdir} the logdir of mgail?') from None
  except (OSError, ValueError, KeyError, RuntimeError, TypeError,
          AssertionError) as error:
    reason = ' '.join(str(error).split())[:200]
    raise UserError(
        f'{path}: is not the saved policy of this run: {reason}') from None
  return step, result


class Actor(actors.Actor):
  """The policy; greedy is its likeliest action."""

  def __init__(self, config, model, params, greedy):
    super().__init__(config)
    self.params, self.greedy = params, greedy
    pure = nj.pure(model.logits)
    self._logits = jax.jit(lambda params, obs: pure(params, obs)[1])
    self._draw = jax.jit(jax.vmap(lambda logits, key, time: (
        jax.random.categorical(jax.random.fold_in(key, time), logits))))

  def logits(self, seen):
    """Return logits (N, A) of observations (N, ...)."""
    return self._logits(self.params, seen)

  def choose(self, seen, keys, times):
    logits = self.logits(seen)
    if self.greedy:
      return np.asarray(logits.argmax(-1))
    return np.asarray(self._draw(logits, keys, times))
