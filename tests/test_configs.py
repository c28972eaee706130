"""What the config becomes where flags depend on each other."""

import elements
import pytest

from dreamer_gail_plugin import configs
from helpers.hostile import LAUGHS
from helpers.hostile import memory
from helpers.refusals import refused


def config(*flags):
  return configs.load_config(['--configs', 'minatar', 'gail', 'debug', *flags])


class TestRows:

  def test_half_of_the_rows_are_demonstrations(self):
    flags = ('--batch_size', '6', '--run.train_ratio', '32')
    for extra, want in {
        ('replay',): (6, 32), ('both',): (3, 16),
        ('both', '--agent.gail.reward', 'env'): (6, 32)}.items():
      found = configs.rows(config(*flags, '--agent.gail.world', *extra))
      assert (found.batch_size, found.run.train_ratio) == want

  def test_so_their_number_is_even(self):
    with refused('--batch_size 5', 'even', '--agent.gail.world both'):
      configs.rows(config('--batch_size', '5', '--agent.gail.world', 'both'))


@pytest.mark.parametrize('text, words', [
    (LAUGHS, 'aliases'), ('a: &x {b: *x}', 'aliases'),
    ('[' * 60_000, 'deep'), ('{a: ' * 5000, 'deep'),
    ('a: 1\n' * 20_000, '65,536 bytes'), ('', 'keys and values'),
    ('- 1', 'keys and values'), ('a: [', 'flow'), ('a: 1\na: 2', 'duplicate'),
    ('a: !!python/object/apply:os.system [touch x]', 'constructor'),
    (r'a: "\x1b[2J"', 'printed'), (r'{"\uD800": 1}', ''), ('5: 1', ''),
    ('\0', 'config of a run'), ('a: {5: 1}', '')])
def test_read_of_a_stranger(tmp_path, text, words):
  path = tmp_path / 'config.yaml'
  path.write_text(text)
  with memory() as peaks, refused(str(path), words):
    configs.read(path)
  assert peaks['python'] < 3e7


def test_read(tmp_path):
  config = configs.load_config(['--configs', 'minatar', 'gail'])
  config.save(elements.Path(tmp_path / 'config.yaml'))
  assert configs.read(tmp_path / 'config.yaml') == config
  assert (tmp_path / 'config.yaml').stat().st_size < configs.LARGEST / 3
  with refused(str(tmp_path), 'config of a run'):
    configs.read(tmp_path)
