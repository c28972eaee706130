"""Trajectories as the library `imitation` saves them."""

import json

import numpy as np
import pytest

from helpers import hostile


def trajectories():
  """Two trajectories of CartPole, with values that count up."""
  found = []
  for index, steps in enumerate((3, 5)):
    obs = np.arange((steps + 1) * 4, dtype=np.float32).reshape(-1, 4) / 8
    found.append(dict(
        obs=obs + index, acts=np.arange(steps) % 2,
        rews=np.arange(steps) + 1.0, terminal=index == 0))
  return found


def save_flat(path, **change):
  """Save as `imitation` did before it used Hugging Face datasets."""
  found = trajectories()
  data = dict(
      obs=np.concatenate([x['obs'] for x in found]),
      acts=np.concatenate([x['acts'] for x in found]),
      rews=np.concatenate([x['rews'] for x in found]),
      terminal=np.array([x['terminal'] for x in found]),
      indices=np.cumsum([len(x['acts']) for x in found[:-1]]),
      infos=np.array([hostile.Bomb()] * 8))
  data.update(change)
  np.savez_compressed(
      path, **{k: v for k, v in data.items() if v is not None})
  return path


def save_folder(path, rows=None, parts=1, **change):
  """Save as Hugging Face's `save_to_disk` does, by pyarrow alone."""
  pyarrow = pytest.importorskip('pyarrow')
  rows = rows or trajectories()
  path.mkdir()
  columns = {
      'obs': [x['obs'].tolist() for x in rows],
      'acts': [x['acts'].tolist() for x in rows],
      'infos': [['{"py/object": "os.system"}'] * len(x['acts'])
                for x in rows],
      'terminal': [x['terminal'] for x in rows],
      'rews': [x['rews'].tolist() for x in rows]}
  columns.update(change)
  columns = {k: v for k, v in columns.items() if v is not None}
  table = pyarrow.table(columns)
  if 'obs' in columns and 'obs' not in change:
    kind = pyarrow.list_(pyarrow.list_(pyarrow.float32()))
    table = table.set_column(
        table.column_names.index('obs'), 'obs', table['obs'].cast(kind))
  names = []
  for part in range(parts):
    names.append(f'data-{part:05}-of-{parts:05}.arrow')
    piece = table.slice(part * len(rows) // parts, len(rows) // parts)
    with pyarrow.OSFile(str(path / names[-1]), 'wb') as file:
      with pyarrow.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(piece)
  (path / 'state.json').write_text(json.dumps(
      {'_data_files': [{'filename': x} for x in names]}))
  return path
