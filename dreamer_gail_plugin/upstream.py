"""Finds the top-level folders and applies the patches to upstream."""

import importlib.util
import pathlib
import sys

from . import errors

PACKAGE = f'{__package__}.patches'


def apply():
  """Apply the patches that upstream needs; return their names.

  Safe to call again: whatever has been applied is left alone. Raises
  UserError if upstream is not installed.
  """
  if importlib.util.find_spec('embodied') is None:
    raise errors.UserError(
        "The package 'dreamer' (DreamerV3) is not installed. Run the program "
        "with 'uv run', or run: pip install --no-deps dreamer==3.3.0 "
        'MinAtar==1.0.15')
  patches = sys.modules.get(PACKAGE) or load()
  return patches.apply()


def load():
  """Import the folder `patches` as `dreamer_gail_plugin.patches`.

  By hand, since in a checkout the folder is beside this package.
  """
  folder = resource('patches')
  spec = importlib.util.spec_from_file_location(
      PACKAGE, folder / '__init__.py',
      submodule_search_locations=[str(folder)])
  module = importlib.util.module_from_spec(spec)
  sys.modules[PACKAGE] = module
  spec.loader.exec_module(module)
  return module


def resource(name):
  """Return the path of 'configs.yaml', 'patches' or 'expert_data'.

  They stand inside the package in an installed wheel and beside it in a
  checkout. Raises UserError if the name is in neither place.
  """
  package = pathlib.Path(__file__).resolve().parent
  # The wheel first: beside it are the packages of others.
  places = (package / name, package.parent / name)
  found = [place for place in places if place.exists()]
  if not found:
    looked = ' nor '.join(str(place) for place in places)
    raise errors.UserError(
        f'{name!r} is neither at {looked}. Install the plugin again.')
  return found[0]
