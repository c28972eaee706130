"""MGAIL (Baram et al., 2017): GAIL whose policy learns through a model.

A forward model of latent states makes D's judgement of what follows an action
differentiable, so that the policy learns by its gradient instead of by
rewards. Choices are straight-through samples of the Gumbel softmax. Encoder
and decoder are convolutional, as the Dreamer-GAIL paper has them (section
4.1). All networks are ours and compute in float32.
"""

import jax
import ninjax as nj
import numpy as np

from .. import demonstrations
from .. import gymenv
from .. import recorder as recorderlib
from . import memory
from . import model as modellib


def train(config, saver, path):
  """Train on the demonstrations; return the parameters, a dict of arrays."""
  episodes = demonstrations.episodes(config, path)
  print(demonstrations.describe(path, episodes))
  expert = [
      np.concatenate([x.obs[:-1] for x in episodes]),
      np.concatenate([x.acts for x in episodes])]
  learner = Learner(config, *demonstrations.spaces(config), expert)
  saver.policy = learner
  recorder = recorderlib.Recorder(config, config.steps.mgail, saver)
  games = Games(config, recorder)
  s, obs, first, updates = config.mgail, *games.reset(), 0
  while recorder.step < config.steps.mgail:
    acts = learner.act(obs)
    learner.memory.add(obs, acts, first)
    obs, first = games.step(acts)
    due = (int(recorder.step) - int(s.start)) // int(s.train_every)
    # With many environments the first sequence is later than the first step.
    while updates < due and learner.memory.count > s.length:
      recorder.add(learner.update())
      updates += 1
  recorder.close()
  games.close()
  return learner.state_dict()


class Learner:
  """A model with its parameters, replay and random numbers.

  `expert` is a pair of the demonstrations' observations (N, ...) and actions
  (N,).
  """

  def __init__(self, config, obs_space, act_space, expert):
    s, self.expert = config.mgail, expert
    self.rng = np.random.default_rng(config.seed)
    self.memory = memory.Memory(
        int(s.memory), config.envs, obs_space.shape, obs_space.dtype)
    self.batch, self.length = s.batch_size, s.length
    model = make(config, obs_space, act_space)
    self.params = nj.init(model.train)({}, *self._zeros(), seed=self._seed())
    self._update = jax.jit(nj.pure(model.train), donate_argnums=0)
    act = nj.pure(model.act)
    self._act = jax.jit(lambda params, obs, seed: act(
        params, obs, seed=seed)[1])

  def act(self, obs):
    """Return actions (N,) drawn by the policy for observations (N, ...)."""
    return np.asarray(self._act(self.params, obs, self._seed()))

  def update(self):
    """Do one update of all parts; return its metrics."""
    index = self.rng.integers(0, len(self.expert[1]), self._pairs)
    self.params, metrics = self._update(
        self.params, self.memory.sample(self.rng, self.batch, self.length),
        [x[index] for x in self.expert], seed=self._seed())
    return metrics

  def state_dict(self):
    """Return what acting takes, a dict of arrays by name."""
    return {
        k: np.asarray(v) for k, v in self.params.items()
        if k.startswith(('mgail/enc/', 'mgail/pol/'))}

  @property
  def _pairs(self):
    # As many of the expert's as of the agent's.
    return self.batch * self.length

  def _zeros(self):
    shape = (self.batch, self.length)
    obs = self.memory.obs
    zeros = lambda *shape: np.zeros((*shape, *obs.shape[2:]), obs.dtype)
    return (
        (zeros(self.batch, self.length + 1), np.zeros(shape, np.int32),
         np.zeros(shape, np.float32)),
        [zeros(self._pairs), np.zeros(self._pairs, np.int32)])

  def _seed(self):
    return self.rng.integers(0, 2 ** 32, 2, np.uint32)


def make(config, obs_space, act_space):
  """Return the Model of a config for Gymnasium spaces."""
  return modellib.Model(
      obs_space, int(act_space.n), config.mgail, config.ppo.gamma,
      name='mgail')


class Games:
  """The environments, in this process, which tell a Recorder of their games.

  Where an episode has ended, the next step starts another one and its action
  counts for nothing. Rewards are zeros.
  """

  def __init__(self, config, recorder):
    self.envs = [
        gymenv.Env(config, i, reward='none') for i in range(config.envs)]
    self.recorder = recorder

  def reset(self):
    """Return the first observations (N, ...) and True (N,)."""
    self.over = np.zeros(len(self.envs), bool)
    return (
        np.stack([x.reset()[0] for x in self.envs]),
        np.ones(len(self.envs), bool))

  def step(self, acts):
    """Return observations (N, ...) and whether each starts an episode."""
    first, seen = self.over.copy(), []
    for i, env in enumerate(self.envs):
      if first[i]:
        obs, self.over[i] = env.reset()[0], False
      else:
        obs, _, terminal, limit, info = env.step(acts[i])
        self.over[i] = terminal or limit
        if 'game' in info:
          self.recorder.episode(**info['game'])
      seen.append(obs)
    self.recorder.advance(int((~first).sum()))
    return np.stack(seen), first

  def close(self):
    """Close the environments."""
    for env in self.envs:
      env.close()
