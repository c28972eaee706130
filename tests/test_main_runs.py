"""Runs of the program in processes of their own: killed, resumed, parallel."""

import datetime
import json
import os
import pathlib
import pickle
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
import scope

from dreamer_gail_plugin.running import provenance
from helpers import upstreams
from helpers.toyenv import TASK

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parent.parent
FLAGS = ['--configs', 'minatar', 'gail', 'debug']
DISC = (
    'acc_expert', 'acc_imag', 'acc_replay', 'bce', 'grad_norm', 'gradnorm',
    'latent_gap', 'logit_gap', 'loss', 'rew_end', 'rew_max', 'rew_mean',
    'rew_min', 'rew_replay', 'rew_std')


def command(logdir, *flags, code=None):
  """Run the program to its end in a process of its own."""
  args, env = arguments(logdir, *flags, code=code)
  return subprocess.run(args, env=env, capture_output=True, text=True)


def printed(*flags):
  """Return the command that a process started by `arguments` prints."""
  name = os.path.basename(sys.executable)
  found = shutil.which(name) == sys.executable
  return shlex.join([
      name if found else sys.executable, '-m', 'dreamer_gail_plugin', 'train',
      *flags])


def arguments(logdir, *flags, code=None):
  """Return the command line and the environment variables for a process."""
  start = ['-c', code] if code else ['-m', 'dreamer_gail_plugin.main']
  args = [sys.executable, *start, *FLAGS, '--logdir', str(logdir), *flags]
  path = upstreams.path(ROOT, ROOT / 'tests')
  return args, {**os.environ, 'PYTHONPATH': path}


def metrics(logdir):
  """Return the last value of every metric in a run's log."""
  path = pathlib.Path(logdir) / 'metrics.jsonl'
  text = path.read_text() if path.exists() else ''
  whole = text[:text.rfind('\n') + 1]  # The run may be writing a line.
  return {
      k: v for line in whole.splitlines() for k, v in json.loads(line).items()}


def check_disc(values, prefix):
  """Check that all metrics of the discriminator are there and finite."""
  values = {
      k.removeprefix(f'{prefix}/disc/'): v for k, v in values.items()
      if k.startswith(f'{prefix}/disc/')}
  missing = set(DISC) - values.keys()
  assert not missing - {'grad_norm'}, missing
  assert prefix != 'train' or not missing, missing
  assert np.isfinite(list(values.values())).all(), values


def saved(logdir, name='agent', folder=upstreams.SAVES):
  """Return what the latest checkpoint of a run holds under a name."""
  folder = pathlib.Path(logdir) / folder
  path = folder / (folder / 'latest').read_text() / f'{name}.pkl'
  return pickle.loads(path.read_bytes())


