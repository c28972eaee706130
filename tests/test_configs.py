"""What the config becomes where flags depend on each other."""

from dreamer_gail_plugin import configs
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
