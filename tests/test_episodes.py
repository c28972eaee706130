"""Gymnasium episodes, Minari sets and `imitation` trajectories."""

import json

import gymnasium
import h5py
import numpy as np
import pytest
from demotools import load
from demotools import refused
from demotools import run

from dreamer_gail_plugin import envs
from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.demos.importers import episodes
from dreamer_gail_plugin.demos.importers import gymnasium as files
from dreamer_gail_plugin.demos.importers.gymnasium_record import RecordEpisodes

spaces = gymnasium.spaces


class Mixed(gymnasium.Env):
  """Five steps with every kind of space, all values drawn from a seed."""

  def __init__(self):
    self.observation_space = spaces.Dict({
        'eye': spaces.Box(0, 255, (6, 5, 3), np.uint8),
        'arm': spaces.Tuple([
            spaces.Box(-9, 9, (2, 2), np.float64),
            spaces.Discrete(3, start=2)]),
    })
    self.action_space = spaces.Dict({
        'go': spaces.Discrete(4),
        'turn': spaces.Box(-2, 3, (2,), np.float32)})

  def reset(self, seed=None, options=None):
    if seed is not None:
      self.observation_space.seed(seed)
    self.count = 0
    return self.observation_space.sample(), {}

  def step(self, action):
    self.count += 1
    # Ends by itself at 5, or by a time limit if it went 0 at 3.
    limit = self.count == 3 and action['go'] == 0
    return (
        self.observation_space.sample(), self.count / 2, self.count == 5,
        bool(limit), {})


gymnasium.register('ImportMixed-v0', 'test_episodes:Mixed')
MIXED = 'gym_ImportMixed-v0'


def play(env, task, count, seed=0):
  """Play episodes in a wrapped environment and in the agent's of the same
  seed, side by side; return what the agent's showed, and the actions."""
  own = envs.make('gym', task.removeprefix('gym_'), seed=seed)
  env.action_space.seed(seed)
  result = []
  for episode in range(count):
    # Minari would draw a seed of its own.
    env.reset(
        seed=None if episode else seed, options={'minari_autoseed': False})
    steps = [(own.step({'reset': True}), None)]
    while not steps[-1][0]['is_last']:
      action = env.action_space.sample()
      env.step(action)
      acts = own.act.flatten(action)
      steps[-1] = (steps[-1][0], acts)
      steps.append((own.step({**acts, 'reset': False}), None))
    result.append(steps)
  env.close()
  return own, result


def same(trajectories, played):
  """Check that trajectories are what was played, byte for byte."""
  assert len(trajectories) == len(played)
  for data, steps in zip(trajectories, played):
    assert len(data['is_first']) == len(steps)
    for t, (obs, acts) in enumerate(steps):
      last = t == len(steps) - 1
      acts = {
          k: np.zeros_like(v) for k, v in steps[0][1].items()} if last \
          else acts
      for key, value in {**obs, **acts}.items():
        np.testing.assert_array_equal(data[key][t], value, f'{key} {t}')
        assert data[key].dtype == np.asarray(value).dtype, key


@pytest.fixture
def out(tmp_path):
  return tmp_path / 'demos.h5'


