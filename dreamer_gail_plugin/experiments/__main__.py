"""Runs of all methods on all tasks of a suite, their tables and figures.

The same `run` again goes on where it was stopped. Flags that it does not know
are those of `dreamer-gail train`, or of `dreamer-gail baselines`.
`table` and `plot` read folders of results and studies by name, which are the
files scores/NAME.jsonl.gz; `pack` writes these.

examples:
  dreamer-gail experiments run minatar --steps 80000 --seeds 1
  dreamer-gail experiments table runs/results/minatar
"""

import functools
import importlib.util
import pathlib
import sys

from .. import arguments
from .. import configs
from .. import errors
from ..baselines import config as baselines
from ..errors import UserError
from . import suites

DAY = 24 * 60  # Minutes.


def main(argv=None):
  """Do what the command line says; return the exit code."""
  parser = arguments.Parser(
      prog='dreamer-gail experiments', description=__doc__)
  commands = parser.add_subparsers(
      dest='command', required=True, metavar='NAME',
      help='one of these, each with --help:')
  _add_run(commands)
  _add_table(commands)
  _add_plot(commands)
  _add_pack(commands)
  args, extra = parser.parse_known_args(argv)
  keys = [*configs.keys(), *baselines.keys()] if args.command == 'run' else ()
  commands.choices[args.command].refuse(extra, keys)
  return {'run': _run, 'table': _table, 'plot': _plot, 'pack': _pack}[
      args.command](args, extra)


def _add_run(commands):
  parser = _command(
      commands, 'run', 'train and evaluate what is not done yet',
      'run minatar --steps 80000 --seeds 1',
      'run paper --scale 1e-5 --seeds 1',
      'run vector --methods gail env ppo',
      'run few --shown 300 --seeds 1',
      'run minatar --cluster slurm --partition gpu --gpus 1')
  parser.add_argument('suite', metavar='SUITE', help=', '.join(suites.SUITES))
  parser.add_argument(
      '--seeds', type=arguments.natural, default=3, help='how many')
  parser.add_argument(
      '--steps', type=arguments.natural,
      help='in the environment, of all methods but the baselines, which have '
      'their own in baselines/settings.yaml (default: 80000, of `paper` the '
      "paper's)")
  parser.add_argument(
      '--scale', type=arguments.positive, default=1.0,
      help='factor of all steps; below 1 it is a rehearsal, with networks of '
      'a few units and evaluations of two games')
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
      '--shown', nargs='+', metavar='STEPS', type=arguments.natural,
      help='of `few`: how many steps are demonstrated (default: 100, 300, '
      '1024 and all, 10240)')
  parser.add_argument(
      '--jobs', '--workers', type=arguments.natural, metavar='N',
      help='runs at a time (default: 1, on a cluster all); more than one on '
      'this machine are given a core each')
  parser.add_argument(
      '--results', type=arguments.out_folder, metavar='FOLDER',
      help='where results go (default: runs/results/SUITE)')
  parser.add_argument(
      '--logdirs', type=arguments.out_folder, metavar='FOLDER',
      help='where runs are',
      default=pathlib.Path('runs/experiments'))
  _add_cluster(parser)


def _add_cluster(parser):
  parser.add_argument(
      '--cluster', choices=('local', 'slurm'), default='local',
      help='local: processes of this machine; slurm: jobs of a cluster, which '
      'go on where they were stopped')
  parser.add_argument(
      '--partition', metavar='NAME', help='of SLURM, for the jobs')
  parser.add_argument(
      '--gpus', type=arguments.natural, metavar='N', help='of a job')
  parser.add_argument(
      '--cpus', type=arguments.natural, metavar='N', help='of a job')
  parser.add_argument(
      '--timeout', type=arguments.minutes, metavar='TIME',
      help='of a job, as 90m or 2d, after which it is queued again (default: '
      '24h)')


def _add_table(commands):
  parser = _reader(
      commands, 'table', 'print what the results say', 'table minatar',
      'table runs/results/minatar --details')
  parser.add_argument(
      '--details', action='store_true',
      help='both policies, steps and hours, and probabilities of improvement')
  parser.add_argument(
      '--against', metavar='METHOD', default='cloning',
      help='what `--details` compares with')


