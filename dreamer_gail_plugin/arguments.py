"""Command lines of our own programs; what trains has upstream's flags."""

import argparse
import math
import os
import pathlib
import re
import shlex
import shutil
import sys
import tempfile

from . import errors
from .errors import UserError

MOST = 2 ** 32 - 1
NAME = 'dreamer-gail'


class ValueWrong(UserError, argparse.ArgumentTypeError):
  """A flag's value that cannot be; argparse adds the flag."""


class Help(argparse.RawDescriptionHelpFormatter):
  """Shows what is needed first, then by the alphabet, with defaults."""

  def add_usage(self, usage, actions, groups, prefix=None):
    needed = [x for x in actions if x.required or not x.option_strings]
    text = self._format_usage(usage, needed, [], '').strip()
    more = len(needed) < len(actions)
    # As argparse breaks lines, after which no word is added.
    wide = len(f'usage: {text} [flags]'.splitlines()[-1]) > self._width
    flags = ('\n       ' if wide else ' ') + '[flags]'
    super().add_usage(
        text.replace('%', '%%') + flags * more, [], [], prefix)

  def add_arguments(self, actions):
    order = lambda x: (bool(x.option_strings), not x.required, x.dest)
    super().add_arguments(sorted(actions, key=order))

  def _get_help_string(self, action):
    text = action.help or ''
    none = isinstance(action.default, bool) or action.default in (
        None, '', argparse.SUPPRESS)
    if none or not action.option_strings or 'default' in text:
      return text
    return f'{text} (default: %(default)s)'


class Parser(argparse.ArgumentParser):
  """A parser of argparse whose errors are one line, as all of ours are.

  Flags are not to be cut short, so that none changes its meaning when another
  one is added.
  """

  def __init__(self, **kwargs):
    super().__init__(
        allow_abbrev=False,
        formatter_class=Help, **kwargs)

  def parse_args(self, args=None, namespace=None):
    """Return the parsed flags; raises UserError, which names near ones."""
    found, rest = self.parse_known_args(args, namespace)
    self.refuse(rest)
    return found

  def refuse(self, words, keys=()):
    """Raise UserError for words that are left over, which names near flags.

    Flags and values of a config with these keys may be left over; a flag of
    it may be a regular expression.
    """
    known = [*self._option_string_actions, *(f'--{x}' for x in keys)]
    for word in words:
      name = word.partition('=')[0]
      if name.startswith('--' if keys else '-'):
        if not _matches(name, known):
          self.error(f'{name!r}: no such flag. {errors.near(name, known)}')
      elif not keys:
        self.error(f'{word!r}: there is no place for this word')

  def _check_value(self, action, value):
    if action.choices is not None and value not in action.choices:
      raise argparse.ArgumentError(action, (
          f'{_shown(str(value))}: no such choice. '
          f'{errors.near(str(value), action.choices)}There are: '
          f'{", ".join(action.choices)}'))

  def error(self, message):
    """Raise UserError instead of a text with the usage and an exit."""
    if message.startswith('argument '):
      message = message.removeprefix('argument ').replace(': ', ' ', 1)
    message = message.rstrip(' .')
    dot = '' if message.endswith('?') else '.'
    raise UserError(as_typed(f'{message}{dot} See `{self.prog} --help`'))

  def format_help(self):
    """Return the help, with examples as they are typed here."""
    return as_typed(super().format_help())


def typed(*words):
  """Return the command line of a program of ours, as one types it here.

  It starts as this process was started: by `uv run`, by the console script or
  by `python -m`, with a path where the shell would find another one or none.
  `words` name the program, as `dreamer-gail` lists them, and its flags; if
  the first is `-m`, Python runs the module that is the second.
  """
  script, python = sys.argv[0], _found(sys.executable)
  own = os.environ.get('VIRTUAL_ENV') == sys.prefix
  if own and 'UV_RUN_RECURSION_DEPTH' in os.environ:
    start = [
        'uv', 'run', *_project(), 'python' if words[:1] == ('-m',) else NAME]
  elif words[:1] == ('-m',):
    start = [python]
  elif os.path.basename(script) == NAME:
    start = [_found(script)]
  else:
    start = [python, '-m', __package__]
  return shlex.join([*start, *map(str, words)])


