"""How far D moves at a rate, and the frozen pairs that it learns from."""

import json

import jax
import ninjax as nj
import numpy as np
import pytest

from dreamer_gail_plugin import discriminator
from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.evaluate import disc_rates
from dreamer_gail_plugin.evaluate import frozen
from dreamer_gail_plugin.evaluate import saved
from dreamer_gail_plugin.evaluate import trajectories
from helpers import savedruns

NETWORK = dict(
    layers=2, units=32, act='silu', spectral=0.0, winit='trunc_normal_in')


def gaussians(shift):
  """Return sides N(shift, 1) and N(0, 1), the first of three numbers."""
  rng = np.random.default_rng(0)
  def part(mean, count):
    x = np.float32(rng.normal(mean, 1, (count, 3)) * [1, 0, 0])
    return x, np.ones(count, np.float32)
  return [[part(x, 2000), part(x, 4000)] for x in (shift, 0)]


def learn(*args):
  """Return {(updates, rate): row} of `disc_rates.learn`."""
  return {
      (x['updates'], x['rate']): x for x in disc_rates.learn(*args)}


class TestLearn:

  def test_finds_the_distance_of_gaussians(self):
    rates = (1e-2, 1e-4, 3e-9)
    rows = learn(gaussians(2.0), NETWORK, rates, 300)
    assert [x for x, y in rows if y == 1e-2] == [
        0, 1, 2, 5, 10, 20, 50, 100, 200, 300]
    # All start alike.
    assert len({rows[0, x]['gap'] for x in rates}) == 1
    assert {rows[0, x]['still'] for x in rates} == {1}
    # The best classifier is right Phi(1) of the time.
    assert abs(rows[300, 1e-2]['accuracy'] - 0.841) < 0.025
    # Its logit is 2 x - 2, so the gap is 4 and the reward's deviation 0.56.
    assert 3 < rows[300, 1e-2]['gap'] < 5
    assert 0.4 < rows[300, 1e-2]['spread'] < 0.8
    # Adam's first step is the rate, whatever the gradient.
    assert rows[1, 1e-2]['moved'] == pytest.approx(1e-2, rel=1e-3)
    # At the paper's rate some weights take no steps and none a large one.
    slow = rows[300, 3e-9]
    assert 0.1 < slow['still'] < 1 and 0 < slow['moved'] < 2 * 300 * 3e-9
    assert slow['gap'] == pytest.approx(rows[0, 3e-9]['gap'], abs=1e-4)

  def test_pairs_of_no_weight_do_not_count(self):
    (_, (x, ones)), (_, agent) = gaussians(0.0)
    far = x.copy()
    far[::2] += 50
    disc = discriminator.Discriminator({}, **NETWORK, name='probe')
    params = nj.init(lambda x: disc(x))({}, x[:1], seed=np.uint32([0, 1]))
    judge = jax.jit(lambda held: disc_rates.judge(disc, params, params, held))
    found = [
        {k: float(v) for k, v in judge(held).items()} for held in (
            ((far, np.float32(np.arange(len(x)) % 2)), agent),
            ((far[1::2], ones[1::2]), agent), ((far, ones), agent))]
    assert found[0] == pytest.approx(found[1], rel=1e-3)
    assert found[0]['gap'] != pytest.approx(found[2]['gap'], rel=0.1)
    assert found[0]['still'] == 1 and found[0]['moved'] == 0


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  folder = tmp_path_factory.mktemp('run')
  return savedruns.seaquest(folder / 'logdir'), *[
      savedruns.play(folder / f'{seed}.h5', seed, count, 60)
      for seed, count in ((1, 6), (2, 2), (3, 1))]


class TestFrozen:

  def test_held_out_by_trajectories(self):
    found = [(np.full((3, 2), x), np.ones(3)) for x in range(10)]
    fit, held = frozen.split('x', found)
    assert set(fit[0].ravel()) == set(range(8))
    assert held[0][:, 0].tolist() == [8, 8, 8, 9, 9, 9]

  def test_imagination_starts_from_what_was_observed(self, run):
    logdir, path, *_ = run
    played = saved.Run(logdir, platform='cpu')
    actor = played.actor()
    data = next(trajectories.read(path, played.config))
    row = trajectories.row(data, 60)
    seen, known = actor.call(lambda x: frozen.expert(actor.model, x), row)
    imag, alive = actor.call(lambda x: frozen.imagined(actor.model, x), row)
    burnin = actor.model.gail.burnin
    horizon = played.config.agent.imag_length
    assert imag.shape == (60 - burnin, horizon, seen.shape[-1])
    assert alive.shape == imag.shape[:2] and (alive > 0).all()
    deter = played.config.agent.dyn.rssm.deter
    assert np.allclose(
        imag[:, 0, :deter], seen[0, burnin:, :deter], atol=1e-4)
    assert not np.allclose(imag[:, 1, :deter], imag[:, 0, :deter], atol=1e-2)
    assert known.sum() == (~data['is_last']).sum()


class TestMain:

  def flags(self, run, expert, agent, *more):
    return [
        '--logdir', str(run[0]), '--expert', str(expert), '--agent',
        str(agent), *more]

  def test_command(self, run, capsys):
    flags = self.flags(
        run, run[1], run[2], '--rates', '1e-3', '1e-5', '--updates', '3',
        '--units', '8', '--latents', 'posterior')
    found = disc_rates.main(flags)
    kept = json.loads((run[0] / 'disc_rates.json').read_text())
    assert kept == found and found['latents'] == 'posterior'
    assert found['units'] == 8
    assert f' disc_rates --logdir {run[0]} ' in found['command']
    assert [x['updates'] for x in found['rows']] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert 'accuracy' in capsys.readouterr().out
    with pytest.raises(UserError, match='--overwrite'):
      disc_rates.main(flags)
    with pytest.raises(UserError, match=r'--rates 1e\+30: D diverged'):
      disc_rates.main([
          *flags, '--rates', '1e30', '--out', str(run[0] / 'x.json')])

  def test_a_single_trajectory(self, run, tmp_path):
    with pytest.raises(UserError, match='two trajectories or more'):
      disc_rates.main(self.flags(
          run, run[1], run[3], '--out', str(tmp_path / 'x.json')))

  def test_run_without_discriminator(self, run, tmp_path):
    logdir = savedruns.random(tmp_path / 'random')
    with pytest.raises(UserError, match='no discriminator'):
      disc_rates.main(self.flags([logdir], run[1], run[2]))
