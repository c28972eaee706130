"""A real trial of Seaquest, where it lies beside the project."""

import io
import pathlib

import numpy as np
import pytest
from demotools import load
from PIL import Image

from dreamer_gail_plugin import store
from dreamer_gail_plugin.demos import __main__ as demos
from dreamer_gail_plugin.demos import alignment
from dreamer_gail_plugin.demos import atari_head_files as files
from dreamer_gail_plugin.demos import atari_head_steps
from dreamer_gail_plugin.envs.atari import Atari

REAL = pathlib.Path(__file__).parent.parent / '../shared/data/atari_head'
ISOLATED = 10  # Rows without another reward.


@pytest.fixture(scope='module')
def imported(tmp_path_factory):
  out = tmp_path_factory.mktemp('real') / 'demos.h5'
  assert demos.main([
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

  def test_isolated_rewards_at_every_frame(self, whole):
    # A reward in row k, with none in the ISOLATED rows around it, is shown
    # on frame k + 1. Only the frames around it are looked at.
    trial, frames, names, labels = whole
    paid = np.nan_to_num(labels.reward) > 0
    score = lambda row: files.decode(
        trial.frames, names[row], frames[names[row]])[5:20].astype(int)
    near = np.convolve(paid, np.ones(2 * ISOLATED + 1), 'same')
    rows = [x for x in np.flatnonzero(paid & (near == 1)) if x > 3]
    first = []
    for row in rows:
      before = score(row)
      change = [(score(row + x) != before).any() for x in (-1, 1)]
      first.append(change)
    assert len(rows) == 239
    assert first == [[False, True]] * 239

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

  def test_alignment_and_a_planted_off_by_one(self, imported):
    demos = load(imported)
    assert alignment.peak(alignment.estimate(demos)) == 0
    for off in (-1, 1):
      wrong = [{**x, 'action': np.roll(x['action'], off)} for x in demos]
      assert alignment.peak(alignment.estimate(wrong)) == off
