"""The command that gives a run's settings, rebuilt from its config.yaml.

A run saves its config and not how it was typed. The fewest words that give
the same config are as exact, and a test parses them back.
"""

import functools
import shlex

import elements
import ruamel.yaml as yaml

from .. import upstream

MODULE = 'python -m dreamer_gail_plugin.main'
ASIDE = ('logdir', 'seed')


def rebuild(flat):
  """Return (command, keys) for a run's flattened config.

  The command leaves out logdir and seed. `keys` are settings of the run that
  this version does not know, or cannot be given on the command line; where
  there are any, it is not the whole truth. The command is '' if the run is
  not one of this program.
  """
  if 'agent.gail.reward' not in flat:
    return '', []
  blocks = _blocks()
  config = elements.Config(blocks['defaults'])
  names, better = [], True
  while better:
    costs = {
        k: len(_differences(config.update(v), flat))
        for k, v in blocks.items() if k != 'defaults' and k not in names}
    best = min(costs, key=costs.get)
    # A block must be worth its word.
    better = costs[best] + 1 < len(_differences(config, flat))
    if better:
      names.append(best)
      config = config.update(blocks[best])
  flags, lost = [], [k for k in flat if k not in config.flat]
  for key in _differences(config, flat):
    text = _text(flat[key])
    lost += [key] if text is None else []
    flags += [] if text is None else [f'--{key}', text]
  words = (['--configs', *names] if names else []) + flags
  return ' '.join([MODULE, shlex.join(words)]).strip(), sorted(lost)


@functools.cache
def _blocks():
  return yaml.YAML(typ='safe').load(
      upstream.resource('configs.yaml').read_text())


def _differences(config, flat):
  return [
      k for k, v in config.flat.items()
      if k in flat and k not in ASIDE and _plain(flat[k]) != _plain(v)]


def _plain(value):
  return tuple(value) if isinstance(value, list) else value


def _text(value):
  if isinstance(value, (list, tuple)):
    # One empty or single list cannot be told from a value.
    return ','.join(map(str, value)) if value else None
  text = str(value)
  return None if not text or text.startswith('--') else text
