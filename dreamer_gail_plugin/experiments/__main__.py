"""Runs of all methods on all tasks of a suite, their table and their figure.

  python -m dreamer_gail_plugin.experiments run minatar --steps 80000
  python -m dreamer_gail_plugin.experiments table minatar
  python -m dreamer_gail_plugin.experiments plot minatar --out FILE.png

The same `run` again goes on where it was stopped. Flags that it does not know
are those of dreamer_gail_plugin.main, or of dreamer_gail_plugin.baselines.
"""

import argparse
import importlib.util
import pathlib
import sys

from ..errors import UserError
from . import suites


def main(argv=None):
  """Do what the command line says; return the exit code."""
  parser = argparse.ArgumentParser(
      prog='python -m dreamer_gail_plugin.experiments', description=__doc__,
      formatter_class=argparse.RawDescriptionHelpFormatter,
      allow_abbrev=False)
  commands = parser.add_subparsers(dest='command', required=True)
  run = _command(commands, 'run', 'train and evaluate what is not done yet')
  run.add_argument('--seeds', type=_natural, default=3, help='how many')
  run.add_argument(
      '--steps', type=_natural, default=100_000,
      help='in the environment, of all methods but the baselines, which have '
      'their own in baselines/settings.yaml')
  run.add_argument(
      '--steps_of', nargs='+', metavar='METHOD=STEPS',
      help='other steps for some methods, as ppo=1e6')
  run.add_argument(
      '--tasks', nargs='+', metavar='TASK', help='all if not given')
  run.add_argument(
      '--methods', nargs='+', metavar='METHOD',
      help=f'of {", ".join(suites.METHODS)}; if not given, '
      f'{", ".join(suites.DEFAULT)}')
  run.add_argument(
      '--jobs', type=_natural, default=1,
      help='runs at a time; more than one are given a core each')
  run.add_argument(
      '--logdirs', type=_path, default=pathlib.Path('runs/benchmark'))
  table = _command(commands, 'table', 'print what the results say', '+')
  plot = _command(commands, 'plot', 'draw learning curves and scores', '+')
  for command in (table, plot):
    command.add_argument(
        '--policy', choices=('sampled', 'greedy'), default='sampled')
  table.add_argument('--markdown', action='store_true')
  plot.add_argument('--out', type=_path, required=True, help='PNG to write')
  args, extra = parser.parse_known_args(argv)
  if extra and args.command != 'run':
    parser.error(f'unrecognized arguments: {" ".join(extra)}')
  if args.results is None:
    folder = pathlib.Path('benchmarks/results') / args.suite
    args.results = folder if args.command == 'run' else [folder]
  if args.suite not in suites.SUITES:
    raise UserError(
        f'{args.suite}: no such suite, there are {", ".join(suites.SUITES)}')
  return {'run': _run, 'table': _table, 'plot': _plot}[args.command](
      args, extra)


def _command(commands, name, text, folders=None):
  parser = commands.add_parser(name, help=text, allow_abbrev=False)
  parser.add_argument('suite', metavar='SUITE', help=', '.join(suites.SUITES))
  parser.add_argument(
      '--results', type=_path, nargs=folders, metavar='FOLDER',
      help='folder of the results, benchmarks/results/SUITE if not given' + (
          '; a method is taken from the first one that has it'
          if folders else ''))
  return parser


def _run(args, extra):
  from . import plans
  from . import runner
  return 1 if runner.run(plans.make(args, extra), args.jobs) else 0


def _table(args, _):
  from . import table
  print('\n'.join(table.lines(_scores(args), args.markdown)))
  return 0


def _plot(args, _):
  if not importlib.util.find_spec('matplotlib'):
    raise UserError(
        'The plot needs matplotlib. Run it by `uv run --extra report`, or '
        'run: pip install matplotlib')
  if args.out.exists() or not args.out.parent.is_dir():
    raise UserError(
        f'--out {args.out}: is there already, or its folder is not; name a '
        f'new file in a folder that is there.')
  from . import plot
  plot.draw(_scores(args), args.out)
  print(f'Written: {args.out}')
  return 0


def _scores(args):
  from . import results
  from . import table
  return table.Scores(
      results.merge(args.results), suites.SUITES[args.suite], args.policy)


def _path(text):
  return pathlib.Path(text).expanduser()


def _natural(text):
  value = float(text)
  if value < 1 or not value.is_integer():
    raise argparse.ArgumentTypeError(f'{text} is not a whole number above 0')
  return int(value)


def cli():
  """Run main() and turn a UserError into one line and exit code 2."""
  try:
    sys.exit(main())
  except UserError as error:
    print(f'error: {error}', file=sys.stderr)
    sys.exit(2)
  except KeyboardInterrupt:
    print('Stopped. The same command goes on with it.', file=sys.stderr)
    sys.exit(130)


if __name__ == '__main__':
  cli()
