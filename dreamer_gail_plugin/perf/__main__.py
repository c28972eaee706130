"""Time a part of the program.

All flags of `dreamer-gail train` choose what is timed. The last line is
the figure. `--out` adds all that was found as a line to a file of gzipped JSON
lines, such as scores/speed.jsonl.gz: the figure, date, commit, flags, machine
and results of a measurement.

examples:
  dreamer-gail perf step --configs minatar tiny gail --repeats 10
  dreamer-gail perf gpu --out gpu.jsonl.gz
  dreamer-gail perf stream --configs minatar tiny gail --out speed.jsonl.gz
"""

import datetime
import gzip
import importlib
import json
import os
import pathlib
import platform
import zlib

from .. import arguments
from .. import atomic
from .. import configs
from .. import errors
from ..errors import UserError
from ..running import checks
from ..running import device
from ..running import provenance

# Each module has run(config, args), which returns the figure and results.
PROGRAMS = {
    'step': 'train step, beside that of plain DreamerV3 and others',
    'gpu': 'step, memory, world model and training on a GPU, five minutes '
           'of learning and what compiling takes',
    'stream': 'frames/s of the expert stream, from memory and from disk',
    'loops': 'environment steps/s of the scripts train and parallel',
    'scale': 'operations, bytes and memory of a step on 1 to 8 devices',
}


def main(argv=None):
  """Time something and print its figure; raises UserError for mistakes."""
  parser = arguments.Parser(
      prog='dreamer-gail perf', description=__doc__)
  parser.add_argument(
      'name', choices=PROGRAMS, metavar='NAME', help='; '.join(
          f'{k}: {v}' for k, v in PROGRAMS.items()))
  parser.add_argument(
      '--repeats', type=arguments.natural, default=30,
      help='timed rounds; of `loops` lines of the log, one in 10 s')
  parser.add_argument(
      '--out', type=arguments.out_file, help='file to add a line to')
  parser.add_argument(
      '--against', action='append', metavar='FLAGS',
      help='of `step`: blocks and flags on top, which may follow variables '
      'as NAME=VALUE; several times')
  parser.add_argument(
      '--scale', type=arguments.positive, default=1.0,
      help='of `gpu`: share of the time; below 1 with tiny networks')
  args, args.flags = parser.parse_known_args(argv)
  parser.refuse(args.flags, configs.keys())
  run(args)


def run(args):
  """Time what the arguments say."""
  before = lines(args.out) if args.out else ''
  config = configs.load_config(args.flags)
  checks.values(config)
  config = configs.lengths(device.platform(config))
  now = datetime.datetime.now()
  module = importlib.import_module(f'{__package__}.{args.name}')
  figure, results = module.run(config, args)
  if args.out:
    save(args.out, before + json.dumps({
        'figure': figure, 'date': f'{now:%Y-%m-%d}',
        'commit': provenance.commit(), 'name': args.name,
        'flags': args.flags, 'repeats': args.repeats, 'machine': machine(),
        **results}) + '\n')
    print(f'Written: {args.out}')
  print(figure)


def lines(path):
  """Return the text of a file of gzipped lines, '' if it is not there.

  Raises UserError if it is something else.
  """
  if not path.exists():
    return ''
  try:
    return gzip.decompress(path.read_bytes()).decode()
  except (OSError, EOFError, ValueError, zlib.error) as error:
    raise UserError(
        f'--out {path}: is there and no file of gzipped lines '
        f'({type(error).__name__}); choose another name.') from None


def save(path, text):
  """Write a file of gzipped lines, whole or not at all."""
  path.parent.mkdir(parents=True, exist_ok=True)
  with atomic.write(path) as part:
    part.write_bytes(gzip.compress(text.encode(), mtime=0))


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
  errors.run(main)
