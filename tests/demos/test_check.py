"""`demos check` finds what was planted, and nothing in good files."""

import io

import gymnasium
import numpy as np
import pytest
from PIL import Image

from dreamer_gail_plugin import envs
from dreamer_gail_plugin import upstream
from dreamer_gail_plugin.data import record
from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.demos import check as check_
from dreamer_gail_plugin.demos import tasks
from dreamer_gail_plugin.demos.check import content
from dreamer_gail_plugin.demos.importers import alignment
from dreamer_gail_plugin.demos.importers import episodes
from dreamer_gail_plugin.demos.importers.gymnasium_record import RecordEpisodes
from helpers.demotools import run

BUNDLED = ('minatar_breakout', 'minatar_seaquest')


@pytest.fixture(scope='module')
def good():
  """Return the trajectories and attributes of a bundled file."""
  return read('minatar_seaquest')


def read(name):
  path = upstream.resource('expert_data') / f'{name}.h5'
  with store.Store(path) as demos:
    attrs = {
        k: v for k, v in demos.attrs.items()
        if k not in ('format', 'version')}
    return [demos.read(i) for i in range(4)], attrs


@pytest.fixture
def path(tmp_path):
  return tmp_path / 'demos.h5'


class Noise(gymnasium.Env):
  """Shows anything, whatever is done."""

  def reset(self, seed=None, options=None):
    super().reset(seed=seed)
    return self.observation_space.sample(), {}

  def step(self, action):
    return self.observation_space.sample(), 0.0, False, False, {}


def check(capsys, path, parts=(), code=1, flags=()):
  capsys.readouterr()
  assert run('check', path, *flags) == code
  text = capsys.readouterr().out
  for part in parts:
    assert part in text, text
  return text


def look(path, parts):
  """Check what is said of the file alone, without random play."""
  with store.Store(path) as demos:
    found = content.find(demos, check_.sample(demos), None)
  text = '\n'.join(f'{x.level}: {x.text}' for x in found)
  for part in parts:
    assert part in text, text


def test_actions_without_bounds_are_told_of(tmp_path, capsys):
  space = gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.float32)
  gymnasium.register(
      'tests/Free-v0', lambda: gymnasium.wrappers.TransformAction(
          gymnasium.make('CartPole-v1'), lambda x: int(x[0] > 0), space))
  try:
    env = RecordEpisodes(gymnasium.make('tests/Free-v0'), tmp_path / 'played')
    for _ in range(2):
      env.reset(seed=0)
      env.step(np.float32([2, 5]))
      env.step(np.float32([-3, 1]))
    env.close()
    assert run('gymnasium', '--source', tmp_path / 'played', '--task',
               'gym_tests/Free-v0', '--out', tmp_path / 'free.h5') == 0
    assert 'without bounds, here from -3 to 5' in capsys.readouterr().out
    check(capsys, tmp_path / 'free.h5', [
        'action has no bounds', '-3 to 5', '--env.gym.scale'])
  finally:
    gymnasium.registry.pop('tests/Free-v0')


@pytest.mark.parametrize('steps, found', [(299, True), (300, False)])
def test_few_steps(good, path, steps, found):
  trajs, attrs = good
  store.write(path, [{k: v[:steps] for k, v in trajs[0].items()}], attrs)
  with store.Store(path) as demos:
    text = [x for x in content.few(demos) if x.level == 'note']
  assert bool(text) == found


def test_a_short_recording_lacks_what_is_rare(good, path, capsys):
  trajs, attrs = good
  store.write(path, [{k: v[:26] for k, v in trajs[0].items()}], attrs)
  text = check(capsys, path, ['26 steps are few'], 0)
  assert 'problem:' not in text


