"""The environment of a task by its name alone, as configs.yaml sets it up."""

from .. import configs
from .. import envs
from ..errors import UserError


def make_env(task, seed):
  """Return the environment of a task with the options of configs.yaml."""
  suite, name = split(task)
  return envs.make(suite, name, **options(task), seed=seed)


def options(task):
  """Return the options that configs.yaml gives the suite of a task."""
  suites = configs.blocks()['defaults']['env']
  return dict(suites.get(split(task)[0], {}))


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
