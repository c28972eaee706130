"""The commands of docs/own_environment.md, as a user would run them."""

import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest

from dreamer_gail_plugin import __main__ as command
from dreamer_gail_plugin import build
from dreamer_gail_plugin import configs
from dreamer_gail_plugin import envs
from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.evaluate import protocol
from helpers.refusals import refused

ROOT = pathlib.Path(__file__).parent.parent
PAGE = (ROOT / 'docs' / 'own_environment.md').read_text()
TASK = 'reach:Reach-v0'


def commands():
  """Return {name of a program: words of its command} on the page."""
  blocks = re.findall(r'^```sh\n(.*?)^```', PAGE, re.S | re.M)
  lines = ''.join(blocks).replace('\\\n', ' ').splitlines()
  words = [shlex.split(x)[1:] for x in lines]
  return {' '.join(x[:2]) if x[0] == 'demos' else x[0]: x for x in words}


@pytest.fixture
def folder(tmp_path, monkeypatch):
  """Work in a folder that holds reach.py alone, as a user's."""
  [code] = re.findall(r'^```python\n(.*?)^```', PAGE, re.S | re.M)
  (tmp_path / 'reach.py').write_text(code)
  monkeypatch.chdir(tmp_path)
  monkeypatch.setattr(sys, 'path', list(sys.path))
  monkeypatch.setitem(sys.modules, 'reach', None)
  monkeypatch.delitem(sys.modules, 'reach')
  monkeypatch.setenv('HOME', str(tmp_path))
  return tmp_path


@pytest.fixture
def recorded(folder, monkeypatch):
  """Return the folder, with what the first command has recorded."""
  monkeypatch.setattr(os, 'cpu_count', lambda: 1)  # No processes.
  assert command.main(commands()['demos planner']) == 0
  return folder


def test_all_commands_are_known():
  assert list(commands()) == [
      'demos planner', 'demos show', 'demos check', 'train', 'evaluate',
      'scores', 'report']


class TestBeforeTraining:

  def test_record_and_show(self, recorded, capsys):
    with store.Store('reach.h5') as demos:
      assert demos.lengths == [256] * 4 and not demos.attrs['licence']
      data = demos.read(0)
    env = envs.make('gym', TASK)
    assert np.abs(data['action']).max() <= env.act_space['action'].high.max()
    # The action goes from the point to the target.
    way = data['vector'][:, 2:] - data['vector'][:, :2]
    step = ~data['is_last']
    np.testing.assert_allclose(
        data['action'][step], np.clip(way[step], -0.1, 0.1), atol=1e-6)
    assert data['reward'].sum() > 10
    assert command.main(commands()['demos show']) == 0
    assert 'float32 (4,)' in capsys.readouterr().out

  def test_check(self, recorded, capsys):
    assert command.main(commands()['demos check']) == 0
    out = capsys.readouterr().out
    assert 'of random play in' in out and '0 problem(s)' in out

  def test_train_and_evaluate_are_accepted(self, recorded):
    config = configs.load_config(commands()['train'][1:])
    assert config.task == f'gym_{TASK}'
    assert build.demonstrations(config).samefile('reach.h5')
    args = protocol.parse(commands()['evaluate'][1:])
    assert args.logdir == config.logdir.replace(os.environ['HOME'], '~')

  @pytest.mark.parametrize('policy, words', [
      ('reach:none', ["no attribute 'none'", 'as in reach:expert']),
      ('nowhere:expert', ["No module named 'nowhere'"]),
      ('reach:gymnasium', ['is no function']),
      ('reach:far', ['beyond its bounds', 'clip it']),
      ('reach:fails', ['raised KeyError']),
      ('reach:flat', ['shape']),
      ('plannr', ['Did you mean planner?'])])
  def test_functions_that_do_not_fit(self, folder, policy, words):
    with open('reach.py', 'a') as file:
      file.write(
          'far = lambda x: np.float32([0, 2])\n'
          'flat = lambda x: np.float32(0)\n'
          'fails = lambda x: {}[1]\n')
    words = [policy, *words] if ':' in policy else words
    with refused('--policy ', *words):
      command.main([
          'demos', 'planner', '--task', f'gym_{TASK}', '--policy', policy,
          '--out', 'x.h5', '--workers', '1'])
    assert not pathlib.Path('x.h5').exists()


@pytest.mark.slow
def test_train_and_evaluate(recorded):
  # All in one process, which saves imports and what is compiled for both.
  train, *after = list(commands().values())[-4:]
  train.insert(train.index('gail') + 1, 'debug')
  train += ['--run.steps', '250', '--agent.report', 'False']
  after[0] += ['--policy', 'sampled', '--workers', '1']
  code = (
      'from dreamer_gail_plugin.__main__ import main\n'
      f'for words in {[train, *after]}: main(words)\n')
  done = subprocess.run(
      [sys.executable, '-c', code], text=True, capture_output=True,
      env={**os.environ, 'PYTHONPATH': str(ROOT)})
  assert done.returncode == 0, done.stderr
  assert 'vector: ' in done.stdout and 'this run' in done.stdout
  [result] = recorded.glob('logdir/reach/eval/*_sampled.json')
  assert len(json.loads(result.read_text())['episodes']) == 20
  page = (recorded / 'logdir' / 'report' / 'index.html').read_text()
  assert f'gym_{TASK}' in page