class TestGymnasium:

  @pytest.mark.parametrize('task', [MIXED, 'gym_CartPole-v1'])
  def test_equal_to_the_environment_byte_for_byte(self, tmp_path, out, task):
    env = gymnasium.make(
        task.removeprefix('gym_'), disable_env_checker=True)
    env = RecordEpisodes(env, tmp_path / 'episodes')
    own, played = play(env, task, 6)
    assert run('gymnasium', '--source', tmp_path / 'episodes', '--task', task,
               '--out', out, '--name', 'me', '--licence', 'MIT') == 0
    same(load(out), played)
    ends = [x[-1][0]['is_terminal'] for x in played]
    assert any(ends) and (task != MIXED or not all(ends))
    with store.Store(out) as demo:
      store.validate(demo, own.obs_space, own.act_space, task)
      assert demo.attrs['source'] == 'me'
      assert json.loads(demo.attrs['preprocessing']) == {'size': [64, 64]}

  def test_left_episodes_are_truncated(self, tmp_path, out):
    env = RecordEpisodes(
        gymnasium.make('CartPole-v1'), tmp_path / 'episodes')
    for _ in range(2):
      env.reset(seed=0)
      env.step(0)
    env.reset(seed=0)  # Nothing done in it: not saved.
    env.close()
    run('gymnasium', '--source', tmp_path / 'episodes', '--task',
        'gym_CartPole-v1', '--out', out)
    demos = load(out)
    assert [x['is_last'].tolist() for x in demos] == [[False, True]] * 2
    assert not demos[0]['is_terminal'].any()

  def test_best(self, tmp_path, out):
    folder = tmp_path / 'episodes'
    folder.mkdir()
    for index, steps in enumerate((2, 5, 3, 4)):
      save(folder / f'{index}.npz', steps)
    run('gymnasium', '--source', folder, '--task', 'gym_CartPole-v1', '--out',
        out, '--best', 2)
    assert [len(x['reward']) for x in load(out)] == [6, 5]

  def test_actions_out_of_bounds_are_cut(self, tmp_path, out, capsys):
    save(tmp_path / 'a.npz', 3, obs=3, actions=np.array(
        [[5.], [-1.], [-2.5]], np.float32))
    run('gymnasium', '--source', tmp_path / 'a.npz', '--task',
        'gym_Pendulum-v1', '--out', out)
    assert load(out)[0]['action'].ravel().tolist() == [2, -1, -2, 0]
    assert '2 of 3 actions were outside' in capsys.readouterr().out

  @pytest.mark.parametrize('change, message', [
      (dict(observations=np.zeros((3, 4))), 'observations have shape (3, 4)'),
      (dict(observations=np.zeros((4, 4), int)), None),
      (dict(observations=np.full((4, 4), np.nan)), 'not finite'),
      (dict(observations=np.full((4, 4), 1e60)), 'not finite'),
      (dict(observations=np.zeros((4, 4), 'U3')), 'expected numbers'),
      (dict(observations=np.array([[None] * 4] * 4)), 'never unpickled'),
      (dict(actions=np.array([0, 1, 2])), 'values from 0 to 2, expected 0 to'),
      (dict(actions=np.zeros((3, 1), int)), 'actions have shape (3, 1)'),
      (dict(actions=np.zeros(3)), 'have type float64, expected int64'),
      (dict(rewards=np.zeros(4)), 'rewards has shape (4,)'),
      (dict(rewards=np.array([0, np.inf, 0])), 'rewards are not all finite'),
      (dict(terminations=np.array([1, 0, 0], bool)), 'ends at step 0 of 3'),
      (dict(terminations=np.zeros(0, bool)), 'expected one value for each of'),
      (dict(terminations=np.zeros(3)), 'type float64'),
      (dict(truncations=None), 'truncations is missing'),
  ])
  def test_refuses(self, tmp_path, capsys, change, message):
    save(tmp_path / 'a.npz', 3, **change)
    flags = ['--source', tmp_path / 'a.npz', '--task', 'gym_CartPole-v1',
             '--out', tmp_path / 'demos.h5']
    if message:
      refused(capsys, tmp_path, 'gymnasium', *flags, parts=[
          tmp_path / 'a.npz', message])
    else:
      assert run('gymnasium', *flags) == 0

  def test_refuses_flags(self, tmp_path, capsys):
    save(tmp_path / 'a.npz', 3)
    check = lambda flags, *parts: refused(
        capsys, tmp_path, 'gymnasium', '--source', tmp_path / 'a.npz',
        '--out', tmp_path / 'x.h5', *flags, parts=parts)
    check([], 'expected gym_ID')
    check(['--task', 'minatar_breakout'], 'expected gym_ID')
    check(['--task', 'gym_Nothing-v0'], 'Cannot make')
    check(['--task', 'gym_CartPole-v1', '--best', 0], '--best 0')

  def test_step_after_the_end_is_an_error(self, tmp_path):
    env = RecordEpisodes(gymnasium.make('CartPole-v1'), tmp_path)
    with pytest.raises(gymnasium.error.ResetNeeded):
      env.step(0)


def save(path, steps, obs=4, **change):
  """Save an episode of CartPole that ends by itself."""
  data = {
      'observations': np.zeros((steps + 1, obs), np.float32),
      'actions': np.zeros(steps, np.int64), 'rewards': np.ones(steps),
      'terminations': np.arange(steps) == steps - 1,
      'truncations': np.zeros(steps, bool), **change}
  np.savez(path, **{k: v for k, v in data.items() if v is not None})


class TestPick:

  def test_keeps_the_order(self):
    assert episodes.pick([3, 9, 5, 9], 2) == [1, 3]
    assert episodes.pick([3, 9, 5], 5) == [0, 1, 2]


class TestSave:

  def test_nothing_half_written(self, tmp_path, monkeypatch):
    def fail(file, **arrays):
      file.write(b'half')
      raise OSError('disk full')
    monkeypatch.setattr(np, 'savez_compressed', fail)
    with pytest.raises(OSError):
      files.save(tmp_path / 'a.npz', [0, 0], [0], [0], [True], [False])
    assert not list(tmp_path.iterdir())


class TestHdf5Claims:

  def test_store_of_claims_is_refused(self, tmp_path, capsys):
    path = tmp_path / 'demos.h5'
    data = dict(
        image=np.zeros((4, 8, 8, 1), np.uint8), action=np.zeros(4, np.int32),
        is_first=np.arange(4) == 0, is_last=np.arange(4) == 3,
        is_terminal=np.zeros(4, bool))
    store.write(path, [data], {})
    with h5py.File(path, 'a') as file:
      group = file['trajectories/00000']
      for key in list(group):
        shape, dtype = group[key].shape, group[key].dtype
        del group[key]
        group.create_dataset(
            key, (10 ** 11, *shape[1:]), dtype, chunks=(16, *shape[1:]))
    with pytest.raises(Exception, match='claims the shape'):
      store.Store(path)
