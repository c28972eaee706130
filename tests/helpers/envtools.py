"""Helpers for the tests of environments."""

import numpy as np


def reset(env):
  """Return the observation after asking for a reset."""
  return env.step({**zeros(env), 'reset': True})


def act(env, action):
  """Return the observation after one action under the key `action`."""
  return env.step({**zeros(env), 'action': action})


def zeros(env):
  """Return the all-zero action, which does not reset."""
  return {k: np.zeros(v.shape, v.dtype) for k, v in env.act_space.items()}


def flags(obs):
  """Return the flags that are set, by name."""
  names = ('first', 'last', 'terminal')
  return ' '.join(x for x in names if obs[f'is_{x}'])


def sample(space, rng):
  """Return a random value of a space, as a policy head would."""
  if space.discrete:
    value = rng.integers(0, space.classes, space.shape) + space.low
  else:
    value = rng.uniform(
        np.maximum(space.low, -3), np.minimum(space.high, 3), space.shape)
  return value.astype(space.dtype)


def rollout(env, steps, act_seed=0):
  """Return the observations of a reset and `steps` random actions."""
  rng = np.random.default_rng(act_seed)
  result = [reset(env)]
  for _ in range(steps):
    action = {k: sample(v, rng) for k, v in env.act_space.items()}
    result.append(env.step({**action, 'reset': np.bool_(False)}))
  return result


def same(left, right):
  """Return whether two rollouts are equal in every value."""
  return len(left) == len(right) and all(
      x.keys() == y.keys() and all(np.array_equal(x[k], y[k]) for k in x)
      for x, y in zip(left, right, strict=True))


def check_spaces(env, steps):
  """Take random steps with checks of all spaces; return them."""
  import embodied  # Not before the plugin has mended it.
  for name, space in env.act_space.items():
    if not space.discrete:
      env = embodied.wrappers.NormalizeAction(env, name)
  env = embodied.wrappers.UnifyDtypes(env)
  env = embodied.wrappers.CheckSpaces(env)
  result = rollout(env, steps)
  for obs in result:
    assert obs.keys() == env.obs_space.keys()
  for before, after in zip(result[:-1], result[1:], strict=True):
    assert after['is_first'] == before['is_last']
    assert not after['is_terminal'] or after['is_last']
  return result
