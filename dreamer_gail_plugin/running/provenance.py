"""What a run keeps to be repeated: command, versions, seed, commit, machine.
"""

import datetime
import json
import os
import pathlib
import platform
import subprocess
import sys
from importlib import metadata

import psutil

from .. import atomic
from ..arguments import typed
from ..errors import UserError

NAME = 'run.json'
FORMAT = 1
PACKAGES = (
    'dreamer_gail_plugin', 'dreamer', 'jax', 'jaxlib', 'numpy', 'ninjax',
    'elements', 'MinAtar', 'ale-py', 'crafter', 'gymnasium', 'torch',
    'stable-baselines3', 'imitation', 'tianshou')


def record(logdir, program, argv, seed, device):
  """Add this start of a run to LOGDIR/run.json.

  The file holds `format` and a list `starts`: a run that was stopped and goes
  on has several. docs/evaluation.md lists what is in a start.

  Args:
    logdir: folder of the run, which exists.
    program: the words before the flags, as `arguments.typed` takes them.
    argv: the flags as they were given, None for those of this process.
    seed: of the run.
    device: the platform that computes, such as cpu or cuda.

  Raises UserError, and changes nothing, if an earlier file is damaged or the
  new one cannot be written.
  """
  filename = pathlib.Path(logdir).expanduser() / NAME
  now = datetime.datetime.now(datetime.UTC)
  starts = [*load(filename), {
      'time': now.isoformat(timespec='seconds'),
      'command': command(argv, program),
      'argv': list(map(str, arguments(argv))), 'seed': seed,
      'versions': versions(), 'commit': commit(),
      'machine': machine(device)}]
  atomic.write_json(filename, {'format': FORMAT, 'starts': starts})


def save_config(logdir, config):
  """Write LOGDIR/config.yaml, or raise UserError and change nothing."""
  part = pathlib.Path(logdir) / '.config.yaml'  # Upstream needs the ending.
  try:
    config.save(part)
    atomic.sync(part)
    os.replace(part, part.with_name('config.yaml'))
  except OSError as error:
    raise UserError(f'{part}: cannot be written: {error}') from None


def load(filename):
  """Return the starts in a file of `record`, [] if there is no file.

  Raises UserError if the file holds something else.
  """
  try:
    data = json.loads(filename.read_bytes())
    if data['format'] != FORMAT:
      raise ValueError(f'format is {data["format"]}, expected {FORMAT}')
    for start in data['starts']:
      _check(start)
    return data['starts']
  except FileNotFoundError:
    return []
  except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
    reason = f'{type(error).__name__}: {str(error)[:80]}'
    raise UserError(
        f'{filename}: not the list of starts that a run keeps, format '
        f'{FORMAT} ({reason}). Move it away to go on.') from None


def _check(start):
  kinds = dict(
      time=str, command=str, argv=list, seed=int, versions=dict,
      commit=(str, type(None)), machine=dict)
  for key, kind in kinds.items():
    if not isinstance(start[key], kind):
      raise TypeError(f'{key} has type {type(start[key]).__name__}')


def versions(packages=PACKAGES):
  """Return the versions of Python and of those packages that are installed.
  """
  found = {'python': platform.python_version()}
  for name in packages:
    try:
      found[name] = metadata.version(name)
    except metadata.PackageNotFoundError:
      continue
  return found


def commit():
  """Return the commit of this checkout, None outside of git.

  It ends in `+` if tracked files differ from it.
  """
  root = pathlib.Path(__file__).resolve().parents[2]
  if not (root / '.git').exists():
    return None
  git = lambda *args: subprocess.run(
      ['git', '-C', str(root), *args], capture_output=True, text=True,
      check=True).stdout.strip()
  try:
    changed = git('status', '--porcelain', '--untracked-files=no')
    return git('rev-parse', 'HEAD') + ('+' if changed else '')
  except (OSError, subprocess.CalledProcessError):
    return None


def machine(device):
  """Return a dict that describes the machine, without its name or user.

  `cores` counts those that this process may use. `gpu`, the name of the first
  one, is there on CUDA devices only.
  """
  cpuinfo = pathlib.Path('/proc/cpuinfo')
  lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
  models = [x.split(':')[1].strip() for x in lines if 'model name' in x]
  return {
      'system': f'{platform.system()} {platform.machine()}',
      'processor': models[0] if models else platform.processor(),
      'cores': len(os.sched_getaffinity(0)),
      'memory_gb': round(psutil.virtual_memory().total / 1e9),
      'device': device, **gpu(device)}


def gpu(device):
  """Return {'gpu': name of the first GPU} for cuda, {} otherwise."""
  if device != 'cuda':
    return {}
  try:
    names = subprocess.run(
        ['nvidia-smi', '--query-gpu=name', '--format=csv,noheader'],
        capture_output=True, text=True, check=True).stdout.splitlines()
  except (OSError, subprocess.CalledProcessError):
    names = []
  return {'gpu': names[0].strip()} if names else {}


def command(argv, program):
  """Return the command line that runs a program with these flags.

  `argv` and `program` are those of `record`.
  """
  return typed(*program, *arguments(argv))


def arguments(argv):
  """Return the flags `argv`, for None those of this process."""
  return sys.argv[1:] if argv is None else argv
