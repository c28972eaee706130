"""Records of CartPole in which episodes stand end to end, in two forms."""

import h5py
import numpy as np


def steps(ends=(2, 4), total=7):
  """Return arrays of some steps, those with numbers `ends` terminal."""
  found = {
      'observations': np.arange(total * 4, dtype=np.float32).reshape(-1, 4),
      'actions': np.arange(total) % 2, 'rewards': np.arange(total) + 1.0,
      'terminals': np.isin(np.arange(total), ends)}
  return {k: v / 64 if k == 'observations' else v for k, v in found.items()}


def save_npz(path, **change):
  """Save as `generate_expert_traj` does; None leaves a key out."""
  data = steps()
  arrays = {
      'obs': data['observations'], 'actions': data['actions'][:, None],
      'rewards': data['rewards'], 'episode_returns': np.zeros(3),
      'episode_starts': np.append(True, data['terminals'][:-1]), **change}
  np.savez(path, **{k: v for k, v in arrays.items() if v is not None})
  return path


def save_hdf5(path, **change):
  """Save as D4RL does, and MDPDataset of d3rlpy 1."""
  with h5py.File(path, 'w') as file:
    for key, value in {**steps(), **change}.items():
      if value is not None:
        file.create_dataset(key, data=value)
  return path


def save_buffer(path, **change):
  """Save an episode as ReplayBuffer of d3rlpy 2 does."""
  data = steps(total=5)
  arrays = {
      'num_episodes': 1, 'observations_0': data['observations'],
      'actions_0': data['actions'][:, None],
      'rewards_0': data['rewards'][:, None], 'terminated_0': True, **change}
  with h5py.File(path, 'w') as file:
    for key, value in arrays.items():
      if value is not None:
        file.create_dataset(key, data=value)
  return path
