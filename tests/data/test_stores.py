"""Several stores as one."""

import shutil

import elements
import numpy as np
import pytest

from dreamer_gail_plugin import build
from dreamer_gail_plugin import configs
from dreamer_gail_plugin import expert
from dreamer_gail_plugin import main
from dreamer_gail_plugin import preflight
from dreamer_gail_plugin.data import recipe
from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.data import stores
from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.report import behaviour
from dreamer_gail_plugin.running import provenance
from dreamer_gail_plugin.running import samerun

BOOL = elements.Space(bool)
OBS = {'x': elements.Space(np.float32, (2,)), **dict.fromkeys(
    ('is_first', 'is_last', 'is_terminal'), BOOL)}
ACT = {'action': elements.Space(np.int32, (), 0, 3)}


def write(path, value, length, task='toy_task', size=2, **attrs):
  ends = np.arange(length) == length - 1
  store.write(path, [{
      'x': np.full((length, size), value, np.float32),
      'action': np.zeros(length, np.int32), 'is_first': ends[::-1],
      'is_last': ends, 'is_terminal': ends,
      'reward': np.ones(length, np.float32)}], {'task': task, **attrs})
  return path


@pytest.fixture
def two(tmp_path):
  return stores.Paths([
      write(tmp_path / 'a.h5', 1, 30, expert_score=7),
      write(tmp_path / 'b.h5', 2, 10)])


def drawn(path, **kw):
  replay = expert.ExpertReplay(
      path, 50, 2, OBS, ACT, consec=1, task='toy_task', **kw)
  return np.concatenate(
      [replay.sample()['expert/x'][:, 0, 0] for _ in range(20)])


def test_is_both(two):
  with stores.opened(two) as both:
    assert both.lengths == [30, 10] and len(both) == 2
    assert [x['score'] for x in both.infos] == [7, 10]
    assert both.name == 'a.h5, b.h5' and 'expert_score' not in both.attrs
    assert (both.read(1, 2, 5)['x'] == 2).all()
    assert both.read(1)['x'].shape == (10, 2)


@pytest.mark.parametrize('memory', ['ram', 'disk'])
@pytest.mark.parametrize('weights, share', [
    ((0,), 0.75), ((1, 1), 0.5), ((1, 3), 0.25), ((0, 1), 0)])
def test_shares(two, weights, share, memory, monkeypatch):
  monkeypatch.setattr(store, 'SMALL', 4)
  found = (drawn(two, weights=weights, memory=memory) == 1).mean()
  assert abs(found - share) < 0.05


def test_singles_have_the_shares_too(two):
  replay = expert.ExpertReplay(
      two, 100, 5, OBS, ACT, singles=True, weights=(0, 1))
  assert (replay.sample()['single/x'] == 2).all()


def test_one_weight_for_each(two):
  with pytest.raises(UserError, match='expert_weights: has 3 .* 2 stores'):
    drawn(two, weights=(1, 2, 3))


def test_other_task_is_refused(two):
  write(two.paths[1], 2, 10, task='other_task')
  with pytest.raises(UserError, match='a.h5 and .*b.h5 are not of one task'):
    drawn(two)


def test_other_shape_is_refused(two):
  write(two.paths[1], 2, 10, size=3)
  with pytest.raises(UserError, match='x is .*2,.* and .*3,'):
    drawn(two)


def test_one_that_is_not_there(two):
  two.paths[1].unlink()
  assert not two.exists()
  with pytest.raises(UserError, match='b.h5: no such file'):
    drawn(two)


def test_store_of_any_task_goes_with_others(two):
  write(two.paths[1], 2, 10, task='')
  assert {1, 2} == set(drawn(two))


def test_changed_file_is_read_anew(two):
  store.Store(two.paths[0]).close()
  write(two.paths[0], 5, 12)
  with store.Store(two.paths[0]) as found:
    assert found.lengths == [12]


def test_flag(tmp_path):
  config = configs.load_config([
      '--configs', 'minatar', 'gail', '--agent.gail.expert', 'a.h5', 'b.h5',
      'c.h5', '--seed', '1', '--agent.gail.expert_weights', '1', '2', '0'])
  path = build.expert_path(config)
  assert [str(x) for x in path.paths] == ['a.h5', 'b.h5', 'c.h5']
  assert str(path) == 'a.h5, b.h5, c.h5'
  assert config.agent.gail.expert_weights == (1, 2, 0) and config.seed == 1
  (tmp_path / 'a,b.h5').touch()
  assert stores.named(f'{tmp_path}/a,b.h5') == tmp_path / 'a,b.h5'


@pytest.fixture(scope='module')
def config(tmp_path_factory):
  """Return a config with two stores of MinAtar."""
  folder = tmp_path_factory.mktemp('two')
  paths = [folder / 'a.h5', folder / 'b.h5']
  for path in paths:
    shutil.copyfile(recipe.bundled('minatar_breakout'), path)
  return configs.load_config([
      '--configs', 'minatar', 'tiny', 'gail', '--agent.gail.expert',
      *map(str, paths), '--logdir', str(folder / 'run')])


class TestPrograms:
  """Two stores of MinAtar in the place of one, in what opens them."""

  def test_start(self, config, capsys):
    replay = main.describe_expert(preflight.settle(config))
    assert replay.stats['trajectories'] == 20
    assert preflight.expert(config)['episodes']
    text = capsys.readouterr().out
    assert 'a.h5, ' in text and '60 whole games' in text

  def test_report(self, config, tmp_path):
    play = behaviour.expert(config.flat, tmp_path)
    assert 'a.h5, b.h5, trajectory' in play.origin and play.score > 20

  def test_same_run(self, config, tmp_path):
    config = config.update(logdir=str(tmp_path))
    demos = build.expert_path(config)
    provenance.save_config(tmp_path, config)
    samerun.record(config, demos)
    assert samerun.check(config, demos)
    other = stores.Paths([demos.paths[0], recipe.bundled('minatar_freeway')])
    with pytest.raises(UserError, match='of other content than .*a.h5, '):
      samerun.check(config, other)

  def test_large_stores_are_told_by_samples(self, tmp_path, monkeypatch):
    monkeypatch.setattr(samerun, 'LARGE', 10)
    config = configs.load_config(['--logdir', str(tmp_path)])
    config = config.update({'agent.gail.expert': str(tmp_path / 'x')})
    provenance.save_config(tmp_path, config)
    (tmp_path / 'x').write_bytes(b'0' * 1000)
    samerun.record(config, tmp_path / 'x')
    assert samerun.check(config, tmp_path / 'x')
    (tmp_path / 'x').write_bytes(b'0' * 999 + b'1')
    with pytest.raises(UserError, match='of other content'):
      samerun.check(config, tmp_path / 'x')


@pytest.mark.parametrize('words', [
    ['--agent.gail.expert', 'a.h5', 'b.h5'],
    ['--agent.gail.expert=a.h5', 'b.h5'],
    ['--agent.gail.expert', 'a.h5,b.h5']])
def test_ways_to_write_it(words):
  config = configs.load_config([*words, '--seed', '3'])
  assert config.agent.gail.expert == 'a.h5,b.h5' and config.seed == 3
