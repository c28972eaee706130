"""A VAE's encoder beside the world model's, and the probes that compare."""

import json

import numpy as np
import pytest

from dreamer_gail_plugin import discriminator
from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.evaluate import encoders
from dreamer_gail_plugin.evaluate import probes
from helpers import savedruns

FEW = 300  # Updates of a probe.


def boards(count, seed):
  """Return which of 8 pixels is on, (count,), and images (count, 2, 4, 1)."""
  place = np.random.default_rng(seed).integers(0, 8, count)
  return place, np.uint8(255 * np.eye(8)[place]).reshape((count, 2, 4, 1))


class TestProbes:

  def test_nats_of_what_is_known_and_not(self):
    # The first two bits of a place of 8 leave a pixel of two open: ln 2.
    def part(seed):
      place, images = boards(2000, seed)
      inputs = np.float32(np.eye(4)[place // 2])
      return [(inputs, np.asarray(encoders.flat([images])))]
    decoder = encoders.Decoder(name='decoder')
    _, (nats, _) = probes.fit(
        lambda group: (decoder(*group), 0.0), [part(x) for x in range(3)], 0,
        FEW)
    assert nats == pytest.approx(2 * np.log(2), abs=0.1)

  def test_rows_of_a_group_stay_together(self):
    # Each row of the first array is told by the second alone.
    def part(seed):
      x = np.float32(np.random.default_rng(seed).integers(0, 2, (2000, 1)))
      return [(x, 1 - x)]
    decoder = encoders.Decoder(name='decoder')
    _, (nats, _) = probes.fit(
        lambda group: (decoder(*group), 0.0), [part(x) for x in range(3)], 0,
        FEW)
    assert nats < 0.05

  def test_tell(self):
    disc = discriminator.Discriminator({}, layers=1, units=8, name='disc')
    rng = np.random.default_rng(0)
    parts = [[(np.float32(rng.normal(x, 0.1, (500, 2))),) for x in (-1, 1)]
             for _ in range(3)]
    _, (nats, accuracy) = probes.fit(probes.tell(disc), parts, 0, FEW)
    assert accuracy == 1 and nats < 0.5


class FakeEncoder:
  """Pixels as tokens."""

  imgkeys = ['image']

  def __call__(self, carry, obs, reset, training):
    images = obs['image']
    return {}, {}, encoders.flat([images])


def test_vae_keeps_images_within_its_bound():
  vae = encoders.VAE(FakeEncoder(), 4, name='vae')
  _, (bound, kl) = probes.fit(
      vae.loss, [[(boards(2000, x)[1],)] for x in range(3)], 0, 600)
  # No code can have fewer nats than ln 8; the prior alone has 3 of them.
  assert np.log(8) < bound < 2.9 and 0.5 < kl < bound


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  folder = tmp_path_factory.mktemp('run')
  return savedruns.seaquest(folder / 'logdir'), *[
      savedruns.play(folder / f'{seed}.h5', seed, 3, 150) for seed in (1, 2)]


class TestMain:

  @pytest.mark.slow
  def test_command(self, run, capsys, monkeypatch):
    logdir, expert, agent = run
    encode = encoders.encode
    def two(*args):  # Of four views, to save time.
      found = encode(*args)
      assert list(found['views']) == [
          'VAE, z', 'model, z', 'model, h and z', 'image']
      del found['views']['model, z'], found['views']['image']
      return found
    monkeypatch.setattr(encoders, 'encode', two)
    flags = [
        '--logdir', str(logdir), '--frames', str(agent), '--expert',
        str(expert), '--agent', str(agent), '--updates', '20']
    found = encoders.main(flags)
    assert json.loads((logdir / 'encoders.json').read_text()) == found
    assert list(found['views']) == ['VAE, z', 'model, h and z']
    assert f' encoders --logdir {logdir} ' in found['command']
    for row in found['views'].values():
      assert row['now'] > 0 < row['next'] and row['accuracy'] <= 1
      assert row['tell'] <= np.log(2)
    assert 'accuracy' in capsys.readouterr().out

  def test_run_without_discriminator(self, run, tmp_path):
    logdir = savedruns.random(tmp_path / 'random')
    with pytest.raises(UserError, match='has no discriminator'):
      encoders.main([
          '--logdir', str(logdir), '--frames', 'x.h5', '--expert', 'x.h5',
          '--agent', 'x.h5'])
