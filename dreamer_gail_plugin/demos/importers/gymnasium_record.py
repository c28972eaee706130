"""A wrapper that saves what is played in a Gymnasium environment."""

import copy
import pathlib
import uuid

import gymnasium

from . import gymnasium as files


class RecordEpisodes(gymnasium.Wrapper):
  """Saves every episode as an npz in a folder, to be imported later.

  An episode that is left by `reset` or `close` before its end is saved as
  truncated. The observations are those of the wrapped environment, so wrap
  the bare one: the importer resizes images as the training does. The folder
  is made if it is not there; its files are not replaced.
  """

  def __init__(self, env, folder):
    super().__init__(env)
    self.folder = pathlib.Path(folder)
    self.folder.mkdir(parents=True, exist_ok=True)
    self.run = uuid.uuid4().hex[:8]
    self.count = 0
    self.steps = None

  def reset(self, **kwargs):
    self._save()
    obs, info = self.env.reset(**kwargs)
    self.steps = {
        'observations': [copy.deepcopy(obs)], 'actions': [], 'rewards': [],
        'terminated': [], 'truncated': []}
    return obs, info

  def step(self, action):
    if self.steps is None:
      raise gymnasium.error.ResetNeeded('The episode has ended: call reset.')
    obs, reward, terminated, truncated, info = self.env.step(action)
    # Copies, for some environments write into what they gave before.
    values = copy.deepcopy((obs, action, reward, terminated, truncated))
    for key, value in zip(self.steps, values):
      self.steps[key].append(value)
    if terminated or truncated:
      self._save()
    return obs, reward, terminated, truncated, info

  def close(self):
    self._save()
    super().close()

  def _save(self):
    steps, self.steps = self.steps, None
    if not steps or not steps['actions']:
      return
    steps['truncated'][-1] |= not steps['terminated'][-1]
    name = f'episode_{self.run}_{self.count:05}.npz'
    files.save(self.folder / name, **steps)
    self.count += 1
