"""A tiny environment, and factories for upstream's run loops around it."""

import functools
import multiprocessing
import os
import re
import time

import cloudpickle
import elements
import embodied
import numpy as np
import portal

from dreamer_gail_plugin.patches import process_deaths
from dreamer_gail_plugin.running import finite

LENGTH = 5


class Dummy(embodied.Env):
  """Episodes of five steps; reward and `log/count` are the step's number."""

  def __init__(self, index=0):
    self.count = 0
    self.done = True

  @property
  def obs_space(self):
    return {
        'image': elements.Space(np.uint8, (8, 8, 3)),
        'reward': elements.Space(np.float32),
        'is_first': elements.Space(bool),
        'is_last': elements.Space(bool),
        'is_terminal': elements.Space(bool),
        'log/count': elements.Space(np.float32),
    }

  @property
  def act_space(self):
    return {
        'action': elements.Space(np.int32, (), 0, 3),
        'reset': elements.Space(bool),
    }

  def step(self, action):
    self.count = 0 if self.done or action['reset'] else self.count + 1
    self.done = self.count == LENGTH - 1
    return {
        'image': np.full((8, 8, 3), 10 * self.count, np.uint8),
        'reward': np.float32(self.count),
        'is_first': np.bool_(self.count == 0),
        'is_last': np.bool_(self.done),
        'is_terminal': np.bool_(self.done),
        'log/count': np.float32(self.count),
    }


def make_env(index):
  """Return environment number `index`."""
  return Dummy(index)


class Hanging(Dummy):
  """Makes ten steps and then none."""

  steps = 0

  def step(self, action):
    self.steps += 1
    while self.steps > 10:
      time.sleep(0.01)
    return super().step(action)


def make_hanging(index):
  """Return environment number `index`; only the first does not hang."""
  return Hanging(index) if index else Dummy(index)


class Agent(embodied.RandomAgent):
  """Acts at random; has parameters to save and load, but learns nothing."""

  def __init__(self, fill=0):
    env = Dummy()
    obs_space = {k: v for k, v in env.obs_space.items() if 'log/' not in k}
    act_space = {k: v for k, v in env.act_space.items() if k != 'reset'}
    super().__init__(obs_space, act_space)
    self.params = {'enc/w': np.full(2, fill), 'pol/w': np.full(3, fill)}

  def save(self):
    return {'params': self.params}

  def load(self, data, regex=None):
    chosen = {
        k: v for k, v in data['params'].items()
        if regex is None or re.match(regex, k)}
    self.params = {**self.params, **chosen}


class Diverging(Agent):
  """Learns numbers that become NaN, as `finite` has to see.

  `loss` and `acts` are what becomes NaN: a loss, or what the policy needs.
  """

  policy_params = {'pol/w': np.float32('nan')}

  def __init__(self, loss=False, acts=False):
    super().__init__(1)
    self.loss, self.acts, self.count = loss, acts, 0

  def train(self, carry, data):
    self.count += 1
    bad = self.loss and self.count > 3
    return carry, {}, {'loss/dyn': np.float32('nan' if bad else 1)}

  def policy(self, *args, **kwargs):
    self.count += 1
    assert self.count < 20 or not self.acts
    return super().policy(*args, **kwargs)


def make_diverging(**given):
  """Return such an agent under the guard of `finite`."""
  return finite.guarded(Diverging(**given))


def make_replay(directory):
  """Return a replay of sequences of four steps."""
  return embodied.replay.Replay(
      length=4, capacity=100, directory=directory, chunksize=16)


def make_stream(replay, mode):
  """Return batches of two sequences."""
  return embodied.streams.Stateless(replay.sample, 2, mode)


def make_logger(logdir):
  """Return a logger that writes all metrics to one file."""
  output = elements.logger.JSONLOutput(logdir, 'metrics.jsonl')
  return elements.Logger(elements.Counter(), [output])


def flags(logdir, **given):
  """Return the `args` of upstream's run loops, for a run of 40 steps."""
  return elements.Config({
      'logdir': str(logdir), 'steps': 40, 'train_ratio': 1.0, 'envs': 2,
      'eval_envs': 1, 'eval_eps': 1, 'batch_size': 2, 'batch_length': 4,
      'replay_context': 0, 'consec_train': 1, 'consec_report': 1,
      'report_length': 4, 'report_batches': 1, 'log_every': -1,
      'report_every': 0, 'save_every': 0, 'from_checkpoint': '',
      'from_checkpoint_regex': '.*',
      'debug': True, 'usage': {'psutil': False, 'nvsmi': False},
      'actor_batch': 1, 'actor_threads': 1, 'actor_addr': 'localhost:{auto}',
      'replay_addr': 'localhost:{auto}', 'logger_addr': 'localhost:{auto}',
      'agent_process': False, 'remote_envs': False, 'remote_replay': False,
      'episode_timeout': 60, **given})


def parallel(
    logdir, source='', make_env=make_env, make_agent=Agent, **given):
  """Run 40 steps of the parallel loop, whose learner saves all the time."""
  bind = functools.partial
  replay = bind(make_replay, logdir / 'replay')
  embodied.run.parallel.combined(
      make_agent, replay, replay, make_env, make_env, make_stream,
      bind(make_logger, logdir), flags(logdir, **{
          'envs': 1, 'eval_envs': 0, 'save_every': -1, 'keep_checkpoints': 3,
          'from_checkpoint': str(source), **given}))


def shown_parallel(logdir, given):
  """Run that loop in a child; show its errors as those of its children.

  `given` is pickled, as this file must be imported before its classes are.
  Each child writes its pid to a file in `logdir` of its name.
  """
  def note():
    name = multiprocessing.current_process().name
    (logdir / f'{name}.pid').write_text(str(os.getpid()))

  logdir.mkdir()
  portal.initfn(note)
  process_deaths.prepare()
  parallel(logdir, **cloudpickle.loads(given))
