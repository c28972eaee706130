"""The Atari-HEAD importer: same eyes, and the parts of a trial."""

import json
import tarfile

import ale_py
import numpy as np
import pytest
from PIL import Image

from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.demos import __main__ as demos
from dreamer_gail_plugin.demos.importers import atari_head
from dreamer_gail_plugin.demos.importers import atari_head_files as files
from dreamer_gail_plugin.envs.atari import Atari
from helpers.atarihead import Trial
from helpers.atarihead import blank
from helpers.atarihead import labels
from helpers.atarihead import play
from helpers.atarihead import run
from helpers.demotools import load
from helpers.refusals import exit_code


@pytest.fixture
def trial(tmp_path):
  return Trial(tmp_path / 'source', 'seaquest', *blank(41))


@pytest.fixture(scope='module')
def played(tmp_path_factory):
  # Of this seed, some rewards come with the first and the last frame of a
  # step, and a game ends within a step.
  screens, rows = play('breakout', seed=17, frames=1502)
  root = tmp_path_factory.mktemp('breakout') / 'source'
  return Trial(root, 'breakout', screens, rows), rows


class TestSameEyes:

  @pytest.mark.parametrize('flags, looks', [
      ([], {}),
      (['--task', 'atari100k_breakout', '--actions', 'all'],
       dict(size=(64, 64), gray=False)),
      (['--size', '40', '32', '--aggregate', 'mean', '--pooling', '3'],
       dict(size=(40, 32), aggregate='mean', pooling=3)),
  ])
  def test_equal_to_the_environment_byte_for_byte(self, played, flags, looks):
    trial, rows = played
    code, out = run(
        trial, '--length', 5000, '--overwrite', *flags, game='breakout')
    assert code == 0
    data, = load(out)
    env = Atari('breakout', noops=0, sticky=False, seed=0, **looks)
    assert {'size': env.looks['size'], 'gray': env.looks['gray']} == {
        'size': data['image'].shape[1:3], 'gray': data['image'].shape[3] == 1}
    total, reset = len(data['action']), True
    episode, at, ends = 1, 0, []
    for t in range(total):
      obs = env.step({'reset': reset, 'action': data['action'][t - 1]})
      reset = obs['is_last']
      # The row of the labels that this step stands on.
      at = next(
          (i for i, x in enumerate(rows) if x[0] == episode), at) \
          if obs['is_first'] else at + 4
      episode += reset
      ends += [t] if reset else []
      for key in ('reward', 'is_first'):
        assert data[key][t] == obs[key], (t, key)
      if t == total - 1:
        # The record stops here, the game does not.
        assert data['is_last'][t] and not data['is_terminal'][t]
        assert not reset
      else:
        assert data['is_last'][t] == data['is_terminal'][t] == reset
      if reset:
        assert data['action'][t] == 0
      else:
        np.testing.assert_array_equal(data['image'][t], obs['image'], str(t))
        if t < total - 1:
          assert data['action'][t] == rows[at][4]
    assert len(ends) >= 1 and total > 370
    assert data['reward'].sum() > 0

  def test_last_screens_stand_in_for_the_one_after_game_over(self, played):
    trial, rows = played
    _, out = run(trial, '--length', 5000, '--overwrite', game='breakout')
    data, = load(out)
    step = np.flatnonzero(data['is_terminal'])[0]
    last = next(i for i, x in enumerate(rows) if x[0] == 2) - 1
    with tarfile.open(trial.frames) as tar:
      screens = [
          np.asarray(Image.open(tar.extractfile(
              f'{trial.stem}/RZ_77_{x + 1}.png'))) for x in (last - 1, last)]
    wanted = atari_head.atari.preprocess(screens)
    np.testing.assert_array_equal(data['image'][step], wanted)

  def test_fits_the_task(self, played):
    _, out = run(played[0], '--length', 5000, '--overwrite', game='breakout')
    env = Atari('breakout')
    with store.Store(out) as demo:
      store.validate(demo, env.obs_space, env.act_space, 'atari_breakout')
      assert json.loads(demo.attrs['action_meanings']) == env.action_meanings
      assert json.loads(demo.attrs['preprocessing']) == {
          'repeat': 4, 'size': [96, 96], 'gray': True, 'pooling': 2,
          'aggregate': 'max', 'resize': 'pillow', 'actions': 'all',
          'average': False}
      assert demo.attrs['source'] == 'Atari-HEAD v4 (Zenodo 3451402)'
      assert demo.attrs['licence'] == 'CC-BY-4.0'
      assert 'Zhang' in demo.attrs['citation']

  def test_needed_actions_are_renumbered(self, tmp_path, capsys):
    screens, rows = blank(9)
    for row in rows:
      row[4] = 3  # RIGHT, the third of the four that Breakout needs.
    trial = Trial(tmp_path / 'source', 'breakout', screens, rows)
    _, out = run(trial, '--actions', 'needed', game='breakout')
    assert load(out)[0]['action'].tolist() == [2, 2, 0]

  def test_actions_that_are_not_needed_keep_what_does_something(
      self, tmp_path, capsys):
    screens, rows = blank(9)
    # DOWNRIGHT, UPFIRE: RIGHT and FIRE of NOOP FIRE RIGHT LEFT.
    for index, row in enumerate(rows):
      row[4] = 8 if index < 4 else 10
    trial = Trial(tmp_path / 'source', 'breakout', screens, rows)
    run(trial, '--actions', 'needed', game='breakout')
    out = trial.root.parent / 'demos.h5'
    assert load(out)[0]['action'].tolist() == [2, 1, 0]
    text = capsys.readouterr().out
    assert '4 rows of DOWNRIGHT as RIGHT, 5 rows of UPFIRE as FIRE' in text


