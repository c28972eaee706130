"""What D pays at scores, before ends and elsewhere."""

import json

import numpy as np
import pytest

from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.evaluate import disc_reward
from dreamer_gail_plugin.evaluate import saved
from helpers import savedruns


def flags(length, *where):
  """Return bools (length,) that are True at some places."""
  result = np.zeros(length, bool)
  result[list(where)] = True
  return result


class TestEvents:

  def find(self, reward, first, terminal):
    found = disc_reward.events(
        np.float32(reward), flags(len(reward), *first),
        flags(len(reward), *terminal))
    return {k: np.flatnonzero(v).tolist() for k, v in found.items()}

  def test_by_hand(self):
    # The reward of an action comes with the step after it.
    found = self.find([0, 0, 1, 0, 0, 0, -1, 0, 0], [0, 7], [6])
    assert found == {
        'scores': [1], 'loses': [5], 'end 1': [5], 'end 3': [3, 4, 5],
        'end 10': [0, 1, 2, 3, 4, 5], 'elsewhere': [6, 7, 8]}

  def test_an_end_belongs_to_its_own_episode(self):
    # The first episode is cut off, by a limit or in the file.
    found = self.find(np.zeros(8), [0, 4], [6])
    assert found['end 10'] == [4, 5]
    assert found['elsewhere'] == [0, 1, 2, 3, 6, 7]

  def test_a_reward_of_the_next_episode_is_not_earned(self):
    assert self.find([0, 0, 5, 0], [0, 2], [])['scores'] == []


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  folder = tmp_path_factory.mktemp('run')
  logdir = savedruns.seaquest(folder / 'logdir')
  files = [logdir]
  for seed in (1, 2):
    path = savedruns.play(folder / f'whole{seed}.h5', seed, 2, 300)
    with store.Store(path) as demos:
      data, attrs = [demos.read(i) for i in range(2)], dict(demos.attrs)
    # Trajectories of other lengths, the second in mid-episode.
    files.append(folder / f'{seed}.h5')
    store.write(files[-1], [
        {k: v[seed * x:] for k, v in data[x].items()} for x in range(2)],
        attrs)
  return files


class TestMain:

  def test_table_and_file(self, run, capsys):
    logdir, expert, agent = run
    found = disc_reward.main([
        '--logdir', str(logdir), '--expert', str(expert),
        '--agent', str(agent)])
    assert json.loads((logdir / 'disc_reward.json').read_text()) == found
    assert found['step'] == 1234
    for side, path in (('expert', expert), ('agent', agent)):
      with store.Store(path) as demos:
        acted = sum(
            (~demos.read(i, keys=['is_last'])['is_last']).sum()
            for i in range(2))
        burnin = 2 * (not demos.read(1, keys=['is_first'])['is_first'][0])
      rows = found[side]
      assert rows['all']['steps'] == acted - burnin
      assert rows['end 1']['steps'] > 0 < rows['all']['sd']
      assert rows['elsewhere']['steps'] < rows['all']['steps']
    out = capsys.readouterr().out
    assert 'end 10' in out and 'loses' not in out
    with pytest.raises(UserError, match='--overwrite'):
      disc_reward.main([
          '--logdir', str(logdir), '--expert', str(expert),
          '--agent', str(agent)])

  def test_a_row_is_filled_up_after_its_end(self, run):
    config = saved.load_config(run[0])
    whole, cut = disc_reward.trajectories.read(run[1], config, ('reward',))
    for data, begins in ((whole, True), (cut, False)):
      length = len(data['reward'])
      row = disc_reward.trajectories.row(data, length + 50)
      assert row['image'].shape == (1, length + 50, *data['image'].shape[1:])
      assert (row['image'][0, :length] == data['image']).all()
      assert not row['image'][0, length:].any() and 'reward' not in row
      # The RSSM restarts at the first step, which is a cut in mid-episode.
      assert row['is_first'][0, 0] and data['is_first'][0] == begins
      assert row['is_cut'].sum() == row['is_cut'][0, 0] == (not begins)

  def test_run_without_discriminator(self, tmp_path, run):
    logdir = savedruns.random(tmp_path / 'random')
    with pytest.raises(UserError, match='no discriminator'):
      disc_reward.main([
          '--logdir', str(logdir), '--expert', str(run[1]),
          '--agent', str(run[2])])

  def test_store_without_rewards(self, run, tmp_path):
    with store.Store(run[1]) as demos:
      data = [{k: v for k, v in demos.read(0).items() if k != 'reward'}]
      attrs = dict(demos.attrs)
    store.write(tmp_path / 'bare.h5', data, attrs)
    with pytest.raises(UserError, match='has no reward,'):
      disc_reward.main([
          '--logdir', str(run[0]), '--expert', str(tmp_path / 'bare.h5'),
          '--agent', str(run[2]), '--out', str(tmp_path / 'x.json')])