def as_typed(text):
  """Return text with its examples, and what to See, as one types them here."""
  return re.sub(
      rf'(?m)(^  |See `){NAME}(?= )', lambda x: x[1] + typed(), text)


def _project():
  # uv looks for its project in the folder it runs in and in those above.
  project, here = pathlib.Path(sys.prefix).parent, pathlib.Path.cwd()
  inside = project == here or project in here.parents
  known = inside or not (project / 'pyproject.toml').exists()
  return [] if known else ['--project', str(project)]


def _found(path):
  # The name alone, where the shell finds this file by it.
  name = os.path.basename(path)
  return name if shutil.which(name) == path else path


def _matches(pattern, names):
  try:
    return any(re.fullmatch(pattern, x) for x in names)
  except re.error:
    return False


def natural(text):
  """Return a whole number above 0, for argparse."""
  return _whole(text, 1)


def count(text):
  """Return a whole number that is not negative, for argparse."""
  return _whole(text, 0)


def positive(text):
  """Return a number above 0, for argparse."""
  try:
    value = float(text)
  except ValueError:
    value = math.nan
  if not 0 < value < math.inf:
    raise ValueWrong(f'{_shown(text)}: expected a number above 0')
  return value


def minutes(text):
  """Return the minutes of a time such as 90m, 24h or 2d, for argparse."""
  found = re.fullmatch(r'(\d{1,6})([mhd])', text)
  value = found and int(found[1]) * {'m': 1, 'h': 60, 'd': 1440}[found[2]]
  if not value or value < 10:
    raise ValueWrong(
        f'{_shown(text)}: expected a time of 10 minutes or more, such as '
        f'90m, 24h or 2d')
  return value


def _whole(text, least):
  try:
    value = float(text)  # Such as 8e4.
  except ValueError:
    value = math.nan
  if not (value >= least and value.is_integer()):
    raise ValueWrong(
        f'{_shown(text)}: expected a whole number, at least {least}')
  if value > MOST:
    raise ValueWrong(f'{_shown(text)}: expected at most {MOST}')
  return int(value)


def out_file(text):
  """Return the path of a file to write, for argparse.

  It may be there; its folder has to be, and to be writable.
  """
  path = place(text)
  if path.is_dir():
    raise ValueWrong(
        f'{_shown(text)}: is a folder; give the name of a file')
  if not path.parent.is_dir():
    raise ValueWrong(
        f'{_shown(text)}: there is no folder {str(path.parent)!r}; make it')
  _writable(text, path.parent)
  return path


def out_folder(text):
  """Return the path of a folder to write into, for argparse.

  It, or the last folder above it that there is, has to be writable.
  """
  path = place(text)
  there = next(x for x in (path, *path.absolute().parents) if x.exists())
  if not there.is_dir():
    raise ValueWrong(f'{_shown(text)}: {str(there)!r} is a file')
  _writable(text, there)
  return path


def place(text):
  """Return the path of a file or folder, whether it is there or not."""
  if not text:
    raise ValueWrong('is empty; give a path')
  try:
    path = pathlib.Path(text).expanduser()
    path.exists()
  except (OSError, RuntimeError) as error:
    why = error.strerror if isinstance(error, OSError) else error
    raise ValueWrong(f'{_shown(text)}: {why}') from None
  return path


def _writable(text, folder):
  # A file without a name is made, as the rights alone do not tell all.
  try:
    tempfile.TemporaryFile(dir=folder).close()
  except OSError as error:
    raise ValueWrong(
        f'{_shown(text)}: {str(folder)!r} cannot be written to: '
        f'{error.strerror}') from None


def _shown(text):
  # As it was typed, unless it would not be seen or would act on the terminal.
  return text if text.isprintable() and text.strip() else repr(text)
