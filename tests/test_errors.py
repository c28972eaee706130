"""What programs show: one line of an error, and nothing terminals obey."""

import io
import sys
from contextlib import nullcontext as nothing

import elements
import pytest
import tqdm

from dreamer_gail_plugin import errors

TITLE = '\x1b]0;owned\x07'
STRANGE = f'{TITLE}\x1b[31m\x9b2J\b\x7f\u202e\ud800'
SHOWN = (
    r'\x1b]0;owned\x07\x1b[31m\x9b2J\x08\x7f\u202e\ud800')


class Terminal(io.StringIO):
  """A stream that says to be a terminal."""

  def isatty(self):
    return True


def leave(main):
  """Run a program; return its exit code."""
  with pytest.raises(SystemExit) as caught:
    errors.run(main)
  return caught.value.code


@pytest.mark.parametrize('error, code', [
    (errors.UserError, 2), (errors.RunError, 1)])
def test_an_error_is_one_line(capsys, error, code):
  def main(argv):
    raise error(f'x: a name\nin two lines {STRANGE}')
  assert leave(main) == code
  assert capsys.readouterr().err == (
      fr'error: x: a name\nin two lines {SHOWN}' + '\n')


def test_points_stand_on_lines_of_their_own(capsys):
  def main(argv):
    raise errors.UserError('x: does not fit:\n  - a\n  - b\nerror: none')
  leave(main)
  assert capsys.readouterr().err == (
      'error: x: does not fit:\n  - a\n  - b\\nerror: none\n')


def test_a_line_is_in_the_file_at_once(monkeypatch):
  file, seen = io.BytesIO(), []
  monkeypatch.setattr(
      sys, 'stdout', io.TextIOWrapper(io.BufferedWriter(file)))
  def main(argv):
    print('a line')
    seen.append(file.getvalue())
  assert leave(main) == 0 and seen == [b'a line\n']


def test_what_is_printed(capsys):
  def main(argv):
    print('a\tb', STRANGE)
    elements.print(STRANGE, color='red')
    sys.stderr.write(STRANGE)
    return 3
  before = sys.stdout
  assert leave(main) == 3 and sys.stdout is before
  assert capsys.readouterr() == (f'a\tb {SHOWN}\n{SHOWN}\n', SHOWN)


def test_a_terminal_has_our_colours(monkeypatch):
  stream = Terminal()
  monkeypatch.setattr(sys, 'stdout', stream)
  with errors.terminal():
    elements.print('text' + TITLE, color='green')
    bar = tqdm.tqdm(range(2), file=sys.stdout)
    bar.update()
    bar.close()
  text = stream.getvalue()
  assert text.startswith('\x1b[32mtext' + r'\x1b]0;owned\x07' + '\x1b[0m\n')
  assert '\r' in text


def test_an_old_terminal(monkeypatch):
  stream = io.TextIOWrapper(io.BytesIO(), 'ascii')
  monkeypatch.setattr(sys, 'stdout', stream)
  with errors.terminal():
    print('ü')
  stream.flush()
  assert stream.buffer.getvalue() == b'\\xfc\n'


@pytest.mark.parametrize('name', ['write', 'flush'])
@pytest.mark.parametrize('number, raises', [(28, False), (32, True)])
def test_a_log_on_a_full_disk(monkeypatch, name, number, raises):
  def fail(*args):
    raise OSError(number, 'error')
  stream = io.StringIO()
  monkeypatch.setattr(sys, 'stdout', stream)
  monkeypatch.setattr(stream, name, fail)
  with errors.terminal(), pytest.raises(OSError) if raises else nothing():
    print('text', flush=True)
