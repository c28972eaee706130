"""TensorBoard and Weights & Biases, where their packages are installed."""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

from dreamer_gail_plugin import build
from dreamer_gail_plugin import configs
from dreamer_gail_plugin.running import checks
from helpers import outputs


def installed(name):
  """Skip the test without the packages of an output."""
  return pytest.mark.skipif(
      not all(map(importlib.util.find_spec, checks.OUTPUTS[name])),
      reason=f'{" and ".join(checks.OUTPUTS[name].values())} not installed')


@installed('tensorboard')
def test_tensorboard(tmp_path):
  outputs.log(tmp_path, 'tensorboard')
  # In another process: TensorFlow prints and keeps threads.
  code = """
import sys
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.util import tensor_util
events = event_accumulator.EventAccumulator(sys.argv[1])
events.Reload()
print([
    (x.step, float(tensor_util.make_ndarray(x.tensor_proto)))
    for x in events.Tensors('episode/score')])
"""
  done = subprocess.run(
      [sys.executable, '-c', code, str(tmp_path)], capture_output=True,
      text=True)
  assert done.stdout == '[(10, 2.5), (20, 5.0), (30, 7.5)]\n', done.stderr


@installed('wandb')
def test_wandb_offline(tmp_path):
  # In another process, as a run there ends with its process.
  code = (
      'import sys; from helpers import outputs; '
      'outputs.log(sys.argv[1], "wandb")')
  done = subprocess.run(
      [sys.executable, '-c', code, str(tmp_path / 'logdir')],
      capture_output=True, text=True, env={
          **os.environ, 'WANDB_MODE': 'offline', 'WANDB_DIR': str(tmp_path),
          'PYTHONPATH': os.pathsep.join(sys.path)})
  assert done.returncode == 0, done.stdout + done.stderr
  folder, = (tmp_path / 'wandb').glob('offline-run-*')
  assert b'episode/score' in next(folder.glob('*.wandb')).read_bytes()
  videos = list(folder.rglob('*.mp4'))
  assert len(videos) == 1 and videos[0].stat().st_size > 100

class TestDescribe:

  @pytest.mark.parametrize('keys, want', [
      (('enc/a', 'pol/b', 'slowval/c', 'opt/enc/a', 'disc/d'),
       '2,000 parameters, D 1,000'), (('val/a',), '1,000 parameters')])
  def test_counts_what_is_moved(self, keys, want):
    assert build.describe({k: np.zeros(1000) for k in keys}) == want


class TestRandomPlay:

  def make(self, folder, steps=60, *flags):
    config = configs.load_config([
        '--configs', 'minatar', 'gail_paper', 'debug', '--jax.platform', 'cpu',
        '--jax.compute_dtype', 'float32', '--logdir', str(folder), *flags])
    config = config.update({'run.random_steps': steps})
    return config, build.make_replay(config, 'replay')

  def test_fills_the_replay_before_the_first_update(self, tmp_path):
    config, replay = self.make(tmp_path)
    length = config.batch_length + config.replay_context
    assert len(replay) == 60 - length + 1
    batch = replay.sample(16)
    model = build.make_model(config)
    theirs = set(replay.sample(1)) & set(model.ext_space)
    assert {'dyn/deter', 'dyn/stoch', 'stepid'} <= theirs
    assert not batch['dyn/deter'].any()
    assert len(np.unique(batch['action'])) == model.act_space['action'].high
    assert batch['is_first'].any()

  def test_only_a_run_that_begins(self, tmp_path):
    replay = self.make(tmp_path)[1]
    replay.save()
    assert not len(self.make(tmp_path)[1])
    assert not len(self.make(tmp_path / 'other', 0)[1])
    assert not len(self.make(
        tmp_path / 'another', 60, '--random_agent', 'True')[1])

  def test_the_papers_block_asks_for_it(self):
    load = lambda *names: configs.load_config(['--configs', *names]).run
    assert load('atari', 'gail_paper').random_steps == 2500
    assert load('atari', 'gail').random_steps == 0
