"""Records a policy in an environment as demonstrations."""

import multiprocessing
import time

import numpy as np

from . import store


def record(
    make_env, make_policy, trajectories, length, seed=0, limit=0, workers=1):
  """Yield trajectories, in order, as dicts ready for `store.write`.

  A trajectory has exactly `length` steps, starts with a reset and may hold
  several episodes, the last of them cut. Step t holds the observation, the
  reward that came with it and the action chosen in it. A trajectory depends
  on `seed` and its own number only, not on `workers`.

  Args:
    make_env: function of a seed that returns an `embodied.Env`.
    make_policy: function of (env, seed) that returns a policy, which is a
      function from an observation to a dict of actions, without `reset`.
    limit: ends games after so many steps, without `is_terminal`; 0 for never.
    workers: number of processes; with more than one, both functions must be
      picklable.
  """
  jobs = [
      (make_env, make_policy, length, limit, seed, i)
      for i in range(trajectories)]
  if workers == 1:
    yield from map(_job, jobs)
    return
  # Not fork: the caller may run threads, JAX among them.
  with multiprocessing.get_context('spawn').Pool(workers) as pool:
    yield from pool.imap(_job, jobs)


def rollout(env, policy, length, limit=0, seconds=np.inf):
  """Return a dict of arrays (length, ...), the steps from a reset on.

  After so many `seconds` it stops with the steps that it has, at least one.

  Its keys are those of the observation and action spaces without `reset` and
  logs. The policy is not asked at the last step of an episode. The action
  there is zero and means nothing.
  """
  spaces = {**env.obs_space, **env.act_space}
  spaces = {
      k: v for k, v in spaces.items()
      if k != 'reset' and not k.startswith('log/')}
  zeros = {
      k: np.zeros(v.shape, v.dtype)
      for k, v in env.act_space.items() if k != 'reset'}
  data = {k: np.zeros((length, *v.shape), v.dtype) for k, v in spaces.items()}
  acts, last, duration = zeros, True, 0
  start = time.monotonic()
  for step in range(length):
    if step and time.monotonic() - start > seconds:
      return {k: v[:step] for k, v in data.items()}
    obs = env.step({**acts, 'reset': last})
    duration = 0 if obs['is_first'] else duration + 1
    last = bool(obs['is_last']) or 0 < limit <= duration
    acts = zeros if last else policy(obs)
    for key, value in {**obs, **acts, 'is_last': last}.items():
      if key in data:
        data[key][step] = value
  return data


def seeds(seed, index):
  """Return the seeds of the environment and the policy of a trajectory."""
  words = np.random.SeedSequence([seed, index]).generate_state(2)
  return [int(x % 2 ** 31) for x in words]  # Some simulators want an int32.


def summary(trajectories):
  """Return attributes that tell the scores of trajectories, for a store.

  `mean_score` and `score_sd` are over trajectories, `episodes` counts the
  complete ones.
  """
  scores = [
      store.score(x['reward'], x['is_first'], x['is_last'])
      for x in trajectories]
  return {
      'mean_score': float(np.mean(scores)),
      'score_sd': float(np.std(scores)),
      'episodes': int(sum(x['is_last'].sum() for x in trajectories)),
  }


class Random:
  """Draws every action uniformly, from -1 to 1 where it has no bounds."""

  def __init__(self, env, seed=0):
    self.spaces = {k: v for k, v in env.act_space.items() if k != 'reset'}
    self.random = np.random.default_rng(seed)

  def __call__(self, obs):
    """Return random actions."""
    return {k: self._draw(v) for k, v in self.spaces.items()}

  def _draw(self, space):
    if space.discrete:  # Its upper bound is excluded.
      return self.random.integers(space.low, space.high, dtype=space.dtype)
    low = np.where(np.isfinite(space.low), space.low, -1)
    high = np.where(np.isfinite(space.high), space.high, 1)
    return self.random.uniform(low, high).astype(space.dtype)


def _job(job):
  make_env, make_policy, length, limit, seed, index = job
  env_seed, policy_seed = seeds(seed, index)
  env = make_env(env_seed)
  try:
    data = rollout(env, make_policy(env, policy_seed), length, limit)
  finally:
    env.close()
  info = {'source_id': f'seed {seed} number {index}', 'seed': env_seed}
  return {**data, 'attrs': info}
