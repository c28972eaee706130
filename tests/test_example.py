"""The script of docs/example.py, as a person with a pipeline would run it."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import dreamerv3
import elements
import embodied
import pytest
import ruamel.yaml as yaml

from dreamer_gail_plugin import configs
from dreamer_gail_plugin import gail_config
from dreamer_gail_plugin.errors import UserError
from helpers import upstreams

ROOT = pathlib.Path(__file__).parent.parent
SCRIPT = ROOT / 'docs' / 'example.py'
# What a user changes in upstream's own main.py. The first is there twice.
CHANGES = {
    '  from .agent import Agent\n': '',
    'import elements\nimport embodied\n':
        'from dreamer_gail_plugin import Agent, expert_stream, gail_config\n'
        'import elements\nimport embodied\n',
    "elements.Config(configs['defaults'])":
        "gail_config(elements.Config(configs['defaults']), 'gail')",
    'return stream\n':
        'return expert_stream(config, stream, make_env(config, 0), mode)\n'}
# Runs it up to the choice of the script, and then asks it for a batch.
USE = """
import runpy, sys
import elements
folder, *argv = sys.argv[1:]
sys.argv[1:] = argv
try:
  runpy.run_path(folder + '/main.py', run_name='__main__')
except NotImplementedError as error:
  assert error.args == ('none',)
import dreamer_gail_plugin, embodied
from dreamer_gail_plugin import envs
from dreamer_gail_plugin.data import record, store
from dreamerv3 import main
assert main.Agent is dreamer_gail_plugin.Agent
config = elements.Config.load(argv[-1] + '/config.yaml')
store.write(config.agent.gail.expert, record.record(
    lambda seed: envs.make('dummy', 'disc', seed=seed), record.Random, 2, 64),
    {'task': 'dummy_disc', 'source': 'random play', 'licence': 'none'})
replay = main.make_replay(config, 'replay')
agent = main.make_agent(config.update(random_agent=True))
driver = embodied.Driver([lambda: main.make_env(config, 0)], parallel=False)
driver.on_step(replay.add)
driver.reset(agent.init_policy)
driver(agent.policy, steps=50)
batch = next(iter(main.make_stream(config, replay, 'train')))
print(sorted(k for k in batch if k.startswith('expert/is_')))
"""
OURS = 'agent.gail.', 'agent.ac_rate', 'agent.image_', 'run.keep_checkpoints'


@pytest.fixture
def theirs(tmp_path):
  """Return a file of blocks as upstream has it, without the plugin's keys."""
  path = tmp_path / 'configs.yaml'
  blocks = configs.blocks()
  flat = elements.Config(blocks['defaults']).flat
  plain = elements.Config({
      k: v for k, v in flat.items() if not k.startswith(OURS)})
  debug = {k: v for k, v in blocks['debug'].items() if 'gail' not in k}
  with path.open('w') as file:
    yaml.YAML(typ='safe').dump({
        'defaults': json.loads(json.dumps(_dict(plain))), 'debug': debug},
        file)
  return path


def _dict(config):
  return {
      k: _dict(v) if isinstance(v, dict) else v for k, v in config.items()}


@pytest.fixture
def changed(tmp_path, theirs):
  """Return a copy of upstream whose main.py has CHANGES, for a PYTHONPATH."""
  for module in (dreamerv3, embodied):
    shutil.copytree(module.__path__[0], tmp_path / module.__name__)
  envs, folder = tmp_path / 'embodied/envs', tmp_path / 'dreamerv3'
  if not envs.exists():  # The release has neither of these two.
    envs.mkdir()
    (envs / 'dummy.py').write_text('from helpers.dummies import Dummy\n')
    shutil.copy(theirs, folder / 'configs.yaml')
  text = (folder / 'main.py').read_text()
  for old, new in CHANGES.items():
    assert old in text
    text = text.replace(old, new)
  (folder / 'main.py').write_text(text)
  return tmp_path


@pytest.mark.slow
def test_upstreams_main_with_five_lines_changed(tmp_path, changed):
  path = [str(changed), str(ROOT), str(ROOT / 'tests')]
  done = subprocess.run(
      [sys.executable, '-c', USE, str(changed / 'dreamerv3'), '--configs',
       'debug', '--task', 'dummy_disc', '--script', 'none',
       '--agent.gail.expert', str(tmp_path / 'random.h5'), '--logdir',
       str(tmp_path / 'logdir')],
      env={**os.environ, 'PYTHONPATH': os.pathsep.join(path)},
      capture_output=True, text=True)
  assert done.returncode == 0, done.stderr
  assert "'expert/is_cut', 'expert/is_first'" in done.stdout


def test_few_lines_differ_from_upstream():
  lines = SCRIPT.read_text().splitlines()
  assert len([x for x in lines if '  # GAIL' in x]) == 4


@pytest.mark.slow
def test_trains(tmp_path, theirs):
  done = subprocess.run(
      [sys.executable, str(SCRIPT), str(theirs), '--configs', 'debug',
       '--task', 'gym_CartPole-v1', '--logdir', str(tmp_path / 'logdir'),
       '--run.steps', '400', '--run.log_every', '-1', '--jax.platform', 'cpu',
       '--jax.compute_dtype', 'float32', '--run.envs', '1'],
      cwd=tmp_path, env={**os.environ, 'PYTHONPATH': upstreams.path(ROOT)},
      capture_output=True, text=True)
  assert done.returncode == 0, done.stderr
  found = {}
  for line in (tmp_path / 'logdir' / 'metrics.jsonl').read_text().splitlines():
    found.update(json.loads(line))
  assert found['train/disc/bce'] > 0 and 'train/loss/rew' not in found


class TestGailConfig:

  def plain(self, theirs):
    return elements.Config(
        yaml.YAML(typ='safe').load(theirs.read_text())['defaults'])

  def test_what_is_there_stays(self, theirs):
    plain = self.plain(theirs).update({'agent.imag_length': 7})
    found = gail_config(plain, 'gail')
    assert plain.flat.items() <= found.flat.items()
    assert found.agent.gail.absorbing and found.agent.gail.reward == 'gail'
    ours = configs.load_config(['--configs', 'gail']).flat
    assert found.agent.flat.keys() == {
        k.removeprefix('agent.') for k in ours if k.startswith('agent.')}

  def test_blocks_in_their_order(self, theirs):
    found = gail_config(self.plain(theirs), 'gail_paper', 'anchor')
    assert not found.agent.gail.absorbing and found.agent.gail.risk == 20
    assert found.agent.ac_rate == 0.75

  def test_twice_is_once(self, theirs):
    found = gail_config(self.plain(theirs), 'gail')
    assert gail_config(found).flat == found.flat

  @pytest.mark.parametrize('name', ['gial', 'atari'])
  def test_refusals(self, theirs, name):
    config = elements.Config({
        k: v for k, v in self.plain(theirs).flat.items()
        if not k.startswith('run.')})
    config = config if name == 'gial' else elements.Config(task='')
    with pytest.raises(UserError, match=name):
      gail_config(config, name)
