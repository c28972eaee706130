"""Hostile sources: one clear error or a clean import, whatever they hold.

Six inputs for each importer; FUZZ=300 in the environment tries so many,
and FUZZ_SEED another series.
"""

import os
import pathlib
import shutil
import zipfile

import numpy as np
import pytest

from dreamer_gail_plugin.data import store
from helpers import hostile
from helpers.atarihead import Trial
from helpers.atarihead import blank
from helpers.crafterhuman import episode
from helpers.crafterhuman import save as save_crafter
from helpers.demotools import random_play
from helpers.demotools import run
from helpers.demotools import snapshot
from helpers.flatfiles import save_buffer
from helpers.flatfiles import save_hdf5
from helpers.flatfiles import save_npz
from helpers.gymepisodes import save as save_gymnasium
from helpers.imitationfiles import save_flat
from helpers.imitationfiles import save_folder
from helpers.lerobotfiles import PUSH
from helpers.replays import config
from helpers.replays import record

COUNT = int(os.environ.get('FUZZ', 6))
SEED = int(os.environ.get('FUZZ_SEED', 0))
MEMORY = 4 * hostile.BOMB
PROCESS = 2 * MEMORY  # With what libraries keep for the next time.
# Inputs of series 0 that once were a traceback.
FOUND = {
    'atari_head': [31], 'crafter_human': [25, 41, 134], 'minari': [203],
    'show': [292]}
CARTPOLE = ['--task', 'gym_CartPole-v1']
HERE = pathlib.Path(__file__).parent


def atari_head(folder):
  trial = Trial(folder, 'seaquest', *blank(13))
  trial.write_meta('seaquest,7, R,0,9,13,450,1,1,0.5,0.6%,FALSE,20')
  return ['--source', folder, '--game', 'seaquest', '--best', 1]


def atari_zip(folder):
  flags = atari_head(folder)
  with zipfile.ZipFile(folder / 'seaquest.zip', 'w') as file:
    for path in sorted((folder / 'seaquest').iterdir()):
      file.write(path, f'seaquest/{path.name}')
  shutil.rmtree(folder / 'seaquest')
  return flags


def crafter_human(folder):
  for name in 'ab':
    save_crafter(folder / f'{name}.npz', **episode(4))
  return ['--source', folder]


def crafter_zip(folder):
  save_crafter(folder / 'a.npz', **episode(4))
  path = folder / 'dataset.zip'
  with zipfile.ZipFile(path, 'w') as file:
    file.write(folder / 'a.npz', 'dataset/a.npz')
  (folder / 'a.npz').unlink()
  return ['--source', path]


def gymnasium(folder):
  for name in 'ab':
    save_gymnasium(folder / f'{name}.npz', 4)
  return ['--source', folder, *CARTPOLE, '--best', 2]


def imitation(folder):
  folder.rmdir()
  save_folder(folder)
  return ['--source', folder, *CARTPOLE]


def imitation_npz(folder):
  return ['--source', save_flat(folder / 'a.npz'), *CARTPOLE]


def stable_baselines(folder):
  return ['--source', save_npz(folder / 'a.npz'), *CARTPOLE]


def d4rl(folder):
  return ['--source', save_hdf5(folder / 'a.h5'), *CARTPOLE]


def d3rlpy(folder):
  return ['--source', save_buffer(folder / 'a.h5'), *CARTPOLE]


def lerobot(folder):
  pytest.importorskip('pyarrow')
  for name in ('data', 'meta', 'videos'):
    shutil.copytree(HERE / 'lerobot_v30' / name, folder / name)
  return ['--source', folder, '--task', PUSH]


def replay(folder):
  (folder / 'replay').mkdir()
  record(folder / 'replay', 'gym_ImportReach-v0', 20, 1)
  config(folder, task='gym_ImportReach-v0')
  return ['--source', folder]


def minari(folder):
  pytest.importorskip('minari')
  demos(folder.parent / 'demos.h5')
  assert run('minari_export', '--source', folder.parent / 'demos.h5', '--out',
             folder / 'mine-v0') == 0
  return ['--source', folder / 'mine-v0']


def minari_plain(folder):
  flags = minari(folder)
  (folder / 'mine-v0' / 'data' / 'dreamer_gail.h5').unlink()
  return flags


