import functools
import inspect
import json
import os
import pickle
import signal
import time

import elements
import embodied
import numpy as np
import portal
import pytest

from dreamer_gail_plugin import atomic
from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.patches import child_processes
from dreamer_gail_plugin.patches import final_save
from dreamer_gail_plugin.patches import from_checkpoint
from dreamer_gail_plugin.patches import keep_checkpoints
from dreamer_gail_plugin.patches import loops
from dreamer_gail_plugin.patches import own_lines
from dreamer_gail_plugin.patches import parallel_end
from dreamer_gail_plugin.patches import proxies
from dreamer_gail_plugin.patches import replay_chunks
from dreamer_gail_plugin.patches import timer_summary
from dreamer_gail_plugin.patches import whole_saves
from dreamer_gail_plugin.running import checkpoint
from dreamer_gail_plugin.running import signals
from helpers import dummies
from helpers.upstreams import SAVES
from helpers.upstreams import needs

bind = functools.partial
pristine = inspect.unwrap


def train(logdir, loop=None, **given):
  """Run 40 steps of the train loop with an agent of ones; return it."""
  agent = dummies.Agent(1)
  make_agent = given.pop('make_agent', lambda: agent)
  (loop or embodied.run.train)(
      make_agent, bind(dummies.make_replay, logdir / 'replay'),
      dummies.make_env, dummies.make_stream,
      bind(dummies.make_logger, logdir), dummies.flags(logdir, **given))
  return agent


def train_eval(logdir, **given):
  embodied.run.train_eval(
      dummies.Agent, bind(dummies.make_replay, logdir / 'replay'),
      bind(dummies.make_replay, logdir / 'eval'), dummies.make_env,
      dummies.make_env, dummies.make_stream,
      bind(dummies.make_logger, logdir), dummies.flags(logdir, **given))


def eval_only(logdir, loop=None, **given):
  """Run 40 steps of the evaluation loop; return the agent."""
  agent = dummies.Agent(0)
  (loop or embodied.run.eval_only)(
      lambda: agent, dummies.make_env, bind(dummies.make_logger, logdir),
      dummies.flags(logdir, **given))
  return agent


def metrics(logdir):
  """Return the last value of every metric in the log."""
  lines = (logdir / 'metrics.jsonl').read_text().splitlines()
  return {k: v for line in lines for k, v in json.loads(line).items()}


def saved(logdir, name):
  """Return what the latest checkpoint holds under a name."""
  folder = checkpoint.find(logdir)
  return pickle.loads((folder / f'{name}.pkl').read_bytes())


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  """Return the logdir of a finished run."""
  logdir = elements.Path(tmp_path_factory.mktemp('trained'))
  train(logdir)
  return logdir


class TestLogAggregation:

  COUNTS = {
      'epstats/log/count/avg': 2, 'epstats/log/count/max': 4,
      'epstats/log/count/sum': 10}

  @needs('log_aggregation')
  def test_release_fails(self, tmp_path, monkeypatch):
    monkeypatch.setattr(loops.module('train'), 'elements', elements)
    with pytest.raises(KeyError, match='avg'):
      train(elements.Path(tmp_path))

  def test_train(self, trained):
    result = metrics(trained)
    assert {k: result[k] for k in self.COUNTS} == self.COUNTS
    assert result['episode/score'] == 10 and result['episode/length'] == 5

  def test_train_eval(self, tmp_path):
    logdir = elements.Path(tmp_path)
    train_eval(logdir)
    result = metrics(logdir)
    # Logs what evaluation games were, and not under the name of training's.
    counts = {f'eval{k[2:]}': v for k, v in self.COUNTS.items()}
    assert {k: result[k] for k in counts} == counts

  def test_eval_only(self, tmp_path, trained):
    logdir = elements.Path(tmp_path)
    eval_only(logdir, from_checkpoint=str(trained), log_every=0)
    result = metrics(logdir)
    assert {k: result[k] for k in self.COUNTS} == self.COUNTS


