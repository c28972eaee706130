"""Networks of the baselines, chosen by what there is to look at."""

import torch
from imitation.rewards import reward_nets
from stable_baselines3.common import policies
from stable_baselines3.common import preprocessing
from stable_baselines3.common import torch_layers
from torch import nn

from . import gymenv


class BoardCNN(torch_layers.BaseFeaturesExtractor):
  """The network of the MinAtar paper (Young and Tian, 2019) for boards.

  One layer of 16 convolutions of 3 x 3, and one of 128 units.
  """

  def __init__(self, space, units=128):
    super().__init__(space, units)
    channels, height, width = space.shape
    self.layers = nn.Sequential(
        nn.Conv2d(channels, 16, 3), nn.ReLU(), nn.Flatten(),
        nn.Linear(16 * (height - 2) * (width - 2), units), nn.ReLU())

  def forward(self, obs):
    """Return features (B, units) of boards (B, C, H, W)."""
    return self.layers(obs)


def extractor(space):
  """Return the class of the network that looks at a Gymnasium space.

  The canonical network of Mnih et al. (2015) for images, a smaller one for
  boards, and none for vectors.
  """
  if len(space.shape) != 3:
    return torch_layers.FlattenExtractor
  small = min(space.shape[1:]) < gymenv.SMALL
  return BoardCNN if small else torch_layers.NatureCNN


def policy_kwargs(space):
  """Return the options of stable-baselines3's policy for a space."""
  image = len(space.shape) == 3
  return dict(
      features_extractor_class=extractor(space),
      net_arch=[] if image else dict(pi=[64, 64], vf=[64, 64]))


def values_kwargs(space):
  """Return the options of stable-baselines3's values of actions."""
  return dict(
      features_extractor_class=extractor(space),
      net_arch=[] if len(space.shape) == 3 else [64, 64])


def policy(obs_space, act_space):
  """Return a policy as PPO makes it, whose own optimizer is not used."""
  return policies.ActorCriticPolicy(
      obs_space, act_space, lambda _: 0.0, **policy_kwargs(obs_space))


class Discriminator(reward_nets.RewardNet):
  """A logit of (s, a): the network of the policy, the action, 64 units.

  The reward networks of imitation average over the places of an image, and
  the game is in the places.
  """

  def __init__(self, obs_space, act_space, units=64):
    super().__init__(obs_space, act_space)
    self.extractor = extractor(obs_space)(obs_space)
    actions = preprocessing.get_flattened_obs_dim(act_space)
    self.head = nn.Sequential(
        nn.Linear(self.extractor.features_dim + actions, units), nn.ReLU(),
        nn.Linear(units, 1))

  def forward(self, state, action, next_state, done):
    """Return logits (B,) of preprocessed states and actions."""
    features = self.extractor(state)
    inputs = torch.cat([features, action.flatten(1)], 1)
    return self.head(inputs).squeeze(1)


class Transitions(reward_nets.RewardNet):
  """A logit of (s, s'), both through the network of the policy, 64 units."""

  def __init__(self, obs_space, act_space, units=64):
    super().__init__(obs_space, act_space)
    self.extractor = extractor(obs_space)(obs_space)
    self.head = nn.Sequential(
        nn.Linear(2 * self.extractor.features_dim, units), nn.ReLU(),
        nn.Linear(units, 1))

  def forward(self, state, action, next_state, done):
    """Return logits (B,) of preprocessed states and the ones after them."""
    inputs = torch.cat([self.extractor(x) for x in (state, next_state)], 1)
    return self.head(inputs).squeeze(1)


class Potential(nn.Module):
  """A number (B, 1) of a state, by which AIRL shapes its reward."""

  def __init__(self, obs_space, units=64):
    super().__init__()
    self.extractor = extractor(obs_space)(obs_space)
    self.head = nn.Sequential(
        nn.Linear(self.extractor.features_dim, units), nn.ReLU(),
        nn.Linear(units, 1))

  def forward(self, state):
    """Return potentials (B, 1) of preprocessed states."""
    return self.head(self.extractor(state))
