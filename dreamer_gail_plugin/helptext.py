"""What `--help` of a training says, made of configs.yaml and its comments."""

import re
import textwrap

import elements

from . import configs
from . import upstream

WIDTH = 79
COMMON = (
    'logdir', 'task', 'seed', 'script', 'batch_size', 'batch_length',
    'replay.size', 'run.steps', 'run.envs', 'run.train_ratio',
    'run.log_every', 'run.save_every', 'run.keep_checkpoints',
    'run.from_checkpoint', 'jax.platform', 'jax.compute_dtype',
    'logger.outputs')
HEAD = """\
usage: python -m dreamer_gail_plugin.main [--configs BLOCK...] [--FLAG VALUE]

examples:
  python -m dreamer_gail_plugin.main --configs minatar tiny gail
  python -m dreamer_gail_plugin.main --configs atari small gail \\
      --task atari_alien --agent.gail.expert FILE --logdir ~/logdir/alien
"""


def text(words=()):
  """Return the help; with `all` among the words that of every flag."""
  flat = elements.Config(configs.blocks()['defaults']).flat
  if 'all' in words:
    rows = [f'--{k} {shown(v)}' for k, v in sorted(flat.items())]
    return '\n'.join(['All flags with their defaults:', *rows])
  notes = comments(upstream.resource('configs.yaml').read_text())
  own = [k for k in notes if k.startswith('defaults.agent.')]
  own = [k.removeprefix('defaults.') for k in own]
  return '\n'.join([
      HEAD, *blocks(notes), '', 'flags of the method, their defaults:',
      *[line for k in sorted(own) for line in (
          f'  --{k} {default(flat, k)}',
          sentence(notes[f'defaults.{k}'], '      '))],
      '', 'flags of a run:', *pairs(flat),
      '', '--help all lists every flag; configs.yaml says more of each.'])


def blocks(notes):
  """Return lines on the blocks of configs.yaml, methods first."""
  known = {k: v for k, v in configs.blocks().items() if k != 'defaults'}
  methods = [k for k, v in known.items() if 'agent.gail' in v]
  suites = [k for k, v in known.items() if 'task' in v]
  others = [k for k in known if k not in (*methods, *suites)]
  lines = ['blocks, of which later ones win:']
  lines += [sentence(notes[k], f'  {k:<12}') for k in methods]
  for name, group in (('suites', suites), ('sizes and others', others)):
    lines += textwrap.wrap(
        f'{name}: {" ".join(group)}', WIDTH, initial_indent='  ',
        subsequent_indent='    ')
  return lines


def pairs(flat):
  """Return lines with the flags of COMMON and their defaults."""
  words = [f'--{k} {shown(flat[k])}' for k in COMMON]
  # No break between a flag and its value.
  lines = textwrap.wrap(
      '  '.join(x.replace(' ', '\0') for x in words), WIDTH,
      initial_indent='  ', subsequent_indent='  ',
      break_on_hyphens=False, break_long_words=False)
  return [x.replace('\0', ' ') for x in lines]


def sentence(note, start):
  """Return a line that begins so, with the first sentence of a comment."""
  first = re.split(r'(?<=[a-z0-9)])\. ', note)[0].rstrip('.')
  return start + textwrap.shorten(
      first, WIDTH - len(start), placeholder=' ...')


def default(flat, key):
  """Return the default of a key, or how many keys a group of them has."""
  if key in flat:
    return shown(flat[key])
  count = sum(x.startswith(f'{key}.') for x in flat)
  return f'({count} keys)'


def shown(value):
  """Return a value as it is written on the command line."""
  if isinstance(value, (list, tuple)):
    return ' '.join(map(shown, value))
  if isinstance(value, float):
    return f'{value:g}'
  return str(value) or "''"


def comments(yaml):
  """Return {dotted key: comment} of the keys that have one right above."""
  found, path, lines = {}, [], []
  for line in yaml.splitlines():
    indent, rest = len(line) - len(line.lstrip()), line.strip()
    if rest.startswith('#'):
      lines.append(rest.lstrip('# '))
      continue
    match = re.match(r'([\w.]+):', rest)
    if match:
      path = [x for x in path if x[0] < indent] + [(indent, match[1])]
      if lines:
        found['.'.join(x for _, x in path)] = ' '.join(lines)
    lines = []
  return found
