"""Keeps upstream's own lines from the terminal, and a run from its logs."""

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


class Surviving:
  """A logger's output whose errors of the disk do not end the run."""

  def __init__(self, output):
    self.output = output
    if hasattr(output, 'wait'):
      self.wait = output.wait

  def __call__(self, summaries):
    """Pass the summaries on; say so if those before could not be written."""
    try:
      self.output(summaries)
    except OSError as error:
      elements.print(
          f'Warning: {type(self.output).__name__} has lost metrics: {error}',
          color='yellow')
