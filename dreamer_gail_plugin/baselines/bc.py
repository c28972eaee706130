"""Behaviour cloning by the library `imitation`."""

import numpy as np
import torch
from imitation.algorithms import bc
from imitation.util import logger as imlogger
from stable_baselines3.common import logger as sblogger
from stable_baselines3.common.utils import set_random_seed

from . import demonstrations
from . import networks
from . import recorder as recorderlib
from . import watch

LOG = 100  # Updates between two looks at the loss.


def train(config, saver, path):
  """Clone the demonstrations; return the policy.

  The environment is not used, so a step is an update and scores.jsonl stays
  without rows.
  """
  set_random_seed(config.seed)
  episodes = demonstrations.load(config, path)
  print(demonstrations.describe(path, episodes))
  demonstrations.enough(episodes, 'bc.batch_size', config.bc.batch_size)
  obs_space, act_space = demonstrations.spaces(config)
  policy = networks.policy(obs_space, act_space)
  saver.policy = policy
  recorder = recorderlib.Recorder(config, config.steps.bc, saver)
  recorder.logger.multiplier = 1  # An update holds no frames.
  writer = sblogger.Logger(saver.scratch, [watch.Metrics(recorder)])
  trainer = bc.BC(
      observation_space=obs_space, action_space=act_space,
      rng=np.random.default_rng(config.seed), policy=policy,
      demonstrations=episodes, batch_size=config.bc.batch_size,
      optimizer_cls=torch.optim.Adam,
      optimizer_kwargs={'lr': config.bc.learning_rate},
      ent_weight=config.bc.ent_weight, l2_weight=config.bc.l2_weight,
      device=config.device,
      custom_logger=imlogger.HierarchicalLogger(writer, ()))
  trainer.train(
      n_batches=int(config.steps.bc), log_interval=LOG, progress_bar=False,
      on_batch_end=lambda: recorder.advance(1))
  recorder.close()
  return policy
