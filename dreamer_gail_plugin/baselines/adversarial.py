"""GAIL, AIRL and GAIfO on PPO by the library `imitation`.

PPO keeps its settings and learns from the discriminator. The environment's
reward is replaced by zeros before any of it starts. GAIfO (Torabi et al.,
2019) is GAIL on pairs of observations.
"""

import torch
from imitation.algorithms.adversarial import airl
from imitation.algorithms.adversarial import gail
from imitation.rewards import reward_nets
from imitation.util import logger as imlogger
from imitation.util import networks as imnetworks
from stable_baselines3.common import logger as sblogger
from stable_baselines3.common.utils import set_random_seed

from . import demonstrations
from . import networks
from . import ppo
from . import recorder as recorderlib
from . import watch

TRAINERS = {
    'gail_ppo': gail.GAIL, 'airl_ppo': airl.AIRL, 'gaifo_ppo': gail.GAIL}


def train(config, saver, path):
  """Train PPO on the rewards of a discriminator; return the policy."""
  set_random_seed(config.seed)
  episodes = demonstrations.load(config, path)
  print(demonstrations.describe(path, episodes))
  steps = config.steps[config.baseline]
  recorder = recorderlib.Recorder(config, steps, saver)
  venv = watch.Watch(ppo.make_envs(config, 'none'), recorder)
  rollout = config.ppo.n_steps * config.envs
  model = ppo.make_model(config, venv, steps)
  saver.policy = model.policy
  writer = sblogger.Logger(saver.scratch, [watch.Metrics(recorder)])
  trainer = make_trainer(
      config, venv, model, episodes, imlogger.HierarchicalLogger(writer, ()))
  # Not its own loop, whose progress knows of rounds only.
  for number in range(max(1, int(steps) // rollout)):
    trainer.train_gen(rollout)
    with imnetworks.training(trainer.reward_train):
      for _ in range(config.disc.updates):
        trainer.train_disc()
    trainer.logger.dump(number)
  recorder.close()
  venv.close()
  return model.policy


def make_trainer(config, venv, model, episodes, logger):
  """Return imitation's GAIL or AIRL for a PPO model."""
  demonstrations.enough(episodes, 'disc.batch_size', config.disc.batch_size)
  spaces = venv.observation_space, venv.action_space
  observes = config.baseline == 'gaifo_ppo'
  net = (
      networks.Transitions if observes else networks.Discriminator)(*spaces)
  if config.baseline == 'airl_ppo':
    # f(s, a, s') = g(s, a) + gamma h(s') - h(s), equation 4 of Fu et al.
    net = reward_nets.ShapedRewardNet(
        net, networks.Potential(venv.observation_space), config.ppo.gamma)
    if config.disc.normalize:
      net = reward_nets.NormalizedRewardNet(net, imnetworks.RunningNorm)
  return TRAINERS[config.baseline](
      demonstrations=episodes, demo_batch_size=config.disc.batch_size,
      venv=venv, gen_algo=model, reward_net=net,
      n_disc_updates_per_round=config.disc.updates,
      disc_opt_cls=torch.optim.Adam,
      disc_opt_kwargs={'lr': config.disc.learning_rate},
      # Games end when they end. What this tells the learner is the price of
      # the method, see docs/experiments.md.
      allow_variable_horizon=True, custom_logger=logger)
