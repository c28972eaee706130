"""The way to upstream's run loops."""

import functools
import inspect
import sys


def module(name):
  """Return the module embodied.run.`name`.

  Not by attribute: the package calls the functions in them the same.
  """
  import embodied.run  # noqa: F401
  return sys.modules[f'embodied.run.{name}']


def modules():
  """Return the modules of all run loops."""
  return [module(x) for x in ('train', 'train_eval', 'eval_only', 'parallel')]


def wrap(name, function, wrapper):
  """Replace a loop by `wrapper(loop, arguments by name)`.

  In its module `name` and, where it has the loop too, in embodied.run.
  """
  import embodied
  loop = getattr(module(name), function)
  signature = inspect.signature(loop)

  @functools.wraps(loop)
  def wrapped(*args, **kwargs):
    return wrapper(loop, signature.bind(*args, **kwargs).arguments)

  setattr(module(name), function, wrapped)
  if hasattr(embodied.run, function):
    setattr(embodied.run, function, wrapped)
