"""The device of a run: which platform, and what JAX is told about it."""

import importlib.util
import os
import pathlib
import subprocess
import sys

import elements
import jax

from ..errors import UserError

# Fusions into calls of a kernel library make small models slower: see
# docs/install.md. Older versions of JAX do not know the flag and would abort.
NO_FUSION = '--xla_cpu_experimental_ynn_fusion_type='


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
