"""Whether a store fits a task: its spaces, ranges and settings."""

import json

import numpy as np

from ...data import settings
from ...data import store
from ...errors import UserError
from .. import tasks
from .findings import note
from .findings import problem


def find(demos, task, play, options, named):
  """Return findings about spaces and settings that differ from the task's.

  `options` are those of the environment, `named` tells whether the user gave
  them. If not, they are what the file says.
  """
  found = []
  try:
    store.validate(
        demos, play.obs_space, store.told(demos, play.act_space), task)
  except UserError as e:
    found.append(problem(str(e)))
  found += ranges(demos, play) + image(
      demos, task, play, options)
  made = json.loads(demos.attrs['preprocessing'] or 'null')
  if not isinstance(made, dict):
    return found + [note(
        'the file does not say with which settings of the environment it was '
        'made, so they could not be compared')]
  suite = tasks.split(task)[0]
  usual = options if named else tasks.options(task)
  differ = settings.differences(demos, usual)
  # What the environment was made with here, the images are compared with.
  kind = lambda key: note if options.get(key) != usual.get(key) else problem
  return found + [
      kind(key)(
          f'made with {key} {there}, while {suite} has {wanted}: the '
          'discriminator can tell the expert by that. Train with '
          f'--env.{suite}.{key} {text(there)}, or make it again')
      for key, there, wanted in differ]


def image(demos, task, play, options):
  """Return a finding if a run needs the option `image` to fit the store.

  `play` was made with `options`.
  """
  suite, usual = tasks.split(task)[0], tasks.options(task)
  same = options.get('image') == usual.get('image')
  if same or not fits(demos, play, task) or fits(
      demos, tasks.make_env(task, 0, **usual), task):
    return []
  return [note(
      f'made with image {options["image"]}, without which {suite} has other '
      f'arrays: train with --env.{suite}.image {options["image"]}')]


def fits(demos, env, task):
  """Return whether a store has the spaces and ranges of an environment."""
  try:
    store.validate(
        demos, env.obs_space, store.told(demos, env.act_space), task)
  except UserError:
    return False
  return True


def adopted(demos, options):
  """Return options of a task with those that a store says it was made with."""
  options = dict(options)
  made = json.loads(demos.attrs['preprocessing'] or 'null')
  if not isinstance(made, dict):
    return options
  # Arguments of an environment may name files: the user has to give them.
  keys = {*settings.KEYS, 'image'} - {'kwargs'}
  for key in keys & set(options) & set(made):
    if isinstance(made[key], type(options[key])):
      options[key] = made[key]
  return options


def text(value):
  """Return a value as flags have it."""
  return ' '.join(map(str, value)) if isinstance(value, list) else str(value)


def ranges(demos, play):
  """Return findings about actions without bounds, which a run gives them."""
  free = [
      k for k, v in play.act_space.items() if k in demos.keys
      and not v.discrete and not np.isfinite([v.low, v.high]).all()]
  found = []
  for key in free:
    each = [demos.read(i, keys=[key])[key] for i in range(len(demos))]
    low, high = min(x.min() for x in each), max(x.max() for x in each)
    found.append(note(
        f'{key} has no bounds in the task and goes from {low:.4g} to '
        f'{high:.4g} here: a run lets the agent do as much, or what '
        '--env.gym.scale says'))
  return found
