"""Builds the reference of the public names from their docstrings.

  uv run python docs/api.py FOLDER

Warnings are errors: a name that is not found, or an annotation that is wrong.
"""

import pathlib
import sys
import warnings

import pdoc

import dreamer_gail_plugin as package

# What pipelines, importers and variants of others are built on.
MODULES = (
    'agent', 'worldmodel', 'pairs', 'discriminator', 'rewards', 'expert',
    'errors', 'data.store', 'data.record', 'envs.common',
    'evaluate.policy', 'demos.importers.episodes', 'demos.importers.simple',
    'demos.importers.gymnasium_record')


def main(folder):
  """Write the pages to a folder, made if it is not there."""
  # Names that are imported on first use are found once they are there.
  vars(package).update({x: getattr(package, x) for x in package.__all__})
  pdoc.render.configure(docformat='google', show_source=False)
  names = [package.__name__, *(f'{package.__name__}.{x}' for x in MODULES)]
  # Only these, not all that is below the package.
  names += [f'!{package.__name__}\\.(?!({"|".join(MODULES)})($|\\.))']
  with warnings.catch_warnings():
    warnings.simplefilter('error', UserWarning)
    pdoc.pdoc(*names, output_directory=pathlib.Path(folder))


if __name__ == '__main__':
  main(sys.argv[1])
