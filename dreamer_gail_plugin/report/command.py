"""How to repeat runs: commands, versions, seeds.

A run keeps its commands in run.json. For a run without that file the command
is rebuilt from config.yaml, in the fewest words that give the same config. A
test parses them back.
"""

import collections

import elements

from .. import arguments
from .. import configs
from . import evaluations

ASIDE = ('logdir', 'seed')


def describe(runs):
  """Return how to repeat the Runs, a dict for each section of the page.

  Runs in a section share task, method, settings, versions and machine. Their
  `commands` are [(note, text)], as given or as rebuilt.
  """
  sections = collections.defaultdict(list)
  for run in runs:
    text, lost = rebuild(run.flat)
    start = run.starts[-1] if run.starts else {}
    about = _about(start), _machine(start), _about(_evaluation(run))
    sections[run.task, run.method, text, tuple(lost), *about].append(run)
  return [
      dict(
          task=task, method=method, text=text, lost=lost, trained=trained,
          machine=machine, evaluated=evaluated,
          seeds=sorted(x.seed for x in members),
          names=[x.name for x in members],
          commands=list(dict.fromkeys(
              y for x in sorted(members, key=lambda x: x.seed)
              for y in _given(x))),
          exact=all(x.starts for x in members))
      for (task, method, text, lost, trained, machine, evaluated), members
      in sections.items()]


def _given(run):
  # The commands of every start of a run and of the evaluation that counts.
  found = [
      (f'{run.name}, seed {start["seed"]}, '
       f'{"gone on" if number else "started"} {start["time"]}'
       if start['time'] else 'flags, as the study has them', start['command'])
      for number, start in enumerate(run.starts)]
  text = _evaluation(run).get('command')
  if text and isinstance(text, str):
    found.append((f'{run.name}, evaluated', text))
  return found


def _evaluation(run):
  return evaluations.best(run.evals) or {}


def _about(data):
  # Commit and versions as text. Other programs may write other types here.
  versions = data.get('versions')
  pairs = {
      'commit': data.get('commit'),
      **(versions if isinstance(versions, dict) else {})}
  return ', '.join(f'{k} {v}' for k, v in pairs.items() if v)


def _machine(start):
  found = start.get('machine', {})
  cores = '{} core' if found.get('cores') == 1 else '{} cores'
  units = dict(cores=cores, memory_gb='{} GB', device='on {}')
  return ', '.join(units.get(k, '{}').format(v) for k, v in found.items())


def rebuild(flat):
  """Return (command, keys) for a run's flattened config.

  The command leaves out logdir and seed. `keys` are settings that it lacks,
  because this version does not know them or the command line cannot give
  them. The command is '' if the run is not one of this program.
  """
  if 'agent.gail.reward' not in flat:
    return '', []
  blocks = configs.blocks()
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
  return arguments.typed('train', *words), sorted(lost)


def _differences(config, flat):
  return [
      k for k, v in config.flat.items()
      if k in flat and k not in ASIDE and _plain(flat[k]) != _plain(v)]


def _plain(value):
  return tuple(value) if isinstance(value, list) else value


def _text(value):
  if isinstance(value, (list, tuple)):
    # On the command line a list of one looks like a value.
    return ','.join(map(str, value)) if value else None
  text = str(value)
  return None if not text or text.startswith('--') else text
