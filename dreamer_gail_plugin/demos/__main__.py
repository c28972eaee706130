"""Make or inspect demonstrations: python -m dreamer_gail_plugin.demos NAME."""

import importlib
import io
import sys

from .. import arguments
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
    'minari': ('importers', 'a Minari dataset'),
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


def module(name):
  """Return the module of a command."""
  # Only the one that runs is imported: each has its own needs.
  path = '.'.join(filter(None, (__package__, COMMANDS[name][0], name)))
  return importlib.import_module(path)


def main(argv=None):
  """Run the command that the first argument names; return the exit code."""
  argv = sys.argv[1:] if argv is None else argv
  prog = 'python -m dreamer_gail_plugin.demos'
  parser = arguments.Parser(
      prog=prog, description=__doc__, epilog='\n'.join(
          f'{k:<15}{v}' for k, (_, v) in COMMANDS.items()))
  parser.add_argument('name', choices=COMMANDS)
  # Text out of strangers' files need not be one that the terminal can show.
  for stream in (sys.stdout, sys.stderr):
    if isinstance(stream, io.TextIOWrapper):  # Not so in a notebook.
      stream.reconfigure(errors='backslashreplace')
  try:
    name = parser.parse_args(argv[:1]).name
    command = module(name)
    parser = arguments.Parser(
        prog=f'{prog} {name}', description=command.__doc__)
    command.add_arguments(parser)
    return command.run(parser.parse_args(argv[1:])) or 0
  except UserError as e:
    print(f'error: {e}', file=sys.stderr)
    return 2


if __name__ == '__main__':
  sys.exit(main())
