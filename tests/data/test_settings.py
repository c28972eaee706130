"""Settings of the environment in which demonstrations differ from a task."""

import numpy as np

from dreamer_gail_plugin import configs
from dreamer_gail_plugin.data import settings
from dreamer_gail_plugin.data import store


class TestWarn:

  def warnings(self, tmp_path, capsys, made, *flags):
    path = tmp_path / 'demos.h5'
    ones = np.ones(1, bool)
    store.write(
        path, [{'is_first': ones, 'is_last': ones, 'is_terminal': ones}],
        {'preprocessing': made})
    settings.warn(configs.load_config([
        '--configs', 'minatar', 'gail', 'debug', '--task', 'atari_pong',
        *flags]), path)
    return capsys.readouterr().out

  def test_equal(self, tmp_path, capsys):
    made = {'gray': True, 'size': [96, 96], 'noops': 7, 'frames': 'x'}
    assert not self.warnings(tmp_path, capsys, made)

  def test_unknown(self, tmp_path, capsys):
    for made in ('', [1]):
      assert not self.warnings(tmp_path, capsys, made)

  def test_different(self, tmp_path, capsys):
    made = {'pooling': 1, 'size': [96, 96], 'aggregate': 'mean'}
    said = self.warnings(tmp_path, capsys, made, '--env.atari.pooling', '3')
    assert said.count('Warning: ') == 2
    assert 'pooling 1, the task runs with --env.atari.pooling 3' in said
    assert 'aggregate mean' in said
    assert 'size' not in said