def _add_plot(commands):
  parser = _reader(
      commands, 'plot', 'draw learning curves and scores',
      'plot minatar --out minatar.png',
      'plot minatar runs/results/minatar --out both.png')
  parser.add_argument(
      '--out', type=arguments.out_file, required=True, help='PNG to write')


def _command(commands, name, text, *examples):
  # A subparser takes no description from the module.
  return commands.add_parser(name, help=text, description='\n'.join([
      f'{text[0].upper()}{text[1:]}.', '', 'examples:',
      *(f'  dreamer-gail experiments {x}' for x in examples)]))


def _reader(commands, name, text, *examples):
  parser = _command(commands, name, text, *examples)
  parser.add_argument(
      'places', nargs='+', metavar='STUDY', type=arguments.place,
      help='name of a study or a folder of results; a method is taken from '
      'the first one that has it')
  parser.add_argument(
      '--methods', nargs='+', metavar='METHOD', help='all if not given')
  parser.add_argument(
      '--policy', choices=('sampled', 'greedy'), default='sampled',
      help='whose scores are read')
  return parser


def _add_pack(commands):
  parser = _command(
      commands, 'pack', 'put a folder of results into a study',
      'pack minatar runs/results/minatar',
      'pack few runs/results/few --setting 1024')
  parser.add_argument('study', metavar='NAME', help='of scores/NAME.jsonl.gz')
  parser.add_argument(
      'folder', type=arguments.place, metavar='FOLDER',
      help='of results, as runs/results/minatar')
  parser.add_argument(
      '--setting', default='',
      help='what tells these runs from others of their methods in the study')


def _run(args, extra):
  from . import plans
  from . import runner
  if args.suite not in suites.SUITES:
    raise UserError(
        f'{args.suite}: no such suite. '
        f'{errors.near(args.suite, suites.SUITES)}There are: '
        f'{", ".join(suites.SUITES)}')
  args.results = args.results or pathlib.Path('runs/results') / args.suite
  plan, work = plans.make(args, extra), _work(args)
  try:
    return 1 if runner.run(plan, work) else 0
  except KeyboardInterrupt:
    print({
        'local': 'Stopped. The same command goes on with it.',
        'slurm': 'The jobs go on. The same command shows them again, scancel '
                 'ends them.'}[args.cluster], file=sys.stderr)
    return 130


def _work(args):
  flags = {x: getattr(args, x) for x in (
      'partition', 'gpus', 'cpus', 'timeout')}
  given = [f'--{k}' for k, v in flags.items() if v is not None]
  if args.cluster == 'local':
    if given:
      raise UserError(f'{given[0]}: needs --cluster slurm')
    from . import runner
    return functools.partial(runner.local, args.jobs or 1)
  from . import cluster
  return functools.partial(cluster.work, {
      'partition': args.partition, 'gpus_per_node': args.gpus,
      'cpus_per_task': args.cpus,
      # Since 22.05 srun does not take it from sbatch.
      'srun_args': args.cpus and [f'--cpus-per-task={args.cpus}'],
      'array_parallelism': args.jobs}, args.timeout or DAY)


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
  from ..evaluate import results
  from . import pack
  path = results.STUDIES / f'{args.study}{results.SUFFIX}'
  added, replaced = pack.pack(
      path, results.folder(args.folder), args.setting)
  print(f'{path}: {added} runs added, {replaced} replaced')
  return 0


def _scores(args):
  from ..evaluate import results
  from . import table
  found = results.merge(args.places)
  wrong = set(args.methods or ()) - {x['method'] for x in found}
  if wrong:
    raise UserError(
        f'--methods {min(wrong)}: there is no result of it, but of '
        f'{", ".join(dict.fromkeys(x["method"] for x in found))}.')
  return table.Scores(
      [x for x in found if not args.methods or x['method'] in args.methods],
      args.policy)


if __name__ == '__main__':
  errors.run(main)
