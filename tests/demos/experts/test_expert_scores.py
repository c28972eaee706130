"""Scores of the scripted experts beside those of random play."""

import json

import pytest

from dreamer_gail_plugin import upstream
from dreamer_gail_plugin.data import recipe
from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.demos import __main__ as command
from helpers.refusals import exit_code

DATA = upstream.resource('expert_data')


def run(out, *flags, task='atari_alien', episodes=1, limit=6):
  return exit_code(command.main, [
      'expert_scores', '--task', task, '--out', str(out),
      '--episodes', str(episodes), '--limit', str(limit), *flags])


def test_recipe_is_played_as_it_was_recorded(tmp_path):
  path = DATA / 'atari_alien.json'
  data = recipe.load(path)
  steps = data['trajectories'][0]['length']
  data['trajectories'] = data['trajectories'][:1]
  (tmp_path / 'a.json').write_text(json.dumps(data))
  recipe.rebuild(tmp_path / 'a.json', tmp_path / 'a.h5')
  with store.Store(tmp_path / 'a.h5') as file:
    score = float(file.read(0)['reward'].sum())
  assert run(
      tmp_path / 'b.json', '--recipe', str(path), limit=steps - 1) == 0
  made = json.loads((tmp_path / 'b.json').read_text())
  assert made['planner']['episodes'] == [
      {'score': score, 'length': steps - 1, 'ended': False}]
  assert made['random']['mean'] < score / 2
  assert f'--recipe {path}' in made['command']


def test_the_expert_plans_without_a_recipe(tmp_path):
  assert run(tmp_path / 'a.json', task='minatar_freeway') == 0
  made = json.loads((tmp_path / 'a.json').read_text())
  assert made['task'] == 'minatar_freeway'
  assert made['planner']['episodes'][0]['length'] == 6
  assert '--recipe' not in made['command']


@pytest.mark.parametrize('flags, kwargs, words', [
    (['--seed', '1'], {}, 'was made for --task atari_alien --seed 0'),
    ([], dict(task='atari_seaquest'), 'was made for --task atari_alien'),
    ([], dict(episodes=11), 'holds 10 trajectories'),
    ([], dict(limit=512), 'with 511 actions'),
])
def test_another_recipe(tmp_path, capsys, flags, kwargs, words):
  path = str(DATA / 'atari_alien.json')
  assert run(tmp_path / 'a.json', '--recipe', path, *flags, **kwargs) == 2
  assert words in capsys.readouterr().err
  assert not list(tmp_path.iterdir())
