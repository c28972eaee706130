"""The parts of a run, made from its config: agent, environments, streams."""

import pathlib
import re
from functools import partial as bind

import elements
import embodied
import numpy as np

from . import envs
from .data import memory
from .data import recipe
from .data import record
from .data import store
from .data import stores
from .envs import upstreams
from .errors import UserError
from .expert import ExpertReplay
from .expert import ExpertStream
from .running import checkpoint
from .running import device
from .running import finite
from .running import hosts
from .running import progress
from .running import quiet
from .running import videos
from .variants import compose
from .variants import mirror
from .variants import risk_stream

# What the optimizers move but for D, so without the critic's slow copy.
MODEL = r'^(enc|dyn|dec|rew|con|pol|val|inv)/'


def make_logdir(config):
  """Return the path of the log directory, made if it is not there."""
  logdir = elements.Path(config.logdir)
  try:
    logdir.mkdir()
  except OSError as error:
    raise UserError(
        f'--logdir {logdir}: cannot make this folder: {error}') from None
  return logdir


def make_agent(config):
  """Return our agent, or upstream's random one with `random_agent`."""
  obs_space, act_space = spaces(config)
  if config.random_agent:
    return embodied.RandomAgent(obs_space, act_space)
  cls = agent_class(config)
  device.prepare_jax(config)
  keys = (
      'logdir', 'seed', 'jax', 'batch_size', 'batch_length', 'replay_context',
      'report_length', 'replica', 'replicas')
  print('Compiling the agent, which may take minutes the first time; XLA may '
        'call that very slow')
  with quiet.hushed(config.verbose):
    [elements.print(line) for line in cls.banner]
    agent = cls(obs_space, act_space, elements.Config(
        **config.agent, **{k: config[k] for k in keys}))
  print('Model:', describe(agent.params))
  return finite.guarded(checkpoint.strict(agent))


def describe(params):
  """Return how many parameters model and D have, as text."""
  count = lambda pattern: sum(
      v.size for k, v in params.items() if re.search(pattern, k))
  disc = count('^disc/')
  return f'{count(MODEL):,} parameters' + (f', D {disc:,}' if disc else '')


def make_model(config):
  """Return the agent without upstream's outer one, which would compile it.

  It has the losses and the policy, as pure functions of parameters that it
  does not hold: for shapes, and for programs that only act.
  """
  cls = agent_class(config)
  model = object.__new__(cls)
  model.__init__(*spaces(config), elements.Config(
      **config.agent, replay_context=config.replay_context))
  return model


def agent_class(config):
  """Return the class of the config's agent; see `variants.compose`."""
  return compose.agent_class(config.agent)


def make_logger(config):
  """Return upstream's logger, with a line of progress at the terminal.

  Boards and frame stacks are shown in colour. All metrics are printed with
  `verbose` only.
  """
  logger = upstreams.main().make_logger(config)
  if hosts.part(config):  # The first host logs.
    logger.outputs = [lambda summaries: None]
    return logger
  outputs = logger.outputs
  if not config.verbose:
    outputs = quiet.without_metrics(outputs)
  logger.outputs = [
      videos.ColourOutput(quiet.Surviving(x)) for x in outputs]
  logger.outputs.append(progress.Progress(
      config.run.steps * logger.multiplier, config.agent))
  return logger


def make_env(config, index, **overrides):
  """Return environment number `index` of the task, in upstream's wrappers."""
  env = make_raw_env(config, index, **overrides)
  return upstreams.main().wrap_env(env, config)


def make_raw_env(config, index, **overrides):
  """Return environment number `index` with actions in their own units.

  Demonstrations hold its steps.
  """
  suite, _, task = config.task.partition('_')
  kwargs = {**config.env.get(suite, {}), **overrides}
  seed = np.random.SeedSequence(
      [config.seed, index, *hosts.part(config)]).generate_state(1)[0]
  return envs.make(suite, task, seed=int(seed), **kwargs)


def spaces(config):
  """Return the observation and action spaces of the task, two dicts.

  They are the agent's: its continuous actions are from -1 to 1.
  """
  return _close(make_env(config, 0), _spaces)


def raw_spaces(config):
  """Return the same with actions in their own units, as stores hold them."""
  return _close(make_raw_env(config, 0), _raw_spaces)


def _spaces(env):
  obs_space = {
      k: v for k, v in env.obs_space.items() if not k.startswith('log/')}
  act_space = {k: v for k, v in env.act_space.items() if k != 'reset'}
  return obs_space, act_space


def _raw_spaces(env):
  return _spaces(embodied.wrappers.UnifyDtypes(env))


def _close(env, fn):
  # What a function makes of an environment that serves for nothing else.
  result = fn(env)
  env.close()
  return result


def make_replay(config, folder):
  """Return upstream's replay, with random play of a run that begins.

  `folder` is its name in the logdir. The steps have the RSSM's initial state,
  which upstream replaces when it learns from them.
  """
  replay = upstreams.main().make_replay(config, folder)
  begins = not list(pathlib.Path(config.logdir, folder).rglob('*.npz'))
  if config.run.random_steps and begins and not config.random_agent:
    print(f'Random play: {config.run.random_steps:,} steps into the replay')
    fill(config, replay)
  return replay


