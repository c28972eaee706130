"""Which part of the agent a train step spends its time in.

A trace of the profiler has one event per compiled instruction; the compiled
text says from which named scope of the source each instruction came.
"""

import collections
import contextlib
import gzip
import json
import pathlib
import re

import dreamerv3.rssm
import jax

# The first scope found in an instruction's path names its part: the outermost
# of those that contain others come first.
PARTS = {
    'expert': 'expert pass: encoder and RSSM',
    'discopt': 'D: update',
    'disc': 'D: reward',
    'risk': 'risk critic',
    'imagine': 'imagination',
    'enc': 'encoder',
    'dyn': 'RSSM',
    'dec': 'decoder',
    'rew': 'reward head',
    'con': 'continue head',
    'pol': 'actor',
    'val': 'critic',
    'slowval': 'slow critic',
    'opt': 'losses and optimizer',
}
INSTRUCTION = re.compile(r'%?([\w.\-]+) = .*metadata=\{.*?op_name="([^"]*)"')
# These only call others, whose own events count.
CALLERS = re.compile(r'^(while|call|conditional)[.\d]*$')


@contextlib.contextmanager
def named_parts():
  """Give imagination a scope of its own: upstream's has the RSSM's."""
  cls = dreamerv3.rssm.RSSM
  old = cls.imagine
  cls.imagine = jax.named_scope('imagine')(old)
  try:
    yield
  finally:
    cls.imagine = old


def trace(folder):
  """Return a context that writes a trace of what runs in it."""
  return jax.profiler.trace(folder, create_perfetto_trace=True)


def events(folder):
  """Return {instruction: microseconds} of a trace."""
  paths = sorted(pathlib.Path(folder).rglob('perfetto_trace.json.gz'))
  data = json.loads(gzip.decompress(paths[-1].read_bytes()))
  data = data['traceEvents'] if isinstance(data, dict) else data
  total = collections.Counter()
  for event in data:
    if event.get('ph') == 'X' and not CALLERS.match(event['name']):
      total[event['name']] += event['dur']
  return total


def parts(events, text, steps):
  """Return {part: milliseconds a step}, by share of the instructions' time.

  Args:
    events: {instruction: microseconds} over all steps.
    text: the compiled program.
    steps: number of steps that the events span.
  """
  scopes = dict(INSTRUCTION.findall(text))
  total = collections.Counter()
  for name, microseconds in events.items():
    if name in scopes:
      total[part(scopes[name])] += microseconds
  return {k: round(v / 1e3 / steps, 3) for k, v in total.most_common()}


def part(path):
  """Return the name of the part that a path of scopes belongs to."""
  found = set(re.findall(r'\w+', path))
  for scope, name in PARTS.items():
    if scope in found:
      return name
  return 'other'
