"""Runs upstream's loops for a few steps on nothing, to see what they do.

So patches decide by behaviour. It takes milliseconds and starts no process.
"""

import contextlib
import inspect
import io
import pathlib
import signal
import tempfile
from unittest import mock

import elements
import embodied
import numpy as np

from . import loops

FLAGS = {
    'steps': 4, 'train_ratio': 1.0, 'envs': 1, 'eval_envs': 1, 'eval_eps': 1,
    'batch_size': 1, 'batch_length': 1, 'consec_report': 1,
    'report_batches': 1, 'log_every': -1, 'report_every': 0, 'save_every': 0,
    'from_checkpoint': '', 'from_checkpoint_regex': '.*', 'debug': True,
    'usage': {'psutil': False, 'nvsmi': False}}


class Env(embodied.Env):
  """Has episodes of two steps, and notes who handles SIGTERM in them."""

  obs_space = {
      'reward': elements.Space(np.float32),
      'is_first': elements.Space(bool), 'is_last': elements.Space(bool),
      'is_terminal': elements.Space(bool),
      'log/x': elements.Space(np.float32)}
  act_space = {
      'action': elements.Space(np.int32, (), 0, 2),
      'reset': elements.Space(bool)}

  def __init__(self, seen, reward=0):
    self.seen, self.reward, self.last = seen, reward, True

  def step(self, action):
    self.seen.handlers.add(signal.getsignal(signal.SIGTERM))
    self.last = not self.last
    return {
        'reward': np.float32(self.reward), 'is_first': np.bool_(not self.last),
        'is_last': np.bool_(self.last), 'is_terminal': np.bool_(False),
        'log/x': np.float32(0)}


class Agent(embodied.RandomAgent):
  """Acts at random, and notes at which steps it is saved."""

  def __init__(self, seen):
    super().__init__(
        {k: v for k, v in Env.obs_space.items() if k[:4] != 'log/'},
        {'action': Env.act_space['action']})
    self.seen, self.params = seen, {'x': np.zeros(1)}

  def save(self):
    self.seen.saves.append(int(self.seen.step))
    return {'params': self.params}

  def load(self, data, regex=None):
    pass


class Replay:
  """Holds nothing."""

  __len__ = lambda self: 0
  add = update = load = lambda self, *args: None
  stats = save = lambda self: {}


class Seen:
  """What a loop did; it is the loop's logger."""

  def __init__(self):
    self.step = elements.Counter()
    self.saves, self.kept, self.handlers, self.added = [], 0, set(), []
    self.write = self.close = lambda: None

  def add(self, mapping, prefix=None):
    """Note what is logged."""
    self.added.append((prefix, mapping))


def run(name, **flags):
  """Return what the loop `name`, of one process, was Seen to do.

  Raises what the loop raises.
  """
  from dreamer_gail_plugin import atomic
  seen = Seen()
  env, evalenv = lambda index: Env(seen), lambda index: Env(seen, 1)
  given = {
      'make_agent': lambda: Agent(seen), 'make_logger': lambda: seen,
      'make_stream': lambda replay, mode: (), 'make_env': env,
      'make_env_train': env, 'make_env_eval': evalenv,
      **dict.fromkeys(
          ('make_replay', 'make_replay_train', 'make_replay_eval'), Replay)}
  # Nobody needs these saves, so nobody waits for the disk.
  with (tempfile.TemporaryDirectory() as folder,
        mock.patch.object(atomic, 'sync', lambda path: None),
        contextlib.redirect_stdout(io.StringIO())):
    args = elements.Config({**FLAGS, 'logdir': folder, **flags})
    given = {**given, 'args': args}
    loop = getattr(loops.module(name), name)
    loop(**{k: given[k] for k in inspect.signature(loop).parameters})
    seen.kept = len([*pathlib.Path(folder).rglob('agent.pkl')])
  return seen
