"""What `--help` says of flags in a yaml file, made of its comments."""

import re
import textwrap

import elements

from . import arguments
from . import configs
from . import upstream

WIDTH = 79
GAIL = 'agent.gail.'
COMMON = (
    'agent.ac_rate', 'agent.image_loss', 'agent.image_zero', 'batch_length',
    'batch_size', 'jax.compute_dtype', 'jax.platform', 'logdir',
    'logger.outputs', 'random_agent', 'replay.size', 'run.envs',
    'run.from_checkpoint', 'run.keep_checkpoints', 'run.log_every',
    'run.save_every', 'run.steps', 'run.train_ratio', 'script', 'seed', 'task',
    'verbose')
HEAD = """\
usage: dreamer-gail train [--configs BLOCK...] [--FLAG VALUE...]

examples:
  dreamer-gail train --configs minatar tiny gail --logdir ~/logdir/breakout
  dreamer-gail train --configs gym tiny gail --task gym_CartPole-v1 \\
      --agent.gail.expert cartpole.h5
"""


def text(words=()):
  """Return the help; with `all` among the words that of every flag."""
  flat = elements.Config(configs.blocks()['defaults']).flat
  if 'all' in words:
    rows = [f'--{k} {shown(v)}' for k, v in sorted(flat.items())]
    return '\n'.join(['All flags with their defaults:', *rows])
  yaml = comments(upstream.resource('configs.yaml').read_text())
  notes = {
      k.removeprefix('defaults.'): v for k, v in yaml.items()
      if k.startswith('defaults.')}
  own = sorted(k for k in notes if k.startswith(GAIL))
  return '\n'.join([
      arguments.as_typed(HEAD), 'blocks, of which later ones win:',
      *blocks(yaml, list(configs.blocks())[1:]), '',
      f'flags of the method, as in --{GAIL}reward gail:',
      *table(flat, notes, own, GAIL), '', 'flags of a run, as in --seed 1:',
      *table(flat, notes, COMMON), '',
      '--help all lists every flag; configs.yaml says more of each.'])


def blocks(notes, names):
  """Return a line for each block, or for some that share a comment."""
  groups = []
  for name in names:
    if name in notes:
      groups.append([name])
    else:
      groups[-1].append(name)
  rows = [(
      group[0] if len(group) == 1 else f'{group[0]} ... {group[-1]}',
      sentence(notes[group[0]])) for group in groups]
  return columns(rows)


def table(flat, notes, keys, prefix=''):
  """Return a line for each key: its name, default, type and comment."""
  return columns([
      (key.removeprefix(prefix), *default(flat, key), sentence(notes[key]))
      for key in keys])


def columns(rows):
  """Return lines of rows of text, in columns, the last one cut to fit.

  What is longer than most of its column moves the rest of its line.
  """
  widths = [
      min(most, max(map(len, x))) for most, x in zip(
          (20, 12, 5), list(zip(*rows))[:-1])]
  lines = []
  for *cells, last in rows:
    line = '  ' + ''.join(
        x.ljust(width) + '  ' for x, width in zip(cells, widths))
    lines.append(line + textwrap.shorten(
        last, max(10, WIDTH - len(line)), placeholder=' ...'))
  return [x.rstrip() for x in lines]


def sentence(note):
  """Return the first sentence of a comment, without its dot."""
  return re.split(r'(?<=[\w)])\. ', note)[0].rstrip('.')


def default(flat, key):
  """Return default and type of a key; a group of keys has their number."""
  if key not in flat:
    return f'{sum(x.startswith(f"{key}.") for x in flat)} keys', ''
  value = flat[key]
  if isinstance(value, (list, tuple)):
    return shown(value), f'{type(value[0]).__name__}s'
  return shown(value), type(value).__name__


def shown(value):
  """Return a value as it is written on the command line."""
  if isinstance(value, (list, tuple)):
    return ' '.join(map(shown, value))
  if isinstance(value, float):
    return f'{value:g}'
  return str(value) or "''"


def comments(yaml):
  """Return {dotted key: comment} of the keys that have one.

  It is right above, or else behind the value.
  """
  found, path, lines = {}, [], []
  for line in yaml.splitlines():
    indent, rest = len(line) - len(line.lstrip()), line.strip()
    if rest.startswith('#'):
      lines.append(rest.lstrip('# '))
      continue
    match = re.match(r'([\w.]+):(?:.*?  # (.*))?', rest)
    if match:
      path = [x for x in path if x[0] < indent] + [(indent, match[1])]
      note = ' '.join(lines) or match[2]
      if note:
        found['.'.join(x for _, x in path)] = note
    lines = []
  return found
