"""Finds the saved agent that a user points to."""

import elements

from ..errors import UserError
from . import saves as saveslib

# Where a logdir has its saves: with `train` and `train_eval`, with `parallel`,
# and with the same two in upstream's newer code.
FOLDERS = ('checkpoint.pkl', 'agent.pkl', 'ckpt', 'ckpt/agent')
LOGGERS = ('logger.pkl', 'ckpt/logger')
DAMAGED = 'damaged'


def find(path):
  """Return the folder (elements.Path) of one whole save of an agent.

  `path` is that folder itself (it holds a file `done`), or a folder of saves
  (it holds a file `latest`), or the logdir of a run. Raises UserError if none
  of them is there or whole.
  """
  path = elements.Path(path)
  if _complete(path):
    why = saveslib.problem(path)
    if why:
      raise UserError(f'{path}: this save is damaged: {why}')
    return path
  for folder in (path, *(path / name for name in FOLDERS)):
    found, _ = saveslib.choose(folder)
    if found and _complete(found):
      return elements.Path(found)
  raise UserError(
      f'{path}: no checkpoint of an agent is there. Expected the logdir of a '
      f"run, its folder 'checkpoint.pkl', or one save in that (a folder with "
      f"a file named 'done' and agent.pkl).")


def params(folder):
  """Return the parameters in a save, {name: array}.

  Raises UserError if it has none, or is damaged.
  """
  found = []
  saveslib.load(folder, {'agent': found.append})
  if not found[0]:
    raise UserError(f'{folder}: this save is of random play: no parameters')
  return found[0]['params']


def strict(agent):
  """Make upstream's outer agent refuse parameters that do not fit; return it.

  Loading them raises UserError, where upstream has an assertion.
  """
  load = agent.load

  def checked(data, regex=None):
    if not regex:
      _same(agent.params, data['params'])
    load(data, regex)

  agent.load = checked
  return agent


def _same(params, saved):
  shape = lambda params, key: params[key].shape if key in params else 'absent'
  wrong = [
      f'{k} {shape(saved, k)}, here {shape(params, k)}'
      for k in sorted(params.keys() | saved.keys())
      if shape(params, k) != shape(saved, k)]
  if wrong:
    raise UserError(
        f'The saved agent (of --logdir or --run.from_checkpoint) was made '
        f'with other flags or by another version: {len(wrong)} parameters '
        f'differ, as {"; ".join(wrong[:3])}. Give the flags of its run, which '
        f'are in run.json and config.yaml, or another --logdir.')


def choose(logdir, name, config):
  """Return the folder (elements.Path) of a save of a run, by its name.

  Args:
    logdir: of the run.
    name: a step as `step` counts them, the name of a save in the run, a path
      as `find` takes it, or None for the latest save.
    config: of the run.

  If several saves are at one step, the last one is taken. Raises UserError,
  with a list of the saves, if there is none of that name.
  """
  if name is None:
    return find(logdir)
  name, there = str(name), saves(logdir)
  for folder in reversed(there):
    if name in (folder.name, str(_step(logdir, folder, config))):
      return folder
  if elements.Path(name).exists():
    return find(name)
  listed = ', '.join(
      f'{_step(logdir, x, config)} ({x.name})' for x in there)
  raise UserError(
      f'{name}: {logdir} has no save of this name or step. There are: '
      f'{listed or "none"}. A run keeps as many as its flag '
      f'--run.keep_checkpoints says.')


def saves(logdir):
  """Return the folders of all complete saves of a run, the oldest first."""
  found = [
      folder for name in FOLDERS
      for folder in (elements.Path(logdir) / name).glob('*')
      if _complete(folder)]
  return sorted(found, key=lambda x: x.name)


def repeat(config):
  """Return the frames of a step."""
  suite = config.task.partition('_')[0]
  return config.env.get(suite, {}).get('repeat', 1)


def step(logdir, folder, config):
  """Return the step of the save in `folder`, in frames as scores.jsonl has it.

  `--script parallel` saves the step with the logger instead of the agent. The
  logger's save nearest in time is read then. Raises UserError if no save has
  a step.
  """
  places = [folder]
  when = saveslib.time(folder)
  if when:
    own = [
        x for name in LOGGERS for x in (elements.Path(logdir) / name).glob('*')
        if (x / 'done').exists() and saveslib.time(x)]
    places += sorted(own, key=lambda x: abs(saveslib.time(x) - when))
  for place in places:
    if (place / 'step.pkl').exists():
      found = []
      saveslib.load(place, {'step': found.append})
      return int(found[0]) * repeat(config)
  raise UserError(
      f'{folder}: does not tell at which step it was saved. Expected a file '
      f"'step.pkl' there, as in the saves of a run.")


def last_step(logdir, config):
  """Return `step` of the save that a start in the logdir loads, or None.

  It reads all of that save, to see whether it is whole.
  """
  for name in FOLDERS:
    found, _ = saveslib.newest(elements.Path(logdir) / name)
    if found and _complete(elements.Path(found)):
      told = _step(logdir, elements.Path(found), config)
      return None if told == DAMAGED else told
  return None


def _step(logdir, folder, config):
  try:
    return step(logdir, folder, config)
  except UserError:  # Others beside it may be whole.
    return DAMAGED


def _complete(folder):
  return (folder / 'done').exists() and bool(list(folder.glob('agent*.pkl')))
