"""A process that holds one agent and times what it is asked to.

A and B need a process each, or neither peak memory nor compile time could be
told apart; asking them in turns lets a noisy machine hit both alike.
"""

import contextlib
import ctypes
import multiprocessing
import os
import pathlib
import re
import tempfile
import time
import traceback

import elements
import numpy as np

from . import profiler


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

  def ask(self, name, *args):
    """Return what the method `name` of Bench returns in the process."""
    self.conn.send((name, args))
    try:
      failed, result = self.conn.recv()
    except EOFError:
      raise RuntimeError(
          'A worker was killed, perhaps for want of memory.') from None
    if failed:
      raise RuntimeError(f'A worker failed:\n{result}')
    return result


def alternate(tasks, repeats, warmup=3):
  """Return {key: seconds (repeats,)} of tasks, all run in turns.

  `tasks` maps names to a worker and what to ask it for.
  """
  for worker, name in tasks.values():
    for _ in range(warmup):
      worker.ask(name)
  times = {k: [] for k in tasks}
  for _ in range(repeats):
    for key, (worker, name) in tasks.items():
      times[key].append(worker.ask(name))
  return {k: np.array(v) for k, v in times.items()}


def spread(seconds):
  """Return the median, minimum and maximum in milliseconds."""
  return {
      k: round(float(1e3 * fn(seconds)), 3)
      for k, fn in dict(median=np.median, min=np.min, max=np.max).items()}


class Bench:
  """What a worker can do. One agent on random batches of the task's shapes."""

  def __init__(self, config):
    from .. import build
    from .. import configs
    config = configs.rows(config)
    self.times = {}
    with profiler.named_parts(), self._timed_compile():
      self.agent = build.make_agent(config)
    self.start = peak()
    forget_peak()
    self.config = config
    self.batch = random_batch(
        self.agent.spaces,
        (config.batch_size, config.batch_length + config.replay_context))
    self.carry = self.agent.init_train(config.batch_size)
    self.acting = self.extra = None
    self.updates = 0

  def info(self):
    """Return compile seconds, all values kept and upstream's parameters."""
    sizes = {k: v.size for k, v in self.agent.params.items()}
    model = ('enc', 'dyn', 'dec', 'rew', 'con', 'pol', 'val')
    own = [v for k, v in sizes.items() if k.split('/')[0] in model]
    return {
        **self.times, 'values': sum(sizes.values()), 'parameters': sum(own)}

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

  def floor(self):
    """Return the seconds of D's work and of a pass over the expert's rows.

    Without the pass where the model learns from them: then they stand in the
    place of replayed ones.
    """
    import jax
    if self.extra is None:
      self.extra = self._compile_extra()
    start = time.perf_counter()
    jax.block_until_ready(self.extra())
    return time.perf_counter() - start

  def policy(self):
    """Return the seconds of one policy step of `run.envs` environments."""
    envs = self.config.run.envs
    if self.acting is None:
      self.acting = self.agent.init_policy(envs)
      self.obs = {
          k: v[:, 0] for k, v in
          random_batch(self.agent.obs_space, (envs, 1)).items()}
    start = time.perf_counter()
    self.acting, _, _ = self.agent.policy(self.acting, self.obs)
    return time.perf_counter() - start

  def memory(self):
    """Return bytes: of the compiled step, and the process's peaks.

    `training` is the peak since the agent was built, `start` the peak before
    that, most of it the compiler's; the compilation cache saves it.
    """
    stats = self.agent._train.memory_analysis()
    step = (
        stats.temp_size_in_bytes + stats.argument_size_in_bytes +
        stats.output_size_in_bytes - stats.alias_size_in_bytes)
    return {'step': int(step), 'training': peak(), 'start': self.start}

  def profile(self, steps=5):
    """Return {part: milliseconds of one train step}."""
    with tempfile.TemporaryDirectory() as folder:
      with profiler.trace(folder):
        for _ in range(steps):
          self.train()
      events = profiler.events(folder)
    return profiler.parts(events, self.agent._train.as_text(), steps)

  def _compile_extra(self):
    import jax
    import jax.numpy as jnp
    import ninjax as nj

    from .. import pairs
    from .. import worldmodel
    model, config = self.agent.model, self.config
    B, T = config.batch_size, config.batch_length
    K, H = min(config.agent.imag_last or T, T), config.agent.imag_length
    size = len(self.agent.params['disc/linear0/kernel'])
    def extra(expert):
      given = {}
      if model.gail.world == 'replay':
        expert = {k: v[:, config.replay_context:] for k, v in expert.items()}
        rows = worldmodel.expert_rows(model, expert)
        feat, _ = worldmodel.observe(model, rows, True)
        given['expert'] = pairs.of_expert(model, expert, feat)
      for key, shape in {
          'expert': (B, T), 'imag': (B * K, H), 'replay': (B, K - 1),
          'other': (B, K - 1)}.items():
        given.setdefault(key, (jnp.ones((*shape, size)), jnp.ones(shape)))
      return model._discriminate(given, True)
    expert = {
        k[7:]: v for k, v in self.batch.items() if k.startswith('expert/')}
    params = {
        k: v for k, v in self.agent.params.items()
        if k.startswith(('enc/', 'dyn/', 'disc', 'ends_'))}
    params, expert, seed = jax.device_put(
        (params, expert, np.array([0, 1], np.uint32)))
    run = jax.jit(lambda params, expert, seed: nj.pure(extra)(
        params, expert, seed=seed))
    params = jax.tree.map(jnp.copy, params)
    return lambda: run(params, expert, seed)

  @contextlib.contextmanager
  def _timed_compile(self):
    from embodied.jax import agent as jaxagent
    def timed(name, fn):
      def wrapper(*args):
        start = time.perf_counter()
        fn(*args)
        self.times[name] = time.perf_counter() - start
      return wrapper
    cls, name = jaxagent.Agent, '_compile_train'
    old = getattr(cls, name)
    setattr(cls, name, timed('compile_train', old))
    try:
      yield
    finally:
      setattr(cls, name, old)


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
  bench = None
  while True:
    try:
      name, args = conn.recv()
    except (EOFError, OSError):
      return
    try:
      bench = bench or Bench(elements.Config(flat))
      conn.send((False, getattr(bench, name)(*args)))
    except Exception:
      conn.send((True, traceback.format_exc()))
