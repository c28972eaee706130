"""Small agents on MinAtar shapes, and batches to train them on."""

import functools
from unittest import mock

import elements
import jax
import jax.numpy as jnp
import ninjax as nj
import numpy as np

from dreamer_gail_plugin import build
from dreamer_gail_plugin import configs
from dreamer_gail_plugin.running import device

SMALL = ['--configs', 'minatar', 'gail', 'debug']
FLAGS = {
    'batch_size': 3, 'batch_length': 6, 'report_length': 4,
    'jax.platform': 'cpu', 'jax.compute_dtype': 'float32',
    'agent.opt.warmup': 0, 'agent.imag_length': 4, 'agent.report': False,
    'agent.gail.burnin': 2, 'logdir': '/nowhere',
    # Algorithm 1; tests of what goes beyond it say so.
    'agent.gail.world': 'replay', 'agent.gail.anchor': 0.0,
    'agent.gail.risk': 0.0, 'agent.gail.absorbing': False,
    'agent.image_loss': 'mse', 'agent.image_zero': 'gray'}
SEED = np.array([1, 2], np.uint32)


def config(**flags):
  """Return the config of a small agent; dots in names become `__`."""
  flags = {k.replace('__', '.'): v for k, v in flags.items()}
  return configs.load_config(SMALL).update({**FLAGS, **flags})


@functools.cache
def make(cls=None, **flags):
  """Return an agent (upstream's outer object); tests share equal ones."""
  agent = outer(config(**flags), cls)
  agent.initial = params(agent)
  return agent


def reset(agent):
  """Make a shared agent new again: parameters, counters, pending work."""
  agent.pending_sync = agent.pending_outs = agent.pending_mets = None
  agent.load({'params': agent.initial, 'counters': dict(
      updates=0, batches=0, actions=0)})


def outer(config, cls=None):
  """Return a new agent of our class, or of `cls`, with `precompile` off."""
  device.prepare_jax(config)
  obs_space, act_space = build.spaces(config)
  keys = (
      'logdir', 'seed', 'batch_size', 'batch_length', 'replay_context',
      'report_length', 'replica', 'replicas')
  cls = cls or build.agent_class(config)
  with mock.patch.object(nj, 'grad', without_gradients):
    return cls(obs_space, act_space, elements.Config(
        **config.agent, **{k: config[k] for k in keys},
        jax={**config.jax, 'precompile': False}))


def without_gradients(fun, targets, has_aux=False):
  """Stand in for `nj.grad` where parameters are created.

  Upstream traces a whole update then, of which the compiler drops all but
  the first values of the parameters. Gradients are half of the tracing.
  """
  fun = nj.pure(fun, nested=True)
  def wrapper(*args, **kwargs):
    # As ninjax runs the function before it differentiates it.
    state, out, _, _, created = fun(
        dict(nj.context()), *args, ignore=True, track=True,
        seed=nj.seed(None, True), **kwargs)
    nj.context().update({k: state[k] for k in created})
    nj.seed(None, True)  # That of the differentiation, so that draws agree.
    paths = tuple(f'{x.path}/' for x in targets)
    params = {k: v for k, v in state.items() if k.startswith(paths)}
    grads = jax.tree.map(jnp.zeros_like, params)
    loss, *aux = out if has_aux else (out,)
    return loss, params, grads, *aux
  return wrapper


def batch(agent, seed=0, length=None):
  """Return a random batch (B, T + context) for `agent.train`."""
  rng = np.random.default_rng(seed)
  length = length or agent.config.batch_length
  shape = (agent.config.batch_size, length + agent.config.replay_context)
  data = {}
  for key, space in agent.spaces.items():
    size = (*shape, *space.shape)
    if space.dtype == bool:
      data[key] = rng.uniform(size=size) < 0.15
    elif np.issubdtype(space.dtype, np.integer):
      data[key] = rng.integers(0, space.high, size).astype(space.dtype)
    else:
      data[key] = rng.normal(size=size).astype(space.dtype)
  data['consec'] = np.zeros(shape, np.int32)
  if 'expert/is_first' in data:
    data['expert/is_cut'] &= data['expert/is_first']
    start_anew(data, slice(None))
  return data


def start_anew(data, rows):
  """Mark that some of the expert's rows start anew, as ExpertReplay does."""
  start = 1  # The first step after the replay's context.
  first, cut = data['expert/is_first'], data['expert/is_cut']
  cut[rows, start] |= ~first[rows, start]
  first[rows, start] = True


def moved(agent, after):
  """Return the networks of which some parameter is not as in a new agent."""
  return {
      k.split('/')[0] for k, v in agent.initial.items()
      if not np.array_equal(v, after[k])}


def train(agent, batches):
  """Train a new agent; return its parameters and the metrics of each step.

  Upstream's outer object hands out metrics one step late, hence the extra
  look at those pending.
  """
  reset(agent)
  carry = agent.init_train(agent.config.batch_size)
  metrics = []
  for number, data in enumerate(batches):
    data = jax.device_put(data, agent.train_sharded)
    seed = agent._seeds(number, agent.train_mirrored)
    carry, _, _ = agent.train(carry, {**data, 'seed': seed})
    metrics.append(agent._take_outs(agent.pending_mets))
  return params(agent), metrics


def params(agent):
  """Return a copy of all parameters and states as numpy arrays."""
  return {k: np.array(v) for k, v in jax.device_get(agent.params).items()}


def call(agent, fn, *args, params=None):
  """Return what `fn(*args)` gives on the initial parameters, under jit."""
  pure = nj.pure(fn)
  run = jax.jit(lambda params, seed, *args: pure(params, *args, seed=seed)[1])
  params = agent.initial if params is None else params
  with jax.transfer_guard('allow'):
    return run(params, SEED, *args)


def loss(agent, data, params=None):
  """Return the dict of all losses, metrics and outs of `model.loss`."""
  params = agent.initial if params is None else params
  with jax.transfer_guard('allow'):
    return compiled_loss(agent)(params, data)


@functools.cache
def compiled_loss(agent):
  """Return the function of parameters and a batch that `loss` calls."""
  def fn(data):
    total, (_, _, outs, metrics) = agent.model.loss(
        *context(agent, data), training=False)
    return {'total': total, **metrics, **outs['losses'], **outs}
  pure = nj.pure(fn)
  return jax.jit(lambda params, data: pure(params, data, seed=SEED)[1])


def context(agent, data):
  """Return the carry, obs and prevact that `model.loss` takes; inside jit."""
  carry = agent.model.init_train(agent.config.batch_size)
  return agent.model._apply_replay_context(carry, data)[:3]


def grads(agent, key):
  """Return the modules that the gradient of one metric or loss reaches."""
  return reached(agent)[key]


@functools.cache
def reached(agent):
  """Return {name: modules} for all metrics and losses, by one compilation."""
  moved = {k: v for k, v in agent.initial.items() if v.dtype == np.float32}
  data = batch(agent)
  def means(params):
    found = compiled_loss(agent)({**agent.initial, **params}, data)
    return {
        k: v.mean() for k, v in found.items()
        if isinstance(v, jax.Array) and jnp.issubdtype(v.dtype, jnp.floating)}
  def fn(params):
    found, back = jax.vjp(means, params)
    single = jnp.eye(len(found))
    return jax.vmap(back)(dict(zip(found, single)))[0], found
  with jax.transfer_guard('allow'):
    grads, found = jax.device_get(jax.jit(fn)(moved))
  return {
      name: {k.split('/')[0] for k, v in grads.items() if v[index].any()}
      for index, name in enumerate(found)}