class TestMapActions:

  def test_all_is_the_identity(self):
    action = np.array([np.nan, *range(18)])
    mapped, result = atari_head.map_actions(action, list(ale_py.Action))
    assert mapped == {}
    np.testing.assert_array_equal(result, action)

  @pytest.mark.parametrize('game, old, new', [
      ('freeway', 'UPRIGHTFIRE', 'UP'), ('freeway', 'FIRE', 'NOOP'),
      ('breakout', 'LEFTFIRE', 'LEFT'), ('breakout', 'DOWN', 'NOOP'),
      ('ms_pacman', 'UPFIRE', 'UP'), ('asterix', 'DOWNLEFTFIRE', 'DOWNLEFT'),
      ('space_invaders', 'UPLEFTFIRE', 'LEFTFIRE'),
      ('seaquest', 'UPLEFTFIRE', 'UPLEFTFIRE')])
  def test_keeps_most_of_an_action(self, game, old, new):
    actions = Atari(game, actions='needed').actions
    _, result = atari_head.map_actions(
        np.array([float(ale_py.Action[old].value)]), actions)
    assert actions[int(result[0])].name == new

  @pytest.mark.parametrize('game', files.GAMES)
  def test_every_game_has_a_place_for_every_action(self, game):
    # By the name that the data set uses, with both sets of actions.
    for kind in ('all', 'needed'):
      actions = Atari(game, actions=kind).actions
      _, result = atari_head.map_actions(np.arange(18.), actions)
      assert set(result.astype(int)) == set(range(len(actions)))


class TestAveraged:

  def test_matching_environment_is_equal_byte_for_byte(self, tmp_path):
    screens, rows = play('breakout', seed=3, frames=402, average=True)
    trial = Trial(tmp_path / 'source', 'breakout', screens, rows)
    trial.write_meta('breakout,7, R,0,9,402,450,1,1,0.5,0.6%,TRUE,20')
    code, out = run(
        trial, '--averaged', 'match', '--length', 5000, game='breakout')
    assert code == 0
    data, = load(out)
    with store.Store(out) as demo:
      eyes = json.loads(demo.attrs['preprocessing'])
    assert eyes['average'] is True
    looks = [
        np.stack([
            env.step({'reset': t == 0, 'action': data['action'][t - 1]})[
                'image'] for t in range(90)])
        for env in (
            Atari('breakout', noops=0, sticky=False, average=x)
            for x in (True, False))]
    np.testing.assert_array_equal(data['image'][:90], looks[0])
    assert (data['image'][:90] != looks[1]).any()


class TestParts:

  def test_five_cuts_of_a_trial(self, trial):
    _, out = run(trial, '--length', 3)
    parts = load(out)
    assert [len(x['action']) for x in parts] == [3] * 5
    # 11 steps, the last one has no action.
    starts = [0, 2, 4, 6, 8]
    for part, start in zip(parts, starts):
      assert part['image'][:, 0, 0, 0].tolist() == [
          4 * x for x in range(start, start + 3)]
      assert part['is_first'].tolist() == [start == 0, False, False]
      assert part['is_last'].tolist() == [False, False, start == 8]
      assert not part['is_terminal'].any()
    with store.Store(out) as demo:
      assert demo.infos[1]['source_id'] == 'trial 7 steps 2 to 4'
      assert demo.attrs['trials'] == '[7]'

  def test_gap_ends_a_trajectory(self, trial, capsys):
    rows = blank(41)[1]
    for row in rows[20:24]:
      row[3] = row[4] = 'null'
    trial.write_labels(labels(rows))
    _, out = run(trial)
    first, second = load(out)
    assert first['image'][:, 0, 0, 0].tolist() == [0, 4, 8, 12, 16]
    assert second['image'][:, 0, 0, 0].tolist() == [24, 28, 32, 36, 40]
    assert not first['is_last'].any() and not second['is_first'].any()
    text = capsys.readouterr().out
    assert '4 rows without action; 1 steps had no action' in text
    assert '1 steps of the trial are left out' in text

  def test_summary(self, trial, capsys):
    run(trial, '--length', 4)
    text = capsys.readouterr().out
    assert '41 frames make 11 steps of 4; 1 episode(s)' in text
    assert '5 parts in 5 trajectories, 20 steps; 9 of them are there' in text
    assert '10 steps (90.9%) had more than one action' in text
    assert 'WARNING: trial 7: not in a meta_data.csv' in text


class TestCommand:

  def test_unknown_importer(self, capsys):
    assert exit_code(demos.main, ['nothing']) == 2
    assert 'atari_head' in capsys.readouterr().err

  @pytest.mark.parametrize('name', demos.COMMANDS)
  def test_help(self, name, capsys):
    with pytest.raises(SystemExit) as info:
      demos.main([name, '--help'])
    assert info.value.code == 0
    assert f'demos {name} ' in capsys.readouterr().out
