"""Episodes in the layout of the Crafter human dataset."""

import crafter
import numpy as np


def episode(steps=6, actions=None, old=True, **change):
  """Arrays as the recorder of 2021 saved them: index 0 is the reset."""
  count = steps + 1
  data = {
      'image': np.zeros((count, 64, 64, 3), np.uint8),
      'action': np.r_[0, actions or np.arange(steps) % 16 + 1],
      'reward': np.r_[0, np.full(steps, 0.1)],
      'done': np.arange(count) == steps,
      'discount': np.r_[0, np.ones(steps - 1), 0],
      'semantic': np.zeros((count, 64, 64), np.uint8),
  }
  data['image'] += np.arange(count, dtype=np.uint8)[:, None, None, None]
  prefix = 'achivement_' if old else 'achievement_'
  for name in crafter.constants.achievements:
    data[prefix + name] = np.zeros(count, int)
  data[f'{prefix}collect_wood'] = np.arange(count)
  data['inventory_wood' if old else 'ainventory_wood'] = np.arange(count)
  data.update(change)
  return {k: v for k, v in data.items() if v is not None}


def save(path, **data):
  path.parent.mkdir(exist_ok=True)
  np.savez_compressed(path, **data)
  return path
