"""Mistakes of the user, which must come out as one clear line."""

import contextlib

import pytest

from dreamer_gail_plugin import errors
from dreamer_gail_plugin.errors import UserError


@contextlib.contextmanager
def refused(*words):
  """Expect one UserError of one line that has all the words."""
  with pytest.raises(UserError) as caught:
    yield
  message = str(caught.value)
  assert '\n' not in message
  assert not [x for x in words if x not in message], message


def exit_code(main, argv):
  """Return the exit code of a program, run as from a command line."""
  with pytest.raises(SystemExit) as caught:
    errors.run(main, argv)
  return caught.value.code
