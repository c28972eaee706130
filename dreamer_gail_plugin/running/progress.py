"""The line at the terminal that says how far a run is."""

import collections
import time

import elements
import psutil

from . import warn

WINDOW = 5  # Lines over which the speed is averaged.
ACCURACY = {'acc_expert': 'expert', 'acc_imag': 'imagined'}


class Progress:
  """A logger output that prints a line of progress, and warnings.

  `total` is the step at which the run ends, in steps of the logger (the
  environment's action repeat included), `agent` is `config.agent`.
  """

  def __init__(self, total, agent, clock=time.time, memory=None):
    self.total, self.clock = max(1, total), clock
    self.memory = memory or resident
    self.marks = collections.deque(maxlen=WINDOW + 1)
    self.score = None
    self.warner = warn.Warner(agent)

  def __call__(self, summaries):
    """Print the line for summaries, tuples of (step, name, value)."""
    elements.print(self.line(summaries), color='green')
    latest = {
        name: float(value) for _, name, value in summaries
        if name in warn.PARTS.values()}
    for text in self.warner(latest):
      elements.print(f'Warning: {text}', color='yellow')

  def line(self, summaries):
    """Return the line; what is not known yet is left out."""
    # A loop ends after the environments' steps, so some may be beyond.
    step = int(min(self.total, max(step for step, _, _ in summaries)))
    values = collections.defaultdict(list)
    for _, name, value in summaries:
      values[name].append(value)
    parts = [f'Step {step:,} of {self.total:,.0f} ({step / self.total:.0%})']
    parts += self._speed(step)
    scores = values['episode/score']
    if scores:
      self.score = sum(map(float, scores)) / len(scores)
    if self.score is not None:
      parts.append(f'score {self.score:.2f}')
    known = [
        f'{float(values[f"train/disc/{key}"][-1]):.0%} {name}'
        for key, name in ACCURACY.items() if values[f'train/disc/{key}']]
    if known:
      parts.append(f'D right on {", ".join(known)}')
    parts.append(f'{self.memory() / 1e9:.1f} GB')
    return ' | '.join(parts)

  def _speed(self, step):
    self.marks.append((self.clock(), step))
    (start, first), (now, last) = self.marks[0], self.marks[-1]
    if last == first or now == start:
      return []
    speed = (last - first) / (now - start)
    left = max(0, self.total - step) / speed
    places = 0 if speed >= 10 else 1
    return [f'{speed:,.{places}f} steps/s', f'{duration(left)} left']


def resident():
  """Return the bytes of memory that this process holds."""
  return psutil.Process().memory_info().rss


def duration(seconds):
  """Return seconds as text such as 2:05:09 or 5:09."""
  minutes, seconds = divmod(round(seconds), 60)
  hours, minutes = divmod(minutes, 60)
  if hours:
    return f'{hours}:{minutes:02d}:{seconds:02d}'
  return f'{minutes}:{seconds:02d}'