class TestTimerSummary:

  @pytest.fixture
  def timer(self, monkeypatch):
    """Return a timer of its own in the place of the global one."""
    timer = elements.Timer()
    monkeypatch.setattr(elements.timer, 'global_timer', timer)
    monkeypatch.setattr(elements.timer, 'stats', timer.stats)
    return timer

  def test_portal_refuses_an_empty_string(self):
    with pytest.raises(AssertionError):
      portal.buffers.SendBuffer(*portal.pack({'timer/replay': ''}))
    portal.buffers.SendBuffer(*portal.pack({'timer/replay': 'none'}))

  def test_elements_is_empty_after_a_pause(self, timer):
    with timer.section('work'):
      pass
    assert 'work' in timer_summary.stats()['summary']
    assert timer.stats()['summary'] == ''
    assert timer_summary.stats()['summary'] == 'none'

  def test_never_timed(self, timer):
    with pytest.raises(ValueError):
      timer.stats()
    assert timer_summary.stats() == {'summary': 'none'}

  def test_disabled(self, timer):
    timer.enabled = False
    assert timer.stats() == {}
    assert timer_summary.stats() == {'summary': 'none'}

  def test_release_fails_without_timer(self, tmp_path, monkeypatch):
    monkeypatch.setattr(elements.timer.global_timer, 'enabled', False)
    train(elements.Path(tmp_path / 'mended'))
    module = loops.module('train')
    monkeypatch.setattr(module, 'elements', proxies.Proxy(
        module.elements, timer=elements.timer))
    with pytest.raises(KeyError, match='summary'):
      train(elements.Path(tmp_path / 'pristine'))


class TestFinalSave:

  def test_release_saves_the_first_step_only(self, tmp_path):
    logdir = elements.Path(tmp_path)
    train(logdir, pristine(embodied.run.train))
    assert saved(logdir, 'step') == 0

  def test_train(self, trained):
    assert saved(trained, 'step') == 40

  def test_train_eval(self, tmp_path):
    logdir = elements.Path(tmp_path)
    train_eval(logdir)
    assert saved(logdir, 'step') == 40

  def test_resumes_from_the_end(self, tmp_path):
    logdir = elements.Path(tmp_path)
    train(logdir)
    agent = train(logdir, steps=60, make_agent=lambda: dummies.Agent(7))
    assert saved(logdir, 'step') == 60
    assert saved(logdir, 'agent')['params']['enc/w'].tolist() == [1, 1]
    assert agent.params['enc/w'].tolist() == [1, 1]

  def test_only_those_of_the_last_run(self, tmp_path, monkeypatch):
    logdir = elements.Path(tmp_path)
    monkeypatch.setattr(final_save.Checkpoint, 'made', [None])
    train(logdir)
    assert len(final_save.Checkpoint.made) == 1


class TestKeepCheckpoints:

  def names(self, logdir, folder=SAVES):
    """Return the names of the saves in a logdir, in their order."""
    return sorted(x.name for x in (logdir / folder).glob('2*'))

  def test_release_keeps_one(self, tmp_path, monkeypatch):
    logdir = elements.Path(tmp_path)
    for _ in range(2):
      train(logdir, pristine(embodied.run.train), keep_checkpoints=3)
    assert len(self.names(logdir)) == 1

  @pytest.mark.parametrize('keep, steps', [
      (1, [80]), (2, [60, 80]), (0, [0, 40, 60, 80])])
  def test_keeps_the_last(self, tmp_path, keep, steps):
    logdir = elements.Path(tmp_path)
    for end in (40, 60, 80):
      train(logdir, steps=end, keep_checkpoints=keep)
    found = self.names(logdir)
    assert [int(x.split('-')[1]) for x in found] == steps
    assert saved(logdir, 'step') == 80
    for name, step in zip(found, steps):
      data = (logdir / SAVES / name / 'step.pkl').read_bytes()
      assert pickle.loads(data) == step

  def test_train_eval(self, tmp_path):
    logdir = elements.Path(tmp_path)
    train_eval(logdir, keep_checkpoints=0)
    found = {int(x.split('-')[1]) for x in self.names(logdir)}
    assert found == {0, 10, 20, 30, 40}

  def test_without_the_flag(self, trained):
    assert len(self.names(trained)) == 1

  def test_only_the_loops_change(self):
    assert elements.Checkpoint is not keep_checkpoints.Checkpoint
    assert elements.Checkpoint().__class__.__module__.startswith('elements')


