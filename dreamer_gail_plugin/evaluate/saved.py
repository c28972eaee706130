"""A saved run: its config, one of its saves, and the policy in that."""

import functools
import pathlib

import elements

from .. import build
from .. import configs
from ..envs import foreign
from ..errors import UserError
from ..running import checkpoint
from ..running import device
from . import actors


class Run:
  """A run and one of its saves.

  Args:
    logdir: folder of the run, with its config.yaml.
    save: an earlier save than the latest, by its step or name, or the folder
      of another one; see `checkpoint.choose`.
    platform: as `jax.platform`.

  `config` is that of the run, for this machine. Raises UserError if that
  cannot be read.
  """

  def __init__(self, logdir, save=None, platform='auto'):
    self.logdir, self.save = logdir, save
    self.config = device.platform(
        load_config(logdir).update({'jax.platform': platform}))

  @functools.cached_property
  def folder(self):
    """Return the folder of the save; raises UserError if there is none."""
    return checkpoint.choose(self.logdir, self.save, self.config)

  @property
  def step(self):
    """Return the step of the save; see `checkpoint.step`."""
    return checkpoint.step(self.logdir, self.folder, self.config)

  def actor(self, greedy=False):
    """Return an Actor with the saved parameters, or a RandomActor.

    The latter needs no save. Raises UserError if there is none otherwise, or
    if it does not fit the config.
    """
    if self.config.random_agent:
      return actors.RandomActor(build.spaces(self.config)[1])
    params = checkpoint.params(self.folder)
    try:
      return actors.Actor(self.config, params, greedy)
    except UserError as error:
      raise UserError(f'{self.folder}: {error}') from None

  def judge(self):
    """Return the Actor of a run that has a discriminator, with JAX prepared.

    Raises UserError as `actor` does, and if there is no discriminator.
    """
    device.prepare_jax(self.config)
    actor = self.actor()
    if not actor.imitates:
      raise UserError(
          f'--logdir {self.logdir}: this run has no discriminator.')
    return actor


def load_config(logdir):
  """Return the Config that a run was started with.

  Keys that are newer than the run have their defaults, and keys that are gone
  are left out. The device is `auto`, and `logdir` is where the run is now.
  """
  filename = elements.Path(logdir) / 'config.yaml'
  if not filename.exists():
    raise UserError(f'{filename}: not found; is {logdir} a logdir of a run?')
  defaults = configs.load_config([])
  saved = configs.read(filename).flat
  try:
    config = defaults.update(
        {k: v for k, v in saved.items() if k in defaults.flat})
    if 'env.gym.image' not in saved:  # Bytes of two axes or three, then.
      config = config.update({'env.gym.image': 'last'})
  except (KeyError, TypeError, ValueError, OverflowError) as error:
    reason = ' '.join(str(error).split())[:200]
    raise UserError(
        f'{filename}: is not the config of a run: {reason}') from None
  _no_code_of(logdir, config.task)
  return config.update({
      'logdir': str(logdir), 'jax.platform': 'auto',
      'jax.compute_dtype': 'auto'})


def _no_code_of(logdir, task):
  # A stranger's logdir may bring the module that its task names.
  suite, _, name = task.partition('_')
  module = name.rpartition(':')[0]
  path = foreign.source(module) if suite == 'gym' and module else ''
  if path and pathlib.Path(logdir).resolve() in pathlib.Path(
      path).resolve().parents:
    raise UserError(
        f'{logdir}: its task {task} would run {path}, which came with it. '
        'Read that file, then move it out of the logdir')
