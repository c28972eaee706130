"""Runs with a saved agent, made without training."""

import pathlib

import elements
import numpy as np

from dreamer_gail_plugin import build as factories
from dreamer_gail_plugin import configs
from dreamer_gail_plugin.data import record
from dreamer_gail_plugin.data import store
from helpers import agents
from helpers.toyenv import TASK


def save(logdir, agent, config, step=1234):
  """Write a config and a checkpoint as a run leaves them; return logdir."""
  logdir = pathlib.Path(logdir)
  logdir.mkdir(parents=True, exist_ok=True)
  config.update(logdir=str(logdir)).save(elements.Path(logdir / 'config.yaml'))
  checkpoint = elements.Checkpoint(elements.Path(logdir / 'checkpoint.pkl'))
  checkpoint.agent = agent
  checkpoint.step = elements.Counter(step)
  checkpoint.save()
  return logdir


def build():
  """Return a small agent for Seaquest, whose random games differ more."""
  return agents.make(task='minatar_seaquest')


def seaquest(logdir):
  """Write a run of that agent, with clear preferences given to it."""
  agent = build()
  agents.reset(agent)
  rng = np.random.default_rng(0)
  params = {
      k: v + rng.normal(size=v.shape).astype(v.dtype) * (
          'pol/' in k or 'disc/' in k) for k, v in agent.initial.items()}
  agent.load({'params': params, 'counters': dict(
      updates=0, batches=0, actions=0)})
  return save(logdir, agent, agents.config(task='minatar_seaquest'))


def random(logdir, *flags):
  """Write a run of the random policy."""
  class Nothing:
    def save(self):
      return None
    def load(self, data):
      pass
  config = configs.load_config([
      '--configs', 'minatar', 'debug', '--random_agent', 'True', *flags])
  return save(logdir, Nothing(), config)


def toy(logdir):
  """Write a run of a new agent on the toy environment."""
  agent = agents.make(task=TASK)
  agents.reset(agent)
  return save(logdir, agent, agents.config(task=TASK))


def play(path, seed, trajectories, length):
  """Write a store of random play of Seaquest; return its path."""
  config = configs.load_config([
      '--configs', 'minatar', '--task', 'minatar_seaquest'])
  store.write(path, record.record(
      lambda seed: factories.make_raw_env(config.update(seed=seed), 0),
      record.Random, trajectories, length, seed=seed, limit=0), {
          'task': 'minatar_seaquest', 'source': 'random', 'licence': '',
          'preprocessing': dict(config.env.minatar), 'action_meanings': []})
  return path
