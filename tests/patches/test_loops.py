"""Patches of the run loops: logs, saves at the end, what is found."""

import inspect
import pathlib
import pickle

import elements
import embodied
import portal
import pytest

from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.patches import child_processes
from dreamer_gail_plugin.patches import final_save
from dreamer_gail_plugin.patches import from_checkpoint
from dreamer_gail_plugin.patches import keep_checkpoints
from dreamer_gail_plugin.patches import loops
from dreamer_gail_plugin.patches import parallel_end
from dreamer_gail_plugin.patches import proxies
from dreamer_gail_plugin.patches import timer_summary
from dreamer_gail_plugin.running import checkpoint
from helpers import dummies
from helpers.hostile import Bomb
from helpers.looptools import eval_only
from helpers.looptools import metrics
from helpers.looptools import saved
from helpers.looptools import train
from helpers.looptools import train_eval
from helpers.refusals import refused
from helpers.upstreams import SAVES
from helpers.upstreams import needs

pristine = inspect.unwrap


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

  def test_release_evaluates_one_save_only(
      self, tmp_path, trained, monkeypatch):
    monkeypatch.setattr(loops.module('eval_only'), 'elements', elements)
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


class TestSafeLoads:

  @pytest.fixture
  def hostile(self, tmp_path, monkeypatch):
    """Return a logdir whose save writes a file if anyone unpickles it."""
    monkeypatch.chdir(tmp_path)
    logdir = elements.Path(tmp_path / 'hostile')
    train(logdir)
    folder = checkpoint.find(logdir)
    (folder / 'agent.pkl').write_bytes(pickle.dumps(Bomb()))
    (folder / 'done').write_bytes(b'')
    return logdir

  def test_release_runs_it(self, hostile):
    [folder] = (hostile / SAVES).glob('2*')
    elements.checkpoint.load(folder, {'agent': lambda _: None})
    assert pathlib.Path('unpickled').exists()

  @pytest.mark.parametrize('loop', [train, train_eval, eval_only])
  def test_from_checkpoint(self, tmp_path, hostile, loop):
    with refused('agent.pkl', 'names posix.system'):
      loop(elements.Path(tmp_path / 'new'), from_checkpoint=str(hostile))
    assert not pathlib.Path('unpickled').exists()

  def test_going_on(self, hostile):
    with refused('agent.pkl', 'names posix.system'):
      train(hostile, steps=60)
    assert not pathlib.Path('unpickled').exists()


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

  def test_a_damaged_one_hides_no_other(self, tmp_path):
    logdir = elements.Path(tmp_path)
    for end in (40, 60):
      train(logdir, steps=end, keep_checkpoints=0)
    _, whole, damaged = checkpoint.saves(logdir)
    (damaged / 'step.pkl').write(b'', mode='wb')
    assert checkpoint.choose(logdir, '40', self.config()) == whole
    with pytest.raises(UserError, match=r'40 \(.*, damaged \('):
      checkpoint.choose(logdir, '60', self.config())

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

  def test_release_does_not_read_the_steps(self, monkeypatch):
    assert not parallel_end.needed()
    monkeypatch.setattr(
        loops.module('parallel'), 'parallel_logger',
        parallel_end.parallel_logger.original)
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
    assert result['episode/score'] == 10
    assert saved(logdir, 'agent')['params']['pol/w'].tolist() == [1, 1, 1]
    names = ('logger.pkl', 'ckpt/logger')
    [folder] = [x for x in names if (logdir / x).exists()]
    store = elements.Checkpoint(logdir / folder)
    store.step = elements.Counter()
    store.load()
    assert 40 <= store.step <= result['step']