def fill(config, replay):
  """Add `run.random_steps` steps of random play to the replay."""
  model = make_model(config)
  parts = {x: getattr(model, x).entry_space for x in ('enc', 'dyn', 'dec')}
  entries = elements.tree.flatdict(parts) if config.replay_context else {}
  agent = embodied.RandomAgent(model.obs_space, model.act_space)
  def policy(carry, obs):
    carry, act, _ = agent.policy(carry, obs)
    return carry, act, {
        k: np.zeros((1, *v.shape), v.dtype) for k, v in entries.items()}
  # Its number, and so its seed, is that of no environment of the run.
  env = bind(make_env, config, config.run.envs + config.run.eval_envs)
  driver = embodied.Driver([env], parallel=False)
  driver.on_step(replay.add)
  driver.reset(agent.init_policy)
  driver(policy, steps=config.run.random_steps)
  driver.close()


def make_stream(config, replay, mode):
  """Return upstream's stream of replay batches with the expert's added.

  `mode` is train, report or eval, as in upstream.
  """
  stream = upstreams.main().make_stream(config, replay, mode)
  add = lambda env: expert_stream(config, stream, env, mode)
  return _close(make_env(config, 0), add)


def expert_stream(config, stream, env, mode='train'):
  """Return a stream of replay batches with the demonstrations added.

  For pipelines that make their own streams and environments. A config that
  needs no demonstrations gets its stream back.

  Args:
    config: with the keys of the plugin, see `configs.gail_config`.
    stream: of batches of the replay, as upstream's make_stream returns it.
    env: one of the task in upstream's wrappers; its spaces are read.
    mode: train, report or eval, as in upstream. It sets the seed and the
      length; the expert's sequences are as long as the replay's.
  """
  if not needs_expert(config):
    return stream
  raw = upstreams.unwrapped(env)
  length = config.batch_length if mode == 'train' else config.report_length
  seed = (
      config.seed, ('train', 'report', 'eval').index(mode),
      *hosts.part(config))
  stream = ExpertStream(stream, make_expert(
      config, length + config.replay_context, raw, seed=seed,
      context=config.replay_context))
  obs_space, act_space = _spaces(env)
  if risk_stream.needed(config.agent.gail, act_space):
    stream = risk_stream.EndStream(
        stream, obs_space, act_space, config.agent.gail.risk_discount,
        make_mirror(config, raw), seed=seed)
  return embodied.streams.Map(
      stream, normalize_actions, _raw_spaces(raw)[1])


def make_expert(config, length, env=None, seed=0, context=0):
  """Return the ExpertReplay of the task's demonstrations.

  Its sequences have `length` steps, `context` of them the last ones of the
  batch before. `env` is one with actions in their own units.
  """
  if env is None:
    return _close(
        make_raw_env(config, 0),
        lambda env: make_expert(config, length, env, seed, context))
  gail = config.agent.gail
  obs_space, act_space = _raw_spaces(env)
  if gail.actions != 'given':
    act_space = {}
  return ExpertReplay(
      expert_path(config), config.batch_size, length, obs_space, act_space,
      seed=seed, task=config.task, singles=bool(gail.anchor),
      mirror=make_mirror(config, env), consec=gail.consec, context=context,
      weights=gail.expert_weights)


def make_mirror(config, env):
  """Return the Mirror of what the anchor learns from, None for none."""
  gail = config.agent.gail
  wanted = gail.anchor and gail.anchor_mirror
  return mirror.Mirror(env) if wanted else None


def record_random(config, trajectories=10, length=1024):
  """Record the random policy as the expert, once for a log directory."""
  path = expert_path(config)
  if path.exists():
    return
  print(f'Recording the random policy: {trajectories} x {length} steps')
  make_logdir(config)
  suite = config.task.partition('_')[0]
  store.write(path, record.record(
      bind(make_raw_env, config), record.Random, trajectories, length,
      seed=config.seed), {
          'task': config.task, 'source': 'random policy', 'licence': 'none',
          'preprocessing': dict(config.env.get(suite, {})),
          'action_meanings': []})


def normalize_actions(batch, act_space):
  """Return the batch with its expert actions in the units of the agent.

  Demonstrations hold actions as the environment of `act_space` takes them.
  The agent's continuous ones are from -1 to 1 where both bounds are finite:
  this is the inverse of upstream's wrapper NormalizeAction.
  """
  batch = dict(batch)
  for key in [k for k, v in act_space.items() if not v.discrete]:
    low, high = act_space[key].low, act_space[key].high
    bounded = np.isfinite(low) & np.isfinite(high) & (low < high)
    low, high = np.where(bounded, low, -1), np.where(bounded, high, 1)
    middle, half = (low + high) / 2, (high - low) / 2
    for name in {f'expert/{key}', f'single/{key}'} & batch.keys():
      batch[name] = np.float32((batch[name] - middle) / half)  # (B, T, A)
  return batch


def needs_expert(config):
  """Return whether the config's agent learns from demonstrations."""
  return config.agent.gail.reward != 'env' and not config.random_agent


def demonstrations(config):
  """Return the path of the demonstrations that the script learns from, or
  None."""
  learns = config.script in memory.LEARNING and needs_expert(config)
  return expert_path(config) if learns else None


def expert_path(config):
  """Return the path of the store that `agent.gail.expert` names.

  Where it names several these are `stores.Paths`.
  """
  name = config.agent.gail.expert
  if name == 'random':
    return pathlib.Path(config.logdir).expanduser() / 'expert_random.h5'
  if name != 'auto':
    return stores.named(name)
  return recipe.bundled(config.task)
