"""Refuses values of flags that would fail only after the start."""

import importlib.util
import re

import embodied.jax.nets

from .. import rewards
from ..errors import UserError
from . import checkpoint

CHOICES = {
    'agent.gail.reward': ('env', *rewards.REWARDS),
    'agent.gail.negatives': ('imagination', 'replay', 'both'),
    'agent.gail.expert_latent': ('posterior', 'prior'),
    'agent.gail.world': ('replay', 'both'),
    'agent.image_loss': ('mse', 'binary'),
    'agent.image_zero': ('gray', 'black'),
    'agent.gail.actor': ('reinforce', 'dynamics'),
    'jax.platform': ('auto', 'cpu', 'cuda', 'gpu', 'rocm', 'tpu'),
    'jax.compute_dtype': ('auto', 'float32', 'bfloat16', 'float16'),
}
# Names for --logger.outputs and the packages that each needs: module, name.
OUTPUTS = {
    'jsonl': {}, 'scope': {},
    'tensorboard': {
        'tensorflow': 'tensorflow-cpu', 'tensorboard': 'tensorboard'},
    'wandb': {x: x for x in ('wandb', 'moviepy', 'imageio')},
}


def values(config):
  """Raise UserError for values that would fail only after the start."""
  for key, choices in CHOICES.items():
    if config[key] not in choices:
      raise UserError(
          f'--{key} {config[key]}: no such choice. '
          f'There are: {", ".join(choices)}')
  outputs(config.logger.outputs)
  if config.seed < 0:
    raise UserError(f'--seed {config.seed}: must not be negative.')
  if config.run.keep_checkpoints < 0:
    raise UserError(
        f'--run.keep_checkpoints {config.run.keep_checkpoints}: expected how '
        'many saves to keep, or 0 for all of them')
  for key in ('agent.gail.consec', 'consec_train', 'consec_report'):
    if config[key] < 1:
      raise UserError(
          f'--{key} {config[key]}: expected the number of batches that a '
          'sequence goes on for, 1 or more')
  activations(config)
  if config.run.from_checkpoint:
    checkpoint.find(config.run.from_checkpoint)
    pattern(config.run.from_checkpoint_regex)
  elif config.script == 'eval_only':
    raise UserError(
        '--script eval_only: evaluates a saved agent, name the logdir of its '
        'run by --run.from_checkpoint')


def activations(config):
  """Raise UserError for a nonlinearity that upstream does not have."""
  for key, name in config.flat.items():
    if key.endswith('.act'):
      try:
        embodied.jax.nets.act(name)
      except AttributeError:
        raise UserError(
            f'--{key} {name}: no such nonlinearity. Expected none, mish, '
            'relu2 or a name of jax.nn, as silu') from None


def pattern(text):
  """Raise UserError for a text that is not a regular expression."""
  try:
    re.compile(text)
  except re.error as error:
    raise UserError(
        f'--run.from_checkpoint_regex {text}: expected a regular expression '
        f'of the parameters to load, found {error}') from None


def outputs(names):
  """Raise UserError for a logger output that is not there."""
  for name in names:
    if name not in OUTPUTS:
      raise UserError(
          f'--logger.outputs {name}: no such output. '
          f'There are: {", ".join(OUTPUTS)}')
    missing = [
        package for module, package in OUTPUTS[name].items()
        if not importlib.util.find_spec(module)]
    if missing:
      raise UserError(
          f'--logger.outputs {name}: needs {" and ".join(missing)}, not '
          f'installed. Start with `uv run '
          f'{" ".join(f"--with {x}" for x in missing)} python -m ...`, or '
          f'run: pip install {" ".join(missing)}')
