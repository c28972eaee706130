"""Make or inspect demonstrations.

examples:
  dreamer-gail demos planner --task minatar_breakout --out breakout.h5
  dreamer-gail demos check breakout.h5
"""

import importlib
import importlib.metadata
import sys

from .. import arguments
from .. import errors
from ..errors import UserError

# Each module has add_arguments(parser) and run(args), which may return an
# exit code.
COMMANDS = {
    'atari_head': (
        'importers', 'human players of Atari games, from Atari-HEAD'),
    'crafter_human': ('importers', 'human players of Crafter'),
    'gymnasium': (
        'importers', 'episodes of a Gymnasium environment, an npz each'),
    'imitation': ('importers', 'trajectories of the library `imitation`'),
    'd3rlpy': ('importers', 'an HDF5 file that d3rlpy dumped'),
    'd4rl': ('importers', 'a D4RL dataset (HDF5)'),
    'lerobot': ('importers', 'a LeRobot dataset (parquet and mp4)'),
    'minari': ('importers', 'a Minari dataset'),
    'stable_baselines': (
        'importers', 'the npz of `generate_expert_traj`'),
    'video': ('importers', 'a film or screen recording, without actions'),
    'replay': ('importers', 'what a DreamerV3 agent played, from its logdir'),
    'rollout': ('', 'a trained agent of ours, from its logdir'),
    'planner': ('experts', 'a scripted expert or random play, recorded here'),
    'play': ('', 'a person who plays in the browser, recorded here'),
    'check': ('', 'look for faults in a store that ruin imitation'),
    'show': ('', 'a table, pictures and films of a store'),
    'minari_export': ('', 'the other way: a store becomes a Minari dataset'),
    'expert_scores': (
        'experts', 'no store: scores of a scripted expert and random play'),
}


# Entry points of this group are modules like those above: importers that
# other packages add by being installed.
GROUP = 'dreamer_gail_plugin.demos.importers'


def added():
  """Return {name: entry point} of what other packages add."""
  return {x.name: x for x in importlib.metadata.entry_points(group=GROUP)}


def module(name):
  """Return the module of a command.

  Raises UserError if one of another package cannot be loaded.
  """
  # Only the one that runs is imported: each has its own needs.
  if name in COMMANDS:
    path = '.'.join(filter(None, (__package__, COMMANDS[name][0], name)))
    return importlib.import_module(path)
  entry = added()[name]
  place = f'{name} of the package {_package(entry)}'
  try:
    found = entry.load()
  except Exception as e:  # Whatever their code raises.
    raise UserError(f'{place} cannot be loaded: {e!r:.300}') from e
  lost = [x for x in ('add_arguments', 'run') if not hasattr(found, x)]
  if lost:
    raise UserError(
        f'{place}: {entry.value} has no {lost[0]}, expected a module with '
        'add_arguments(parser) and run(args)')
  return found


def listing():
  """Return a line for each command, those of other packages at the end."""
  lines = {k: v for k, (_, v) in COMMANDS.items()}
  for name, entry in added().items():
    what = f'of the package {_package(entry)}'
    if name in COMMANDS:
      lines[name] += f' (that {what} needs another name)'
    else:
      lines[name] = what
  return '\n'.join(f'{k:<18}{v}' for k, v in lines.items())


def _package(entry):
  return f'{entry.dist.name} {entry.dist.version}' if entry.dist else 'unknown'


def main(argv=None):
  """Run the command that the first argument names; return the exit code.

  Raises UserError for mistakes.
  """
  argv = sys.argv[1:] if argv is None else argv
  prog = 'dreamer-gail demos'
  parser = arguments.Parser(prog=prog, description=__doc__, epilog=listing())
  parser.add_argument(
      'name', metavar='NAME', choices=[*COMMANDS, *added()],
      help='one of those below, each with --help')
  name = parser.parse_args(argv[:1]).name
  command = module(name)
  parser = arguments.Parser(
      prog=f'{prog} {name}', description=command.__doc__)
  command.add_arguments(parser)
  return command.run(parser.parse_args(argv[1:])) or 0


if __name__ == '__main__':
  errors.run(main)
