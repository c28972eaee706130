"""Baselines: flags, folders and demonstrations that do not fit."""

import importlib
import types

import elements
import gymnasium
import numpy as np
import pytest

from dreamer_gail_plugin.baselines import __main__ as baselines
from dreamer_gail_plugin.baselines import config as configlib
from dreamer_gail_plugin.baselines import demonstrations
from dreamer_gail_plugin.baselines import evaluate
from dreamer_gail_plugin.baselines import gymenv
from dreamer_gail_plugin.baselines.mgail import actor as mgailactor
from dreamer_gail_plugin.baselines.mgail import learner
from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.errors import UserError

DEBUG = ['--task', 'minatar_breakout', '--settings', 'debug']


class TestMistakes:

  @pytest.mark.parametrize('flags, text', [
      (['--settings', 'huge'], '--settings huge: no such block'),
      (['--ppo.colour', '1'], 'settings.yaml'),
      (['--steps', '0.5'], 'expected at least 1'),
      (['--envs', '0'], '--envs 0: expected at least 1'),
      (['--eval.games', '0'], '--eval.games 0: expected at least 1'),
      (['--eval.every', '-1'], '--eval.every -1.0: must not be negative'),
      (['--seed', '-1'], '--seed -1'),
      (['--device', 'gpu'], '--device gpu: expected one of auto, cpu, cuda'),
      (['--mgail.train_every', '0'], 'train_every 0: expected at least 1'),
      (['--c51.explore', '0'], 'c51.explore 0.0: expected a share'),
      (['--sqil.explore', '2'], 'sqil.explore 2.0: expected a share'),
      (['--mgail.memory', '40'], 'memory 40.0: holds 5 steps of each of 8'),
  ])
  def test_flags(self, flags, text):
    with pytest.raises(UserError, match=text):
      configlib.load('mgail', [*DEBUG[:2], *flags])

  def test_a_logdir_that_holds_a_run(self, tmp_path):
    (tmp_path / 'config.yaml').write_text('')
    with pytest.raises(UserError, match='holds a run'):
      baselines.main(['mgail', *DEBUG, '--logdir', str(tmp_path)])

  @pytest.mark.parametrize('name', configlib.NAMES)
  def test_who_needs_a_choice(self, name):
    config = configlib.load(name, DEBUG)
    configlib.choices(config, gymnasium.spaces.Discrete(3))
    box = gymnasium.spaces.Box(-1, 1, (2,))
    if name in ('c51', 'sqil', 'mgail'):
      with pytest.raises(UserError, match=f'{name}: needs a choice'):
        configlib.choices(config, box)
    else:
      configlib.choices(config, box)

  def test_actions_without_a_choice(self, tmp_path):
    for _ in range(2):
      with pytest.raises(UserError, match='mgail: needs a choice'):
        baselines.main([
            'mgail', '--task', 'gym_Pendulum-v1', '--settings', 'debug',
            '--expert', 'random', '--logdir', str(tmp_path)])

  def test_a_mistake_does_not_use_up_the_logdir(self, tmp_path):
    flags = ['mgail', *DEBUG, '--logdir', str(tmp_path)]
    for _ in range(2):
      with pytest.raises(UserError, match='none.h5'):
        baselines.main([*flags, '--expert', 'none.h5'])

  def test_fewer_steps_than_a_batch(self):
    found = [types.SimpleNamespace(acts=np.zeros(x)) for x in (3, 4)]
    demonstrations.enough(found, 'bc.batch_size', 7)
    with pytest.raises(UserError, match='--bc.batch_size 8.*7 steps'):
      demonstrations.enough(found, 'bc.batch_size', 8)

  @pytest.mark.parametrize('expert', ['none.h5', 'unknown.h5'])
  def test_demonstrations_without_a_score(self, tmp_path, expert):
    store.write(tmp_path / 'unknown.h5', [{
        'image': np.zeros((3, 10, 10, 4), np.uint8),
        'action': np.zeros(3, np.int32), 'is_first': np.arange(3) == 0,
        'is_last': np.arange(3) == 2, 'is_terminal': np.arange(3) == 2}], {})
    config = configlib.load('bc', [
        *DEBUG, '--expert', str(tmp_path / expert)])
    assert evaluate.expert_score(config) is None

  def test_many_environments(self, tmp_path):
    # More steps at once than come before the first update.
    config = configlib.load('mgail', [
        *DEBUG, '--envs', '40', '--logdir', str(tmp_path)])
    assert config.mgail.start < 40
    saver = mgailactor.Saver(tmp_path)
    params = learner.train(config, saver, demonstrations.check(config))
    assert params and all(np.isfinite(x).all() for x in params.values())
    assert saver.path.exists()

  def test_without_the_extra(self, monkeypatch):
    monkeypatch.setattr(importlib.util, 'find_spec', lambda _: None)
    with pytest.raises(UserError, match='uv sync --extra baselines'):
      baselines.main(['ppo', *DEBUG])
    configlib.installed('mgail')

  def test_things_that_baselines_do_not_take(self):
    space = elements.Space(np.float32, (3,))
    with pytest.raises(UserError, match='one image or one vector'):
      gymenv.Eyes({'a': space, 'b': space}, elements.Config(stack=1))
    with pytest.raises(UserError, match='--stack 4'):
      gymenv.Eyes(
          {'image': elements.Space(np.uint8, (10, 10, 4))},
          elements.Config(stack=4))
    with pytest.raises(UserError, match='one action'):
      gymenv.Hands({'a': space, 'b': space})
    with pytest.raises(UserError, match='need bounds'):
      gymenv.Hands({'a': space})


