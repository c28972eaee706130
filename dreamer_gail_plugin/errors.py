"""The exceptions that are shown as one line, and what terminals are shown."""

import contextlib
import difflib
import errno
import os
import re
import signal
import sys

# Colours, and how progress bars move the cursor.
OWN = re.compile(r'\x1b\[[0-9;]*[mAK]')
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# What a path may be wrong in, beside not being there: each program says what
# it expected of that.
PLACE = (
    errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.EROFS,
    errno.ENOTDIR, errno.EISDIR, errno.ELOOP, *FULL)


class UserError(Exception):
  """A mistake in flags, files or data; shown as one line, exit code 2.

  The message names the file or flag, the place in it, what was expected and
  what to do about it.
  """

  code = 2


class RunError(Exception):
  """What ends a run from outside; shown as one line, exit code 1."""

  code = 1


SHOWN = (UserError, RunError)


def run(main, argv=None):
  """Run main(argv) as a program and leave with its exit code.

  A UserError becomes one line and exit code 2, as does an OSError of a path,
  Ctrl+C exit code 130, a reader of the output that has gone exit code 141. A
  result that is no exit code counts as success. Each line is written at once,
  to a file and a pipe as well.
  """
  if hasattr(sys.stdout, 'reconfigure'):  # What stands in for it has none.
    sys.stdout.reconfigure(line_buffering=True)
  with terminal():
    try:
      code = main(argv)
    except (*SHOWN, RuntimeError) as error:
      # Upstream's driver wraps what the process of an environment raised.
      inner = error.args[0] if error.args else None
      cause = inner if isinstance(inner, SHOWN) else error
      if not isinstance(cause, SHOWN):
        raise
      code = show(cause)
    except BrokenPipeError:  # As by `| head`, which has seen enough.
      # Or Python would complain when it flushes at its end.
      os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
      code = 128 + signal.SIGPIPE
    except OSError as error:
      if error.errno not in PLACE or error.filename is None:
        raise
      code = show(UserError(f'{error.filename}: {error.strerror}'))
    except KeyboardInterrupt:
      print('Stopped.', file=sys.stderr)
      code = 130
  sys.exit(code if isinstance(code, int) else 0)


def show(error):
  """Print one of SHOWN as a line; return the exit code.

  The points of a list stand on lines of their own, with two spaces before
  them, so that no name of a stranger's can make a line that looks like ours.
  """
  points = [plain(x, '') for x in str(error).split('\n  ')]
  print('error:', '\n  '.join(points), file=sys.stderr, flush=True)
  return error.code


def near(name, choices, prefix=''):
  """Return a question with the choice that is most like a name, and a space.

  It is empty where none is much like it.
  """
  folded = {x.lower(): x for x in choices}
  found = difflib.get_close_matches(name.lower(), folded, 1)
  return f'Did you mean {prefix}{folded[found[0]]}? ' if found else ''


def counted(number, word):
  """Return a number with the word for so many things, `word` for one."""
  return f'{number:,} {word if number == 1 else word + "s"}'


def plain(text, kept='\n\r\t'):
  """Return text with escapes in the place of what a terminal would obey.

  Text in names and files of strangers may hold any character. Those that are
  `kept` stay, and all that can be printed.
  """
  if text.isprintable():
    return text
  return ''.join(
      x if x.isprintable() or x in kept
      else x.encode('unicode_escape').decode() for x in text)


@contextlib.contextmanager
def terminal():
  """Let what is printed pass through `plain`."""
  with contextlib.redirect_stdout(Plain(sys.stdout)), \
      contextlib.redirect_stderr(Plain(sys.stderr)):
    yield


class Plain:
  """A stream that writes plain text, and colours where there is a terminal."""

  def __init__(self, stream):
    self.stream = stream

  def __getattr__(self, name):
    return getattr(self.stream, name)

  def write(self, text):
    own = OWN.findall(text) if self.isatty() else []
    rest = map(plain, OWN.split(text) if own else [text])
    parts = [next(rest), *(x + y for x, y in zip(own, rest))]
    # Not each terminal knows all that can be printed.
    code = getattr(self.stream, 'encoding', None) or 'utf-8'
    self._try(self.stream.write, ''.join(parts).encode(
        code, 'backslashreplace').decode(code))
    return len(text)

  def flush(self):
    self._try(self.stream.flush)

  def _try(self, call, *args):
    try:
      call(*args)
    except OSError as error:  # It may be a file, on a disk that is full.
      if error.errno not in FULL:
        raise