class TestWholeSaves:

  def test_release_removes_what_it_has_saved(self, tmp_path):
    store = elements.Checkpoint(tmp_path)
    store.step = elements.Counter()
    (tmp_path / '99991231T000000F000000').mkdir()
    store.save()
    assert not store.latest().exists() and whole_saves.needed()

  def test_saves_have_checksums(self, trained):
    lines = (checkpoint.find(trained) / 'done').read().splitlines()
    assert [x.split('  ')[1] for x in lines] == [
        'agent.pkl', 'replay.pkl', 'step.pkl']

  def test_goes_on_from_the_newest_whole_save(self, tmp_path, capsys):
    logdir = elements.Path(tmp_path)
    for end in (40, 60):
      train(logdir, steps=end, keep_checkpoints=2)
    good, bad = checkpoint.saves(logdir)
    (bad / 'step.pkl').write('')
    train(logdir, steps=100, keep_checkpoints=2)
    assert checkpoint.saves(logdir)[0] == good
    assert len(checkpoint.saves(logdir)) == 2 and not bad.exists()
    # From step 40 on: 20 steps are in the replay twice.
    assert replayed(logdir) == 120
    assert f'{bad.name} step.pkl is not as it was' in capsys.readouterr().out

  def test_latest_is_empty(self, tmp_path):
    logdir = elements.Path(tmp_path)
    train(logdir)
    (logdir / SAVES / 'latest').write('')
    agent = train(logdir, steps=60, make_agent=lambda: dummies.Agent(7))
    assert agent.params['enc/w'].tolist() == [1, 1]

  def test_all_damaged(self, tmp_path):
    logdir = elements.Path(tmp_path)
    train(logdir)
    for folder in checkpoint.saves(logdir):
      (folder / 'step.pkl').remove()
    with pytest.raises(UserError, match='lacks step.pkl'):
      train(logdir, steps=60)

  def test_another_script(self, tmp_path):
    logdir = elements.Path(tmp_path)
    train(logdir)
    with pytest.raises(UserError, match='no replay_eval and no replay_train'):
      train_eval(logdir, steps=60)

  def test_full_disk_ends_no_run(self, tmp_path, monkeypatch, capsys):
    logdir = elements.Path(tmp_path)
    train(logdir)
    before, left = saved(logdir, 'step'), [1] * 2
    def fsync(number):
      if left:
        left.pop()
        raise OSError(28, 'No space left on device')
    monkeypatch.setattr(atomic.os, 'fsync', fsync)
    train(logdir, steps=80, save_every=-1)
    assert before == 40 and saved(logdir, 'step') == 80
    assert 'Warning: not saved' in capsys.readouterr().out
    # All steps are there, though their chunks were refused at first.
    assert replayed(logdir) == 80

  def test_a_final_save_that_fails_is_an_error(self, tmp_path, monkeypatch):
    def fsync(number):
      raise OSError(28, 'No space left on device')
    logdir = elements.Path(tmp_path)
    train(logdir)
    monkeypatch.setattr(atomic.os, 'fsync', fsync)
    with pytest.raises(UserError, match='not saved: .*No space left'):
      train(logdir, steps=60)
    monkeypatch.undo()
    assert saved(logdir, 'step') == 40


class TestOwnLines:

  def log(self, folder, step):
    output = elements.logger.JSONLOutput(folder, 'x.jsonl', parallel=False)
    output([(step, 'metric', np.array(1.0))])

  def test_release_goes_on_in_the_torn_line(self, tmp_path, monkeypatch):
    output = elements.logger.JSONLOutput
    assert not own_lines.needed()
    monkeypatch.setattr(output, '_write', inspect.unwrap(output._write))
    assert own_lines.needed()

  @pytest.mark.parametrize('text, lines', [
      (None, 0), ('', 0), ('{"step": 1}\n', 1), ('{"step": 1}\n{"st', 2),
      ('{"st', 1)])
  def test_starts_a_line(self, tmp_path, text, lines):
    path = tmp_path / 'x.jsonl'
    if text is not None:
      path.write_text(text)
    self.log(tmp_path, 7)
    self.log(tmp_path, 8)
    found = path.read_text().splitlines()
    assert len(found) == lines + 2
    assert [json.loads(x)['step'] for x in found[-2:]] == [7, 8]
    assert path.read_text().startswith(text or '')


  def test_full_disk(self, tmp_path, capsys):
    (tmp_path / 'x.jsonl').symlink_to('/dev/full')
    self.log(tmp_path, 7)
    assert 'x.jsonl is lost: No space left' in capsys.readouterr().out


