"""Training runs to its end on tasks of kinds that are easily got wrong."""

import json
import os
import pathlib
import subprocess
import sys

import gymnasium
import numpy as np
import pytest

from dreamer_gail_plugin.demos.importers.gymnasium_record import RecordEpisodes
from helpers import demotools
from helpers import strangetasks
from helpers import upstreams

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parent.parent
KWARGS = {'First': {'sides': 84}}
SAID = {
    'First': ['image: 84 x 84 x 3, channels first, resized to 64 x 64'],
    'Dicts': ['eye: 32 x 32 x 3', 'pose: 3 numbers', 'action_go: 1 choice of',
              'action_turn: 2 numbers'],
    'Codes': ['vector: 7 x 7 as 49 numbers, a grid of codes',
              'the largest numbers of the demonstrations, --env.gym.scale']}


def record(name, folder):
  """Record random play, of actions up to 5 where these have no bounds."""
  env = strangetasks.TASKS[name](**KWARGS.get(name, {}))
  space = env.action_space
  space = gymnasium.spaces.Box(-1, 5, (2,)) if name == 'Codes' else space
  env = RecordEpisodes(env, folder)
  space.seed(0)
  for game in range(12):
    env.reset(seed=game)
    while not env.step(space.sample())[2]:
      pass
  env.close()


@pytest.mark.parametrize('name', strangetasks.TASKS)
def test_training(tmp_path, name):
  record(name, tmp_path / 'episodes')
  task = f'gym_helpers.strangetasks:Strange{name}-v0'
  kwargs = json.dumps(KWARGS.get(name, {}))
  assert demotools.run(
      'gymnasium', '--source', tmp_path / 'episodes', '--task', task, '--out',
      tmp_path / 'mine.h5', '--kwargs', kwargs) == 0
  found = subprocess.run(
      [sys.executable, '-m', 'dreamer_gail_plugin.main', '--configs', 'gym',
       'debug', 'gail', '--task', task, '--agent.gail.expert',
       str(tmp_path / 'mine.h5'), '--env.gym.kwargs', kwargs, '--logdir',
       str(tmp_path / 'log'), '--run.steps', '300', '--run.log_every', '-1'],
      env={**os.environ, 'PYTHONPATH': upstreams.path(
          ROOT, ROOT / 'tests')},
      capture_output=True, text=True)
  assert found.returncode == 0, found.stderr[-2000:]
  for text in SAID[name]:
    assert text in found.stdout
  lines = (tmp_path / 'log' / 'metrics.jsonl').read_text().splitlines()
  logged = [json.loads(x) for x in lines]
  losses = [x['train/disc/loss'] for x in logged if 'train/disc/loss' in x]
  assert losses and np.isfinite(losses).all()