class TestKilledRun:

  # The second start says what it has just loaded.
  SPY = """
from dreamer_gail_plugin import main
from dreamer_gail_plugin.patches import safe_loads
load = safe_loads.Checkpoint.load
def spy(self, path):
  load(self, path)
  self.save({path!r})
  print('Items:', len(self.replay))
safe_loads.Checkpoint.load = spy
main.errors.run(main.main)
"""

  @pytest.fixture(scope='class')
  @classmethod
  def logdir(cls, tmp_path_factory):
    return tmp_path_factory.mktemp('killed') / 'logdir'

  @pytest.fixture(scope='class')
  @classmethod
  def killed(cls, logdir):
    """Kill a run that has trained and saved; return its saved agent, step."""
    args, env = arguments(
        logdir, '--agent.gail.expert', 'random', '--run.save_every', '1',
        '--run.log_every', '1', '--run.report_every', '1')
    output = logdir.parent / 'output'
    with output.open('w') as file:
      process = subprocess.Popen(
          args, env=env, stdout=file, stderr=subprocess.STDOUT)
      try:
        cls.wait(process, logdir)
      finally:
        process.kill()
    assert process.wait() == -signal.SIGKILL, output.read_text()
    return saved(logdir), saved(logdir, 'step')

  @staticmethod
  def wait(process, logdir):
    # Until a save that came well after the first updates and reports.
    latest = logdir / upstreams.SAVES / 'latest'
    seen = []
    while process.poll() is None and len(seen) < 4:
      time.sleep(0.2)
      known = metrics(logdir)
      ready = 'train/disc/loss' in known and 'report/disc/loss' in known
      name = latest.read_text() if ready else ''
      if name and name not in seen:
        seen.append(name)

  @pytest.fixture(scope='class')
  @classmethod
  def resumed(cls, logdir, killed):
    """Start again for six updates; return the copy's path and the output."""
    copy = logdir.parent / 'copy'
    before = (logdir / 'expert_random.h5').stat().st_mtime_ns
    done = command(
        logdir, '--agent.gail.expert', 'random', '--run.steps',
        str(killed[1] + 60), code=cls.SPY.format(path=str(copy)))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f'Goes on from step {killed[1]:,}: 60 are left' in done.stdout
    assert (logdir / 'expert_random.h5').stat().st_mtime_ns == before
    return copy, done.stdout

  def test_a_start_is_short(self, logdir, killed):
    lines = (logdir.parent / 'output').read_text().splitlines()
    first = next(i for i, x in enumerate(lines) if 'Step ' in x)
    assert first <= 15, lines[:first]
    for what in ('Device: ', 'Task: minatar_', 'Replay memory: ',
                 'Demonstrations: ', 'random play scores', 'Model: ',
                 'Logdir: ', 'Curves: '):
      assert [x for x in lines[:first] if what in x], what
    # Metrics go to files, so no other line comes between those of progress.
    rest = [x for x in lines[first:] if 'Step ' not in x]
    assert all('Saved checkpoint: ' in x for x in rest), rest

  def test_both_starts_are_kept(self, logdir, resumed):
    first, second = provenance.load(logdir / 'run.json')
    for start in (first, second):
      assert start['argv'][:6] == [*FLAGS, '--logdir', str(logdir)]
      assert start['seed'] == 0
      assert start['versions']['jax'] == jax.__version__
      assert start['versions'].keys() >= {
          'python', 'dreamer', 'numpy', 'gymnasium', 'ale-py'}
      assert start['commit'] == provenance.commit()
      assert start['machine']['device'] == 'cpu'
    assert '--run.save_every' in first['argv']
    assert '--run.steps' in second['argv']
    assert first['command'] == printed(*first['argv'])
    times = [
        datetime.datetime.fromisoformat(x['time']) for x in (first, second)]
    age = datetime.datetime.now(datetime.UTC) - times[0]
    assert times[0] < times[1] and age.total_seconds() < 3600

  def test_metrics(self, logdir, killed):
    check_disc(metrics(logdir), 'train')
    check_disc(metrics(logdir), 'report')

  def test_discriminator_has_learned(self, killed):
    params = killed[0]['params']
    moments = [
        v for k, v in params.items()
        if k.startswith('discopt/') and np.issubdtype(v.dtype, np.floating)]
    assert [k for k in params if k.startswith('disc/')] and moments
    assert all(np.isfinite(x).all() for x in moments)
    assert any(np.any(x) for x in moments)

  def test_everything_is_loaded(self, killed, resumed):
    agent, step = killed
    copy = pickle.loads((resumed[0] / 'agent.pkl').read_bytes())
    assert copy['counters']['updates'] == agent['counters']['updates'] > 0
    assert copy['counters']['actions'] == agent['counters']['actions']
    assert copy['params'].keys() == agent['params'].keys()
    for key, value in agent['params'].items():
      assert np.array_equal(copy['params'][key], value), key
    assert pickle.loads((resumed[0] / 'step.pkl').read_bytes()) == step

  def test_replay_is_loaded(self, killed, resumed):
    # Four environments, sequences of 11 steps: all that the save counts, and
    # what the replay has written for the save that was killed.
    items = int(re.search(r'^Items: (\d+)$', resumed[1], re.M)[1])
    assert killed[1] - 4 * 10 <= items < killed[1] + 200

  def test_continues_to_the_end(self, logdir, killed, resumed):
    agent, step = killed
    assert step + 60 <= saved(logdir, 'step') < step + 80
    after = saved(logdir)
    assert 5 <= (
        after['counters']['updates'] - agent['counters']['updates']) <= 8
    for module in ('disc', 'discopt', 'dyn', 'pol', 'opt'):
      assert [
          k for k, v in agent['params'].items() if k.startswith(f'{module}/')
          and not np.array_equal(v, after['params'][k])], module

  def test_summary(self, logdir, resumed):
    lines = resumed[1].split('Mean episode score on minatar_breakout:')[1]
    for name in ('random policy', 'this run', 'expert'):
      assert re.search(rf'^  {name} +-?[\d.]+', lines, re.M), lines
    assert str(logdir) in lines
    assert 'block anchor' not in lines  # Its expert is random play.