def replayed(logdir, name='replay'):
  """Return the number of steps in the replay's chunks on the disk."""
  return sum(
      int(x.stem.split('-')[-1]) for x in logdir.glob(f'{name}/*.npz'))


class TestReplayChunks:

  def replay(self, path, steps=40):
    replay = dummies.make_replay(elements.Path(path))
    for number in range(steps):
      replay.add({'number': np.int64(number)})
    return replay

  def test_release_does_not_wait(self):
    assert replay_chunks.needed()

  def test_on_the_disk_when_the_save_returns(self, tmp_path, monkeypatch):
    save = np.savez_compressed
    def slow(*args, **kwargs):
      time.sleep(0.2)
      save(*args, **kwargs)
    monkeypatch.setattr(np, 'savez_compressed', slow)
    self.replay(tmp_path).save()
    steps = sorted(
        x for path in tmp_path.iterdir() for x in np.load(path)['number'])
    assert steps == list(range(40))

  def test_all_are_loaded(self, tmp_path):
    self.replay(tmp_path).save()
    replay = dummies.make_replay(elements.Path(tmp_path))
    replay.load()
    assert len(replay) == 40 - 3

  def test_what_failed_is_told_and_tried_again(self, tmp_path, monkeypatch):
    def fail(file, **data):
      file.write(b'half')
      raise OSError(28, 'No space left on device')
    replay = self.replay(tmp_path)
    monkeypatch.setattr(np, 'savez_compressed', fail)
    with pytest.raises(OSError, match='No space left'):
      replay.save()
    monkeypatch.undo()
    assert not list(tmp_path.iterdir())
    replay.save()
    replay.save()
    assert len(list(tmp_path.iterdir())) == 3

  def test_the_disk_has_no_more_than_the_replay(self, tmp_path):
    # The replay holds 100 steps, in chunks of 16 or what a save completes.
    for start in range(3):
      replay = dummies.make_replay(elements.Path(tmp_path))
      replay.load()
      for number in range(300):
        replay.add({'number': np.int64(1000 * start + number)})
        if number % 50 == 49:
          replay.save()
          steps = sum(
              int(x.stem.split('-')[-1]) for x in tmp_path.glob('*.npz'))
          assert steps <= 100 + 2 * 16
    kept = sorted(x for path in tmp_path.iterdir() for x in np.load(path)[
        'number'])
    assert kept[-100:] == list(range(2200, 2300))

  def test_files_of_others_stay(self, tmp_path):
    self.replay(tmp_path).save()
    replay = self.replay(tmp_path, 300)
    replay.save()
    assert len(list(tmp_path.iterdir())) == 3 + len(
        [x for x in replay.chunks.values() if x.length])


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
  def env(self):
    """Return a class of environments; its list `sends` are (step, signal)."""
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
    assert capfd.readouterr().err.count(f'{number.name}: the run saves') == 1
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

  def test_nothing_to_save_at_first(self):
    with signals.handled():
      assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL
      assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
      signals.LISTENER.obey(None)
      assert callable(signal.getsignal(signal.SIGTERM))

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


