"""Puts the top-level folders and configs.yaml under the package in a wheel.

A build hook, since hatchling's `force-include` would copy them for an
editable install too, where they are used from the checkout.
"""

import pathlib

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NAMES = ('configs.yaml', 'expert_data', 'patches')


class Hook(BuildHookInterface):
  """Adds NAMES to a wheel; hatchling finds it by its base class."""

  def initialize(self, version, build_data):
    if version == 'editable':
      return
    for name in NAMES:
      path = pathlib.Path(self.root) / name
      build_data['force_include'][str(path)] = f'dreamer_gail_plugin/{name}'
