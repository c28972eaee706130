"""The entry: DreamerV3's flags and scripts, with demonstrations for a reward.

  python -m dreamer_gail_plugin.main --configs minatar tiny gail

Run loops, replay, logger and wrappers are upstream's own; the agent, the
environments and the expert stream are ours.
"""

import os
import pathlib
import re
import sys
from functools import partial as bind

import dreamerv3.main as upmain
import elements
import embodied
import numpy as np
import portal
import ruamel.yaml as yaml

from . import checkpoint
from . import checks
from . import ends
from . import envs
from . import mirror
from . import openloop
from . import progress
from . import provenance
from . import scores
from . import store
from . import upstream
from .demos import recipe
from .demos import record
from .errors import UserError
from .expert import ExpertReplay
from .expert import ExpertStream

PROGRAM = ('dreamer_gail_plugin.main',)
HUMANS = {
    suite: f'python -m dreamer_gail_plugin.demos {name} --help'
    for suite, name in
    {'atari': 'atari_head', 'crafter': 'crafter_human'}.items()}


def main(argv=None):
  """Run one script to its end; raises UserError for mistakes of the user."""
  config = load_config(argv)
  checks.values(config)
  config = checks.rows(checks.lengths(checks.platform(config)))
  checks.memory(config, spaces(config))
  expert = describe_expert(config)
  run(config, argv)
  if config.script in ('train', 'train_eval') and not config.random_agent:
    print(scores.summary(config, expert, bind(make_env, config)))


def load_config(argv=None):
  """Return the Config of the flags `argv`, without touching the disk."""
  blocks = yaml.YAML(typ='safe').load(
      upstream.resource('configs.yaml').read_text())
  try:
    parsed, other = elements.Flags(configs=['defaults']).parse_known(argv)
    config = elements.Config(blocks['defaults'])
    for name in parsed.configs:
      if name not in blocks:
        raise UserError(
            f'--configs {name}: no such block in configs.yaml. '
            f'There are: {", ".join(sorted(blocks))}')
      config = config.update(blocks[name])
    config = elements.Flags(config).parse(other)
  except (KeyError, TypeError, ValueError, OverflowError, re.error) as error:
    raise UserError(
        f'{error.args[0]} See configs.yaml for all keys.') from None
  try:
    logdir = config.logdir.format(timestamp=elements.timestamp())
  except (KeyError, IndexError, ValueError):
    raise UserError(
        f'--logdir {config.logdir}: in braces only {{timestamp}} is allowed.'
    ) from None
  config = config.update(logdir=logdir)
  if 'JOB_COMPLETION_INDEX' in os.environ:
    config = config.update(replica=int(os.environ['JOB_COMPLETION_INDEX']))
  return config


def run(config, argv):
  """Make the log directory and hand over to upstream's run loop.

  `argv` are the flags that gave the config, None for those of this process.
  """
  print('Replica:', config.replica, '/', config.replicas)
  print('Logdir:', config.logdir)
  print('Run script:', config.script)
  make = lambda fn, *args: bind(fn, config, *args)
  agent, env = make(make_agent), make(make_env)
  stream, logger = make(make_stream), make(make_logger)
  replay = make(upmain.make_replay, 'replay')
  evalreplay = make(upmain.make_replay, 'eval_replay', 'eval')
  args = run_args(config)
  iseval = config.replica >= args.envs
  scripts = {
      'train': bind(
          embodied.run.train, agent, replay, env, stream, logger, args),
      'train_eval': bind(
          embodied.run.train_eval, agent, replay, evalreplay, env, env,
          stream, logger, args),
      'eval_only': bind(embodied.run.eval_only, agent, env, logger, args),
      'parallel': bind(
          embodied.run.parallel.combined, agent, replay, evalreplay, env, env,
          stream, logger, args),
      'parallel_env': bind(
          embodied.run.parallel.parallel_env, env, config.replica, args,
          iseval),
      'parallel_envs': bind(
          embodied.run.parallel.parallel_envs, env, env, args),
      'parallel_replay': bind(
          embodied.run.parallel.parallel_replay, replay, evalreplay, stream,
          args),
  }
  if config.script not in scripts:
    raise UserError(
        f'--script {config.script}: no such script. '
        f'There are: {", ".join(scripts)}')
  if not config.script.endswith(('_env', '_replay')):
    logdir = make_logdir(config)
    provenance.record(
        logdir, PROGRAM, argv, config.seed, config.jax.platform)
    config.save(logdir / 'config.yaml')
  setup(config)
  scripts[config.script]()


def make_logdir(config):
  """Return the path of the log directory, made if it is not there."""
  logdir = elements.Path(config.logdir)
  try:
    logdir.mkdir()
  except OSError as error:
    raise UserError(
        f'--logdir {logdir}: cannot make this folder: {error}') from None
  return logdir


def setup(config):
  """Prepare this process and its children for upstream's run loops."""
  def init():
    elements.timer.global_timer.enabled = config.logger.timer
  portal.setup(
      errfile=config.errfile and elements.Path(config.logdir) / 'error',
      clientkw=dict(logging_color='cyan'),
      serverkw=dict(logging_color='cyan'),
      initfns=[init],
      ipv6=config.ipv6,
  )


def run_args(config):
  """Return what upstream's run loops read from the config."""
  keys = (
      'replica', 'replicas', 'logdir', 'batch_size', 'batch_length',
      'report_length', 'consec_train', 'consec_report', 'replay_context')
  return elements.Config(**config.run, **{k: config[k] for k in keys})


