"""BCO (Torabi et al., 2018): cloning of actions that an inverse model infers.

The agent plays, at random at first. From its steps an inverse model learns
which action leads from one observation to the next, and names the actions
between the expert's. These are cloned, and the clone plays the next round.
Both networks are cloned by the library `imitation`, the inverse model from
two observations.
"""

import collections

import numpy as np
import torch
from gymnasium import spaces
from imitation.algorithms import bc
from imitation.data import types
from imitation.util import logger as imlogger
from stable_baselines3.common import logger as sblogger
from stable_baselines3.common.utils import set_random_seed

from . import demonstrations
from . import networks
from . import ppo
from . import recorder as recorderlib
from . import watch

HELD = 0.1  # Share of a round's steps that only measure the inverse model.
BATCH = 1024  # Pairs that are named at once.


def train(config, saver, path):
  """Play, infer and clone for `bco.rounds`; return the policy."""
  set_random_seed(config.seed)
  episodes = demonstrations.load(config, path)
  print(demonstrations.describe(path, episodes))
  demonstrations.enough(episodes, 'bc.batch_size', config.bc.batch_size)
  recorder = recorderlib.Recorder(config, config.steps.bco, saver)
  venv = watch.Watch(ppo.make_envs(config, 'none'), recorder)
  seen, acts = venv.observation_space, venv.action_space
  acts.seed(config.seed)  # For random play.
  policy, inverse = [
      networks.policy(x, acts) for x in (seen, pair_space(seen))]
  saver.policy = policy
  steps = max(1, int(config.steps.bco) // config.bco.rounds // venv.num_envs)
  shown = np.concatenate([pairs(x.obs[:-1], x.obs[1:]) for x in episodes])
  obs = np.concatenate([x.obs[:-1] for x in episodes])
  # The steps of all rounds, the oldest of which are dropped.
  known = collections.deque(
      maxlen=max(2, int(config.bco.memory) // venv.num_envs))
  for number in range(config.bco.rounds):
    fresh = 0
    for pair in play(venv, policy if number else None, steps):
      known.append(pair)
      fresh += len(pair[1])
    found = [np.concatenate(x) for x in zip(*known)]
    held = int(HELD * min(fresh, len(found[1]))) or 1
    clone(config, recorder, inverse, *[x[:-held] for x in found])
    recorder.add({'bco/right': right(inverse, found, held)})
    clone(config, recorder, policy, obs, named(inverse, shown))
  recorder.close()
  venv.close()
  return policy


def pair_space(space):
  """Return the space of two observations, joined at their first axis."""
  low, high = [np.concatenate([x, x]) for x in (space.low, space.high)]
  return spaces.Box(low, high, dtype=space.dtype)


def pairs(before, after):
  """Return the pairs (N, 2 C, ...) of observations (N, C, ...)."""
  return np.concatenate([before, after], 1)


def play(venv, policy, steps):
  """Yield pairs (N, ...) and the actions between them, of so many steps.

  N are the environments whose episode goes on: after its end the observation
  is another game's. The policy is sampled, None is random play.
  """
  space = venv.action_space
  obs = venv.reset()
  for _ in range(steps):
    acts = np.stack([space.sample() for _ in obs]) if policy is None else (
        policy.predict(obs)[0])
    after, _, done, _ = venv.step(acts)
    yield pairs(obs, after)[~done], acts[~done]
    obs = after


def clone(config, recorder, policy, obs, acts):
  """Clone actions (N, ...) at observations (N, ...)."""
  writer = sblogger.Logger(None, [watch.Metrics(recorder)])
  # imitation's loader wants what follows, too, which cloning does not read.
  found = types.Transitions(
      obs=obs, acts=acts, infos=np.array([{}] * len(obs)), next_obs=obs,
      dones=np.zeros(len(obs), bool))
  bc.BC(
      observation_space=policy.observation_space,
      action_space=policy.action_space,
      rng=np.random.default_rng(config.seed), policy=policy,
      demonstrations=found,
      batch_size=min(len(obs), config.bc.batch_size),
      optimizer_cls=torch.optim.Adam,
      optimizer_kwargs={'lr': config.bc.learning_rate},
      ent_weight=config.bc.ent_weight, l2_weight=config.bc.l2_weight,
      device=config.device,
      custom_logger=imlogger.HierarchicalLogger(writer, ())).train(
          n_batches=int(config.bco.updates), progress_bar=False)


def named(inverse, shown):
  """Return the likeliest actions (N, ...) between pairs (N, ...)."""
  return np.concatenate([
      inverse.predict(shown[i: i + BATCH], deterministic=True)[0]
      for i in range(0, len(shown), BATCH)])


def right(inverse, found, held):
  """Return the share of the last `held` actions that are named rightly.

  Of continuous actions the mean distance, with a minus.
  """
  shown, acts = [x[-held:] for x in found]
  guess = named(inverse, shown)
  if acts.dtype.kind == 'f':
    return -float(np.abs(guess - acts).mean())
  return float((guess == acts).mean())
