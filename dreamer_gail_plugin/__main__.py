"""Every program of the plugin by one command.

  dreamer-gail NAME ...
  python -m dreamer_gail_plugin NAME ...

`dreamer-gail NAME --help` tells the flags of one.
"""

import importlib
import sys

from . import arguments
from . import errors

# The module of each program, the words before the user's, and what it does.
PROGRAMS = {
    'train': ('main', [], "train an agent, by DreamerV3's flags"),
    'evaluate': ('evaluate.__main__', [], 'play 250 games and make films'),
    'film': ('evaluate.beside', [], 'expert and agent side by side, a GIF'),
    'report': ('report.__main__', [], 'a page with the curves of many runs'),
    'curves': ('evaluate.curves', [], 'their curves, as they train'),
    'scores': ('evaluate.scores', [], 'a table of the scores of runs'),
    'demos': ('demos.__main__', [], 'make, import and check demonstrations'),
    'play': ('demos.__main__', ['play'], 'record yourself in the browser'),
    'experiments': ('experiments.__main__', [], 'many runs and their tables'),
    'baselines': ('baselines.__main__', [], 'PPO, GAIL, AIRL, C51 and others'),
    'disc_reward': ('evaluate.disc_reward', [], 'what D pays for'),
    'disc_rates': ('evaluate.disc_rates', [], 'how far D moves at a rate'),
    'model': ('evaluate.model', [], 'how far the world model foresees'),
    'error_terms': ('evaluate.error_terms', [], 'what the latents lose'),
    'encoders': ('evaluate.encoders', [], 'what a VAE would keep'),
    'perf': ('perf.__main__', [], 'time the train step and the stream'),
}
EXAMPLES = """\
examples:
  dreamer-gail train --configs minatar tiny gail --logdir ~/logdir/breakout
  dreamer-gail evaluate --logdir ~/logdir/breakout
"""


def main(argv=None):
  """Run the program that the first word names; return what it returns.

  Raises UserError where there is no such program.
  """
  name, *rest = (sys.argv[1:] if argv is None else argv) or ['--help']
  if name in ('-h', '--help'):
    print(usage())
    return 0
  if name not in PROGRAMS:
    raise errors.UserError(
        f'{name!r}: expected the name of a program first. '
        f'{errors.near(name, PROGRAMS)}There are: {", ".join(PROGRAMS)}')
  # Only the one that runs is imported: each has its own needs.
  module, words, _ = PROGRAMS[name]
  module = importlib.import_module(f'.{module}', __package__)
  return module.main([*words, *rest])


def usage():
  """Return the help text."""
  rows = [f'  {k:<13}{text}' for k, (_, _, text) in PROGRAMS.items()]
  return '\n'.join([
      'usage: dreamer-gail NAME ...', '', 'programs, each with --help:',
      *rows, '', arguments.as_typed(EXAMPLES).rstrip()])


def cli():
  """Run main() as the console script does."""
  errors.run(main)


if __name__ == '__main__':
  cli()
