"""A process that holds one agent and times its train step.

Each configuration has a process of its own, or neither peak memory nor compile
time could be told apart. They are asked in turns, so that a noisy machine hits
all alike.
"""

import ctypes
import multiprocessing
import os
import pathlib
import re
import time
import traceback

import elements
import numpy as np


class Worker:
  """The handle of such a process; use it as a context manager."""

  def __init__(self, config):
    context = multiprocessing.get_context('spawn')
    self.conn, child = context.Pipe()
    self.process = context.Process(
        target=_serve, args=(child, config.flat), daemon=True)
    self.process.start()
    child.close()

  def __enter__(self):
    return self

  def __exit__(self, *args):
    self.conn.close()
    self.process.join(timeout=10)
    self.process.terminate()

  def ask(self, name):
    """Return what the method `name` of Timer returns in the process."""
    self.conn.send(name)
    try:
      failed, result = self.conn.recv()
    except EOFError:
      raise RuntimeError(
          'A worker was killed, perhaps for want of memory.') from None
    if failed:
      raise RuntimeError(f'A worker failed:\n{result}')
    return result


def alternate(workers, repeats, warmup=3):
  """Return {name: seconds (repeats,)} of train steps, taken in turns."""
  for worker in workers.values():
    for _ in range(warmup):
      worker.ask('train')
  times = {k: [] for k in workers}
  for _ in range(repeats):
    for key, worker in workers.items():
      times[key].append(worker.ask('train'))
  return {k: np.array(v) for k, v in times.items()}


class Timer:
  """What a worker can do. One agent on random batches of the task's shapes."""

  def __init__(self, config):
    from .. import build
    from .. import configs
    config = configs.rows(config)
    begin = time.perf_counter()
    self.agent = build.make_agent(config)
    self.seconds = time.perf_counter() - begin
    forget_peak()
    self.batch = random_batch(
        self.agent.spaces,
        (config.batch_size, config.batch_length + config.replay_context))
    self.carry = self.agent.init_train(config.batch_size)
    self.updates, self.envs = 0, config.run.envs

  def info(self):
    """Return what is known of the agent beside its times.

    `compile_seconds` are those to build the agent, most of it the compiler's,
    `step_bytes` the memory of the compiled step, `peak_bytes` the largest
    that the process has held since the agent was built, `device_bytes` the
    same of a GPU, and `values` how many numbers are kept.
    """
    stats = self.agent._train.memory_analysis()
    step = (
        stats.temp_size_in_bytes + stats.argument_size_in_bytes +
        stats.output_size_in_bytes - stats.alias_size_in_bytes)
    return {
        'compile_seconds': round(self.seconds, 1), 'step_bytes': int(step),
        'peak_bytes': peak(), **device_peak(),
        'values': sum(x.size for x in self.agent.params.values())}

  def act(self, rounds=30):
    """Return steps/s of the policy, in the environments of the config."""
    carry = self.agent.init_policy(self.envs)
    obs = {
        k: v[0, :1].repeat(self.envs, 0) for k, v in self.batch.items()
        if k in self.agent.obs_space}
    carry, _, _ = self.agent.policy(carry, obs)
    begin = time.perf_counter()
    for _ in range(rounds):
      carry, _, _ = self.agent.policy(carry, obs)
    return rounds * self.envs / (time.perf_counter() - begin)

  def train(self):
    """Return the seconds of one train step, batch already on the device."""
    import jax
    from embodied.jax import internal
    agent = self.agent
    data = internal.device_put(self.batch, agent.train_sharded)
    data['seed'] = agent._seeds(self.updates, agent.train_mirrored)
    jax.block_until_ready(data)
    start = time.perf_counter()
    self.carry, _, _ = agent.train(self.carry, data)
    jax.block_until_ready(agent.params)
    self.updates += 1
    return time.perf_counter() - start


def device_peak():
  """Return {'device_bytes': the most that was in use}; nothing on a CPU."""
  import jax
  stats = jax.devices()[0].memory_stats() or {}
  found = stats.get('peak_bytes_in_use')
  return {'device_bytes': found} if found else {}


def peak():
  """Return the largest memory in bytes that this process has held."""
  status = pathlib.Path('/proc/self/status').read_text()
  return 1024 * int(re.search(r'VmHWM:\s+(\d+) kB', status)[1])


def forget_peak():
  """Let `peak` count from now on, without what is free to be reused."""
  ctypes.CDLL(None).malloc_trim(0)
  pathlib.Path('/proc/self/clear_refs').write_text('5')


def random_batch(spaces, shape):
  """Return random values of spaces, arrays (*shape, ...); flags are False."""
  rng = np.random.default_rng(0)
  data = {}
  for key, space in spaces.items():
    size = (*shape, *space.shape)
    if space.dtype == bool:
      data[key] = np.zeros(size, bool)
    elif np.issubdtype(space.dtype, np.integer):
      data[key] = rng.integers(0, space.high, size).astype(space.dtype)
    else:
      data[key] = rng.normal(size=size).astype(space.dtype)
  if 'consec' in data:
    data['consec'][:] = 0
  return data


def _serve(conn, flat):
  # Upstream prints a lot, and so do native libraries.
  quiet = os.open(os.devnull, os.O_WRONLY)
  os.dup2(quiet, 1)
  timer = None
  while True:
    try:
      name = conn.recv()
    except (EOFError, OSError):
      return
    try:
      timer = timer or Timer(elements.Config(flat))
      conn.send((False, getattr(timer, name)()))
    except Exception:
      conn.send((True, traceback.format_exc()))
