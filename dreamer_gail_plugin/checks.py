"""What is settled before a run starts: flags, the platform and the memory."""

import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys

import elements
import embodied.jax.nets
import jax
import numpy as np
import psutil

from . import checkpoint
from . import rewards
from . import store
from .errors import UserError

# The scripts that keep a replay and read demonstrations.
LEARNING = ('train', 'train_eval', 'parallel', 'parallel_replay')
EVALUATING = LEARNING[1:]  # Those that keep another one, of a tenth the size.
CHOICES = {
    'agent.gail.reward': ('env', *rewards.REWARDS),
    'agent.gail.negatives': ('imagination', 'replay', 'both'),
    'agent.gail.expert_latent': ('posterior', 'prior'),
    'agent.gail.world': ('replay', 'both'),
    'agent.image_loss': ('mse', 'binary'),
    'agent.image_zero': ('gray', 'black'),
    'agent.gail.actor': ('reinforce', 'dynamics'),
    'agent.gail.disc.norm': ('none', 'rms', 'layer'),
    'jax.platform': ('auto', 'cpu', 'cuda', 'gpu', 'rocm', 'tpu'),
    'jax.compute_dtype': ('auto', 'float32', 'bfloat16', 'float16'),
}
# Fusions into calls of a kernel library make small models slower: see
# docs/speed.md. Older versions of JAX do not know the flag and would abort.
NO_FUSION = '--xla_cpu_experimental_ynn_fusion_type='
# Names for --logger.outputs and the packages that each needs: module, name.
OUTPUTS = {
    'jsonl': {}, 'scope': {},
    'tensorboard': {
        'tensorflow': 'tensorflow-cpu', 'tensorboard': 'tensorboard'},
    'wandb': {x: x for x in ('wandb', 'moviepy', 'imageio')},
}
EYES = {
    'size', 'gray', 'pooling', 'aggregate', 'resize', 'repeat', 'actions',
    'average'}


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
          f'--{key} {config[key]}: expected in how many batches a sequence '
          'goes on, 1 or more')
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
  """Raise UserError for what is no regular expression."""
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


def platform(config):
  """Return the config with `jax.platform` and `jax.compute_dtype` settled.

  `auto` picks cuda where JAX can use it, else cpu, with bfloat16 on an
  accelerator and float32 on a CPU, which computes bfloat16 slowly.
  """
  name, dtype = config.jax.platform, config.jax.compute_dtype
  if name == 'auto':
    name = 'cuda' if cuda_works() else 'cpu'
  elif name == 'cuda' and not cuda_installed():
    raise UserError(
        '--jax.platform cuda: JAX is installed without its CUDA plugin. '
        "Run: pip install 'jax[cuda12]', or use --jax.platform cpu")
  if dtype == 'auto':
    dtype = 'float32' if name == 'cpu' else 'bfloat16'
  elements.print(
      f'Device: {name.upper()} ({dtype})'
      f'{" - no GPU that JAX can use was found" if name == "cpu" else ""}',
      color='yellow')
  usage = config.run.usage.nvsmi and name != 'cpu'
  return config.update({
      'jax.platform': name, 'jax.compute_dtype': dtype,
      'run.usage.nvsmi': usage})


def cuda_works():
  """Return whether JAX can use a CUDA device.

  Asked in another process, as JAX must not start before upstream has set its
  flags; without a CUDA plugin installed the answer takes no time.
  """
  if not cuda_installed():
    return False
  code = "import jax; jax.devices('cuda')"
  return not subprocess.run(
      [sys.executable, '-c', code], capture_output=True).returncode


def cuda_installed():
  """Return whether JAX has a plugin for CUDA."""
  plugins = [f'jax_cuda{version}_plugin' for version in (12, 13)]
  return any(importlib.util.find_spec(name) for name in plugins)


def lengths(config):
  """Return the config with `report_length` cut to what the replay holds.

  Upstream takes its reports from the sequences of the training replay and
  fails where those are shorter, as with a small `--batch_length`.
  """
  held = config.consec_train * config.batch_length // config.consec_report
  if config.report_length <= held:
    return config
  print(f'Reports use --report_length {held}, as long as the replay allows')
  return config.update(report_length=held)


