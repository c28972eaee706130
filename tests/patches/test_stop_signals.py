"""A run ends as it should: by signals, or where an environment hangs."""

import os
import signal
import time

import elements
import embodied
import numpy as np
import pytest

from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.patches import final_save
from dreamer_gail_plugin.running import checkpoint
from dreamer_gail_plugin.running import signals
from helpers import dummies
from helpers.looptools import metrics
from helpers.looptools import replayed
from helpers.looptools import saved
from helpers.looptools import train
from helpers.looptools import train_eval


class TestEnvWatchdog:

  @pytest.mark.slow
  @pytest.mark.parametrize('debug', [True, False])
  def test_hangs(self, tmp_path, monkeypatch, debug):
    logdir, start = elements.Path(tmp_path), time.time()
    monkeypatch.setattr(dummies, 'make_env', dummies.make_hanging)
    with pytest.raises(UserError, match='Environment 1 of a_b .* 0.5 sec'):
      train(logdir, steps=200, debug=debug, task='a_b', env_timeout=0.5)
    assert time.time() - start < 120
    assert saved(logdir, 'step') == 0  # No save after what went wrong.

  def test_all_else_may_take_its_time(self, tmp_path):
    class Agent(dummies.Agent):
      def policy(self, *args, **kwargs):
        time.sleep(0.05)
        return super().policy(*args, **kwargs)
    logdir = elements.Path(tmp_path)
    train(logdir, make_agent=lambda: Agent(1), env_timeout=0.02)
    assert saved(logdir, 'step') == 40
    assert signal.getsignal(signal.SIGALRM) == signal.SIG_DFL


class TestStopSignals:

  @pytest.fixture
  def env(self, monkeypatch):
    """Return a class of environments; its list `sends` are (step, signal)."""
    monkeypatch.setattr(signals, 'SAME', 0.01)
    class Env(dummies.Dummy):
      sends, steps = [], 0
      def step(self, action):
        Env.steps += 1
        for at, number in Env.sends:
          if at == Env.steps:
            os.kill(os.getpid(), number)
        return super().step(action)
    return Env

  def go(self, logdir, env, loop=train, **given):
    with pytest.MonkeyPatch.context() as patch, signals.handled() as listener:
      patch.setattr(dummies, 'make_env', env)
      loop(logdir, steps=200, **given)
    return listener.ending

  @pytest.mark.parametrize('number', signals.ENDING)
  @pytest.mark.parametrize('loop', [train, train_eval])
  def test_ends_with_a_save(self, tmp_path, env, number, loop, capfd):
    logdir = elements.Path(tmp_path)
    env.sends = [(80, number)]
    assert self.go(logdir, env, loop) == number
    # The step that the signal came in was ended.
    step = saved(logdir, 'step')
    assert step == 80 if loop is train else 0 < step < 80
    assert replayed(logdir) == step
    assert metrics(logdir)['step'] > step - 20
    said = capfd.readouterr().err
    assert said.count(f'{number.name}: the run ends its step') == 1
    self.go(logdir, env, loop)
    assert saved(logdir, 'step') == 200

  def test_in_an_evaluation(self, tmp_path, env):
    logdir = elements.Path(tmp_path)
    env.sends = [(18, signal.SIGTERM)]
    self.go(logdir, env, train_eval, report_every=1e-9)
    assert saved(logdir, 'step') == 10

  def test_sigusr1_saves_and_goes_on(self, tmp_path, env):
    logdir = elements.Path(tmp_path)
    env.sends = [(x, signal.SIGUSR1) for x in (40, 80)]
    assert self.go(logdir, env, keep_checkpoints=0) is None
    assert [int(x.name.split('-')[1]) for x in checkpoint.saves(logdir)] == [
        0, 40, 80, 200]

  def test_afterwards_all_is_as_before(self, tmp_path, env):
    before = [signal.getsignal(x) for x in signals.ALL]
    env.sends = [(20, signal.SIGTERM)]
    self.go(elements.Path(tmp_path), env)
    assert [signal.getsignal(x) for x in signals.ALL] == before
    # Other programs use drivers, too.
    train(elements.Path(tmp_path / 'other'))
    assert [signal.getsignal(x) for x in signals.ALL] == before

  def test_second_ctrl_c_ends_at_once(self, tmp_path, env):
    env.sends = [(20, signal.SIGINT)]
    seen = []
    def save():
      seen.append(signal.getsignal(signal.SIGINT))
    with pytest.MonkeyPatch.context() as patch:
      patch.setattr(final_save, 'save', save)
      self.go(elements.Path(tmp_path), env)
    assert seen == [signal.SIG_DFL]

  @pytest.mark.slow
  def test_children_hear_sigkill_only(self, tmp_path):
    driver = embodied.Driver([dummies.Dummy, dummies.Dummy], parallel=True)
    pids = [x.pid for x in driver.procs]
    for number in signals.ALL:
      [os.kill(x, number) for x in pids]
    policy = lambda carry, obs: (carry, {'action': np.zeros(2, int)}, {})
    driver.reset(lambda size: ())
    driver(policy, steps=10)
    start = time.time()
    driver.close()
    assert time.time() - start < 5
    [x.join(5) for x in driver.procs]
    assert not any(x.running for x in driver.procs)
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())