class TestFromCheckpoint:

  def start(self, logdir, source, **given):
    agent = dummies.Agent(0)
    train(logdir, make_agent=lambda: agent, from_checkpoint=source, **given)
    return {k: v.tolist() for k, v in agent.params.items()}

  @needs('embodied_envs')  # The release; git reads a folder.
  def test_release_reads_a_file(self, tmp_path, trained):
    folder = str(checkpoint.find(trained))
    with pytest.raises(IsADirectoryError):
      train(elements.Path(tmp_path), pristine(embodied.run.train),
            from_checkpoint=folder)

  def test_release_evaluates_one_save_only(self, tmp_path, trained):
    loop = pristine(embodied.run.eval_only)
    with pytest.raises(AssertionError):
      eval_only(elements.Path(tmp_path), loop, from_checkpoint=str(trained))

  def test_train_without_the_regex(self, tmp_path, trained):
    params = self.start(elements.Path(tmp_path), str(trained))
    assert params == {'enc/w': [1, 1], 'pol/w': [1, 1, 1]}
    assert saved(elements.Path(tmp_path), 'step') == 40

  def test_regex(self, tmp_path, trained):
    params = self.start(
        elements.Path(tmp_path), str(trained), from_checkpoint_regex='enc/')
    assert params == {'enc/w': [1, 1], 'pol/w': [0, 0, 0]}

  def test_train_eval(self, tmp_path, trained):
    logdir = elements.Path(tmp_path)
    train_eval(logdir, from_checkpoint=str(trained))
    assert saved(logdir, 'agent')['params']['pol/w'].tolist() == [1, 1, 1]

  def test_eval_only(self, tmp_path, trained):
    agent = eval_only(elements.Path(tmp_path), from_checkpoint=str(trained))
    assert agent.params['pol/w'].tolist() == [1, 1, 1]

  def test_without_the_flag(self, trained):
    assert saved(trained, 'agent')['params']['pol/w'].tolist() == [1, 1, 1]

  def test_misfit(self, tmp_path, trained):
    def make_agent():
      agent = dummies.Agent(0)
      agent.params = {'enc/w': agent.params['pol/w']}
      return agent
    message = (
        r"2 of 2 saved parameters match '\.\*' and 2 of those do not fit this "
        r'agent: enc/w \(2,\), here \(3,\); pol/w \(3,\), here absent')
    with pytest.raises(UserError, match=message):
      from_checkpoint.make_agent(make_agent, str(trained), '.*')

  def test_nothing_matches(self, trained):
    with pytest.raises(UserError, match="0 of 2 .* match 'dyn'"):
      from_checkpoint.make_agent(dummies.Agent, str(trained), 'dyn')


class TestFind:

  def test_from_logdir_to_save(self, trained):
    save = checkpoint.find(trained)
    assert save.parent.parent == trained
    assert (save.parent / 'latest').read() == save.name
    assert checkpoint.find(save.parent) == checkpoint.find(save) == save

  @pytest.mark.parametrize('name', ['agent.pkl', 'ckpt', 'ckpt/agent'])
  def test_other_names(self, tmp_path, name):
    store = elements.Checkpoint(elements.Path(tmp_path) / name)
    store.agent = dummies.Agent()
    store.save()
    assert checkpoint.find(tmp_path) == store.latest()

  def test_logger_of_parallel_is_no_agent(self, tmp_path):
    store = elements.Checkpoint(elements.Path(tmp_path) / 'ckpt')
    store.step = elements.Counter()
    store.save()
    with pytest.raises(UserError, match='no checkpoint of an agent'):
      checkpoint.find(tmp_path)

  def test_incomplete_save(self, tmp_path):
    store = elements.Checkpoint(elements.Path(tmp_path) / 'ckpt')
    store.agent = dummies.Agent()
    store.save()
    (store.latest() / 'done').remove()
    with pytest.raises(UserError, match="no save .* whole: .* no file 'done'"):
      checkpoint.find(tmp_path)

  def test_missing(self, tmp_path):
    with pytest.raises(UserError, match=f'{tmp_path}/x: no checkpoint'):
      checkpoint.find(tmp_path / 'x')


