"""Bundled demonstrations of Atari, played again for another size."""

import json

import numpy as np
import pytest

from dreamer_gail_plugin import build
from dreamer_gail_plugin import upstream
from dreamer_gail_plugin.baselines import config as configlib
from dreamer_gail_plugin.baselines import demonstrations
from dreamer_gail_plugin.baselines import resize
from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.demos import __main__ as demos
from dreamer_gail_plugin.errors import UserError


@pytest.fixture
def bundled(tmp_path, monkeypatch):
  """Return a function of a config's flags, with a short recipe bundled."""
  folder = tmp_path / 'expert_data'
  folder.mkdir()
  assert demos.main([
      'planner', '--task', 'atari_seaquest', '--policy', 'random',
      '--trajectories', '2', '--length', '12', '--limit', '5', '--workers',
      '1', '--out', str(folder / 'atari_seaquest.json')]) == 0
  find = upstream.resource
  monkeypatch.setattr(
      upstream, 'resource',
      lambda name: folder if name == 'expert_data' else find(name))
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
  return folder / 'atari_seaquest.json', lambda *flags: configlib.load(
      'bc', ['--task', 'atari_seaquest', *flags])


def test_images_have_the_size_of_the_baseline(bundled):
  config = bundled[1]()
  first = build.expert_path(config)
  path = demonstrations.check(config)
  assert path != first and path == demonstrations.check(config)
  with store.Store(first) as old, store.Store(path) as new:
    assert old.spec['image'][1] == (96, 96, 1)
    assert new.spec['image'][1] == (84, 84, 1)
    assert old.lengths == new.lengths == [12, 12]
    assert json.loads(new.attrs['preprocessing'])['size'] == [84, 84]
    for index in range(2):
      a, b = old.read(index), new.read(index)
      for key in set(a) - {'image'}:
        assert np.array_equal(a[key], b[key]), key
      assert b['image'].std() > 1
  episodes = demonstrations.episodes(config, path)
  assert episodes[0].obs.shape[1:] == (4, 84, 84)


def test_nothing_is_played_where_it_fits_or_is_named(bundled):
  config = bundled[1]('--env.atari.size', '96', '96')
  path = build.expert_path(config)
  assert resize.fitting(config, path) == path
  named = bundled[1]('--expert', str(path))
  assert resize.fitting(named, path) == path


def test_other_actions_are_an_error(bundled):
  config = bundled[1]()
  path = build.expert_path(config)
  data = json.loads(bundled[0].read_text())
  info = data['trajectories'][1]
  info['actions'] = 'b' * len(info['actions'])
  bundled[0].write_text(json.dumps(data))
  with pytest.raises(UserError, match='trajectory 1, played with images'):
    resize.fitting(config, path)
  assert not list(path.parent.glob('*84x84*'))
