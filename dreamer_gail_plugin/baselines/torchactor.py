"""Saved policies of the libraries that use PyTorch."""

import numpy as np
import torch
from stable_baselines3.dqn import policies as dqn

from . import actors
from . import c51
from . import demonstrations
from . import networks
from . import saver


def load(config, args):
  """Return the learner's step and a dict of an Actor for each policy."""
  net = network(config)
  step = saver.load(args.checkpoint or args.logdir, net)
  return step, {
      kind: Actor(config, net, greedy=(kind == 'greedy'))
      for kind in args.policy}


def network(config):
  """Return the network of a run with its initial parameters."""
  obs_space, act_space = demonstrations.spaces(config)
  if config.baseline == 'c51':
    return c51.make(config, obs_space, act_space).policy.model.cpu()
  if config.baseline == 'sqil':
    return dqn.DQNPolicy(
        obs_space, act_space, lambda _: 0.0,
        **networks.values_kwargs(obs_space))
  return networks.policy(obs_space, act_space)


class Actor(actors.Actor):
  """A network that acts.

  Greedy is the likeliest action, or the one of the highest value; otherwise
  C51 and SQIL draw as in training: at random with a chance of `epsilon`.
  """

  def __init__(self, config, net, greedy):
    super().__init__(config)
    self.net, self.greedy = net.eval(), greedy
    self.values = {
        'c51': lambda seen: c51.greedy(self.net, seen),
        'sqil': lambda seen: self.net.predict(seen, deterministic=True)[0],
    }.get(config.baseline)
    self.epsilon = self.values and config[config.baseline].epsilon

  def choose(self, seen, keys, times):
    draws = [
        np.random.default_rng([*map(int, key), int(time)])
        for key, time in zip(keys, times)]
    with torch.no_grad():
      return (self._valued if self.values else self._drawn)(seen, draws)

  def _valued(self, seen, draws):
    acts = self.values(seen)
    if self.greedy:
      return acts
    chance = np.array([x.random() for x in draws]) < self.epsilon
    random = np.array([x.integers(self.hands.space.n) for x in draws])
    return np.where(chance, random, acts)

  def _drawn(self, seen, draws):
    seen = torch.as_tensor(seen)
    found = self.net.get_distribution(seen).distribution
    if isinstance(found, list):  # Several choices.
      return np.stack([self._choose(x, draws) for x in found], -1)
    if isinstance(found, torch.distributions.Categorical):
      return self._choose(found, draws)
    noise = 0 if self.greedy else np.stack([
        x.standard_normal(found.mean.shape[1]) for x in draws])
    return np.clip(
        found.mean.numpy() + found.stddev.numpy() * noise,
        self.hands.space.low, self.hands.space.high)

  def _choose(self, found, draws):
    probs = found.probs.numpy()  # (N, A)
    if self.greedy:
      return probs.argmax(1)
    uniform = np.array([x.random() for x in draws])
    below = probs.cumsum(1) < uniform[:, None]
    return np.minimum(below.sum(1), probs.shape[1] - 1)
