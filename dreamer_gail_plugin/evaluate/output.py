"""Where a program that measures a run writes what it found."""

import pathlib

from .. import arguments
from .. import atomic
from ..errors import UserError
from ..running import provenance


def add_flags(add, name):
  """Add --out and --overwrite, by the method of an argparse parser."""
  add('--out', type=arguments.out_file,
      help=f'JSON; LOGDIR/{name} if not given')
  add('--overwrite', action='store_true', help='replace it if it exists')


def place(args, name):
  """Return the path for the flags; raises UserError where it cannot be."""
  out = pathlib.Path(args.out or f'{args.logdir}/{name}').expanduser()
  if out.is_dir():
    raise UserError(f'--out {out}: is a folder, name a file in it.')
  if out.exists() and not args.overwrite:
    raise UserError(f'{out}: exists; --overwrite replaces it.')
  if args.out and not out.parent.is_dir():
    raise UserError(f'--out {out}: there is no such folder, make it.')
  return out


def write(out, results, argv, program):
  """Write results with the command; return what was written."""
  results = {**results, 'command': provenance.command(argv, program)}
  atomic.write_json(out, results)
  print(f'Wrote {out}')
  return results
