"""Time a part of the program: python -m dreamer_gail_plugin.perf NAME.

  python -m dreamer_gail_plugin.perf step --configs minatar tiny gail

All flags of `dreamer_gail_plugin.main` choose what is timed. The last line is
the figure; everything is written as JSON, to --out or under benchmarks/speed.
"""

import argparse
import datetime
import importlib
import json
import os
import pathlib
import platform
import sys

from .. import configs
from ..errors import UserError
from ..running import checks
from ..running import device
from ..running import provenance

# Each module has run(config, args), which returns the figure and results.
BENCHMARKS = {
    'step': 'train step with demonstrations against environment reward',
    'compare': 'train step with other flags: --against FLAGS, several times',
    'policy': 'policy step with demonstrations against environment reward',
    'scale': 'train step by batch, length, horizon, demonstrations, devices',
    'stream': 'frames/s of the expert stream, from memory and from disk',
    'env': 'environment steps/s, in one process and in several',
    'roofline': 'operations and bytes of a train step, counted, not timed',
}


def main(argv=None):
  """Run a benchmark, write its JSON, print its figure; return the exit code.
  """
  parser = argparse.ArgumentParser(
      prog='python -m dreamer_gail_plugin.perf', description=__doc__,
      formatter_class=argparse.RawDescriptionHelpFormatter,
      epilog='\n'.join(f'{k:<8}{v}' for k, v in BENCHMARKS.items()))
  parser.add_argument('name', choices=BENCHMARKS)
  parser.add_argument(
      '--repeats', type=int, default=30, help='timed rounds (30)')
  parser.add_argument('--out', type=pathlib.Path, help='JSON file to write')
  parser.add_argument(
      '--against', action='append', metavar='FLAGS', help='see compare')
  args, args.flags = parser.parse_known_args(argv)
  try:
    run(args)
  except UserError as error:
    print(f'error: {error}', file=sys.stderr)
    return 2
  return 0


def run(args):
  """Run one benchmark and write what it found as JSON."""
  if args.repeats < 1:
    raise UserError(f'--repeats {args.repeats}: must be 1 or more.')
  config = configs.load_config(args.flags)
  checks.values(config)
  configs.rows(config)  # Which the workers do; mistakes must end it here.
  config = configs.lengths(device.platform(config))
  now = datetime.datetime.now()
  out = args.out or pathlib.Path(
      'benchmarks', 'speed', f'{args.name}-{now:%Y%m%dT%H%M%S}.json')
  if out.exists():
    raise UserError(f'--out {out}: exists already; choose another name.')
  module = importlib.import_module(f'{__package__}.{args.name}')
  figure, results = module.run(config, args)
  save(out, {
      'figure': figure, 'date': f'{now:%Y-%m-%d %H:%M}',
      'commit': provenance.commit(), 'name': args.name, 'flags': args.flags,
      'repeats': args.repeats, 'machine': machine(), **results})
  print(f'Written: {out}')
  print(figure)


def save(path, data):
  """Write JSON under a temporary name, then rename it."""
  path.parent.mkdir(parents=True, exist_ok=True)
  part = path.with_name(f'.{path.name}.{os.getpid()}.part')
  part.write_text(json.dumps(data, indent=1) + '\n')
  part.replace(path)


def machine():
  """Return what a timing depends on: cores, processor and versions."""
  import jax
  cpu = pathlib.Path('/proc/cpuinfo')
  lines = cpu.read_text().splitlines() if cpu.exists() else []
  model = [x.split(':')[1].strip() for x in lines if 'model name' in x]
  return {
      'cores': len(os.sched_getaffinity(0)),
      'processor': model[0] if model else platform.processor(),
      'python': platform.python_version(), 'jax': jax.__version__}


if __name__ == '__main__':
  # The workers unpickle functions by their module's name.
  from .__main__ import main
  sys.exit(main())