def minari_export(folder):
  pytest.importorskip('minari')
  demos(folder / 'demos.h5')
  return ['--source', folder / 'demos.h5']


def recipe(folder):
  return [random_play(folder, 'a.recipe.json')]


def show(folder):
  demos(folder / 'demos.attributes.h5')
  return [folder / 'demos.attributes.h5']


def check_attributes(folder):
  return show(folder)


def check(folder):
  demos(folder / 'demos.h5')
  return [folder / 'demos.h5']


def demos(path):
  rng = np.random.default_rng(0)
  steps = np.arange(20)
  store.write(path, [{
      'image': rng.integers(0, 256, (20, 8, 8, 1), dtype=np.uint8),
      'action': (steps % 3).astype(np.int32),
      'reward': steps.astype(np.float32), 'is_first': steps % 10 == 0,
      'is_last': steps % 10 == 9, 'is_terminal': steps == 9}] * 2, {
          'action_meanings': ['noop', 'a', 'b'], 'preprocessing': {'a': 1}})


SOURCES = (
    atari_head, atari_zip, crafter_human, crafter_zip, gymnasium, imitation,
    imitation_npz, stable_baselines, d4rl, d3rlpy, lerobot, replay, minari,
    minari_plain, minari_export, recipe, check, check_attributes, show)
# The command of each source that is not called as it is.
COMMANDS = {
    'atari_zip': 'atari_head', 'crafter_zip': 'crafter_human',
    'imitation_npz': 'imitation', 'minari_plain': 'minari', 'recipe': 'show',
    'check_attributes': 'check'}


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('make', SOURCES, ids=lambda x: x.__name__)
def test_one_clear_error_or_none(make, tmp_path, monkeypatch, capsys):
  name = COMMANDS.get(make.__name__, make.__name__)
  # Where the stores of recipes go.
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'out' / 'x-v0'))
  (tmp_path / 'source').mkdir()
  flags = make(tmp_path / 'source')
  hostile.copy(tmp_path / 'source', tmp_path / 'whole')
  (tmp_path / 'out').mkdir()
  monkeypatch.chdir(tmp_path / 'out')
  out = ['--out', tmp_path / 'out' / 'x-v0']
  out = [] if name == 'check' or make is recipe else out
  assert run(name, *flags, *out) in (0, 1)  # As long as nothing is spoilt.
  hostile.clear(tmp_path / 'out')
  before = outside(tmp_path)
  codes, most = {0: 0, 1: 0, 2: 0}, 0
  for number in [*range(COUNT), *FOUND.get(name, [])]:
    rng = np.random.default_rng([SEED, number])
    done = hostile.spoil(tmp_path / 'source', rng)
    capsys.readouterr()
    with hostile.memory() as peak:
      try:
        code = run(name, *flags, *out)
      except BaseException as e:
        pytest.fail(f'input {number}, {done}: {e!r}')
    text = capsys.readouterr().err
    codes[code] += 1
    assert code in (0, 2) or name == 'check', done
    assert text.count('error: ') == (code == 2), (number, done, text)
    assert 'Traceback' not in text
    assert peak['python'] < MEMORY, (number, done, peak)
    assert peak['process'] < PROCESS, (number, done, peak)
    most = max(most, *peak.values())
    written = snapshot(tmp_path / 'out')
    own = str(tmp_path / 'out' / 'x-v0')
    assert all(x.startswith(own) for x in written), (number, done, written)
    wanted = bool(out) and code == 0 or make is recipe and code < 2
    assert bool(written) == wanted, (number, done, written)
    assert outside(tmp_path) == before, (number, done)
    hostile.copy(tmp_path / 'whole', tmp_path / 'source')
    hostile.clear(tmp_path / 'out')
  print(f'{make.__name__}: {codes}, at most {most / 1e6:.0f} MB')
  assert codes[2] > COUNT / 4


def outside(folder):
  """Return the files beside the source and the output."""
  own = (str(folder / 'source'), str(folder / 'out'))
  return [x for x in snapshot(folder) if not x.startswith(own)] + [
      x for x in os.listdir('/tmp') if x.startswith('evil')]
