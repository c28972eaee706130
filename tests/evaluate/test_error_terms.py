"""The two error terms of docs/paper.md, measured."""

import json

import numpy as np
import pytest

from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.evaluate import error_terms
from dreamer_gail_plugin.evaluate import saved
from helpers import savedruns

NETWORK = dict(
    layers=2, units=32, act='silu', spectral=0.0,
    winit='trunc_normal_in')


class TestProbe:

  @pytest.mark.parametrize('shift, accuracy', [(0.0, 0.5), (2.0, 0.841)])
  def test_finds_the_distance_of_gaussians(self, shift, accuracy):
    # The best classifier of N(0, 1) and N(2, 1) is right Phi(1) of the time.
    rng = np.random.default_rng(0)
    draw = lambda mean: rng.normal(mean, 1, (4000, 3)) * [1, 0, 0]
    parts = [
        [np.float32(draw(shift)), np.float32(draw(0))] for _ in range(3)]
    found = error_terms.probe(parts, NETWORK, seed=0)
    assert abs(found - accuracy) < 0.025, found

  def test_is_judged_on_what_it_has_not_seen(self):
    # 20 points of noise can be learned by heart, the others cannot be told.
    rng = np.random.default_rng(0)
    parts = [
        [np.float32(rng.normal(size=(n, 50))) for _ in range(2)]
        for n in (20, 2000, 2000)]
    assert error_terms.probe(parts, NETWORK, seed=0) < 0.55


class TestCut:

  def test_marks_what_begins_in_mid_episode(self):
    length = error_terms.LENGTH
    first = np.zeros(3 * length + 5, bool)
    first[[0, 10, 2 * length]] = True
    data = error_terms.cut({'is_first': first, 'x': np.arange(len(first))})
    assert data['x'].tolist() == np.arange(
        3 * length).reshape((3, length)).tolist()
    assert data['is_first'][:, 0].all()
    assert data['is_first'][0, 10] and data['is_first'].sum() == 4
    assert data['is_cut'][:, 0].tolist() == [False, True, False]
    assert not data['is_cut'][:, 1:].any()


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  folder = tmp_path_factory.mktemp('run')
  logdir = savedruns.seaquest(folder / 'logdir')
  return logdir, *[
      savedruns.play(folder / f'{seed}.h5', seed, 3, 500) for seed in (1, 2)]


class TestStack:

  def test_by_hand(self):
    images = np.arange(7, dtype=np.uint8).reshape(7, 1, 1, 1)
    first = np.array([0, 0, 0, 1, 0, 0, 0], bool)  # Begins in mid-episode.
    found = error_terms.stack(images, first).reshape(7, error_terms.STACK)
    assert found.tolist() == [
        [0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 2], [3, 3, 3, 3], [3, 3, 3, 4],
        [3, 3, 4, 5], [3, 4, 5, 6]]


class TestRun:

  @pytest.fixture(scope='class')
  @classmethod
  def actor(cls, run):
    return saved.Run(run[0], platform='cpu').actor()

  def test_first_imagined_step_knows_what_was_done(self, run, actor):
    # The deterministic state follows from the state and action before, so
    # one step of imagination must meet it, and two must not.
    config = saved.load_config(run[0])
    found = error_terms.drift(actor, error_terms.sequences(run[1], config))
    assert found['deter'][0] < 1e-3 < found['deter'][1]
    assert len(found['kl']) == error_terms.LENGTH - error_terms.CONTEXT
    assert min(found['kl']) > 0 and found['spread'] > 0

  def test_views(self, run, actor):
    config = saved.load_config(run[0])
    data = error_terms.sequences(run[1], config)[0]
    views = error_terms.encode(actor, data)
    sizes = {k: v.shape[1] for k, v in views.items()}
    assert sizes['recons'] == sizes['image'] == 10 * 10 * 10 + 6
    assert sizes['images'] == 4 * 10 * 10 * 10 + 6
    assert len({len(v) for v in views.values()}) == 1
    assert set(np.unique(views['image'])) == {0, 1}
    # The last of the images is the present one, and all end in the action.
    acts = views['image'][:, -6:]
    last = views['images'][:, :-6].reshape((-1, 100, 40))[..., -10:]
    assert (last.reshape((-1, 1000)) == views['image'][:, :-6]).all()
    assert (acts.sum(1) == 1).all()
    assert (views['latents'][:, -6:] == acts).all()
    known = actor.model.gail.burnin
    acted = ~data['is_last']
    acted[:, :known] &= ~data['is_cut'][:, :1] | (
        np.cumsum(data['is_first'], 1)[:, :known] > 1)
    assert (acts.argmax(1) == data['action'][acted]).all()

  @pytest.mark.slow
  def test_command(self, run, capsys):
    logdir, expert, agent = run
    flags = ['--logdir', str(logdir), '--expert', str(expert), '--agent',
             str(agent)]
    results = error_terms.main(flags)
    kept = json.loads((logdir / 'error_terms.json').read_text())
    assert kept == results and kept['step'] == 1234
    assert 'horizon' in capsys.readouterr().out
    # Random play on both sides: nothing to tell.
    for view, row in results['representation'].items():
      assert abs(row['accuracy'] - 0.5) < 0.1, (view, row)
    with pytest.raises(UserError, match='--overwrite'):
      error_terms.main(flags)

  def test_no_folder_for_the_file(self, run, tmp_path):
    with pytest.raises(UserError, match='there is no folder'):
      error_terms.main([
          '--logdir', str(run[0]), '--expert', 'x.h5', '--agent', 'y.h5',
          '--out', str(tmp_path / 'none' / 'x.json')])

  def test_too_few_trajectories(self, run, tmp_path):
    logdir, expert, _ = run
    with store.Store(expert) as demos:
      data = [demos.read(0)]
      attrs = dict(demos.attrs)
    store.write(tmp_path / 'few.h5', data, attrs)
    with pytest.raises(UserError, match='3 trajectories or more'):
      error_terms.main([
          '--logdir', str(logdir), '--expert', str(tmp_path / 'few.h5'),
          '--agent', str(expert), '--out', str(tmp_path / 'out.json')])
