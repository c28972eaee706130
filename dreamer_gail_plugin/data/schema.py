"""Checks that a file is a store: its attributes, groups and datasets.

docs/demonstrations.md has the schema. Any file read here may be malicious.
"""

import json

import h5py
import numpy as np

from ..errors import UserError
from . import hdf5

FORMAT = 'dreamer_gail_plugin/demonstrations'
VERSION = 1
FLAGS = ('is_first', 'is_last', 'is_terminal')
ROOT_ATTRS = ('task', 'source', 'licence', 'preprocessing', 'action_meanings')
LARGEST = 1 << 40  # Bytes of one key of one trajectory.


def check_header(path, attrs):
  """Raise UserError unless the root attributes are those of a store."""
  if attrs.get('format') != FORMAT:
    raise UserError(
        f'{path}: the attribute format is {attrs.get("format")!r}, expected '
        f'{FORMAT!r}; import the data first, see docs/demonstrations.md')
  version = attrs.get('version')
  if not isinstance(version, int) or version < 1:
    raise UserError(f'{path}: the version is {version!r}, expected {VERSION}')
  if version > VERSION:
    raise UserError(
        f'{path}: written in version {version} of the format, this program '
        f'reads up to {VERSION}; update dreamer_gail_plugin')
  missing = [k for k in ROOT_ATTRS if not isinstance(attrs.get(k), str)]
  if missing:
    raise UserError(f'{path}: text attributes missing: {", ".join(missing)}')
  _json(path, attrs, 'preprocessing')
  names = _json(path, attrs, 'action_meanings') or []
  if not isinstance(names, list) or not all(
      isinstance(x, str) for x in names):
    raise UserError(f'{path}: action_meanings is not a list of names')
  _number(path, attrs, 'expert_score')


def check_infos(path, infos):
  """Raise UserError unless the attributes of each trajectory can be used.

  They may be missing. A score must be a number and a source_id text.
  """
  for index, info in enumerate(infos):
    place = f'{path}: trajectory {index}'
    _number(place, info, 'score')
    if not isinstance(info.get('source_id', ''), str):
      raise UserError(
          f'{place}: the attribute source_id is {info["source_id"]!r:.50}, '
          'expected text')


def _json(path, attrs, key):
  try:
    return json.loads(attrs[key] or 'null')
  except (ValueError, RecursionError) as e:
    raise UserError(f'{path}: the attribute {key} is not JSON: {e}') from e


def _number(place, attrs, key):
  value = attrs.get(key, 0)
  if not isinstance(value, (int, float)):
    raise UserError(
        f'{place}: the attribute {key} is {value!r:.50}, expected a number')


def scan(path, file):
  """Return the groups of the trajectories, and the `spec` of their keys.

  Raises UserError for links, object types, datasets that claim more than they
  hold, and trajectories that differ in keys, types or shapes.
  """
  root = hdf5.hard(path, file, 'trajectories', h5py.Group)
  groups, spec = [], None
  for name in sorted(root):
    place = f'trajectories/{name}'
    group = hdf5.hard(path, file, place, h5py.Group)
    sets = {
        k: hdf5.hard(path, file, f'{place}/{k}', h5py.Dataset) for k in group}
    current = {k: (v.dtype, v.shape[1:]) for k, v in sets.items()}
    spec = spec or current
    _check_sets(path, place, sets)
    if current != spec:
      raise UserError(
          f'{path}: {place} has {current}, the first one has {spec}')
    groups.append(group)
  if not groups:
    raise UserError(f'{path}: holds no trajectories, expected at least one')
  return groups, spec


def _check_sets(path, place, sets):
  for key in FLAGS:
    if key not in sets or sets[key].dtype != bool or sets[key].ndim != 1:
      raise UserError(f'{path}: {place}/{key} must be there, as bool (T,)')
  length = len(sets['is_first'])
  for key, value in sets.items():
    hdf5.bounded(path, f'{place}/{key}', value, LARGEST)
    if value.dtype.kind not in 'buif':
      raise UserError(
          f'{path}: {place}/{key} has type {value.dtype}, expected numbers or '
          'bool')
    if not length or not value.ndim or len(value) != length:
      raise UserError(
          f'{path}: {place}/{key} has shape {value.shape}, expected '
          f'{length or "at least 1"} steps as in is_first')


def plain(value):
  """Return an attribute as a plain Python value, where it is one."""
  if isinstance(value, str):  # Bytes that are no UTF-8, as h5py hides them.
    value = value.encode('utf-8', 'surrogateescape')
  if isinstance(value, bytes):
    return value.decode('utf-8', 'replace')
  return value.item() if isinstance(value, np.generic) else value
