"""The one exception that means: the user can mend this."""


class UserError(Exception):
  """A mistake in flags, files or data; shown as one line, exit code 2.

  The message names the file or flag, the place in it, what was expected and
  what to do about it.
  """