def rows(config):
  """Return the config of the streams: half the rows where both feed the model.

  With `agent.gail.world: both` half of a batch's rows are demonstrations, so
  replay and expert have half as many each. The train ratio is halved with
  them, as it counts replayed steps, which leaves the updates as they were.
  """
  gail = config.agent.gail
  if gail.world != 'both' or gail.reward == 'env' or config.random_agent:
    return config
  if config.batch_size % 2:
    raise UserError(
        f'--batch_size {config.batch_size}: must be even, as half of the rows '
        f'are demonstrations (--agent.gail.world both)')
  return config.update({
      'batch_size': config.batch_size // 2,
      'run.train_ratio': config.run.train_ratio / 2})


def prepare_jax(config):
  """Set what upstream leaves to JAX's defaults, before the agent is built.

  On a CPU the partitionable random numbers of newer JAX take several times
  longer to compile than the older ones, and one device needs no partitions.
  Compiled programs are kept on the disk, so that a second start takes seconds.
  """
  if config.jax.platform == 'cpu':
    jax.config.update('jax_threefry_partitionable', False)
    flags = os.environ.get('XLA_FLAGS', '')
    if jax.__version_info__ >= (0, 9) and NO_FUSION not in flags:
      os.environ['XLA_FLAGS'] = f'{flags} {NO_FUSION}'.strip()
  if config.jax.compilation_cache and not jax.config.jax_compilation_cache_dir:
    cache = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
    path = pathlib.Path(cache).expanduser() / 'dreamer_gail_plugin' / 'jax'
    jax.config.update('jax_compilation_cache_dir', str(path))
    # JAX's own bound, one second, leaves out many small programs.
    jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.1)


def same_eyes(config, path):
  """Warn where a store was made with other settings of the environment.

  The shapes may agree where the pixels do not, and the discriminator would
  learn the difference instead of the behaviour.
  """
  suite = config.task.partition('_')[0]
  with store.Store(path) as file:
    made = json.loads(file.attrs['preprocessing'] or '{}')
  wants = config.env.get(suite, {})
  for key in sorted(EYES & made.keys() & wants.keys()):
    if made[key] != json.loads(json.dumps(wants[key])):
      elements.print(
          f'Warning: {path} was made with {key} {made[key]}, the task runs '
          f'with --env.{suite}.{key} {wants[key]}: D may learn this '
          f'difference instead of the behaviour.', color='red')


def memory(config, spaces):
  """Print what the replay will take and raise UserError if it cannot fit."""
  if config.script not in LEARNING:
    return
  least = batch_steps(config)
  if config.replay.size < least:
    raise UserError(
        f'--replay.size {config.replay.size:.1e}: holds less than {least} '
        'steps, one batch, or ten of evaluation, whose replay is a tenth.')
  each = step_bytes(config, spaces)
  steps = min(config.replay.size, config.run.steps)
  need, free = each * steps, free_memory()
  print(
      f'Replay memory: up to {need / 1e9:.1f} GB ({steps:,.0f} steps of '
      f'{each:,} bytes); free now: {free / 1e9:.1f} GB')
  if need > free:
    fits = float(f'{0.8 * free / each:.1e}')
    raise UserError(
        f'--replay.size {config.replay.size:.1e}: needs {need / 1e9:.1f} GB, '
        f'but {free / 1e9:.1f} GB are free. Use --replay.size {fits:.1e} or '
        f'less.')


def batch_steps(config):
  """Return the least steps of a replay that holds the batches of a script."""
  steps = lambda consec, length: config.batch_size * (
      consec * length + config.replay_context)
  least = steps(config.consec_train, config.batch_length)
  if config.script in EVALUATING:
    least = max(
        least, 10 * steps(config.consec_report, config.report_length))
  return least


def step_bytes(config, spaces):
  """Return the bytes that upstream's replay keeps for one step."""
  total = 20  # The step's identifier.
  for space in [*spaces[0].values(), *spaces[1].values()]:
    total += int(np.prod(space.shape)) * np.dtype(space.dtype).itemsize
  if config.replay_context:
    dyn = config.agent.dyn[config.agent.dyn.typ]
    total += 4 * (dyn.deter + dyn.stoch * dyn.classes)
  return total


def free_memory():
  """Return the bytes that this process can still use, container included."""
  free = psutil.virtual_memory().available
  limit = pathlib.Path('/sys/fs/cgroup/memory.max')
  used = pathlib.Path('/sys/fs/cgroup/memory.current')
  if limit.exists() and limit.read_text().strip().isdigit():
    free = min(free, int(limit.read_text()) - int(used.read_text()))
  return free
