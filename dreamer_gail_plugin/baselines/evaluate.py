"""Evaluate a baseline by the protocol of the paper, as other runs.

  python -m dreamer_gail_plugin.baselines evaluate --logdir DIR

The flags are those of `python -m dreamer_gail_plugin.evaluate`.
"""

import numpy as np
import torch

from .. import evaluate
from .. import main as mainlib
from .. import provenance
from ..errors import UserError
from . import c51
from . import config as configlib
from . import demonstrations
from . import gymenv
from . import networks
from . import saver

PROGRAM = ('dreamer_gail_plugin.baselines', 'evaluate')


def main(argv):
  """Evaluate the run named by the flags; return the files written."""
  args = evaluate.parse(argv)
  config = configlib.saved(args.logdir)
  if args.disc:
    raise UserError('--disc: films of baselines show no discriminator.')
  net = network(config)
  step = saver.load(args.checkpoint or args.logdir, net) * frames(config)
  actors = {
      kind: Actor(config, net, greedy=(kind == 'greedy'))
      for kind in args.policy}
  expert = None
  if config.baseline in configlib.IMITATORS:
    expert = demonstrations.score(mainlib.expert_path(config))
  command = provenance.command(argv, PROGRAM)
  return evaluate.judge(config, actors, step, expert, args, command)


def frames(config):
  """Return how many frames one of the learner's steps holds, as logged."""
  suite = config.task.partition('_')[0]
  played = config.baseline != 'bc'  # Its steps are updates.
  return config.env.get(suite, {}).get('repeat', 1) if played else 1


def network(config):
  """Return the network of a run with its initial parameters."""
  obs_space, act_space = demonstrations.spaces(config)
  if config.baseline == 'c51':
    return c51.make(config, obs_space, act_space).policy.model.cpu()
  return networks.policy(obs_space, act_space)


class Actor:
  """A network that acts in several games at once; see policy.Actor.

  What is drawn in a game depends on its key and time alone. Greedy is the
  likeliest action, or the one of the highest value; otherwise C51 draws as in
  training: at random with a chance of `c51.epsilon`.
  """

  imitates = False

  def __init__(self, config, net, greedy):
    obs_space, act_space = mainlib.spaces(config)
    self.eyes = gymenv.Eyes(obs_space, config.stack)
    self.hands = gymenv.Hands(act_space)
    self.net, self.greedy = net.eval(), greedy
    self.epsilon = config.c51.epsilon
    self.values = config.baseline == 'c51'

  def start(self, rows):
    """Return the carry of so many games, what was seen last in each."""
    space = self.eyes.space
    return np.zeros((rows, *space.shape), space.dtype)

  def __call__(self, carry, obs, keys, times):
    """Return the new carry and the actions, a dict of arrays (N, ...)."""
    key, first = self.eyes.key, obs['is_first']
    seen = np.stack([
        self.eyes({key: image}, None if new else before)
        for image, before, new in zip(obs[key], carry, first)])
    draws = [
        np.random.default_rng([*map(int, key), int(time)])
        for key, time in zip(keys, times)]
    with torch.no_grad():
      actions = (self._values if self.values else self._drawn)(seen, draws)
    return seen, self.hands(actions)

  def _values(self, seen, draws):
    acts = c51.greedy(self.net, seen)
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
