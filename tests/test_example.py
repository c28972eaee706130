"""The script of docs/example.py, as a person with a pipeline would run it."""

import json
import os
import pathlib
import subprocess
import sys

import elements
import pytest
import ruamel.yaml as yaml

from dreamer_gail_plugin import configs
from dreamer_gail_plugin import gail_config
from dreamer_gail_plugin.errors import UserError

ROOT = pathlib.Path(__file__).parent.parent
SCRIPT = ROOT / 'docs' / 'example.py'
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
      cwd=tmp_path, env={**os.environ, 'PYTHONPATH': str(ROOT)},
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
