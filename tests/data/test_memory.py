"""What a replay takes of the memory, and what is free."""

import contextlib
import functools

import dreamerv3.main as upmain
import embodied
import numpy as np
import pytest

from dreamer_gail_plugin import build
from dreamer_gail_plugin import configs
from dreamer_gail_plugin.data import memory
from helpers.refusals import refused


@functools.cache
def config(*flags):
  return configs.load_config(['--configs', 'minatar', 'gail', 'debug', *flags])


class TestMemory:

  def free(self, monkeypatch, amount):
    monkeypatch.setattr(memory, 'free_memory', lambda: amount)

  @pytest.mark.parametrize('flags', [
      [], ['--replay_context', '0'], ['--task', 'gym_CartPole-v1'],
      ['--agent.dyn.rssm.deter', '32', '--agent.dyn.rssm.stoch', '3']])
  def test_step_is_what_upstream_keeps(self, flags):
    given = config(*flags)
    obs_space, act_space = build.spaces(given)
    step = {
        k: np.zeros(v.shape, v.dtype)
        for k, v in {**obs_space, **act_space}.items()}
    if given.replay_context:  # As upstream's rssm has it in `entry_space`.
      rssm = given.agent.dyn.rssm
      step['dyn/deter'] = np.zeros(rssm.deter, np.float32)
      step['dyn/stoch'] = np.zeros((rssm.stoch, rssm.classes), np.float32)
    replay = embodied.replay.Replay(4, 100, chunksize=16)
    replay.add({**step, 'log/extra': np.zeros(9)})
    chunk, = replay.chunks.values()
    each = memory.step_bytes(given, (obs_space, act_space))
    assert chunk.nbytes == 16 * each

  def test_too_much_is_refused_and_the_advice_works(self, monkeypatch, capsys):
    given = config('--replay.size', '1e6', '--run.steps', '1e7')
    spaces = build.spaces(given)
    each = memory.step_bytes(given, spaces)
    self.free(monkeypatch, 300_000 * each)
    with refused(
        '--replay.size 1.0e+06: needs', memory.size(1e6 * each),
        'Use --replay.size 2.4e+05 or less'):
      memory.check(given, spaces)
    memory.check(given.update({'replay.size': 2.4e5}), spaces)
    assert f'(240,000 steps of {each} bytes)' in capsys.readouterr().out

  def test_a_short_run_fills_no_replay(self, monkeypatch):
    given = config('--replay.size', '1e6', '--run.steps', '1e3')
    spaces = build.spaces(given)
    self.free(monkeypatch, 1000 * memory.step_bytes(given, spaces))
    memory.check(given, spaces)

  @pytest.mark.parametrize('script, refuses', [
      ('train', True), ('train_eval', True), ('parallel', True),
      ('parallel_replay', True), ('parallel_env', False),
      ('parallel_envs', False), ('eval_only', False)])
  def test_only_where_there_is_a_replay(self, monkeypatch, script, refuses):
    given = config('--script', script)
    self.free(monkeypatch, 0)
    with refused('--replay.size') if refuses else contextlib.nullcontext():
      memory.check(given, build.spaces(given))

  def test_size(self):
    sizes = [40, 4_446_000, 20.74e9]
    assert [*map(memory.size, sizes)] == ['0.0 kB', '4.4 MB', '20.7 GB']

  def test_less_than_a_batch(self):
    # 8 sequences of 10 steps and one of context.
    memory.check(config('--replay.size', '88'), build.spaces(config()))
    with refused('--replay.size 8.7e+01', 'less than 88 steps'):
      memory.check(config('--replay.size', '87'), build.spaces(config()))

  @pytest.mark.parametrize('script', ['train_eval', 'parallel'])
  def test_less_than_a_batch_of_the_evaluation(self, script, tmp_path):
    # 8 sequences of 5 steps and one of context, in a tenth of the replay.
    fits, less = [
        config('--script', script, '--replay.size', size, '--logdir',
               str(tmp_path)) for size in ('480', '479')]
    memory.check(fits, build.spaces(fits))
    upmain.make_replay(fits, 'replay', 'eval')
    with refused('--replay.size 4.8e+02', 'less than 480 steps'):
      memory.check(less, build.spaces(less))
    with pytest.raises(AssertionError):
      upmain.make_replay(less, 'replay', 'eval')

  def test_free_memory(self):
    assert 0 < memory.free_memory() < 1e15
