"""Upstream's factories, and its environments of suites that ours lack."""

import types

import embodied

from ..errors import UserError

WRAPPERS = tuple(getattr(embodied.wrappers, name) for name in (
    'NormalizeAction', 'UnifyDtypes', 'CheckSpaces', 'ClipAction'))


def main():
  """Return upstream's module of factories, `dreamerv3.main`.

  It is imported on first use: where a user has changed that file for the
  plugin and runs it, it imports the plugin while it is being imported.
  """
  import dreamerv3.main
  return dreamerv3.main


def make(suite, task, seed=0, **kwargs):
  """Return upstream's environment of a task, actions in its own units.

  `kwargs` are the options of upstream's class, and `use_seed`, as in
  upstream's config. Returns None for a suite that upstream does not know.
  Raises UserError for one whose package is missing; the release on PyPI has
  no environments, upstream's git has.
  """
  config = types.SimpleNamespace(
      task=f'{suite}_{task}', seed=seed, env={suite: kwargs}, logdir='')
  try:
    return unwrapped(main().make_env(config, 0))
  except KeyError as error:
    if error.args != (suite,):
      raise
    return None
  except ModuleNotFoundError as error:
    raise UserError(
        f"--task {suite}_{task}: this suite is upstream's and needs the "
        f'Python module {error.name}, which is not installed. The '
        f'environments of upstream are in its git repository, not in its '
        f'release: put a checkout on PYTHONPATH.') from None


def unwrapped(env):
  """Return the environment without the wrappers of upstream's wrap_env."""
  while isinstance(env, WRAPPERS):
    env = env.env
  return env
