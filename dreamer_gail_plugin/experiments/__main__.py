"""Runs of all methods on all tasks of a suite, their tables and figures.

  python -m dreamer_gail_plugin.experiments run minatar --steps 80000
  python -m dreamer_gail_plugin.experiments table runs/results/minatar
  python -m dreamer_gail_plugin.experiments plot minatar --out FILE.png
  python -m dreamer_gail_plugin.experiments pack NAME runs/results/minatar

The same `run` again goes on where it was stopped. Flags that it does not know
are those of dreamer_gail_plugin.main, or of dreamer_gail_plugin.baselines.
`table` and `plot` read folders of results and studies by name, which are the
files scores/NAME.jsonl.gz; `pack` writes these.
"""

import importlib.util
import pathlib
import sys

from .. import arguments
from .. import errors
from ..errors import UserError
from . import suites


def main(argv=None):
  """Do what the command line says; return the exit code."""
  parser = arguments.Parser(
      prog='python -m dreamer_gail_plugin.experiments', description=__doc__)
  commands = parser.add_subparsers(dest='command', required=True)
  _add_run(commands)
  _add_table(commands)
  _add_plot(commands)
  _add_pack(commands)
  args, extra = parser.parse_known_args(argv)
  if extra and args.command != 'run':
    parser.error(f'unrecognized arguments: {" ".join(extra)}')
  return {'run': _run, 'table': _table, 'plot': _plot, 'pack': _pack}[
      args.command](args, extra)


def _add_run(commands):
  parser = commands.add_parser(
      'run', help='train and evaluate what is not done yet')
  parser.add_argument('suite', metavar='SUITE', help=', '.join(suites.SUITES))
  parser.add_argument(
      '--seeds', type=arguments.natural, default=3, help='how many')
  parser.add_argument(
      '--steps', type=arguments.natural, default=80_000,
      help='in the environment, of all methods but the baselines, which have '
      'their own in baselines/settings.yaml')
  parser.add_argument(
      '--steps_of', nargs='+', metavar='METHOD=STEPS',
      help='other steps for some methods, as ppo=1e6')
  parser.add_argument(
      '--tasks', nargs='+', metavar='TASK', help='all if not given')
  parser.add_argument(
      '--methods', nargs='+', metavar='METHOD',
      help=f'of {", ".join(suites.METHODS)}; if not given, '
      f'{", ".join(suites.DEFAULT)}')
  parser.add_argument(
      '--jobs', type=arguments.natural, default=1,
      help='runs at a time; more than one are given a core each')
  parser.add_argument(
      '--results', type=arguments.out_folder, metavar='FOLDER',
      help='where results go, runs/results/SUITE if not given')
  parser.add_argument(
      '--logdirs', type=arguments.out_folder, metavar='FOLDER',
      help='where runs are, runs/experiments if not given',
      default=pathlib.Path('runs/experiments'))


def _add_table(commands):
  parser = _reader(commands, 'table', 'print what the results say')
  parser.add_argument(
      '--details', action='store_true',
      help='both policies, steps and hours, and probabilities of improvement')
  parser.add_argument(
      '--against', metavar='METHOD', default='cloning',
      help='what `--details` compares with: cloning if not given')


def _add_plot(commands):
  parser = _reader(commands, 'plot', 'draw learning curves and scores')
  parser.add_argument(
      '--out', type=arguments.out_file, required=True, help='PNG to write')


def _reader(commands, name, text):
  parser = commands.add_parser(name, help=text)
  parser.add_argument(
      'places', nargs='+', metavar='STUDY_OR_FOLDER', type=arguments.place,
      help='a method is taken from the first one that has it')
  parser.add_argument(
      '--policy', choices=('sampled', 'greedy'), default='sampled')
  return parser


def _add_pack(commands):
  parser = commands.add_parser(
      'pack', help='put a folder of results into a study')
  parser.add_argument('study', metavar='NAME', help='of scores/NAME.jsonl.gz')
  parser.add_argument('folder', type=arguments.place, metavar='FOLDER')
  parser.add_argument(
      '--setting', default='',
      help='what tells these runs from others of their methods in the study')


def _run(args, extra):
  from . import plans
  from . import runner
  if args.suite not in suites.SUITES:
    raise UserError(
        f'{args.suite}: no such suite, there are {", ".join(suites.SUITES)}')
  args.results = args.results or pathlib.Path('runs/results') / args.suite
  plan = plans.make(args, extra)
  try:
    return 1 if runner.run(plan, args.jobs) else 0
  except KeyboardInterrupt:
    print('Stopped. The same command goes on with it.', file=sys.stderr)
    return 130


def _table(args, _):
  from . import table
  scores = _scores(args)
  print('\n'.join(
      table.details(scores, args.against) if args.details
      else table.lines(scores)))
  return 0


def _plot(args, _):
  if not importlib.util.find_spec('matplotlib'):
    raise UserError(
        'The plot needs matplotlib. Run it by `uv run --extra report`, or '
        'run: pip install matplotlib')
  if args.out.exists():
    raise UserError(f'--out {args.out}: is there already; name a new file.')
  from . import plot
  plot.draw(_scores(args), args.out)
  print(f'Written: {args.out}')
  return 0


def _pack(args, _):
  from . import pack
  from . import results
  path = results.STUDIES / f'{args.study}{results.SUFFIX}'
  added, replaced = pack.pack(
      path, results.folder(args.folder), args.setting)
  print(f'{path}: {added} runs added, {replaced} replaced')
  return 0


def _scores(args):
  from . import results
  from . import table
  return table.Scores(results.merge(args.places), args.policy)


if __name__ == '__main__':
  errors.run(main)
