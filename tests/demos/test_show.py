"""`demos show` tells what is in a store, and films it."""

import av
import h5py
import numpy as np
import pytest
from PIL import Image

from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.demos import show
from helpers.demotools import refused
from helpers.demotools import run
from helpers.demotools import snapshot

ATTRS = dict(
    task='gym_Toy-v0', source='a test', licence='MIT', preprocessing='',
    action_meanings=['NOOP', 'LEFT', 'RIGHT'])


def trajectory(steps, ends, actions, image=True, **attrs):
  """Return a trajectory whose frames get brighter; `ends` are last steps."""
  last = np.isin(np.arange(steps), ends)
  data = dict(
      action=np.resize(np.array(actions), steps), is_last=last,
      is_first=np.roll(last, 1) | (np.arange(steps) == 0),
      is_terminal=last, reward=np.ones(steps, np.float32), attrs=attrs)
  if image:
    grey = np.linspace(0, 255, steps).astype(np.uint8)
    data['image'] = np.tile(grey[:, None, None, None], (1, 8, 8, 1))
  return data


@pytest.fixture
def path(tmp_path):
  path = tmp_path / 'demos.h5'
  store.write(path, [
      # 19 steps act: the last one of a game does not.
      trajectory(20, [19], np.int32([0, 0, 0, 1]), score=7.5, source_id='one'),
      trajectory(12, [3, 11], np.int32([2]), score=2.5, source_id='two'),
  ], ATTRS)
  return path


class TestTable:

  def test_rows_and_histogram(self, path, capsys):
    assert run('show', path) == 0
    lines = [x.split() for x in capsys.readouterr().out.splitlines()]
    assert ['task', 'gym_Toy-v0'] in lines
    assert ['source', 'a', 'test'] in lines
    assert ['licence', 'MIT'] in lines
    assert ['image', 'uint8', '(8,', '8,', '1)'] in lines
    # 15 of 19 are no-ops: five fours, without the last LEFT.
    assert ['0', '20', '1', '7.50', '79%', 'one'] in lines
    assert ['1', '12', '2', '2.50', '0%', 'two'] in lines
    assert ['all', '32', '3', '5.00', '52%'] in lines
    bars = {x[0]: x[1:] for x in lines[-3:]}
    assert bars['NOOP'] == ['51.7%', '#' * 40]
    assert bars['LEFT'] == ['13.8%', '#' * 11]
    assert bars['RIGHT'] == ['34.5%', '#' * 27]

  def test_strange_numbers_of_actions(self, tmp_path, capsys):
    path = tmp_path / 'demos.h5'
    data = trajectory(6, [5], np.int64([2 ** 62]), image=False)
    store.write(path, [data], ATTRS)
    assert run('show', path) == 0
    assert '#' not in capsys.readouterr().out

  def test_continuous_actions_and_no_score(self, tmp_path, capsys):
    path = tmp_path / 'demos.h5'
    data = trajectory(6, [5], np.float32([0.5]), image=False)
    del data['reward']
    store.write(path, [data], {**ATTRS, 'action_meanings': '', 'licence': ''})
    assert run('show', path, '--out', tmp_path / 'out') == 0
    text = capsys.readouterr().out
    lines = [x.split() for x in text.splitlines()]
    assert ['licence', 'unknown'] in lines
    assert ['0', '6', '1', '-', '-'] in lines
    assert '#' not in text
    assert 'No pictures' in text
    assert not (tmp_path / 'out').exists()


class TestPictures:

  def test_sheet_films_and_strips(self, path, tmp_path, capsys):
    out = tmp_path / 'out'
    assert run('show', path, '--out', out) == 0
    names = ['00000.mp4', '00000.png', '00001.mp4', '00001.png', 'contact.png']
    assert [x.rsplit('/', 1)[1] for x in snapshot(out)] == names
    text = capsys.readouterr().out
    assert all(f'Written: {out / x}' in text for x in names)
    for name, frames in (('00000', 20), ('00001', 12)):
      with av.open(str(out / f'{name}.mp4')) as video:
        means = [
            x.to_ndarray(format='rgb24')[:100].mean()
            for x in video.decode(video=0)]
      assert len(means) == frames
      # From the first frame to the last.
      assert means[0] < 5 and means[-1] > 250

  def test_a_score_that_is_not_known(self, tmp_path, monkeypatch):
    told, tile = [], show.film.tile
    monkeypatch.setattr(
        show.film, 'tile', lambda x, lines: told.append(lines) or tile(
            x, lines))
    data = trajectory(2, [], np.int32([0]))
    del data['reward']
    store.write(tmp_path / 'demos.h5', [data], ATTRS)
    assert run(
        'show', tmp_path / 'demos.h5', '--out', tmp_path / 'out') == 0
    assert ['step 1', 'score unknown'] in told

  def test_a_row_of_the_sheet_is_a_trajectory(self, path, tmp_path):
    run('show', path, '--out', tmp_path / 'out')
    sheet = np.array(Image.open(tmp_path / 'out/contact.png').convert('L'))
    bright = (sheet == 255).mean(1)
    # The last frame of each row is white, the first one black.
    left, right = sheet[:, 20], sheet[:, 7 * (128 + 6) + 20]
    assert (left == 0).sum() == 2 * 128
    assert (right[bright < 0.9] == 255).sum() >= 2 * 128

  def test_does_not_overwrite(self, path, tmp_path, capsys):
    out = tmp_path / 'out'
    out.mkdir()
    (out / 'contact.png').write_text('mine')
    refused(capsys, out, 'show', path, '--out', out,
            parts=[out, 'not empty', '--overwrite'])
    assert (out / 'contact.png').read_text() == 'mine'
    assert run('show', path, '--out', out, '--overwrite') == 0
    assert Image.open(out / 'contact.png').size[0] > 1000

  def test_all_pictures_or_none(self, tmp_path, capsys):
    # A frame that only the film shows cannot be read.
    path = tmp_path / 'long.h5'
    data = trajectory(400, [399], np.int32([1, 2]))
    # Smaller ones have all frames in one chunk.
    data['image'] = data['image'].repeat(4, 1).repeat(4, 2)
    store.write(path, [data], ATTRS)
    with h5py.File(path) as file:
      chunk = file['trajectories/00000/image'].id.get_chunk_info(20)
    data = bytearray(path.read_bytes())
    data[chunk.byte_offset: chunk.byte_offset + chunk.size] = bytes(chunk.size)
    path.write_bytes(data)
    (tmp_path / 'out').mkdir()
    refused(capsys, tmp_path, 'show', path, '--out', tmp_path / 'out',
            parts=[path])

  def test_bad_places_and_files(self, path, tmp_path, capsys):
    refused(capsys, tmp_path, 'show', path, '--out', path, parts=['a file'])
    refused(capsys, tmp_path, 'show', path, '--out', tmp_path / 'no/such',
            parts=['there is no folder'])
    refused(capsys, tmp_path, 'show', tmp_path / 'gone.h5', parts=['gone.h5'])
    refused(capsys, tmp_path, 'show', __file__, parts=['test_show.py'])
