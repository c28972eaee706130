"""A logdir holds one run: its task, environment and demonstrations stay.

A start in the logdir of another would load its agent and mix its scores.
"""

import hashlib
import json
import os
import pathlib

from .. import atomic
from .. import configs
from ..arguments import typed
from ..errors import UserError
from . import checkpoint
from . import saves

NAME = 'demonstrations.json'
LARGE, SAMPLES = 1 << 28, 64  # Bytes, and pieces of 1 MB of what is larger.
SAMPLED = 'sampled:'
FREE = ('traceback',)  # Options of environments that change nothing.


def check(config, demos=None):
  """Return whether there is a run in the logdir, which goes on.

  `demos` is the path of its demonstrations, or None. Nothing is written.
  Raises UserError if it is another run.
  """
  logdir = pathlib.Path(config.logdir).expanduser()
  if not (logdir / 'config.yaml').exists():
    return False
  try:
    old = dict(configs.read(logdir / 'config.yaml').flat)
  except UserError as error:
    raise UserError(f'{error}; give another --logdir') from None
  found = _differences(old, config)
  found += _demonstrations(logdir, old, config, demos)
  if found:
    raise UserError(
        f'--logdir {config.logdir}: has a run of another kind: '
        f'{"; ".join(found)}. Give another --logdir, or the flags of that '
        f'run. To start anew here, move it away: mv {logdir} {logdir}.old')
  return True


def done(config):
  """Return the step from which a start in the logdir goes on, or None.

  As `checkpoint.last_step` does; None where there is no run or no save.
  """
  logdir = pathlib.Path(config.logdir).expanduser()
  if not (logdir / 'config.yaml').exists():
    return None
  return checkpoint.last_step(logdir, config)


def finished(config, step):
  """Return whether the run has nothing left to do at a step of `done`."""
  return step >= _end(config)


def note(config, step):
  """Return a line on what a start in the logdir of a run does.

  `step` is that of `done`.
  """
  if finished(config, step):
    return (
        f'This run is finished: step {step:,}, and --run.steps is '
        f'{config.run.steps:,.0f}. To go on raise that; else see '
        f'`{typed("evaluate", "--logdir", config.logdir)}`')
  text = f'Goes on from step {step:,}: {_end(config) - step:,.0f} are left'
  logdir = pathlib.Path(config.logdir).expanduser()
  seed = configs.read(logdir / 'config.yaml').flat.get('seed')
  if seed != config.seed:
    text += (
        f'. Its agent of --seed {seed} is loaded: --seed {config.seed} starts '
        'no other one; for that give another --logdir')
  return text


def _end(config):
  # In frames, as steps are logged.
  return config.run.steps * checkpoint.repeat(config)


def record(config, demos=None):
  """Write which demonstrations the run learns from into its logdir.

  Those of a run that goes on are known, and `check` has compared them.
  """
  path = pathlib.Path(config.logdir).expanduser() / NAME
  given = config.agent.gail.expert not in ('auto', 'random')
  if demos and given and not path.exists():
    atomic.write_json(
        path, {'file': str(demos), 'sha256': _digest(demos)})


def _digest(demos, known=''):
  # What tells stores by their content: of each its digest, or that of samples
  # of a large one, unless a run of before has `known` the whole.
  paths = getattr(demos, 'paths', (demos,))
  if known and SAMPLED not in known:
    return ' '.join(map(saves.digest, paths))
  return ' '.join(map(_sampled, paths))


def _sampled(path):
  size = os.stat(path).st_size
  if size < LARGE:
    return saves.digest(path)
  found = hashlib.sha256(str(size).encode())
  with open(path, 'rb') as file:
    for start in range(0, size, size // SAMPLES):
      file.seek(start)
      found.update(file.read(1 << 20))
  return SAMPLED + found.hexdigest()


def _differences(old, config):
  new = config.flat
  if old.get('task') != new['task']:
    return [f'task {old.get("task")}, not {new["task"]}']
  prefix = f'env.{new["task"].partition("_")[0]}.'
  # The replay of random play has no latents.
  keys = [
      k for k in new if k.startswith((prefix, 'random_agent')) and k in old
      and k.removeprefix(prefix) not in FREE]
  if f'{prefix}image' in new and f'{prefix}image' not in old:
    # The default was another before there was this option.
    keys.remove(f'{prefix}size')
  plain = lambda x: list(x) if isinstance(x, (list, tuple)) else x
  return [
      f'--{k} {old[k]}, not {new[k]}' for k in keys
      if plain(old[k]) != plain(new[k])]


def _demonstrations(logdir, old, config, demos):
  name = config.agent.gail.expert
  before = old.get('agent.gail.expert', name)
  same = name == before and name in ('auto', 'random')
  if not demos or same or not demos.exists():
    return []
  if (logdir / NAME).exists() and name not in ('auto', 'random'):
    try:
      known = json.loads((logdir / NAME).read_text())
      if known['sha256'] == _digest(demos, known['sha256']):
        return []
      return [f'the demonstrations {known["file"]} of other content than '
              f'{demos} has now']
    except (OSError, ValueError, KeyError, TypeError) as error:
      raise UserError(
          f'{logdir / NAME}: cannot be read ({error}); give another '
          '--logdir') from None
  if name != before:
    return [f'demonstrations {before}, not {name}']
  return []
