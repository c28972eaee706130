"""Upstream's run loops on the tiny environment, and what they leave."""

import functools
import json
import pickle

import embodied

from dreamer_gail_plugin.running import checkpoint

from . import dummies

bind = functools.partial


def train(logdir, loop=None, **given):
  """Run 40 steps of the train loop with an agent of ones; return it."""
  agent = dummies.Agent(1)
  make_agent = given.pop('make_agent', lambda: agent)
  (loop or embodied.run.train)(
      make_agent, bind(dummies.make_replay, logdir / 'replay'),
      dummies.make_env, dummies.make_stream,
      bind(dummies.make_logger, logdir), dummies.flags(logdir, **given))
  return agent


def train_eval(logdir, **given):
  """Run 40 steps of the loop that evaluates, too."""
  make_agent = given.pop('make_agent', dummies.Agent)
  embodied.run.train_eval(
      make_agent, bind(dummies.make_replay, logdir / 'replay'),
      bind(dummies.make_replay, logdir / 'eval'), dummies.make_env,
      dummies.make_env, dummies.make_stream,
      bind(dummies.make_logger, logdir), dummies.flags(logdir, **given))


def eval_only(logdir, loop=None, **given):
  """Run 40 steps of the evaluation loop; return the agent."""
  agent = dummies.Agent(0)
  (loop or embodied.run.eval_only)(
      lambda: agent, dummies.make_env, bind(dummies.make_logger, logdir),
      dummies.flags(logdir, **given))
  return agent


def metrics(logdir):
  """Return the last value of every metric in the log."""
  lines = (logdir / 'metrics.jsonl').read_text().splitlines()
  return {k: v for line in lines for k, v in json.loads(line).items()}


def saved(logdir, name):
  """Return what the latest checkpoint holds under a name."""
  folder = checkpoint.find(logdir)
  return pickle.loads((folder / f'{name}.pkl').read_bytes())


def replayed(logdir, name='replay'):
  """Return the number of steps in the replay's chunks on the disk."""
  return sum(
      int(x.stem.split('-')[-1]) for x in logdir.glob(f'{name}/*.npz'))
