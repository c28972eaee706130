"""How far a world model foresees, by hand and with a model that knows all."""

import json

import numpy as np
import pytest

from dreamer_gail_plugin import configs
from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.evaluate import learn
from dreamer_gail_plugin.evaluate import model
from helpers import savedruns


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  folder = tmp_path_factory.mktemp('run')
  logdir = savedruns.seaquest(folder / 'logdir')
  return logdir, savedruns.play(folder / 'play.h5', 1, 2, 200)


class TestStarts:

  def test_what_is_known_and_goes_on(self):
    first, last = np.zeros((2, 20), bool)
    first[14] = last[13] = True
    # It begins in mid-episode, so that 8 steps are needed there.
    assert model.starts({'is_first': first, 'is_last': last}).tolist() == [
        8, 9, 10, 11, 12, 14, 15, 16, 17, 18]


class Knows:
  """Stands in for an actor whose model foresees what comes, or a copy."""

  act_space = ('action',)

  def __init__(self, data, oracle):
    self.data, self.oracle = data, oracle
    self.model = type('', (), {'dec': type('', (), {'imgkeys': ('image',)})})

  def call(self, fn, *args):
    if len(args) == 1:
      return {'time': np.arange(args[0]['is_first'].size)[None]}
    start, acts = args
    steps = start['time'][:, None] + 1 + np.arange(10) * self.oracle
    steps = np.minimum(steps - (not self.oracle), 29)
    ends = self.data['is_terminal'][steps] * np.float32(0.9)
    return {'image': self.data['image'][steps] / np.float32(255)}, ends


@pytest.fixture
def data():
  """Return 30 steps of a pixel that walks; an episode ends at step 20."""
  image = np.zeros((30, 6, 6, 1), np.uint8)
  for step in range(30):
    image[step, step % 6, step // 6] = 255
  flag = lambda step: np.arange(30) == step
  return {
      'image': image, 'action': np.zeros(30, np.int32),
      'is_first': flag(0) | flag(21), 'is_last': flag(20),
      'is_terminal': flag(20)}


class TestMeasure:

  def found(self, monkeypatch, data, oracle):
    monkeypatch.setattr(model.trajectories, 'read', lambda *_: [data])
    actor = Knows(data, oracle)
    monkeypatch.setattr(model, '_functions', lambda actor: (None, None))
    return model.summary(model.measure(actor, 'x.h5', None))

  def test_a_model_that_knows_all(self, monkeypatch, data):
    for ahead, row in self.found(monkeypatch, data, True).items():
      assert row['whole'] == row['moving'] == 1 and row['error'] == 0
      assert row['copy_whole'] == 0 and row['copy_error'] > 0
      # An end is told once, and never of another episode.
      assert row['ends'] == 1 and row['end_auc'] == 1
      assert row['end_chance'] == pytest.approx(0.9)
      # 20 - n + 1 starts in the first episode, 9 - n in the second.
      n = int(ahead)
      assert row['images'] == 21 - n + max(0, 9 - n)

  def test_a_model_that_stands_still(self, monkeypatch, data):
    row = self.found(monkeypatch, data, False)['3']
    assert row['whole'] == row['copy_whole'] == row['moving'] == 0
    assert row['error'] == row['copy_error']
    assert row['end_auc'] == 0.5


class TestAuc:

  @pytest.mark.parametrize('score, label, want', [
      ([1, 2, 3, 4], [0, 0, 1, 1], 1), ([1, 2, 3, 4], [1, 0, 1, 0], 0.25),
      ([1, 1, 1], [0, 1, 0], 0.5), ([1, 2], [0, 0], None)])
  def test_by_hand(self, score, label, want):
    assert model.auc(np.array(score), np.array(label, bool)) == want


class TestMain:

  def test_table_and_file(self, run, capsys):
    logdir, play = run
    flags = ['--logdir', str(logdir), '--data', str(play)]
    found = model.main(flags)
    assert json.loads((logdir / 'model.json').read_text()) == found
    row = found['ahead']['1']
    assert found['step'] == 1234 and row['ends'] > 0
    # The model has learned nothing.
    assert row['whole'] < 0.1 and 0 < row['end_chance'] < 1
    assert row['copy_error'] < row['error']
    assert 'end_auc' in capsys.readouterr().out
    with pytest.raises(UserError, match='--overwrite'):
      model.main(flags)

  def test_random_play(self, tmp_path, run):
    logdir = savedruns.random(tmp_path / 'random')
    with pytest.raises(UserError, match='no world model'):
      model.main(['--logdir', str(logdir), '--data', str(run[1])])

  def test_a_folder_for_the_file(self, run, tmp_path):
    with pytest.raises(UserError, match='is a folder'):
      model.main([
          '--logdir', str(run[0]), '--data', str(run[1]), '--out',
          str(tmp_path)])


class TestLearnAlone:

  def flags(self, run, tmp_path, *more):
    return [
        '--logdir', str(run[0]), '--data', str(run[1]),
        '--out', str(tmp_path / 'x.json'), '--train', '60', *more]

  @pytest.mark.slow
  def test_it_learns(self, run, tmp_path):
    found = model.main(self.flags(
        run, tmp_path, '--play', str(run[1]), '--agent.opt.lr', '0.02',
        '--agent.opt.warmup', '0'))
    assert json.loads((tmp_path / 'x.json').read_text()) == found
    assert found['updates'] == 60 and 'step' not in found
    # A new model has 0.4, as half of a pixel is a guess.
    assert found['ahead']['1']['error'] < 0.1

  def test_without_play(self, run, tmp_path):
    with pytest.raises(UserError, match='--train needs --play'):
      model.main(self.flags(run, tmp_path))

  @pytest.mark.parametrize('flag, value, text', [
      ('--agent.dyn.rssm.detre', '8', 'rssm.deter'),
      ('--agent.opt.lr', '-1', 'opt.lr')])
  def test_wrong_flags_of_training(self, run, tmp_path, flag, value, text):
    with pytest.raises(UserError, match=text):
      model.main(self.flags(
          run, tmp_path, '--play', str(run[1]), flag, value))

  def test_they_need_train(self, run):
    with pytest.raises(UserError, match='agent.opt.lr'):
      model.main([
          '--logdir', str(run[0]), '--data', str(run[1]),
          '--agent.opt.lr', '1'])

  def test_parts_are_random_and_whole(self):
    count = lambda size: {
        'time': np.arange(size), 'is_first': np.arange(size) == 0}
    config = configs.load_config([
        '--batch_size', '4', '--batch_length', '5'])
    batches = learn.sample([count(4), count(9), count(40)], config, 'x.h5')
    seen = set()
    for _ in range(200):
      batch = next(batches)
      assert batch['time'].shape == (4, 5) and batch['is_first'][:, 0].all()
      assert (np.diff(batch['time'], axis=1) == 1).all()
      assert (batch['is_cut'][:, 0] == (batch['time'][:, 0] > 0)).all()
      seen.update(batch['time'].ravel().tolist())
    assert seen == set(range(40))
    with pytest.raises(UserError, match='x.h5: no trajectory .* 5 steps'):
      next(learn.sample([count(4)], config, 'x.h5'))
