"""Writes one page about many runs: figures, film strips, tables, commands.

RUNS are logdirs, folders of logdirs, studies as in scores/ (.jsonl.gz), or
score files of DreamerV3's repository (.json.gz). DIR/index.html opens from the
disk and needs no other file.

examples:
  dreamer-gail report ~/logdir --out report
  dreamer-gail report scores/minatar.jsonl.gz --out report
"""

import importlib.util
import os
import pathlib

import tqdm

from .. import arguments
from .. import errors
from ..errors import UserError
from ..evaluate import results

NEEDS = ('jinja2', 'matplotlib')


def main(argv=None):
  """Write the report of the runs that the flags name.

  Raises UserError for mistakes.
  """
  parser = arguments.Parser(
      prog='dreamer-gail report', description=__doc__)
  parser.add_argument(
      'runs', nargs='+', metavar='RUNS', type=arguments.place,
      help='logdirs, folders of logdirs, studies, score files')
  parser.add_argument(
      '--out', type=arguments.out_folder, required=True, metavar='DIR',
      help='folder for the report; one of an earlier report is written anew')
  args = parser.parse_args(argv)
  report(args.runs, args.out)


def report(paths, out):
  """Write the report of the runs at the paths to `out`; return its page."""
  missing = [x for x in NEEDS if not importlib.util.find_spec(x)]
  if missing:
    raise UserError(
        f'the report needs {" and ".join(missing)}. Run it as `uv run --extra '
        'report python -m dreamer_gail_plugin.report`, or run: pip install '
        f'{" ".join(missing)}')
  from . import page  # Not before, for it imports them.
  out = pathlib.Path(out)
  _check_out(out, page.MARK)
  runs = load(paths)
  if not any(x.usable for x in runs):
    raise UserError('none of the runs has a score to report: ' + ', '.join(
        f'{x.name}: {"; ".join(x.problems)}' for x in runs))
  path = page.build(runs, out)
  _summarise(runs, path)
  return path


def load(paths):
  """Return the Runs at the paths, with the shortest names that differ."""
  from . import runs as runlib
  from . import scorefiles
  from . import studies
  paths = [pathlib.Path(x) for x in paths]
  known = scorefiles.SUFFIX, results.SUFFIX
  for path in paths:
    if not path.exists():
      raise UserError(
          f'{path}: no such file or folder; expected the logdir of a run, a '
          'folder of logdirs, or a score file')
    if path.is_file() and not path.name.endswith(known):
      raise UserError(
          f'{path}: not a folder and not a score file '
          f'(*{", *".join(known)}); name the logdir of the run')
  logdirs = runlib.find([x for x in paths if x.is_dir()])
  top = os.path.commonpath([x.resolve().parent for x in logdirs] or ['/'])
  # None for a log file: nobody waits there.
  bar = tqdm.tqdm(logdirs, 'Reading runs', unit='run', disable=None)
  runs = [
      runlib.load(x, x.resolve().relative_to(top).as_posix()) for x in bar]
  for path in [x for x in paths if x.is_file()]:
    if path.name.endswith(results.SUFFIX):
      runs += studies.load(path, named=len(paths) > 1)
    else:
      runs += scorefiles.load(path)
  return runs


def _check_out(out, mark):
  if not out.parent.is_dir():
    raise UserError(
        f'{out}: the folder {out.parent} does not exist; create it first')
  if out.exists() and not out.is_dir():
    raise UserError(f'{out}: not a folder; name another one with --out')
  page = out / 'index.html'
  ours = page.exists() and mark in page.read_text(errors='replace')
  if out.exists() and any(out.iterdir()) and not ours:
    raise UserError(
        f'{out}: holds files that are not of a report, and nothing is '
        'overwritten; name a new folder with --out')


def _summarise(runs, path):
  for run in runs:
    if run.problems:
      print(f'{run.name} ({run.state}): {"; ".join(run.problems)}')
  used = sum(x.usable for x in runs)
  print(f'{used} of {len(runs)} runs are in the report: {path}')


if __name__ == '__main__':
  errors.run(main)
