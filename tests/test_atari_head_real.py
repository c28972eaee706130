"""A real trial of Seaquest, where it lies beside the project."""

import pathlib

import numpy as np
import pytest
from demotools import load

from dreamer_gail_plugin import store
from dreamer_gail_plugin.demos import __main__ as demos
from dreamer_gail_plugin.demos import atari_head_files as files
from dreamer_gail_plugin.demos import atari_head_steps
from dreamer_gail_plugin.envs.atari import Atari

REAL = pathlib.Path(__file__).parent.parent / '../shared/data/atari_head'


@pytest.fixture(scope='module')
def imported(tmp_path_factory):
  out = tmp_path_factory.mktemp('real') / 'demos.h5'
  assert demos.main([
      'atari_head', '--source', str(REAL), '--game', 'seaquest', '--out',
      str(out), '--trials', '54', '--length', '400', '--averaged',
      'match']) == 0
  return out


@pytest.mark.skipif(
    not REAL.exists(), reason='the real trial is not beside the project')
class TestRealTrial:

  def test_whole_trial(self):
    trial = files.find_trials(files.find_game(REAL, 'seaquest'))[54]
    steps, counts = atari_head_steps.make_steps(
        files.read_labels(trial.labels), 4, 2,
        atari_head_steps.RULES['majority'], resumed=False)
    assert len(steps.action) == 4300
    assert counts == {
        'episodes': 1, 'null': 226, 'mixed': 903, 'empty': 10, 'tail': 3}
    assert steps.reward.sum() == 51560
    assert steps.is_last.sum() == steps.is_first.sum() == 1
    assert not steps.is_terminal.any()

  def test_rewards_arrive_with_the_screen_that_shows_them(self, imported):
    found = 0
    for data in load(imported):
      digits = data['image'][:, 2:9].astype(int)
      change = np.abs(np.diff(digits, axis=0)).max((1, 2, 3)) > 8
      rewarded = data['reward'] > 0
      for step in range(3, len(rewarded) - 3):
        near = rewarded[step - 3: step + 4]
        if rewarded[step] and near.sum() == 1:
          # change[i] is from i to i + 1.
          assert change[step - 3: step].tolist() == [False, False, True]
          found += 1
    assert found > 80

  def test_store(self, imported):
    env = Atari('seaquest', average=True)
    with store.Store(imported) as demo:
      store.validate(demo, env.obs_space, env.act_space, 'atari_seaquest')
      assert demo.attrs['expert_score'] == 53140
      assert sum(demo.lengths) > 1980
      starts = [demo.read(i, 0, 1)['is_first'][0] for i in range(len(demo))]
      assert starts == [True] + [False] * (len(demo) - 1)
      assert demo.read(len(demo) - 1)['is_last'][-1]
