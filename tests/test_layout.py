"""The architecture: which part of the package imports which.

To see the counts, run `uv run pytest -n 0 -s tests/test_layout.py`.
"""

import ast
import functools
import importlib.resources
import pathlib

import pytest

ROOT = pathlib.Path(str(importlib.resources.files('dreamer_gail_plugin')))
PACKAGE = ROOT.name

# What each part may import beside itself and GROUND. A part is a module or a
# package, without the parts inside of it that have a line of their own. Parts
# stand from the ground up: each imports only those above its line.
GROUND = 'errors atomic arguments'
ALLOWED = {
    'errors': '',
    'atomic': '',
    'arguments': '',
    'upstream': '',
    # The package's own __init__ applies the patches and does nothing else.
    '': 'upstream',
    'configs': 'upstream',
    'helptext': 'configs upstream',
    # Environments know neither configs nor agents.
    'envs': '',
    # Stores of demonstrations, recipes (which are played), free memory.
    'data': 'upstream envs',
    'expert': 'data',

    # The method knows nothing of what is built on it or around it. Upstream's
    # agent shows its reports as videos, which know nothing of the package.
    'running.videos': '',
    'dreamer': 'running.videos',
    'rewards': '',
    'discriminator': '',
    'worldmodel': '',
    'pairs': 'worldmodel',
    'agent': 'dreamer rewards discriminator worldmodel pairs expert',

    # Beyond the paper: on the method, never the reverse.
    'variants': 'data expert dreamer discriminator worldmodel pairs agent',

    # Around a run. The names of rewards are values of a flag.
    'running': 'rewards configs',

    # The factories: all parts of a run meet here and nowhere else.
    'build': 'envs data expert running.videos variants running',

    # Programs take the parts of a run from `build`. Nothing imports main.
    'evaluate': (
        'configs envs data running.videos discriminator worldmodel pairs '
        'running build'),
    'demos.flags': '',
    'demos.tasks': 'configs envs',
    'demos.experts': 'envs data demos.flags demos.tasks',
    'demos.play': 'envs data demos.tasks',
    # Films of a game are read by the colours that it is shown in.
    'demos.importers': (
        'configs envs data running.videos demos.flags demos.tasks demos.play'),
    'demos': (
        'data build evaluate demos.flags demos.tasks demos.importers'),
    'baselines': (
        'upstream configs helptext envs data discriminator running build '
        'evaluate'),
    'report': (
        'configs data running.videos running evaluate baselines'),
    'experiments': (
        'configs data variants running build evaluate report baselines'),
    'perf': 'configs data expert running build evaluate',
    'preflight': 'envs data build evaluate',
    'main': 'configs helptext data running build evaluate preflight',
    # It imports the program that runs by its name.
    '__main__': '',
}


@functools.cache
def modules():
  """Return {name: path} of all modules, without the package's own name."""
  found = {}
  for path in sorted(ROOT.rglob('*.py')):
    *folders, name = path.relative_to(ROOT).with_suffix('').parts
    found['.'.join([*folders, name]).removesuffix('__init__').rstrip(
        '.')] = path
  return found


@functools.cache
def imports():
  """Return {module: modules that it imports}, inside of functions, too."""
  found = {}
  for name, path in modules().items():
    tree = ast.parse(path.read_text('utf-8'))
    inside = name if path.name == '__init__.py' else name.rpartition('.')[0]
    found[name] = {
        y for x in ast.walk(tree) for y in targets(x, inside)} - {name}
  return found


def targets(node, inside):
  """Yield the modules that an import statement in a package names."""
  if isinstance(node, ast.Import):
    names = [x.name for x in node.names if x.name.split('.')[0] == PACKAGE]
    names = [x.partition('.')[2] for x in names]
  elif isinstance(node, ast.ImportFrom) and node.level:
    parts = inside.split('.') if inside else []
    base = parts[:len(parts) - node.level + 1] + (
        node.module.split('.') if node.module else [])
    names = ['.'.join([*base, x.name]) for x in node.names]
  else:
    assert not isinstance(node, ast.ImportFrom) or (
        node.module.split('.')[0] != PACKAGE), 'use a relative import'
    names = []
  for name in names:
    # A name that is no module belongs to the one before it.
    yield name if name in modules() else name.rpartition('.')[0]


def part(module):
  """Return the part that a module belongs to, or None."""
  while module and module not in ALLOWED:
    module = module.rpartition('.')[0]
  return module if module in ALLOWED else None


def longest(graph):
  """Return the length of the longest chain in {name: names it imports}.

  Raises AssertionError for a cycle, which it names.
  """
  depths = {}
  def depth(name, path=()):
    assert name not in path, ' -> '.join([*path[path.index(name):], name])
    if name not in depths:
      below = [depth(x, (*path, name)) for x in sorted(graph[name])]
      depths[name] = 1 + max(below, default=0)
    return depths[name]
  return max(depth(name) for name in graph)


def at_top():
  """Return the graph of what stands at the top: modules, whole packages."""
  top = lambda name: name.partition('.')[0]
  found = {top(x): set() for x in modules()}
  for name, others in imports().items():
    found[top(name)] |= {top(x) for x in others} - {top(name)}
  return found


@pytest.mark.parametrize('graph', [imports, at_top])
def test_no_cycle(graph):
  names, chain = graph(), longest(graph())
  arrows = sum(map(len, names.values()))
  what = {imports: 'modules in all', at_top: 'modules or packages at the top'}
  print(
      f'\n{len(names)} {what[graph]}, {arrows} imports between them, longest '
      f'chain {chain}')
  assert 1 < chain < len(names)


@pytest.mark.parametrize('name', ALLOWED)
def test_imports(name):
  allowed = {name, *GROUND.split(), *ALLOWED[name].split()}
  wrong = sorted(
      f'{x} imports {y}' for x, found in imports().items() if part(x) == name
      for y in found if part(y) not in allowed)
  assert not wrong, f'{wrong}: {name} may import {sorted(allowed)}'


@pytest.mark.parametrize('name', ALLOWED)
def test_table_has_no_more_than_there_is(name):
  used = {part(y) for x, found in imports().items() if part(x) == name
          for y in found}
  idle = set(ALLOWED[name].split()) - used
  assert not idle, f'{name} imports none of {sorted(idle)}'


def test_table_is_from_the_ground_up():
  order = list(ALLOWED)
  for name, allowed in ALLOWED.items():
    above = [x for x in allowed.split() if order.index(x) > order.index(name)]
    assert not above, f'{name} stands above {above}'


def test_every_module_belongs_to_a_part():
  packages = {x.rpartition('.')[0] for x in modules()}
  lost = [x for x in modules() if part(x) in (None, '') and x]
  assert not lost, f'{lost}: name their part in ALLOWED'
  assert packages <= set(modules())  # Every folder has an __init__.
