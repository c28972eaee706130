"""The report shows play: strips of frames, of the expert and the learner."""

import numpy as np
import pytest
from embodied.core.chunk import Chunk

from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.report import behaviour
from dreamer_gail_plugin.report import runs as runlib
from dreamer_gail_plugin.report import strips
from helpers import reportruns


class TestPlay:

  def game(self, length, ended=True):
    last = np.arange(length) == length - 1
    return dict(
        image=np.arange(length, dtype=np.uint8)[:, None, None, None].repeat(
            5, 1).repeat(5, 2).repeat(3, 3),
        action=np.arange(length, dtype=np.int32) % 2,
        is_first=np.arange(length) == 0, is_last=last & ended,
        is_terminal=last & ended, reward=np.zeros(length, np.float32))

  def captions(self, *args):
    return [x for _, x in behaviour.strip(self.game(*args))]

  def test_every_eighth_frame(self):
    assert self.captions(100) == [str(x) for x in range(0, 80, 8)]

  def test_end(self):
    assert self.captions(20) == ['0', '8', '16', '19 end']
    assert self.captions(17) == ['0', '8', '16 end']
    assert self.captions(1) == ['0 end']
    assert self.captions(20, False) == ['0', '8', '16']

  def test_frames_are_those_of_their_steps(self):
    for data, text in behaviour.strip(self.game(100)):
      image = np.array(behaviour.Image.open(behaviour.io.BytesIO(data)))
      assert image.shape == (120, 120, 3)
      assert (image == int(text)).all()

  def test_names_of_actions(self):
    strip = behaviour.strip(self.game(9), ('noop', 'fire'))
    assert [x for _, x in strip] == ['0 noop', '8 end']

  def test_bundled_expert(self):
    flat = reportruns.defaults().flat
    own = behaviour.expert(flat, None)
    assert own.score == pytest.approx(30.27, abs=0.005)
    assert own.actions.sum() == 10 * 1024 - 30  # 30 games end in them.
    assert own.meanings == ('noop', 'left', 'right')
    assert len(own.strip) == 10

  def test_expert_kept_as_a_recipe(self, monkeypatch, tmp_path):
    # Crafter's demonstrations are bundled as seeds and actions.
    seen = []
    monkeypatch.setattr(
        behaviour.recipe, 'cached', lambda x: seen.append(x.name) or x)
    flat = {'agent.gail.expert': 'auto', 'task': 'crafter_reward'}
    assert behaviour.expert_path(flat, tmp_path).exists()
    assert seen == ['crafter_reward.json']

  def test_an_expert_without_actions_and_rewards(self, tmp_path):
    game = self.game(20)
    del game['action'], game['reward']
    store.write(tmp_path / 'film.h5', [game], {
        'task': 'gym_Toy-v0', 'source': '', 'licence': '',
        'preprocessing': '', 'action_meanings': ''})
    flat = {'agent.gail.expert': str(tmp_path / 'film.h5')}
    own = behaviour.expert(flat, tmp_path)
    assert np.isnan(own.score) and own.actions is None
    assert own.film and len(own.strip) == 4

  def test_missing_expert(self):
    flat = {**reportruns.defaults().flat, 'agent.gail.expert': 'none.h5'}
    run = runlib.Run('x', task='minatar_breakout', flat=flat)
    run.path = behaviour.pathlib.Path('.')
    notes = []
    assert strips.experts([run], notes) == {}
    assert 'none.h5: no such file' in notes[0]

  def test_learner_from_upstreams_replay(self, tmp_path):
    chunk = Chunk(64)
    for game in (self.game(10), self.game(30)):
      for step in range(len(game['is_first'])):
        chunk.append({k: v[step] for k, v in game.items()})
    (tmp_path / 'replay').mkdir()
    chunk.save(reportruns.elements.Path(str(tmp_path / 'replay')))
    own = behaviour.learner(tmp_path)
    assert [x for _, x in own.strip] == ['0', '8', '16', '24', '29 end']
    # The actions of last steps mean nothing.
    assert own.actions.tolist() == [5 + 15, 4 + 14]

  def test_nothing_is_unpickled(self, tmp_path):
    (tmp_path / 'replay').mkdir()
    bad = np.array([{}, {}], object)
    np.savez(tmp_path / 'replay' / 'a.npz', is_first=bad, is_last=bad)
    (tmp_path / 'replay' / 'b.npz').write_bytes(b'PK\x03\x04 no archive')
    assert behaviour.learner(tmp_path) is None