def test_crafter_has_ataris_images():
  config = configlib.load('bc', ['--task', 'crafter_reward'])
  space = {'image': elements.Space(np.uint8, (64, 64, 3))}
  eyes = gymenv.Eyes(space, config)
  assert eyes.space.shape == (4, 84, 84)
  red = np.zeros((64, 64, 3), np.uint8)
  red[:32, :, 0] = 255
  first = eyes({'image': red})
  seen = eyes({'image': np.zeros_like(red)}, first)
  assert seen.dtype == np.uint8 and seen.shape == (4, 84, 84)
  # Red is 0.299 bright; the oldest of the four images has gone.
  assert seen[2, 0, 0] == int(0.299 * 255) and not seen[2, 83].any()
  assert not seen[3].any() and np.array_equal(seen[2], first[3])
  # A run of before has no such key.
  old = elements.Config({
      k: v for k, v in config.flat.items() if k != 'gray84'})
  assert gymenv.Eyes(space, old).space.shape == (12, 64, 64)


def test_the_papers_numbers():
  """Section 4.1: CleanRL's settings, and what the paper says of them."""
  for task in ('atari_seaquest', 'atari_alien', 'crafter_reward'):
    load = lambda name: configlib.load(name, ['--task', task])
    ppo, c51, gail = map(load, ('ppo', 'c51', 'gail_ppo'))
    assert (ppo.steps.ppo, c51.steps.c51, gail.steps.gail_ppo) == (
        5e7, 5e7, 2.5e6)
    assert gail.steps.airl_ppo == 2.5e6 and gail.disc.updates == 1
    assert (ppo.stack, ppo.envs, ppo.ppo.n_steps, ppo.ppo.n_epochs) == (
        4, 8, 128, 4)
    assert ppo.ppo.anneal and ppo.ppo.gamma == 0.99
    assert ppo.ppo.learning_rate == c51.c51.learning_rate == 2.5e-4
    assert (c51.c51.atoms, c51.c51.memory, c51.c51.double) == (51, 5e5, False)
    assert dict(ppo.ppo) == dict(gail.ppo)
    if task.startswith('atari'):
      atari = ppo.env.atari
      assert (tuple(atari.size), atari.gray, atari.repeat, atari.pooling) == (
          (84, 84), True, 4, 2)
    assert dict(ppo.eval) == {
        'chunks': 5, 'episodes': 50, 'every': 1e6, 'games': 10}
