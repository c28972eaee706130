"""Finds the saved agent that a user points to."""

import elements

from .errors import UserError

# Under a logdir: `train` and `train_eval`, `parallel`, and the same two as
# upstream's newer code names them.
FOLDERS = ('checkpoint.pkl', 'agent.pkl', 'ckpt', 'ckpt/agent')


def find(path):
  """Return the folder (elements.Path) of one complete save of an agent.

  `path` is that folder itself (it holds a file `done`), or a folder of saves
  (it holds a file `latest`), or the logdir of a run. Raises UserError if none
  of them is there.
  """
  path = elements.Path(path)
  for folder in (path, *(path / name for name in FOLDERS)):
    latest = folder / 'latest'
    if latest.exists():
      folder = folder / latest.read().strip()
    if (folder / 'done').exists() and list(folder.glob('agent*.pkl')):
      return folder
  raise UserError(
      f'{path}: no checkpoint of an agent is there. Expected the logdir of a '
      f"run, its folder 'checkpoint.pkl', or one save in that (a folder with "
      f"a file named 'done' and agent.pkl).")
