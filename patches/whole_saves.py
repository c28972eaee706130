"""A save of a run can be lost to a kill, a clock or a disk.

Wrong: `elements.Checkpoint` cuts `latest` to nothing before it writes it, so
that a kill in between leaves none. Its clean-up keeps the largest name, which
is a time: where the clock went back, each save is removed as it is made. What
is written may be in memory only when it says "Saved", and what is read is not
checked.
Versions: elements 3.17 to 3.22.
Mended: the loops get a class that writes and reads as `running.saves` has it.
"""

import pathlib
import tempfile

import elements

from . import loops
from . import proxies
from . import safe_loads


class Checkpoint(safe_loads.Checkpoint):
  """A checkpoint whose saves are whole or not there.

  A save that fails for want of space, or another error of the disk, leaves
  the last one as it is and does not end the run: `failed` says why.
  """

  _failed = None
  _damaged = ()

  def save(self, path=None, keys=None):
    """Write a save; to upstream's format of old if a path is given."""
    from dreamer_gail_plugin.running import hosts
    from dreamer_gail_plugin.running import saves
    # Other hosts than the first compute their part of a save and write none.
    self._write = self._write and not hosts.JOINED.index
    if path or not self._write:
      return super().save(path, keys)
    savefns = {
        k: v.save for k, v in self._saveables.items()
        if keys is None or k in keys}
    try:
      name = saves.write(self._directory, savefns, self._step)
      saves.clean(self._directory, self._keep, self._damaged)
      self._failed = None
    except OSError as error:
      self._failed = error
      elements.print(
          f'Warning: not saved: {error}. The last save stays as it is, and '
          'the next one is tried.', color='yellow')
    else:
      print(f'Saved checkpoint: {self._directory / name}')

  def load_or_save(self):
    """Load the newest whole save; make the first one if there is none."""
    from dreamer_gail_plugin.errors import UserError
    from dreamer_gail_plugin.running import hosts
    from dreamer_gail_plugin.running import saves
    found, self._damaged = saves.choose(self._directory)
    if len(set(hosts.gather([bool(found)]).flat)) > 1:
      raise UserError(
          f'{self._directory}: not all hosts see a save there; --logdir must '
          'be a folder that they share.')
    if found:
      self.fits(found)
      self.load(elements.Path(found))
    else:
      self.save()
    self.check()

  def fits(self, folder):
    """Raise UserError if a save lacks what is to be loaded from it."""
    from dreamer_gail_plugin.errors import UserError
    there = {x.stem.partition('-')[0] for x in folder.glob('*.pkl')}
    missing = sorted(self._saveables.keys() - there)
    if missing:
      raise UserError(
          f'{folder}: this save has no {" and no ".join(missing)}. It was '
          f'made by another --script; go on with that, or start with another '
          f'--logdir and --run.from_checkpoint.')

  def check(self):
    """Raise UserError if the last save has failed."""
    from dreamer_gail_plugin.errors import UserError
    if self._failed:
      raise UserError(f'{self._directory}: not saved: {self._failed}')


def needed():
  """Return whether a clean-up removes what `latest` names."""
  with tempfile.TemporaryDirectory() as folder:
    for name in ('1', '2'):
      pathlib.Path(folder, name).mkdir()
    pathlib.Path(folder, 'latest').write_text('1')
    elements.Checkpoint(folder)._cleanup()
    return not pathlib.Path(folder, '1').exists()


def apply():
  """Let the loops see that class."""
  for name in ('train', 'train_eval', 'parallel'):
    module = loops.module(name)
    module.elements = proxies.Proxy(module.elements, Checkpoint=Checkpoint)
