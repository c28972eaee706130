import functools
import json

import pytest

from dreamer_gail_plugin import build
from dreamer_gail_plugin import configs
from dreamer_gail_plugin import main
from dreamer_gail_plugin import upstream
from dreamer_gail_plugin.data import recipe
from dreamer_gail_plugin.data import record as played
from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.demos import __main__ as command
from dreamer_gail_plugin.demos import tasks
from dreamer_gail_plugin.demos.experts import planner
from dreamer_gail_plugin.errors import UserError
from helpers.demotools import random_play
from helpers.refusals import exit_code

BUNDLED = sorted(upstream.resource('expert_data').glob('*.json'))
# Rewards in the first trajectory at least; random play in as many steps gets
# a fraction, and always going up in Freeway 10
# (docs/demonstrations.md).
LEAST = {
    'atari_alien': 1500, 'atari_freeway': 13, 'atari_seaquest': 1500,
    'crafter_reward': 10}


@pytest.fixture(scope='module')
def made(tmp_path_factory):
  """Return the paths of a store and of the recipe of the same play."""
  folder = tmp_path_factory.mktemp('recipe')
  return random_play(folder, 'a.h5'), random_play(folder, 'a.json')


class TestRecipe:

  def test_makes_the_store_again(self, made, tmp_path):
    recipe.rebuild(made[1], tmp_path / 'b.h5')
    with store.Store(made[0]) as old, store.Store(tmp_path / 'b.h5') as new:
      assert old.lengths == new.lengths == [12, 12]
      for index in range(2):
        a, b = old.read(index), new.read(index)
        assert {k: v.tobytes() for k, v in a.items()} == {
            k: v.tobytes() for k, v in b.items()}
        assert a['is_last'].sum() == 2
        assert old.infos[index]['seed'] == new.infos[index]['seed']
      assert new.attrs['task'] == 'atari_seaquest'
      assert old.attrs['preprocessing'] == new.attrs['preprocessing']

  def test_crafter(self, tmp_path):
    path = random_play(tmp_path, 'a.json', 'crafter_reward', '1')
    recipe.rebuild(path, tmp_path / 'a.h5')
    with store.Store(tmp_path / 'a.h5') as file:
      assert file.spec['image'][1] == (64, 64, 3)

  @pytest.mark.parametrize('change', ('seed', 'actions', 'sha256'))
  def test_another_result_is_one_error(self, made, tmp_path, change):
    data = json.loads(made[1].read_text())
    info = data['trajectories'][1]
    info[change] = {
        'seed': 3, 'actions': 'b' * len(info['actions']), 'sha256': 'ab' * 32
    }[change]
    path = tmp_path / 'bad.json'
    path.write_text(json.dumps(data))
    with pytest.raises(UserError, match='trajectory 1, played on this'):
      recipe.rebuild(path, tmp_path / 'bad.h5')
    assert list(tmp_path.iterdir()) == [path]

  @pytest.mark.parametrize('text', ('', '{}', '[]', '{"format": 1}'))
  def test_no_recipe(self, tmp_path, text):
    (tmp_path / 'a.json').write_text(text)
    with pytest.raises(UserError, match='a.json'):
      recipe.load(tmp_path / 'a.json')

  def test_other_suites_are_refused(self, tmp_path, capsys):
    assert exit_code(command.main, [
        'planner', '--task', 'minatar_breakout', '--policy', 'random',
        '--trajectories', '1', '--length', '3', '--workers', '1',
        '--out', str(tmp_path / 'a.json')]) == 2
    assert 'recipes are for atari and crafter' in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


class TestCache:

  def test_played_once(self, made, tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    path = recipe.cached(made[1])
    assert path.is_relative_to(tmp_path)
    monkeypatch.setattr(recipe, 'rebuild', None)
    assert recipe.cached(made[1]) == path

  def test_a_folder_that_cannot_be_made(self, made, tmp_path, monkeypatch):
    (tmp_path / 'file').write_text('')
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'file'))
    with pytest.raises(UserError, match='XDG_CACHE_HOME'):
      recipe.cached(made[1])

  def test_auto_finds_recipes(self, made, tmp_path, monkeypatch):
    monkeypatch.setattr(upstream, 'resource', lambda name: made[1].parent)
    monkeypatch.setattr(recipe, 'cached', lambda path: ('cached', path))
    made[1].with_name('crafter_reward.json').write_text('')
    config = type('Config', (), dict(task='crafter_reward'))
    config.agent = type('Agent', (), {})
    config.agent.gail = type('Gail', (), dict(expert='auto'))
    found = build.expert_path(config)
    assert found == ('cached', made[1].with_name('crafter_reward.json'))


class TestBundled:

  @pytest.mark.parametrize('path', BUNDLED, ids=lambda x: x.stem)
  def test_small_and_whole(self, path):
    data = recipe.load(path)
    assert data['attrs']['task'] == path.stem
    assert path.stat().st_size < 50_000
    assert len({x['sha256'] for x in data['trajectories']}) == len(
        data['trajectories'])

  @pytest.mark.parametrize('path', BUNDLED, ids=lambda x: x.stem)
  def test_plays_again(self, path, tmp_path):
    data = recipe.load(path)
    data['trajectories'] = data['trajectories'][:1]
    (tmp_path / 'a.json').write_text(json.dumps(data))
    recipe.rebuild(tmp_path / 'a.json', tmp_path / 'a.h5')  # Checks the hash.
    env = tasks.make_env(path.stem, 0)
    with store.Store(tmp_path / 'a.h5') as file:
      store.validate(file, env.obs_space, env.act_space, path.stem)
      assert file.read(0)['reward'].sum() > LEAST[path.stem]

  @pytest.mark.parametrize('path', BUNDLED, ids=lambda x: x.stem)
  def test_planner_makes_the_same(self, path):
    wanted = recipe.load(path)['trajectories'][0]['actions']
    start = len(wanted) - len(wanted.lstrip(wanted[0])) + 6
    made = next(played.record(
        functools.partial(tasks.make_env, path.stem),
        planner.PLANNERS[path.stem], trajectories=1, length=start, seed=0))
    letters = [recipe.LETTERS[x] for x in made['action']]
    assert len(set(letters)) > 1 and ''.join(letters) == wanted[:start]

  @pytest.mark.parametrize('flags, importer', [
      (['atari', 'small', 'gail'], 'atari_head'),
      (['atari', 'small', 'gail', '--task', 'atari_alien'], 'atari_head'),
      (['crafter', 'small', 'gail'], 'crafter_human'),
  ])
  def test_found_without_a_flag(
      self, tmp_path, monkeypatch, capsys, flags, importer):
    def first_only(path):
      data = recipe.load(path)
      data['trajectories'] = data['trajectories'][:1]
      (tmp_path / path.name).write_text(json.dumps(data))
      recipe.rebuild(tmp_path / path.name, tmp_path / f'{path.stem}.h5')
      return tmp_path / f'{path.stem}.h5'
    # The path is asked for more than once.
    monkeypatch.setattr(recipe, 'cached', functools.cache(first_only))
    config = configs.load_config(['--configs', *flags])
    assert main.describe_expert(config)
    said = capsys.readouterr().out
    assert f'Demonstrations: {tmp_path / config.task}.h5: 1 traj' in said
    assert f'Human ones: dreamer-gail demos {importer} --help' in said
    assert 'Warning' not in said  # The same eyes.
