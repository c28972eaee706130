"""Trains agents: DreamerV3's flags and scripts, with demonstrations as reward.

  python -m dreamer_gail_plugin.main --configs minatar tiny gail

Run loops, replay, logger and wrappers are upstream's. The agent, the
environments and the expert stream are the plugin's; `build` makes them.
"""

import os
import sys
from functools import partial as bind

import dreamerv3.main as upmain
import elements
import embodied
import portal

from . import arguments
from . import build
from . import configs
from . import errors
from . import helptext
from . import preflight
from .data import memory
from .data import settings
from .errors import UserError
from .evaluate import scores
from .running import checks
from .running import device
from .running import hosts
from .running import lock
from .running import provenance
from .running import samerun
from .running import signals

PROGRAM = ('train',)
HUMANS = {'atari': 'atari_head', 'crafter': 'crafter_human'}


def main(argv=None):
  """Run the script of the flags; raises UserError for mistakes of the user.

  Returns the exit code if a signal has ended the run, else None.
  """
  words = sys.argv[1:] if argv is None else argv
  if {'-h', '--help'} & set(words):
    print(helptext.text(words))
    return
  config = configs.load_config(argv)
  checks.values(config)
  checks.relations(config)
  config = configs.rows(configs.lengths(device.platform(config)))
  build.raw_spaces(config)  # Is there such a task? Before what needs one.
  demos = build.demonstrations(config)
  config = preflight.settle(config)
  samerun.check(config, demos)
  memory.check(config, build.spaces(config))
  if config.replica or config.script.startswith('parallel_'):
    return start(config, argv)  # A part of a run.
  with lock.held(config.logdir):
    code = start(config, argv)
  if code is None and config.run.twin:
    twin(config, argv)
  return code


def twin(config, argv):
  """Go on as the program that trains the run's constant twin.

  Its logdir is that of the run, with `-constant` at the end. The process stays
  the same, so that signals reach it; started again it goes on with the twin.
  """
  flags = [
      *map(str, provenance.arguments(argv)), '--run.twin', 'False',
      '--agent.gail.reward', 'constant',
      '--logdir', f'{config.logdir.rstrip("/")}-constant']
  print('The constant twin:', provenance.command(flags, PROGRAM), flush=True)
  os.execv(sys.executable, [
      sys.executable, '-m', __package__, *PROGRAM, *flags])


def start(config, argv):
  """Run the script and tell how it went; returns what `main` does."""
  step = samerun.done(config)
  if step is not None and config.script in ('train', 'train_eval', 'parallel'):
    print(samerun.note(config, step))
    if samerun.finished(config, step):
      return None
  expert = describe_expert(config)
  chance = preflight.expert(config) if expert else None
  stats = expert and expert.stats
  if config.script == 'parallel':
    expert = None  # Its steps are those of another process.
  with hosts.joined(config):
    stopped = run(config, argv, early(step, onwards(config, argv)))
  if hosts.part(config):
    return 128 + stopped if stopped else None
  if stopped:
    print(f'Stopped by {stopped.name}. To go on: {onwards(config, argv)}')
    return 128 + stopped
  if config.script in ('train', 'train_eval') and not config.random_agent:
    print(scores.summary(
        config, stats, bind(build.make_env, config), chance))
    [print(line) for line in anchor_advice(config)]


def run(config, argv, early):
  """Make the log directory and start upstream's run loop.

  `argv` are the flags of the config, None for those of this process; `early`
  is what to say of a signal before the first step. Returns the signal that
  has ended the run, or None.
  """
  print('Logdir:', config.logdir)
  print('Curves:', scores.curves(config.logdir))
  print('        then http://localhost:8000, and tick the run')
  make = lambda fn, *args: bind(fn, config, *args)
  agent, env = make(build.make_agent), make(build.make_env)
  stream, logger = make(build.make_stream), make(build.make_logger)
  replay = make(build.make_replay, 'replay')
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
  first = not hosts.part(config)
  if first and not config.script.endswith(('_env', '_replay')):
    logdir = build.make_logdir(config)
    provenance.record(
        logdir, PROGRAM, argv, config.seed, config.jax.platform)
    provenance.save_config(logdir, config)
    samerun.record(config, build.demonstrations(config))
  setup(config)
  with signals.handled(early) as listener:
    scripts[config.script]()
  return listener.ending


def early(step, command):
  """Return what to say where a run of `step` saved steps is stopped early."""
  kept = f'the save of step {step:,} stays' if step else 'nothing is saved'
  return f': {kept}. To go on: {command}'


def onwards(config, argv):
  """Return the command that goes on with the run."""
  given = provenance.arguments(argv)
  if not any(config.logdir in str(x) for x in given):
    given = [*given, '--logdir', config.logdir]
  return provenance.command(given, PROGRAM)


def describe_expert(config):
  """Check and describe the demonstrations; return their ExpertReplay.

  Its steps are those of the run's streams as long as it is kept. Returns None
  if the script needs none. `expert: random` records them first,
  unless an earlier start of this run did.
  """
  if config.script not in memory.LEARNING or not build.needs_expert(config):
    return None
  if config.agent.gail.expert == 'random':
    build.record_random(config)
  longest = max(config.batch_length, config.report_length)
  expert = build.make_expert(config, longest + config.replay_context)
  print(f'Demonstrations: {build.expert_path(config)}: {expert}')
  suite = config.task.partition('_')[0]
  if config.agent.gail.expert == 'auto' and suite in HUMANS:
    print(
        'These were made by a program. Human ones: '
        f'{arguments.typed("demos", HUMANS[suite], "--help")}, see '
        'docs/demonstrations.md; name the file by --agent.gail.expert')
  settings.warn(config, build.expert_path(config))
  preflight.compare(config)
  return expert


def anchor_advice(config):
  """Return a line on what the block `anchor` adds to a run of `gail`, a list.

  It is empty for other methods, and where the task allows no anchor.
  """
  given = config.agent.gail.actions == 'given'
  if configs.method(config.flat) != 'gail' or not given:
    return []
  try:
    build.make_model(configs.rows(config.update(configs.blocks()['anchor'])))
  except UserError:
    return []
  return [
      'Add the block anchor (--configs ... anchor) to build the policy on one '
      'cloned from the demonstrations: docs/variants.md']


def setup(config):
  """Prepare this process and its children for upstream's run loops."""
  def init():
    elements.timer.global_timer.enabled = config.logger.timer
  portal.setup(
      errfile=config.errfile and elements.Path(config.logdir) / 'error',
      clientkw=dict(logging=config.verbose, logging_color='cyan'),
      serverkw=dict(logging=config.verbose, logging_color='cyan'),
      initfns=[init],
      ipv6=config.ipv6,
  )


def run_args(config):
  """Return what upstream's run loops read from the config."""
  keys = (
      'replica', 'replicas', 'logdir', 'batch_size', 'batch_length',
      'report_length', 'consec_train', 'consec_report', 'replay_context',
      'task')
  return elements.Config(
      **config.run, **{k: config[k] for k in keys},
      env_timeout=config.env.timeout)


if __name__ == '__main__':
  # Children unpickle functions by their module's name, so the functions must
  # come from the importable module rather than from __main__.
  from .main import main
  errors.run(main)
