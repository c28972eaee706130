"""The one exception that means: the user can mend this."""

import sys


class UserError(Exception):
  """A mistake in flags, files or data; shown as one line, exit code 2.

  The message names the file or flag, the place in it, what was expected and
  what to do about it.
  """


def run(main, argv=None):
  """Run main(argv) as a program and leave with its exit code.

  A UserError becomes one line and exit code 2. A result that is no exit code
  counts as success.
  """
  try:
    code = main(argv)
  except UserError as error:
    print(f'error: {error}', file=sys.stderr)
    sys.exit(2)
  sys.exit(code if isinstance(code, int) else 0)