class TestChoose:

  @pytest.fixture(scope='class')
  @classmethod
  def kept(cls, tmp_path_factory):
    """Return the logdir of a run with saves at steps 0, 40, 60 and 80."""
    logdir = elements.Path(tmp_path_factory.mktemp('kept'))
    for end in (40, 60, 80):
      train(
          logdir, steps=end, keep_checkpoints=0,
          make_agent=lambda end=end: dummies.Agent(end))
    return logdir

  def config(self, repeat=1):
    return elements.Config(task='a_b', env={'a': {'repeat': repeat}})

  def test_by_step_and_by_name(self, kept):
    saves = checkpoint.saves(kept)
    choose = lambda name: checkpoint.choose(kept, name, self.config())
    assert choose(None) == checkpoint.find(kept) == saves[-1]
    steps = [checkpoint.step(kept, x, self.config()) for x in saves]
    assert steps == [0, 40, 60, 80]
    for step, save in zip(steps, saves):
      assert choose(str(step)) == choose(step) == choose(save.name) == save
      assert choose(save) == save  # A path.

  def test_steps_are_frames(self, kept):
    save = checkpoint.choose(kept, '160', self.config(repeat=4))
    assert save.name.endswith('-000000000040')
    with pytest.raises(UserError, match='0 .*, 160 .*, 240 .*, 320 '):
      checkpoint.choose(kept, '40', self.config(repeat=4))

  def test_wrong_name_lists_all(self, kept):
    with pytest.raises(UserError) as caught:
      checkpoint.choose(kept, '50', self.config())
    for save, step in zip(checkpoint.saves(kept), (0, 40, 60, 80)):
      assert f'{step} ({save.name})' in str(caught.value)
    assert '--run.keep_checkpoints' in str(caught.value)

  def test_incomplete_saves_do_not_count(self, tmp_path):
    logdir = elements.Path(tmp_path)
    for end in (40, 60):
      train(logdir, steps=end, keep_checkpoints=0)
    (checkpoint.saves(logdir)[1] / 'done').remove()
    with pytest.raises(UserError, match=r'There are: 0 .*, 60 \('):
      checkpoint.choose(logdir, '40', self.config())

  def test_step_of_parallel_is_the_nearest(self, tmp_path):
    # The agent and the step are saved by two processes.
    logdir = elements.Path(tmp_path)
    def save(folder, name, **data):
      elements.checkpoint.save(
          logdir / folder / name, {k: lambda v=v: v for k, v in data.items()})
    for second, step in ((10, 100), (20, 200), (30, 300)):
      save('logger.pkl', f'20260101T0000{second}F000000', step=step)
    for second in ('09', '24', '26', '31'):
      save('agent.pkl', f'20260101T0000{second}F500000', agent=1)
    steps = [
        checkpoint.step(logdir, x, self.config())
        for x in checkpoint.saves(logdir)]
    assert steps == [100, 200, 300, 300]
    copy = elements.Path(tmp_path / 'copy')
    save('.', 'copy', agent=1)
    with pytest.raises(UserError, match='does not tell at which step'):
      checkpoint.step(logdir, copy, self.config())


class TestParallelEnd:

  def test_release_does_not_read_the_steps(self):
    assert parallel_end.needed()

  @pytest.mark.slow
  def test_ends_with_all_saved(self, tmp_path, trained):
    # In a process of its own, since portal's servers break the clean-up at
    # exit of the threads in which the loggers of the tests above write.
    logdir = elements.Path(tmp_path)
    process = child_processes.Process(
        dummies.parallel, logdir, trained, start=True)
    assert process.join().exitcode == 0
    assert len(checkpoint.saves(logdir)) == 3
    result = metrics(logdir)
    assert result['step'] >= 40
    assert result['epstats/log/count/sum'] == 10
    assert saved(logdir, 'agent')['params']['pol/w'].tolist() == [1, 1, 1]
    names = ('logger.pkl', 'ckpt/logger')
    [folder] = [x for x in names if (logdir / x).exists()]
    store = elements.Checkpoint(logdir / folder)
    store.step = elements.Counter()
    store.load()
    assert 40 <= store.step <= result['step']

  def test_failed_worker(self):
    class Worker:
      def __init__(self, name, exitcode):
        self.name, self.exitcode, self.killed = name, exitcode, False
      def start(self): pass
      def kill(self): self.killed = True
    workers = [Worker('parallel_env', 3), Worker('parallel_logger', None)]
    with pytest.raises(RuntimeError, match="'parallel_env' .* exit code 3"):
      parallel_end.run(workers)
    assert all(x.killed for x in workers)
