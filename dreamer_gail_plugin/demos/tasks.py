"""The environment of a task by its name, as configs.yaml or flags have it."""

import argparse

from .. import configs
from .. import envs
from ..errors import UserError


def make_env(task, seed, **changes):
  """Return the environment of a task with the options of configs.yaml.

  `changes` are other values of some of these options.
  """
  suite, name = split(task)
  return envs.make(suite, name, **{**options(task), **changes}, seed=seed)


def options(task, flags=()):
  """Return the options of the suite of a task, by configs.yaml and flags.

  Raises UserError for a value that is of another type.
  """
  suites = configs.blocks()['defaults']['env']
  if flags:
    suites = configs.load_config(flags).env
  return dict(suites.get(split(task)[0], {}))


def add_options(parser):
  """Add flags such as --env.atari.average to an argparse parser."""
  for suite, keys in configs.blocks()['defaults']['env'].items():
    for key in keys if isinstance(keys, dict) else ():
      parser.add_argument(
          f'--env.{suite}.{key}', nargs='+', help=argparse.SUPPRESS)


def given(args):
  """Return the flags of `add_options` that were given, a list of text."""
  return [
      y for k, v in vars(args).items() if k.startswith('env.') and v
      for y in (f'--{k}', *v)]


def split(task):
  """Return suite and name of a task such as minatar_breakout."""
  suite, _, name = task.partition('_')
  if not name:
    raise UserError(
        f'--task {task}: expected SUITE_NAME, such as minatar_breakout')
  return suite, name


def of_file(task):
  """Return the task that a file names.

  Raises UserError for one that would import a module by its name, which the
  user has to ask for.
  """
  if ':' in task:
    raise UserError(
        f'{task!r:.100}: a file must not name a module to import; if you '
        'trust it, name the task by --task')
  return task