class TestScripts:

  def test_train_eval_on_mixed_actions(self, tmp_path):
    # Vectors, continuous and multi-discrete actions, two action keys.
    done = command(
        tmp_path, '--configs', 'gym', 'gail', 'debug', '--script',
        'train_eval', '--task', TASK, '--run.steps', '200',
        '--agent.gail.expert', 'random', '--run.log_every', '0',
        '--run.report_every', '1')
    assert done.returncode == 0, done.stdout + done.stderr
    values = metrics(tmp_path)
    for prefix in ('train', 'eval'):
      check_disc(values, prefix)
    assert f'Mean episode score on {TASK}:' in done.stdout
    # Both of the default outputs have the games of the evaluation.
    seen = scope.Reader(str(tmp_path))
    for key in ('eval/score', 'eval/episodes', 'episode/score'):
      assert seen[key][1][-1] == pytest.approx(values[key]), key
    assert values['eval/episodes'] >= 1
    assert saved(tmp_path)['counters']['updates'] >= 5
    assert saved(tmp_path, 'step') >= 200

  def test_parallel(self, tmp_path):
    done = command(
        tmp_path, '--script', 'parallel', '--run.envs', '2',
        '--run.eval_envs', '1', '--run.steps', '250', '--run.log_every', '-1',
        '--run.usage.psutil', 'False')
    assert done.returncode == 0, done.stdout + done.stderr
    check_disc(metrics(tmp_path), 'train')
    assert 'Demonstrations: ' in done.stdout
    after = saved(tmp_path, folder=upstreams.PARALLEL[0])
    assert after['counters']['updates'] > 0
    assert [k for k in after['params'] if k.startswith('discopt/')]
    assert saved(tmp_path, 'step', upstreams.PARALLEL[1]) >= 250


class TestSignals:

  @pytest.mark.parametrize('flags, number, folder', [
      (['train'], signal.SIGINT, upstreams.SAVES),
      (['train_eval'], signal.SIGTERM, upstreams.SAVES),
      (['parallel', '--run.eval_envs', '1'], signal.SIGTERM,
       upstreams.PARALLEL[1])])
  def test_ends_with_a_save(self, tmp_path, flags, number, folder):
    # The environments are processes, which get the signal, too.
    args, env = arguments(
        tmp_path, '--random_agent', 'True', '--run.debug', 'False',
        '--run.envs', '2', '--logger.outputs', 'jsonl', '--agent.report',
        'False', '--run.log_every', '1', '--run.save_every', '300',
        '--run.steps', '1e7', '--script', *flags)
    process = subprocess.Popen(
        args, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, start_new_session=True)
    for line in process.stdout:
      if 'Step ' in line and 'Step 0' not in line:
        break
    start = time.time()
    os.killpg(process.pid, number)
    rest = process.stdout.read()
    assert process.wait() == 128 + number, rest
    assert time.time() - start < 15
    assert 'Traceback' not in rest, rest
    *_, last = rest.strip().splitlines()
    onwards = printed(*args[3:])
    assert last == f'Stopped by {number.name}. To go on: {onwards}'
    assert saved(tmp_path, 'step', folder) > 0
    with pytest.raises(ProcessLookupError):  # None of the group is left.
      for _ in range(50):
        os.killpg(process.pid, 0)
        time.sleep(0.1)
