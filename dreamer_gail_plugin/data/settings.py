"""Whether demonstrations were made with the settings that their task has.

Shapes may agree where pixels do not, and the discriminator would learn that
difference instead of the behaviour.
"""

import json

import elements

from . import stores

# Options of environments that decide what a step shows and does.
KEYS = (
    'repeat', 'size', 'gray', 'pooling', 'aggregate', 'resize', 'actions',
    'average', 'kwargs')


def differences(demos, options):
  """Return [(key, value in the store, value of the task)] where they differ.

  `demos` is an open store, `options` are those of the task's environment.
  What one of them does not say is not compared.
  """
  made = json.loads(demos.attrs['preprocessing'] or 'null')
  made = made if isinstance(made, dict) else {}
  wanted = json.loads(json.dumps(options))  # Tuples become lists, as in JSON.
  return [
      (key, made[key], wanted[key]) for key in KEYS
      if key in made and key in wanted and not same(made[key], wanted[key])]


def same(made, wanted):
  """Return whether two settings make the same steps."""
  if made == wanted:
    return True
  if isinstance(wanted, str):  # JSON may be written in several ways.
    try:
      return json.loads(made or '{}') == json.loads(wanted or '{}')
    except (ValueError, TypeError, RecursionError):
      return False
  # What `gym` decides by itself is compared key by key (preflight.compare).
  sizes = [made, wanted]
  return any(isinstance(x, list) and x and min(x) < 0 for x in sizes)


def warn(config, path):
  """Print a warning for each setting in which the store at `path` differs."""
  suite = config.task.partition('_')[0]
  with stores.opened(path) as demos:
    found = [
        (part.path, *x) for part in demos.parts
        for x in differences(part, dict(config.env.get(suite, {})))]
  for path, key, made, wanted in found:
    elements.print(
        f'Warning: {path} was made with {key} {made}, the task runs '
        f'with --env.{suite}.{key} {wanted}: D may learn this '
        f'difference instead of the behaviour.', color='red')