class TestAlignment:

  @pytest.mark.parametrize('name', BUNDLED)
  @pytest.mark.parametrize('off', [-1, 0, 1])
  def test_finds_the_shift(self, name, off):
    trajs = [
        {**x, 'action': np.roll(x['action'], off)} for x in read(name)[0]]
    assert alignment.peak(alignment.estimate(trajs)) == off

  @pytest.mark.parametrize('off', [-1, 0, 1])
  def test_vectors_and_continuous_actions(self, off):
    rng = np.random.default_rng(0)
    action = rng.normal(size=(600, 2)).astype(np.float32)
    vector = np.cumsum(
        np.r_[np.zeros((1, 2)), action[:-1]], 0).astype(np.float32)
    data = dict(
        vector=vector, action=np.roll(action, off, 0),
        is_first=np.arange(600) == 0)
    scores = alignment.estimate([data])
    assert alignment.peak(scores) == off
    assert scores[off] > 0.9

  @pytest.mark.parametrize('off', [0, 1])
  def test_an_expert_whose_action_its_speed_tells(self, off):
    path = upstream.resource('expert_data') / 'gym_MountainCar-v0.h5'
    with store.Store(path) as demos:
      trajs = [
          {**x, 'action': np.roll(x['action'], off)} for x in
          (demos.read(i) for i in range(3))]
    assert alignment.peak(alignment.estimate(trajs)) == off

  @pytest.mark.parametrize('off', [-1, 0, 1])
  def test_an_expert_whose_next_action_its_state_tells(self, off):
    def expert(obs):
      _, height, speed = obs['vector']
      return {'action': np.float32([2 * np.tanh(speed * height)])}
    env = envs.make('gym', 'Pendulum-v1', seed=0)
    data = record.rollout(env, expert, 3000)
    data['action'] = np.roll(data['action'], off, 0)
    assert alignment.peak(alignment.estimate([data])) == off

  def test_direction_of_motion_wherever_the_object_is(self):
    # The same move right at two places has the same sign of the feature.
    images = np.zeros((2, 2, 9, 9, 1), np.uint8)
    for place, pair in zip((2, 5), images):
      pair[0, 4, place:place + 2] = 255
      pair[1, 4, place + 1:place + 3] = 255
    right = [alignment.motion(x)[0] for x in images]
    left = [alignment.motion(x[::-1])[0] for x in images]
    # Vertical motion in the blocks and in all, then horizontal, then any.
    across = 2 * alignment.BLOCKS ** 2 + 1
    assert right[0][across] == right[1][across] < 0
    assert left[0][across] == -right[0][across]
    assert right[0][alignment.BLOCKS ** 2] == 0

  def test_says_nothing_where_there_is_nothing(self):
    rng = np.random.default_rng(0)
    noise = dict(
        image=rng.integers(0, 255, (800, 8, 8, 1), dtype=np.uint8),
        action=rng.integers(0, 4, 800), is_first=np.arange(800) == 0)
    assert alignment.peak(alignment.estimate([noise])) is None
    still = {**noise, 'action': np.zeros(800, int)}
    assert alignment.estimate([still]) is None
    short = {k: v[:20] for k, v in noise.items()}
    assert alignment.estimate([short]) is None

  def test_never_looks_across_a_border(self):
    first = np.isin(np.arange(20), [0, 9])
    # Two steps before and after; the action of a last step means nothing.
    assert alignment._inside(first).tolist() == [
        2, 3, 4, 5, 11, 12, 13, 14, 15, 16]


