"""A real trial of Seaquest, where it lies beside the project."""

import io
import pathlib

import numpy as np
import pytest
from PIL import Image

from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.demos import __main__ as demos
from dreamer_gail_plugin.demos.importers import atari_head_files as files
from dreamer_gail_plugin.demos.importers import atari_head_steps
from dreamer_gail_plugin.envs.atari import Atari
from helpers.demotools import load
from helpers.demotools import run
from helpers.refusals import exit_code

REAL = pathlib.Path(__file__).parents[3] / '../shared/data/atari_head'
ISOLATED = 10  # Rows without another reward.


@pytest.fixture(scope='module')
def imported(tmp_path_factory):
  out = tmp_path_factory.mktemp('real') / 'demos.h5'
  assert exit_code(demos.main, [
      'atari_head', '--source', str(REAL), '--game', 'seaquest', '--out',
      str(out), '--trials', '54', '--length', '400', '--averaged',
      'match']) == 0
  return out


@pytest.fixture(scope='module')
def whole():
  trial = files.find_trials(files.find_game(REAL, 'seaquest'))[54]
  labels = files.read_labels(trial.labels)
  frames, _ = files.read_frames(trial.frames, labels.names)
  return trial, frames, labels.names, labels


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

  def test_score_on_the_screen_at_every_frame(self, whole):
    # Frame k + 1 is the first to show the reward of row k, whichever rewards
    # one calls isolated: the score changes after each of the 559, and nowhere
    # else but a frame later, as the recorder averaged two frames.
    trial, frames, names, labels = whole
    score = [files.decode(trial.frames, x, frames[x])[5:20] for x in names]
    change = np.array([
        (x != y).any() for x, y in zip(score[:-1], score[1:])])
    known = ~np.isnan(labels.reward[:-1])
    paid = known & (np.nan_to_num(labels.reward[:-1]) > 0)
    assert paid.sum() == 559
    assert change[paid].all()
    later = np.append(False, paid[:-1])
    # Rewards in rows without labels show, too.
    lost = ~known | np.append(False, ~known[:-1])
    assert (change & known & ~paid).sum() == 559
    assert not (change & ~paid & ~later & ~lost).any()
    near = np.convolve(paid, np.ones(2 * ISOLATED + 1), 'same')
    rows = np.flatnonzero(paid & (near == 1))
    assert len(rows) == 239
    assert not change[rows - 1].any()

  def test_rewards_of_the_importer_stand_there(self, whole):
    _, _, _, labels = whole
    steps, _ = atari_head_steps.make_steps(
        labels, 1, 1, atari_head_steps.RULES['first'], False)
    paid = np.flatnonzero(np.nan_to_num(labels.reward) > 0)
    assert np.flatnonzero(steps.reward).tolist() == [x + 1 for x in paid]
    assert steps.screens.ravel().tolist() == list(range(17200))

  def test_images_by_another_path(self, imported, whole):
    # From PNG to observation with Pillow alone, as upstream describes it.
    _, frames, names, _ = whole
    load_png = lambda row: np.asarray(
        Image.open(io.BytesIO(frames[names[row]])).convert('RGB'))
    checked = 0
    for index, data in enumerate(load(imported)):
      with store.Store(imported) as demo:
        words = demo.infos[index]['source_id'].split()
      start = int(words[3])
      for step in range(0, len(data['image']), 37):
        row = 4 * (start + step)
        pooled = np.maximum(load_png(row), load_png(max(row - 1, 0)))
        small = np.asarray(Image.fromarray(pooled).resize(
            (96, 96), Image.Resampling.BILINEAR), np.float64)
        grey = (
          0.299 * small[..., 0] + 0.587 * small[..., 1]
          + (1 - (0.299 + 0.587)) * small[..., 2])
        np.testing.assert_array_equal(
            data['image'][step, :, :, 0], grey.astype(np.uint8))
        checked += 1
    assert checked > 50

  # -4 rows, a step too late, was tried, too.
  @pytest.mark.slow
  @pytest.mark.parametrize('rows, side', [(0, ''), (4, 'early')])
  def test_check_finds_a_planted_off_by_one(
      self, tmp_path, monkeypatch, capsys, rows, side):
    # The importer itself is broken: it takes actions from a step away.
    right = files.read_labels

    def wrong(path):
      labels = right(path)
      return labels._replace(action=np.roll(labels.action, -rows))
    monkeypatch.setattr(files, 'read_labels', wrong)
    out = tmp_path / 'demos.h5'
    assert run('atari_head', '--source', REAL, '--game', 'seaquest', '--out',
               out, '--trials', 54, '--length', 850, '--averaged',
               'match') == 0
    capsys.readouterr()
    # The settings are those of the file, though the task does not average.
    assert run('check', out) == bool(side)
    text = capsys.readouterr().out
    found = [x for x in text.splitlines() if 'seems to stand' in x]
    if side:
      assert 'problem: ' in found[0] and f'1 step(s) too {side}' in found[0]
    assert len(found) == bool(side)
