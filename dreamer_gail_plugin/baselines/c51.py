"""C51 (Bellemare et al., 2017) by tianshou's low-level interface."""

import numpy as np
import torch
from stable_baselines3.common import logger as sblogger
from stable_baselines3.common.utils import get_device
from stable_baselines3.common.utils import set_random_seed
from tianshou import data
from tianshou.algorithm.modelfree import c51
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.utils.torch_utils import policy_within_training_step

from . import networks
from . import ppo
from . import recorder as recorderlib
from . import watch


def train(config, saver):
  """Train C51 on the environment's reward; return its network."""
  set_random_seed(config.seed)
  recorder = recorderlib.Recorder(config, config.steps.c51, saver)
  reward = 'sign' if config.clip_reward else 'raw'
  venv = watch.Watch(ppo.make_envs(config, reward), recorder)
  algorithm = make(config, venv.observation_space, venv.action_space)
  saver.policy = algorithm.policy.model
  evaluation = watch.greedy(config)
  if evaluation:
    evaluation.init_callback(Model(algorithm.policy.model, venv, recorder))
  memory = Memory(config, venv.observation_space.shape)
  rng = np.random.default_rng(config.seed)
  s, obs = config.c51, venv.reset()
  total, updates = int(config.steps.c51), 0
  while recorder.step < total:
    acts = greedy(algorithm.policy.model, obs)
    share = min(1, int(recorder.step) / (s.explore * total))
    explore = rng.random(len(acts)) < 1 + share * (s.epsilon - 1)
    acts[explore] = rng.integers(0, venv.action_space.n, explore.sum())
    result = venv.step(acts)
    memory.add(obs, acts, *result)
    obs = result[0]
    due = (int(recorder.step) - s.start) // s.train_every
    while updates < due:
      with policy_within_training_step(algorithm.policy):
        stats = algorithm.update(memory.buffer, s.batch_size)
      recorder.add({'c51/loss': stats.get_loss_stats_dict()['loss']})
      updates += 1
    if evaluation:
      evaluation.on_step()
  recorder.close()
  venv.close()
  return algorithm.policy.model


def make(config, obs_space, act_space):
  """Return tianshou's C51 with its policy and networks."""
  s = config.c51
  net = Net(obs_space, int(act_space.n), s.atoms, s.low, s.high)
  policy = c51.C51Policy(
      model=net, action_space=act_space, num_atoms=s.atoms, v_min=s.low,
      v_max=s.high)
  # Runs of before have no such key.
  cls = c51.C51 if s.get('double', True) else C51
  return cls(
      policy=policy, optim=AdamOptimizerFactory(
          lr=s.learning_rate, eps=0.01 / s.batch_size),
      gamma=config.ppo.gamma,
      # tianshou counts updates.
      target_update_freq=max(1, int(s.target_every) // s.train_every),
  ).to(get_device(config.device))


def greedy(net, obs):
  """Return the actions (B,) of the highest value for observations."""
  with torch.no_grad():
    return net.values(obs).argmax(1).cpu().numpy()


class Model:
  """A network with what callbacks of stable-baselines3 ask of a model."""

  def __init__(self, net, venv, recorder):
    self.net, self.venv, self.recorder = net, venv, recorder
    self.logger = sblogger.Logger(None, [watch.Metrics(recorder)])

  @property
  def num_timesteps(self):
    return int(self.recorder.step)

  def get_env(self):
    return self.venv

  def get_vec_normalize_env(self):
    return None

  def predict(self, obs, state=None, **_):
    return greedy(self.net, obs), state


class C51(c51.C51):
  """tianshou's, whose target network picks the next action, too.

  So does CleanRL's, as the original. tianshou's own is a double one.
  """

  def _target_dist(self, batch):
    learning, self.policy.model = self.policy.model, self.model_old
    try:
      return super()._target_dist(batch)
    finally:
      self.policy.model = learning


class Net(torch.nn.Module):
  """The distribution of the return of each action, as probabilities (B, A, N).
  """

  def __init__(self, space, actions, atoms, low, high):
    super().__init__()
    image = len(space.shape) == 3
    self.image = image
    self.shape = space.shape
    self.actions, self.atoms = actions, atoms
    self.extractor = networks.extractor(space)(space)
    size = self.extractor.features_dim
    hidden = [] if image else [
        torch.nn.Linear(size, 120), torch.nn.ReLU(),
        torch.nn.Linear(120, 84), torch.nn.ReLU()]
    self.head = torch.nn.Sequential(
        *hidden, torch.nn.Linear(size if image else 84, actions * atoms))
    self.register_buffer('support', torch.linspace(low, high, atoms))

  def forward(self, obs, state=None, info=None):
    """Return probabilities (B, A, N) and the state, as tianshou wants.

    Images may come as (B, K, C, H, W) from the memory, which stacks them.
    """
    obs = torch.as_tensor(
        np.asarray(obs), device=self.support.device).float()
    obs = obs.reshape(len(obs), *self.shape)
    logits = self.head(self.extractor(obs / 255 if self.image else obs))
    return logits.reshape(-1, self.actions, self.atoms).softmax(-1), state

  def values(self, obs):
    """Return the expected return of each action, (B, A)."""
    return (self(obs)[0] * self.support).sum(-1)


class Memory:
  """tianshou's replay of several environments, `buffer`, one image a step.

  Stacks are put together again when they are read. The observation after the
  end of an episode is kept, too, as a time limit is no end of the task; where
  images are stacked there is no room for it, and the last one stands for it.
  """

  def __init__(self, config, shape):
    self.stack = config.stack if len(shape) == 3 else 1
    self.channels = shape[0] // self.stack
    self.buffer = data.VectorReplayBuffer(
        int(config.c51.memory), config.envs, stack_num=self.stack,
        ignore_obs_next=self.stack > 1)

  def add(self, obs, acts, following, rewards, dones, infos):
    """Add a step of all environments, as stable-baselines3 returns it."""
    limits = np.array([x.get('TimeLimit.truncated', False) for x in infos])
    following = np.stack([
        info['terminal_observation'] if done else x
        for x, done, info in zip(following, dones, infos)])
    self.buffer.add(data.Batch(
        obs=self._newest(obs), act=acts, rew=rewards.astype(np.float64),
        terminated=dones & ~limits, truncated=dones & limits,
        obs_next=self._newest(following), info=data.Batch()))

  def _newest(self, obs):
    return obs[:, -self.channels:] if self.stack > 1 else obs
