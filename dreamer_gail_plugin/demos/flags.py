"""Flags that several commands share, and checks of their values."""

import pathlib

from .. import arguments
from ..errors import UserError


def add_output(add, required=True):
  """Add the flags of the output, given an argparse parser's add_argument."""
  add('--out', required=required, type=arguments.out_file,
      help='the .h5 file to write')
  add('--overwrite', action='store_true', help='replace it if it exists')


def output(args):
  """Return the path of the output, before any work is done for it.

  Raises UserError if it is missing, or exists and may not be replaced.
  """
  if not args.out:
    raise UserError('--out is missing: name the .h5 file to write')
  if args.out.exists() and not args.overwrite:
    raise UserError(
        f'--out {args.out}: exists; choose another name or add --overwrite')
  return args.out


def size(args, least):
  """Raise UserError if --size was given numbers below `least`."""
  if args.size and min(args.size) < least:
    raise UserError(
        f'--size {" ".join(map(str, args.size))}: expected height and width, '
        f'at least {least}')


def source(args, wanted):
  """Return the path of the source; raises UserError if it is not there."""
  path = pathlib.Path(args.source)
  if not path.exists():
    raise UserError(
        f'--source {path}: no such file or folder; give {wanted}')
  return path


def listing(folder):
  """Return the first names in a folder or zip, for an error message."""
  names = sorted(x.name for x in folder.iterdir())
  more = f' and {len(names) - 5} more' if len(names) > 5 else ''
  return (', '.join(names[:5]) + more) or 'nothing'
