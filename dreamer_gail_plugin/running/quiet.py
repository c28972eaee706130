"""Keeps upstream's own lines from the terminal."""

import contextlib
import io
import types

import elements

from ..errors import UserError


@contextlib.contextmanager
def hushed(verbose):
  """Print nothing of what is printed inside, unless `verbose` or it fails."""
  held = io.StringIO()
  with contextlib.ExitStack() as stack:
    if not verbose:
      stack.enter_context(contextlib.redirect_stdout(held))
    try:
      yield
      return
    except UserError:  # Which says all that there is to say.
      raise
    except BaseException:
      stack.close()
      print(held.getvalue(), end='')
      raise


def without_metrics(outputs):
  """Return the outputs of a logger but that which prints all metrics.

  Those that write files no longer say so each time, in this process.
  """
  elements.logger.printing = types.SimpleNamespace(
      print_=lambda *args, **kwargs: None)
  return [
      x for x in outputs if not isinstance(x, elements.logger.TerminalOutput)]
