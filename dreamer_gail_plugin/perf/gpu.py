"""On a GPU: how fast, how large, what a model learns, what a run.

Two parts learn for 2.5 minutes each; compiling and timing come on top. It has
not run on a GPU yet, so how long that takes is not known.
It needs nothing from outside: demonstrations are those bundled for Seaquest.
Each part is printed as a line of JSON when it ends, in case the next is cut.
"""

import concurrent.futures
import contextlib
import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import jax
import numpy as np
from embodied.jax import internal

from .. import build
from .. import expert
from ..data import store
from ..evaluate import actors
from ..evaluate import model
from . import step
from . import worker

TASK = 'atari_seaquest'
SIZE = ('--configs', 'atari', 'small')
METHODS = {
    'env': ('gail', '--agent.gail.reward', 'env'), 'gail': ('gail',),
    'gail_paper': ('gail_paper',), 'gail anchor': ('gail', 'anchor')}
SECONDS = 150  # Of learning, in each of two parts.
ROUNDS = 30  # Of train steps.
HELD_OUT = 2  # Trajectories that the world model does not learn from.
STARTING = 180  # Seconds in which a run has begun to train.


def run(config, args):
  """Return the figure and the results of all parts.

  `args.scale` is the share of the time; below 1 the networks are those of the
  block `debug`, for a rehearsal on a CPU. The flags of `config` are not used.
  """
  blocks = () if args.scale >= 1 else ('debug',)
  results = {'scale': args.scale}
  with tempfile.TemporaryDirectory() as folder:
    parts = {
        'step': lambda: steps(blocks, max(2, round(ROUNDS * args.scale))),
        'model': lambda: world(blocks, SECONDS * args.scale, folder),
        'train': lambda: trained(blocks, SECONDS * args.scale, folder)}
    for name, part in parts.items():
      begin = time.time()
      results[name] = part()
      results[name]['seconds'] = round(time.time() - begin, 1)
      print(json.dumps({name: results[name]}), flush=True)
  ratio = results['step']['gail']['ratio']
  return f'gpu: step ratio of gail {ratio:.2f}', results


def flags(blocks, method):
  """Return the flags of a method of METHODS, a list."""
  first, *rest = method
  names = [first]
  while rest and not rest[0].startswith('-'):
    names.append(rest.pop(0))
  return [*SIZE, *names, *blocks, '--task', TASK, *rest]


def steps(blocks, rounds):
  """Return {method: times and memory} of train steps, taken in turns.

  `policy` are steps/s of the policy with the environments of the config.
  """
  made = {
      k: step.parse(flags(blocks, v), '--jax.prealloc False')
      for k, v in METHODS.items()}
  with contextlib.ExitStack() as stack:
    workers = {
        k: stack.enter_context(worker.Worker(config))
        for k, (_, config) in made.items()}
    with concurrent.futures.ThreadPoolExecutor() as pool:  # All compile.
      list(pool.map(lambda x: x.ask('info'), workers.values()))
    times = worker.alternate(workers, rounds)
    return {
        k: {
            'ratio': round(float(np.median(times[k] / times['env'])), 3),
            'milliseconds': round(1e3 * float(np.median(times[k])), 2),
            'policy': round(x.ask('act')), **x.ask('info')}
        for k, x in workers.items()}


def world(blocks, seconds, folder):
  """Return what a world model that learns for so long foresees, by steps.

  It learns from the demonstrations alone, and is asked about others.
  """
  # No reward head, actor or critic learns.
  off = {f'agent.loss_scales.{x}': 0.0 for x in (
      'rew', 'policy', 'value', 'repval')}
  config = prepared(flags(blocks, METHODS['env'])).update(off)
  known, new = split(config, folder)
  agent = build.make_agent(config)
  demos = expert.ExpertReplay(
      known, config.batch_size, config.batch_length + config.replay_context,
      *build.spaces(config), task=TASK, context=config.replay_context)
  carry, end, updates = agent.init_train(config.batch_size), None, 0
  while end is None or time.time() < end:
    data = internal.device_put(
        replayed(demos.sample(), agent.spaces), agent.train_sharded)
    data['seed'] = agent._seeds(updates, agent.train_mirrored)
    carry, _, _ = agent.train(carry, data)
    end = end or time.time() + seconds  # The first one waits for the compiler.
    updates += 1
  player = actors.Actor(config, agent.save()['params'])
  ahead = model.summary(model.measure(player, new, config))
  names = ('error', 'copy_error', 'moving', 'images')
  # JAX starts in this process only now, after upstream has set it up.
  return {'device': str(jax.devices()[0]), 'updates': updates, 'ahead': {
      k: {x: v[x] for x in names} for k, v in ahead.items()}}


def prepared(words):
  """Return the config of flags for this device."""
  _, config = step.parse(words, '')
  return config.update({'jax.prealloc': False})


def split(config, folder):
  """Write two stores of the bundled demonstrations; return their paths."""
  with store.Store(build.expert_path(config)) as demos:
    last = len(demos) - HELD_OUT
    paths = []
    for name, span in (('known', range(last)), ('new', range(last, last + 2))):
      path = pathlib.Path(folder, f'{name}.h5')
      store.write(path, (demos.read(i) for i in span), dict(demos.attrs))
      paths.append(path)
  return paths


def replayed(batch, spaces):
  """Return an expert's batch in the form of one of the replay.

  What it lacks, such as latent states, is zero, as where the RSSM begins.
  """
  shape = batch['expert/is_first'].shape
  return {
      k: batch.get(f'expert/{k}', np.zeros((*shape, *v.shape), v.dtype))
      for k, v in spaces.items()}


def trained(blocks, seconds, folder):
  """Return the last metrics of a run of `gail` that trains for so long."""
  logdir = pathlib.Path(folder, 'run')
  log = logdir / 'metrics.jsonl'
  words = [*flags(blocks, METHODS['gail']), '--logdir', str(logdir),
           '--run.log_every', '5']
  process = subprocess.Popen(
      [sys.executable, '-m', 'dreamer_gail_plugin.main', *words],
      stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
  begin = time.time()
  while process.poll() is None and time.time() < begin + STARTING and not (
      log.exists() and 'train/' in log.read_text()):
    time.sleep(1)
  with contextlib.suppress(subprocess.TimeoutExpired):
    process.wait(seconds)
  process.send_signal(signal.SIGTERM)
  errors = process.communicate()[1]
  if process.returncode != 128 + signal.SIGTERM:
    raise RuntimeError(errors[-2000:])
  found = {}
  for line in log.read_text().splitlines():
    found.update(json.loads(line))
  names = ('step', 'fps/', 'episode/score', 'train/disc/', 'train/loss/')
  return {k: v for k, v in found.items() if k.startswith(names)}
