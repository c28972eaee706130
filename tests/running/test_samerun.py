"""A logdir is one run."""

import pickle
import shutil
import signal

import elements
import pytest

from dreamer_gail_plugin import configs
from dreamer_gail_plugin import main
from dreamer_gail_plugin.running import samerun
from helpers import savedruns
from helpers.refusals import refused


def config(logdir, *flags):
  return configs.load_config([
      '--configs', 'gym', 'debug', 'gail', '--logdir', str(logdir),
      '--task', 'gym_CartPole-v1', *flags])


@pytest.fixture
def run(tmp_path):
  """A logdir with the config of a run that learns from mine.h5."""
  (tmp_path / 'mine.h5').write_bytes(b'some')
  logdir = tmp_path / 'log'
  logdir.mkdir()
  first = config(logdir, '--agent.gail.expert', str(tmp_path / 'mine.h5'))
  first.save(elements.Path(logdir / 'config.yaml'))
  samerun.record(first, tmp_path / 'mine.h5')
  return logdir


def again(run, *flags, demos=None):
  demos = demos or run.parent / 'mine.h5'
  return samerun.check(
      config(run, '--agent.gail.expert', str(demos), *flags), demos)


def test_a_run_goes_on(run):
  assert again(run)
  assert again(
      run, '--run.steps', '7', '--seed', '1', '--env.gym.traceback', 'True')


def test_no_run_yet(tmp_path):
  assert not samerun.check(config(tmp_path / 'none'), None)


@pytest.mark.parametrize('flags, words', [
    (['--task', 'gym_Pendulum-v1'], ['gym_CartPole-v1, not gym_Pendulum-v1']),
    (['--task', 'minatar_freeway'], ['not minatar_freeway']),
    (['--random_agent', 'True'], ['--random_agent False, not True']),
    (['--env.gym.size', '32', '32'], ['--env.gym.size', '(-1, -1)']),
    (['--env.gym.kwargs', '{"a": 1}'], ['--env.gym.kwargs', '{"a": 1}']),
    (['--env.gym.image', 'first'], ['--env.gym.image auto, not first']),
    (['--env.gym.image', 'eye=vector'], ['not eye=vector']),
    (['--task', 'gym_CartPole-v0'], ['not gym_CartPole-v0']),
    (['--task', 'gym_mine:CartPole-v1'], ['not gym_mine:CartPole-v1']),
    (['--task', 'atari_pong'], ['gym_CartPole-v1, not atari_pong']),
    (['--env.gym.size', '0', '0'], ['--env.gym.size', '(0, 0)']),
    (['--env.gym.scale', '2.0'], ['--env.gym.scale'])])
def test_other_runs_are_refused(run, flags, words):
  with refused(str(run), 'Give another --logdir', *words):
    again(run, *flags)


@pytest.mark.parametrize('task, flags', [
    ('atari_pong', ['--env.atari.sticky', 'False']),
    ('atari_pong', ['--env.atari.size', '64', '64']),
    ('atari_pong', ['--env.atari.gray', 'False']),
    ('atari_pong', ['--env.atari.repeat', '1']),
    ('atari_pong', ['--task', 'atari_seaquest']),
    ('atari_pong', ['--task', 'atari100k_pong']),
    ('crafter_reward', ['--task', 'crafter_noreward']),
    ('crafter_reward', ['--env.crafter.size', '32', '32']),
    ('minatar_breakout', ['--task', 'minatar_asterix'])])
def test_other_suites(tmp_path, task, flags):
  make = lambda *flags: configs.load_config([
      '--logdir', str(tmp_path), '--task', task, *flags])
  make().save(elements.Path(tmp_path / 'config.yaml'))
  samerun.check(make())
  with refused(str(tmp_path), 'another --logdir', flags[0].strip('-')):
    samerun.check(make(*flags))


def test_how_to_start_anew(run):
  with refused(f'move it away: mv {run} {run}.old'):
    again(run, '--task', 'gym_Pendulum-v1')