class TestFindings:

  @pytest.mark.parametrize('name', BUNDLED)
  def test_nothing_in_the_bundled_files(self, capsys, name):
    path = upstream.resource('expert_data') / f'{name}.h5'
    text = check(capsys, path, code=0)
    assert '0 problem(s)' in text

  @pytest.mark.slow
  def test_planted_shift(self, good, path, capsys):
    trajs, attrs = good
    for off, side in ((1, 'late'), (-1, 'early')):
      store.write(path, [
          {**x, 'action': np.roll(x['action'], off)} for x in trajs], attrs)
      check(capsys, path, [f'problem: action seems to stand 1 step(s) too '
                           f'{side}', 'look at the importer'])

  def test_importer_with_a_planted_off_by_one(
      self, tmp_path, path, capsys, monkeypatch):
    # A real importer, and the same without the move of the actions.
    env = RecordEpisodes(gymnasium.make('CartPole-v1'), tmp_path / 'episodes')
    env.action_space.seed(0)
    for _ in range(40):
      env.reset(seed=0)
      while not any(env.step(env.action_space.sample())[2:4]):
        pass
    flags = ['--source', tmp_path / 'episodes', '--task', 'gym_CartPole-v1',
             '--out', path, '--overwrite']
    assert run('gymnasium', *flags) == 0
    check(capsys, path, code=0)
    right = episodes.Converter.__call__

    def wrong(self, episode):
      data = right(self, episode)
      return {**data, 'action': np.r_[0, data['action'][:-1]]}
    monkeypatch.setattr(
        episodes.Converter, '__call__', lambda *args: wrong(*args))
    assert run('gymnasium', *flags) == 0
    check(capsys, path, ['problem: action seems to stand 1 step(s) too late'])

  def test_duplicates(self, good, path):
    trajs, attrs = good
    store.write(path, [*trajs, trajs[1]], attrs)
    look(path, ['problem: trajectory 4 holds nothing'])
    half = {k: v[:512] for k, v in trajs[0].items()}
    store.write(path, [trajs[0], half], attrs)
    look(path, ['problem: trajectory 1 holds nothing'])
    tail = {k: v[512:] for k, v in trajs[0].items()}
    both = {k: np.r_[tail[k], trajs[1][k][:512]] for k in tail}
    both['is_last'][511] = True
    store.write(path, [trajs[0], both], attrs)
    look(path, ['moments are in an earlier trajectory'])
    few = {k: v[:20] for k, v in trajs[0].items()}
    store.write(path, [trajs[0], few], attrs)
    look(path, ['note: trajectory 1 holds nothing'])

  def test_constant_actions_and_idling(self, good, path):
    trajs, attrs = good
    still = {**trajs[1], 'action': np.full_like(trajs[1]['action'], 2)}
    store.write(path, [trajs[0], still], attrs)
    look(path, ['problem: action never changes in trajectory 1'])
    few = {k: v[:20] for k, v in still.items()}
    store.write(path, [trajs[0], few], attrs)
    look(path, ['note: action never changes in trajectory 1'])
    idle = [
        {**x, 'action': x['action'] * (np.arange(1024) % 30 == 0)}
        for x in trajs]
    store.write(path, idle, attrs)
    look(path, ['problem: 9', '% of the actions are no-ops'])

  @pytest.mark.slow
  def test_settings(self, path, capsys):
    trajs, attrs = read('minatar_breakout')
    attrs['preprocessing'] = '{"actions": "all"}'
    store.write(path, trajs, attrs)
    check(capsys, path, ['problem: made with actions all, while minatar has '
                         'needed', '--env.minatar.actions all'])
    check(capsys, path, ['store has 3 actions', 'task wants 6'],
          flags=['--env.minatar.actions', 'all'])
    attrs['preprocessing'] = ''
    store.write(path, trajs, attrs)
    check(capsys, path, ['note: the file does not say with which'], code=0)
    attrs['task'] = ''
    store.write(path, trajs, attrs)
    check(capsys, path, ['note: the file names no task'], code=0)
    check(capsys, path, ['do not fit the task minatar_freeway'],
          flags=['--task', 'minatar_freeway'])
    check(capsys, path, ['note: the task gym_None-v0 cannot be made'],
          code=0, flags=['--task', 'gym_None-v0'])

  @pytest.mark.parametrize('key, shape', [('image', (8, 8)), ('vector', ())])
  def test_spaces_of_no_task(self, path, capsys, key, shape):
    rng = np.random.default_rng(0)
    store.write(path, [{
        key: rng.integers(0, 9, (400, *shape)).astype(
            'uint8' if key == 'image' else 'float32'),
        'action': rng.integers(0, 2, 400).astype(np.int32),
        **{k: np.zeros(400, bool) for k in store.FLAGS}}], {})
    check(capsys, path, ['do not fit the task'], flags=[
        '--task', 'gym_CartPole-v1'])

  def test_play_of_another_kind(self, path, capsys):
    rng = np.random.default_rng(0)
    store.write(path, [{
        'vector': rng.normal(size=(400, 4)).astype(np.float32),
        'action': rng.integers(0, 2, 400).astype(np.int32),
        **{k: np.zeros(400, bool) for k in store.FLAGS}}], {})
    check(capsys, path, ['do not fit the task'], flags=[
        '--task', 'gym_FrozenLake-v1'])

  def test_jpeg(self, good, path, capsys):
    trajs, attrs = good

    def jpeg(images):
      found = []
      for image in images:
        file = io.BytesIO()
        Image.fromarray(image[..., 0]).save(file, 'JPEG')
        found.append(np.asarray(Image.open(file)))
      return np.stack(found)[..., None]
    one = {k: v[:200] for k, v in trajs[0].items()}
    image = np.concatenate([
        jpeg(one['image'][..., c: c + 1])
        for c in range(one['image'].shape[-1])], -1)
    store.write(path, [{**one, 'image': image}], attrs)
    text = check(capsys, path)
    assert 'differ a little' in text or 'different values' in text

  @pytest.mark.parametrize('task', ['minatar_breakout', 'gym_CartPole-v1'])
  @pytest.mark.parametrize('length', [1, 70])
  def test_few_steps_decide_nothing(self, task, length, path, capsys):
    env = tasks.make_env(task, 0)
    part = record.rollout(env, record.Random(env), length)
    store.write(path, [part], {
        'task': task, 'preprocessing': tasks.options(task)})
    check(capsys, path, [
        'not decided: at which step actions stand; which action is which',
        f'compared: {length} steps with'], code=0)

  def test_other_keys(self, path, capsys):
    class Named(Noise):
      observation_space = gymnasium.spaces.Dict({
          'eye': gymnasium.spaces.Box(0, 255, (32, 32, 3), np.uint8),
          'arm': gymnasium.spaces.Box(-1, 1, (3,), np.float32)})
      action_space = gymnasium.spaces.Discrete(2)
    gymnasium.register('tests/Named-v0', Named, max_episode_steps=20)
    try:
      task = 'gym_tests/Named-v0'
      env = tasks.make_env(task, 0)
      part = record.rollout(env, record.Random(env), 60)
      store.write(path, [part], {
          'task': task, 'preprocessing': tasks.options(task)})
      check(capsys, path, ['compared: 60 steps with'], code=0)
    finally:
      gymnasium.registry.pop('tests/Named-v0')

  def test_images_by_an_option(self, path, capsys):
    class Small(Noise):
      observation_space = gymnasium.spaces.Box(0, 255, (16, 16, 3), np.uint8)
      action_space = gymnasium.spaces.Discrete(2)
    gymnasium.register('tests/Small-v0', Small, max_episode_steps=20)
    task, flag = 'gym_tests/Small-v0', '--env.gym.image last'
    options = {**tasks.options(task), 'image': 'last'}
    def write():
      env = tasks.make_env(task, 0, **options)
      part = record.rollout(env, record.Random(env), 60)
      store.write(path, [part], {'task': task, 'preprocessing': options})
    try:
      write()
      # Those of the file, then the user's, which may be wrong.
      for flags in ((), flag.split()):
        text = check(
            capsys, path, [f'train with {flag}\n', 'compared: 60'],
            code=0, flags=flags)
        assert 'problem:' not in text
      text = check(
          capsys, path, ['do not fit', f'{flag} --env.gym.scale 0.0'],
          flags=['--env.gym.image', 'first'])
      assert 'train with' not in text
      options['image'] = 'auto'
      write()
      assert 'train with' not in check(capsys, path, code=0)
      options['image'] = 'nonsense'
      with store.Store(path) as demos:
        part = demos.read(0)
      store.write(path, [part], {'task': task, 'preprocessing': options})
      check(capsys, path, ['compared: 60'], code=0)
    finally:
      gymnasium.registry.pop('tests/Small-v0')

  def test_bad_file_is_one_error(self, path, capsys):
    path.write_bytes(b'nothing')
    assert run('check', path) == 2
    assert 'cannot be read' in capsys.readouterr().err
