"""Environment steps/s, in one process and in several."""

import time
from functools import partial as bind

import embodied
import numpy as np

from .. import build


def run(config, args):
  """Return the figure and the results: steps/s of all environments together.

  Episodes reset as they end. Parallel means upstream's driver, which `train`
  uses, with a process for each environment.
  """
  count = config.run.envs
  make = bind(build.make_env, config)
  results = {}
  for name, parallel in {'one process': False, 'parallel': True}.items():
    driver = embodied.Driver(
        [bind(make, i) for i in range(count)], parallel=parallel)
    policy = random_policy(make)
    driver.reset(lambda n: ())
    results[name] = measure(driver, policy, count, args.repeats)
    driver.close()
    print(f'{name:<12} {results[name]["steps_per_second"]:>10,.0f} steps/s')
  ratio = (
      results['parallel']['steps_per_second'] /
      results['one process']['steps_per_second'])
  return (
      f'env steps/s parallel/one process, {count} environments: '
      f'{ratio:.2f}'), {'envs': count, 'task': config.task, **results}


def measure(driver, policy, count, repeats):
  """Return steps/s: median, minimum and maximum over rounds of 100 steps."""
  rates = []
  for _ in range(repeats + 1):
    start = time.perf_counter()
    driver(policy, steps=100 * count)
    rates.append(100 * count / (time.perf_counter() - start))
  rates = np.array(rates[1:])
  return {
      'steps_per_second': round(float(np.median(rates)), 1),
      'min': round(float(rates.min()), 1), 'max': round(float(rates.max()), 1)}


def random_policy(make):
  """Return upstream's random agent for the environments of `make`."""
  env = make(0)
  spaces = {
      k: v for k, v in env.act_space.items() if k != 'reset'}
  agent = embodied.RandomAgent(env.obs_space, spaces)
  env.close()
  return agent.policy