def make_agent(config):
  """Return our agent, or upstream's random one with `random_agent`."""
  obs_space, act_space = spaces(config)
  if config.random_agent:
    return embodied.RandomAgent(obs_space, act_space)
  from .agent import Agent
  checks.prepare_jax(config)
  [elements.print(line) for line in Agent.banner]
  keys = (
      'logdir', 'seed', 'jax', 'batch_size', 'batch_length', 'replay_context',
      'report_length', 'replica', 'replicas')
  return checkpoint.strict(Agent(obs_space, act_space, elements.Config(
      **config.agent, **{k: config[k] for k in keys})))


def make_logger(config):
  """Return upstream's logger, with a line of progress at the terminal.

  Boards and frame stacks are shown in colour.
  """
  logger = upmain.make_logger(config)
  logger.outputs = [openloop.ColourOutput(x) for x in logger.outputs]
  logger.outputs.append(progress.Progress(
      config.run.steps * logger.multiplier, config.agent.gail))
  return logger


def make_env(config, index, **overrides):
  """Return environment number `index` of the task, in upstream's wrappers."""
  return upmain.wrap_env(make_raw_env(config, index, **overrides), config)


def make_raw_env(config, index, **overrides):
  """Return environment number `index` with actions in their own units.

  Demonstrations hold its steps.
  """
  suite, _, task = config.task.partition('_')
  kwargs = {**config.env.get(suite, {}), **overrides}
  seed = np.random.SeedSequence([config.seed, index]).generate_state(1)[0]
  return envs.make(suite, task, seed=int(seed), **kwargs)


def spaces(config):
  """Return the agent's observation and action spaces for the task."""
  env = make_env(config, 0)
  obs_space = {
      k: v for k, v in env.obs_space.items() if not k.startswith('log/')}
  act_space = {k: v for k, v in env.act_space.items() if k != 'reset'}
  env.close()
  return obs_space, act_space


def make_stream(config, replay, mode):
  """Return upstream's stream of replay batches with the expert's added.

  `mode` is train, report or eval, as in upstream. The expert's sequences are
  as long as the replay's with their context.
  """
  stream = upmain.make_stream(config, replay, mode)
  if not needs_expert(config):
    return stream
  length = config.batch_length if mode == 'train' else config.report_length
  env = make_raw_env(config, 0)
  env.close()
  seed = (config.seed, ('train', 'report', 'eval').index(mode))
  stream = ExpertStream(stream, make_expert(
      config, env, length + config.replay_context, seed=seed,
      context=config.replay_context))
  obs_space, act_space = spaces(config)
  if ends.needed(config.agent.gail, act_space):
    stream = ends.EndStream(
        stream, obs_space, act_space, config.agent.gail.risk_discount,
        make_mirror(config, env), seed=seed)
  return embodied.streams.Map(stream, normalize_actions, env.act_space)


def make_expert(config, env, length, seed=0, context=0):
  """Return the ExpertReplay of the demonstrations for a raw environment."""
  return ExpertReplay(
      expert_path(config), config.batch_size, length,
      embodied.wrappers.UnifyDtypes(env).obs_space, env.act_space,
      seed=seed, task=config.task, singles=bool(config.agent.gail.anchor),
      mirror=make_mirror(config, env), consec=config.agent.gail.consec,
      context=context)


def make_mirror(config, env):
  """Return the Mirror of what the anchor learns from, None for none."""
  return mirror.Mirror(env) if config.agent.gail.anchor_mirror else None


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


def describe_expert(config):
  """Check the demonstrations, say what they are; return their stats.

  Returns None where the script does not need any. `expert: random` records
  them first, unless an earlier start of this run did.
  """
  if config.script not in checks.LEARNING or not needs_expert(config):
    return None
  if config.agent.gail.expert == 'random':
    record_random(config)
  env = make_raw_env(config, 0)
  env.close()
  longest = max(config.batch_length, config.report_length)
  expert = make_expert(config, env, longest + config.replay_context)
  print(f'Demonstrations: {expert_path(config)}: {expert}')
  suite = config.task.partition('_')[0]
  if config.agent.gail.expert == 'auto' and suite in HUMANS:
    print(
        f'These were made by a program. Human ones: {HUMANS[suite]}, see '
        'docs/demonstrations.md; name the file by --agent.gail.expert')
  checks.same_eyes(config, expert_path(config))
  return expert.stats


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


def expert_path(config):
  """Return the path of the store that `agent.gail.expert` names."""
  name = config.agent.gail.expert
  if name == 'random':
    return pathlib.Path(config.logdir).expanduser() / 'expert_random.h5'
  if name != 'auto':
    return pathlib.Path(name).expanduser()
  folder = upstream.resource('expert_data')
  path = folder / f'{config.task}.h5'
  if path.with_suffix('.json').exists():
    return recipe.cached(path.with_suffix('.json'))
  if not path.exists():
    bundled = ', '.join(sorted(
        x.stem for x in folder.iterdir() if x.suffix in ('.h5', '.json')))
    raise UserError(
        f'--agent.gail.expert auto: no demonstrations are bundled for '
        f'{config.task} (there are: {bundled}). Import some with `python -m '
        f'dreamer_gail_plugin.demos` and name the file by this flag.')
  return path


def cli():
  """Run main() and turn a UserError into one line and exit code 2."""
  try:
    main()
  except UserError as error:
    print(f'error: {error}', file=sys.stderr)
    sys.exit(2)


if __name__ == '__main__':
  # Children unpickle functions by their module's name, so the functions must
  # come from the importable module rather than from __main__.
  from dreamer_gail_plugin.main import cli
  cli()
