"""The one exception that means: the user can mend this."""

import sys


class UserError(Exception):
  """A mistake in flags, files or data; shown as one line, exit code 2.

  The message names the file or flag, the place in it, what was expected and
  what to do about it.
  """


def run(main, argv=None):
  """Run main(argv) as a program and leave with its exit code.

  A UserError becomes one line and exit code 2, Ctrl+C exit code 130. A result
  that is no exit code counts as success.
  """
  try:
    code = main(argv)
  except (UserError, RuntimeError) as error:
    # Upstream's driver wraps what the process of an environment raised.
    inner = error.args[0] if error.args else None
    cause = inner if isinstance(inner, UserError) else error
    if not isinstance(cause, UserError):
      raise
    print(f'error: {cause}', file=sys.stderr)
    sys.exit(2)
  except KeyboardInterrupt:
    print('Stopped.', file=sys.stderr)
    sys.exit(130)
  sys.exit(code if isinstance(code, int) else 0)