class TestGoingOn:

  @pytest.fixture
  def saved(self, tmp_path):
    """A run of seed 0 with a save at step 1234."""
    return savedruns.random(tmp_path / 'saved')

  FLAGS = ['--configs', 'minatar', 'debug', '--random_agent', 'True']

  def config(self, logdir, *flags):
    return configs.load_config(
        [*self.FLAGS, '--logdir', str(logdir), *flags])

  def note(self, logdir, *flags):
    config = self.config(logdir, *flags)
    return samerun.note(config, samerun.done(config))

  def test_no_run_and_no_save(self, run, tmp_path):
    assert samerun.done(self.config(tmp_path / 'none')) is None
    assert samerun.done(config(run)) is None

  def test_unfinished(self, saved):
    assert self.note(saved, '--run.steps', '2345') == (
        'Goes on from step 1,234: 1,111 are left')

  def test_frames(self, saved):
    config = self.config(saved).update({
        'task': 'atari_pong', 'run.steps': 2000})
    assert samerun.note(config, samerun.done(config)) == (
        'Goes on from step 4,936: 3,064 are left')

  def test_finished(self, saved):
    line = self.note(saved, '--run.steps', '1234')
    assert 'finished: step 1,234' in line and '--run.steps is 1,234.' in line
    assert f'dreamer-gail evaluate --logdir {saved}`' in line

  def test_nothing_is_done_then(self, saved, monkeypatch, capsys):
    fail = lambda *args: pytest.fail('built')
    for name in ('make_agent', 'make_replay', 'make_logger'):
      monkeypatch.setattr(main.build, name, fail)
    before = {x: x.stat().st_mtime_ns for x in saved.rglob('*')}
    flags = [*self.FLAGS, '--logdir', str(saved)]
    assert main.main([*flags, '--run.steps', '1e3']) is None
    *_, last = capsys.readouterr().out.splitlines()
    assert last == self.note(saved, '--run.steps', '1e3')
    assert before == {x: x.stat().st_mtime_ns for x in saved.rglob('*')}
    monkeypatch.setattr(main, 'run', lambda *args: signal.SIGTERM)
    assert main.main([*flags, '--run.steps', '2e3']) == 143
    assert 'Goes on from step 1,234' in capsys.readouterr().out

  def test_damaged_saves_are_passed_over(self, saved):
    first, = saved.glob('checkpoint.pkl/2*')
    last = first.with_name(f'{first.name}-000000002000')
    shutil.copytree(first, last)
    (last / 'step.pkl').write_bytes(pickle.dumps(2000))
    (saved / 'checkpoint.pkl' / 'latest').write_text(last.name)
    done = lambda: samerun.done(self.config(saved))
    assert done() == 2000
    (last / 'agent.pkl').write_bytes(b'')
    assert done() == 1234
    (first / 'step.pkl').write_bytes(b'')
    assert done() is None

  def test_another_seed(self, saved):
    line = self.note(saved, '--run.steps', '2e3', '--seed', '5')
    assert '--seed 0' in line and '--seed 5 starts no other' in line


def test_options_of_other_suites_do_not_matter(run):
  assert again(run, '--env.atari.sticky', 'False')


class TestDemonstrations:

  def test_other_content(self, run):
    (run.parent / 'mine.h5').write_bytes(b'else')
    with refused('other content'):
      again(run)

  def test_moved(self, run):
    (run.parent / 'mine.h5').rename(run.parent / 'here.h5')
    assert again(run, demos=run.parent / 'here.h5')

  def test_another_file(self, run):
    (run.parent / 'more.h5').write_bytes(b'else')
    with refused('mine.h5', 'more.h5'):
      again(run, demos=run.parent / 'more.h5')

  def test_another_name_where_nothing_else_is_known(self, run):
    (run / samerun.NAME).unlink()
    assert again(run)
    (run.parent / 'more.h5').write_bytes(b'some')
    with refused('mine.h5, not', 'more.h5'):
      again(run, demos=run.parent / 'more.h5')

  def test_none_needed(self, run):
    assert samerun.check(config(run), None)

  def test_damaged(self, run):
    (run / samerun.NAME).write_text('{')
    with refused(samerun.NAME, 'cannot be read'):
      again(run)


def test_runs_of_before_go_on(run):
  flat = dict(elements.Config.load(run / 'config.yaml').flat)
  flat = {k: v for k, v in flat.items() if not k.startswith('env.gym.')}
  flat['env.gym.size'] = [64, 64]
  elements.Config(flat).save(elements.Path(run / 'config.yaml'))
  assert again(run)


def test_damaged_config(run):
  (run / 'config.yaml').write_text('a: [')
  with refused('config.yaml', 'another --logdir'):
    again(run)
