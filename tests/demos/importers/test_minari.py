"""Minari: what its own collector writes, and a round trip without loss."""

import json

import gymnasium
import h5py
import numpy as np
import pytest

from dreamer_gail_plugin import envs
from dreamer_gail_plugin import upstream
from dreamer_gail_plugin.data import settings
from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.demos.importers.gymnasium_record import RecordEpisodes
from helpers.demotools import load
from helpers.demotools import refused
from helpers.demotools import run
from helpers.gymepisodes import MIXED
from helpers.gymepisodes import play
from helpers.gymepisodes import same

minari = pytest.importorskip('minari')
spaces = gymnasium.spaces


@pytest.fixture
def root(tmp_path, monkeypatch):
  monkeypatch.setenv('MINARI_DATASETS_PATH', str(tmp_path / 'datasets'))
  return tmp_path / 'datasets'


@pytest.fixture
def out(tmp_path):
  return tmp_path / 'demos.h5'


def collect(task, name, count=4, **kwargs):
  """Record episodes by Minari's own DataCollector."""
  env = minari.DataCollector(
      gymnasium.make(task.removeprefix('gym_'), disable_env_checker=True),
      **kwargs)
  env.action_space.seed(0)
  own, played = play(_Made(env, name), task, count)
  return own, played


class _Made(gymnasium.Wrapper):
  """Creates the dataset where `play` closes the environment."""

  def __init__(self, env, name):
    super().__init__(env)
    self.name = name

  def close(self):
    self.env.create_dataset(self.name, author='me')
    self.env.close()


@pytest.mark.filterwarnings('ignore')
class TestImport:

  @pytest.mark.parametrize('task', ['gym_CartPole-v1', MIXED])
  def test_collected_by_minari(self, root, out, task):
    own, played = collect(task, 'tests/own-v0', record_infos=True)
    assert run('minari', '--source', 'tests/own-v0', '--out', out) == 0
    same(load(out), played)
    with store.Store(out) as demo:
      store.validate(demo, own.obs_space, own.act_space, task)
      assert demo.attrs['source'] == 'Minari tests/own-v0'
      assert demo.attrs['author'] == 'me'

  def test_best_and_by_path(self, root, out):
    _, played = collect('gym_CartPole-v1', 'own-v0')
    order = sorted(range(4), key=lambda x: -len(played[x]))
    for source in (root / 'own-v0', root / 'own-v0' / 'data'):
      assert run('minari', '--source', source, '--best', 2, '--out', out,
                 '--overwrite') == 0
      same(load(out), [played[x] for x in sorted(order[:2])])

  def test_images_as_jpeg_are_refused(self, root, tmp_path, capsys):
    make_images('jpeg-v0')
    refused(capsys, tmp_path, 'minari', '--source', 'jpeg-v0', '--out',
            tmp_path / 'x.h5', parts=[
                'observation images are JPEG', 'jpeg_encoding=False'])

  def test_images_of_versions_that_did_not_say(self, root, out):
    images = make_images('old-v0', jpeg_encoding=False)
    place = root / 'old-v0' / 'data' / 'metadata.json'
    data = json.loads(place.read_text())
    del data['jpeg_encoding']
    place.write_text(json.dumps(data))
    assert run('minari', '--source', 'old-v0', '--out', out) == 0
    image = load(out)[0]['image']
    assert image.shape == (4, 64, 64, 3) or (image == images).all()

  def test_jpeg_is_told_by_the_data(self, root, tmp_path, capsys):
    make_images('claims-v0')
    place = root / 'claims-v0' / 'data' / 'metadata.json'
    place.write_text(json.dumps({
        **json.loads(place.read_text()), 'jpeg_encoding': False}))
    refused(capsys, tmp_path, 'minari', '--source', 'claims-v0', '--out',
            tmp_path / 'x.h5', parts=['observation images are JPEG'])

  def test_sets_of_older_versions(self, root, tmp_path, capsys):
    make_images('old-v0', jpeg_encoding=False)
    (root / 'old-v0' / 'data' / 'metadata.json').unlink()
    refused(capsys, tmp_path, 'minari', '--source', root / 'old-v0', '--out',
            tmp_path / 'x.h5', parts=['Minari 0.4', 'again'])

  def test_arguments_of_the_environment_are_kept(self, root, out):
    make_images('kw-v0', jpeg_encoding=False)
    place = root / 'kw-v0' / 'data' / 'metadata.json'
    place.write_text(json.dumps({
        **json.loads(place.read_text()), 'env_spec': json.dumps({
            'id': 'Mine-v0', 'kwargs': {'level': 3}})}))
    assert run('minari', '--source', 'kw-v0', '--out', out) == 0
    with store.Store(out) as demo:
      assert demo.attrs['task'] == 'gym_Mine-v0'
      made = json.loads(demo.attrs['preprocessing'])
      assert made['kwargs'] == '{"level": 3}'
      usual = {'size': [-1, -1], 'image': 'auto', 'kwargs': ''}
      assert settings.differences(demo, usual) == [
          ('kwargs', '{"level": 3}', '')]
      spaced = {**usual, 'kwargs': '{ "level":3 }'}
      assert settings.differences(demo, spaced) == []

  def test_arguments_that_minari_recorded(self, root, out):
    env = minari.DataCollector(gymnasium.make(
        'helpers.strangetasks:StrangeFirst-v0', sides=20))
    env.reset(seed=0)
    while not env.step(1)[2]:
      pass
    env.create_dataset('first-v0')
    env.close()
    assert run('minari', '--source', 'first-v0', '--out', out) == 0
    with store.Store(out) as demo:
      made = json.loads(demo.attrs['preprocessing'])
      # The task can be made with what the store says.
      env = envs.make('gym', 'StrangeFirst-v0', kwargs=made['kwargs'])
      store.validate(
          demo, env.obs_space, env.act_space, 'gym_StrangeFirst-v0')

  @pytest.mark.parametrize('task, code', [
      ('minatar_breakout', 0), ('minatar_seaquest', 2),
      ('atari_seaquest', 2)])
  def test_arrays_of_another_suite_stay(self, root, tmp_path, out, task, code):
    source = upstream.resource('expert_data') / 'minatar_breakout.h5'
    folder = tmp_path / 'mine-v0'
    run('minari_export', '--source', source, '--out', folder)
    (folder / 'data' / 'dreamer_gail.h5').unlink()
    assert run('minari', '--source', folder, '--task', task, '--best', 2,
               '--out', out) == code
    if not code:
      assert load(out)[0]['image'].shape[1:] == (10, 10, 4)

  @pytest.mark.parametrize('task, shape, fits', [
      ('atari_seaquest', (96, 96, 1), True),
      ('atari_seaquest', (96, 96, 3), False),
      ('atari_seaquest', (84, 84, 1), False),
      ('atari_seaquest', (64, 64, 1), False),
      ('atari100k_pong', (64, 64, 3), True),
      ('atari100k_pong', (3, 64, 64), False),
      ('crafter_reward', (64, 64, 3), True),
      ('crafter_reward', (32, 32, 3), False),
      ('minatar_asterix', (10, 10, 4), True),
      ('minatar_asterix', (10, 10, 6), False),
      ('gym_Mine-v0', (96, 80, 3), None),
      ('gym_Mine-v0', (32, 32, 3), True)])
  def test_sizes_of_images(
      self, root, tmp_path, out, capsys, task, shape, fits):
    # A set of another program, whose images are never resized in silence.
    most = 1 if task.startswith('minatar') else 255
    actions = {'atari_seaquest': 18, 'crafter_reward': 17}.get(task, 6)
    space = spaces.Box(0, most, shape, np.uint8)
    images = np.stack([space.sample() for _ in range(9)])
    minari.create_dataset_from_buffers(
        'mine-v0', [minari.data_collector.EpisodeBuffer(
            observations=images, actions=np.arange(8) % actions,
            rewards=np.ones(8), terminations=np.arange(8) == 7,
            truncations=np.zeros(8, bool))],
        observation_space=space, action_space=spaces.Discrete(actions),
        jpeg_encoding=False)
    code = run('minari', '--source', 'mine-v0', '--task', task, '--out', out)
    assert code == (2 if fits is False else 0)
    if fits:
      found = load(out)[0]['image']
      np.testing.assert_array_equal(found, images * (255 // most))
    text = capsys.readouterr()
    assert ('wants' in text.err) == (fits is False)
    assert ('resized to 64 x 64' in text.out) == (fits is None)

  def test_images_without_jpeg(self, root, out):
    images = make_images('plain-v0', jpeg_encoding=False)
    assert run('minari', '--source', 'plain-v0', '--size', 0, 0, '--out',
               out) == 0
    np.testing.assert_array_equal(load(out)[0]['image'], images)

  def test_missing_library(self, root, tmp_path, capsys, monkeypatch):
    import sys
    collect('gym_CartPole-v1', 'own-v0', 1)
    monkeypatch.setitem(sys.modules, 'minari', None)
    refused(capsys, tmp_path, 'minari', '--source', root / 'own-v0', '--out',
            tmp_path / 'x.h5', parts=["pip install 'dreamer_gail_plugin[min"])


def make_images(name, **kwargs):
  """Make a set with noise for images, as Minari does; return these."""
  from minari.data_collector import EpisodeBuffer
  rng = np.random.default_rng(0)
  images = rng.integers(0, 256, (4, 32, 40, 3), dtype=np.uint8)
  minari.create_dataset_from_buffers(
      name, [EpisodeBuffer(
          observations=images, actions=np.array([0, 1, 2]),
          rewards=[0., 1., 2.], terminations=[False, False, True],
          truncations=[False] * 3)],
      observation_space=spaces.Box(0, 255, (32, 40, 3), np.uint8),
      action_space=spaces.Discrete(3), **kwargs)
  return images


def store_of_all(path):
  """Write a store with all that a round trip could lose."""
  rng = np.random.default_rng(0)

  def trajectory(length, first, last, info):
    draw = lambda *shape: rng.normal(size=(length, *shape))
    data = {
        'image': rng.integers(0, 256, (length, 40, 40, 1), dtype=np.uint8),
        'vector': draw(3).astype(np.float32),
        'action': rng.integers(0, 5, length).astype(np.int32),
        'action_arm': draw(2).astype(np.float32),
        'reward': draw().astype(np.float32),
        'is_first': np.isin(np.arange(length), first),
        'is_last': np.isin(np.arange(length), last),
        'is_terminal': np.isin(np.arange(length), last[:1])}
    return {**data, 'attrs': info}

  store.write(path, [
      # Cut at both ends; episodes in between, one of two steps, and a reset
      # as the very last step.
      trajectory(12, [4, 6, 11], [3, 5, 10], dict(
          source_id='a', score=3.25, seed=7, note='x')),
      trajectory(5, [0], [], dict(source_id='b')),
      trajectory(1, [0], [], dict(source_id='c', score=np.nan)),
      trajectory(3, [1], [0, 2], dict(source_id='d')),
  ], {
      'task': 'mine_x', 'source': 'me', 'licence': 'MIT', 'extra': 1.5,
      'preprocessing': {'size': [40, 40]}, 'action_meanings': list('abcde'),
      'flag': True})


def equal(left, right):
  """Check that two stores are equal in every byte of every value."""
  with store.Store(left) as one, store.Store(right) as two:
    assert one.attrs == two.attrs
    assert one.spec == two.spec
    assert len(one) == len(two)
    for index in range(len(one)):
      assert repr(one.infos[index]) == repr(two.infos[index])
      a, b = one.read(index), two.read(index)
      for key in one.keys:
        assert a[key].tobytes() == b[key].tobytes(), (index, key)
        assert a[key].shape == b[key].shape


class TestRoundTrip:

  def test_everything(self, root, tmp_path, out):
    store_of_all(out)
    folder = tmp_path / 'mine-v0'
    assert run('minari_export', '--source', out, '--out', folder) == 0
    assert run('minari', '--source', folder, '--out',
               tmp_path / 'back.h5') == 0
    equal(out, tmp_path / 'back.h5')

  def test_relative_folder(self, root, tmp_path, out, monkeypatch):
    store_of_all(out)
    monkeypatch.chdir(tmp_path)
    assert run('minari_export', '--source', out, '--out', 'mine-v0') == 0
    assert run('minari', '--source', 'mine-v0', '--out', 'back.h5') == 0
    equal(out, tmp_path / 'back.h5')

  def test_best_of_a_store(self, root, tmp_path, out):
    store_of_all(out)
    data = load(out)
    best = sorted(data, key=lambda x: -store.score(
        x['reward'], x['is_first'], x['is_last']))[:2]
    folder = tmp_path / 'mine-v0'
    run('minari_export', '--source', out, '--out', folder)
    assert run('minari', '--source', folder, '--best', 2, '--out',
               tmp_path / 'back.h5') == 0
    found = load(tmp_path / 'back.h5')
    want = [x for x in data if any(x is y for y in best)]
    assert len(found) == len(want) == 2
    for one, two in zip(found, want):
      assert all((one[k] == two[k]).all() for k in two)
    with store.Store(tmp_path / 'back.h5') as demos:
      assert demos.attrs['task'] == 'mine_x'

  def test_flags_that_it_cannot_follow(self, root, tmp_path, out, capsys):
    store_of_all(out)
    folder = tmp_path / 'mine-v0'
    run('minari_export', '--source', out, '--out', folder)
    for flags in (['--task', 'gym_A-v0'], ['--size', 8, 8]):
      refused(capsys, tmp_path, 'minari', '--source', folder, '--out',
              tmp_path / 'back.h5', *flags, parts=[flags[0], 'leave it out'])

  def test_a_task_with_other_actions(self, root, tmp_path, out):
    store_of_all(out)  # Whole numbers, where Pendulum has a torque.
    data = load(out)
    store.write(out, [
        {k: v for k, v in x.items() if k != 'action_arm'} for x in data],
        {'task': 'gym_Pendulum-v1', 'extra': np.arange(3)})
    folder = tmp_path / 'mine-v0'
    assert run('minari_export', '--source', out, '--out', folder) == 0

  @pytest.mark.parametrize('name', ['minatar_breakout', 'minatar_seaquest'])
  def test_bundled(self, root, tmp_path, name):
    source = upstream.resource('expert_data') / f'{name}.h5'
    folder = tmp_path / 'mine-v0'
    run('minari_export', '--source', source, '--out', folder)
    run('minari', '--source', folder, '--out', tmp_path / 'back.h5')
    equal(source, tmp_path / 'back.h5')

  def test_minari_reads_what_is_exported(self, root, tmp_path, out):
    store_of_all(out)
    root.mkdir()
    run('minari_export', '--source', out, '--out', root / 'mine-v0')
    dataset = minari.load_dataset('mine-v0')
    found = list(dataset.iterate_episodes())
    # Lengths of 4, 2, 5 steps; 5; 2. Those of one step hold no move.
    assert [len(x.rewards) for x in found] == [3, 1, 4, 4, 1]
    data, = [x for i, x in enumerate(load(out)) if i == 0]
    np.testing.assert_array_equal(
        found[0].observations['image'], data['image'][:4])
    np.testing.assert_array_equal(
        found[0].actions['action'], data['action'][:3])
    np.testing.assert_array_equal(found[0].rewards, data['reward'][1:4])
    assert found[0].terminations.tolist() == [False, False, True]
    assert found[1].truncations.tolist() == [True]
    assert dataset.spec.total_steps == 13
    for episode in found:
      for t in range(len(episode.rewards)):
        acts = {k: v[t] for k, v in episode.actions.items()}
        assert dataset.action_space.contains(acts)

  def test_import_without_the_sidecar(self, root, tmp_path, out):
    source = upstream.resource('expert_data') / 'minatar_breakout.h5'
    folder = tmp_path / 'mine-v0'
    run('minari_export', '--source', source, '--out', folder)
    (folder / 'data' / 'dreamer_gail.h5').unlink()
    assert run('minari', '--source', folder, '--image', 'last', '--out',
               out) == 0
    data = load(out)
    assert len(data) == 40
    whole = load(source)[0]
    stop = int(whole['is_last'].argmax()) + 1
    for key in ('image', 'reward', 'is_first', 'is_last', 'is_terminal'):
      np.testing.assert_array_equal(data[0][key], whole[key][:stop])
    np.testing.assert_array_equal(
        data[0]['action'][:-1], whole['action'][:stop - 1])

  def test_choices_come_back_as_such(self, root, tmp_path, out):
    env = RecordEpisodes(gymnasium.make('FrozenLake-v1'), tmp_path / 'played')
    for seed in range(3):
      env.reset(seed=seed)
      env.step(2)
    env.close()
    task = ['--task', 'gym_FrozenLake-v1']
    assert run('gymnasium', '--source', tmp_path / 'played', *task, '--out',
               out) == 0
    assert run('minari_export', '--source', out, '--out',
               tmp_path / 'lake-v0') == 0
    (tmp_path / 'lake-v0' / 'data' / 'dreamer_gail.h5').unlink()
    assert run('minari', '--source', tmp_path / 'lake-v0', *task, '--out',
               tmp_path / 'back.h5') == 0
    for one, two in zip(load(out), load(tmp_path / 'back.h5'), strict=True):
      assert two['token'].dtype == np.int32
      np.testing.assert_array_equal(one['token'], two['token'])

  def test_edited_sets_are_noticed(self, root, tmp_path, out, capsys):
    store_of_all(out)
    folder = tmp_path / 'mine-v0'
    run('minari_export', '--source', out, '--out', folder)
    with h5py.File(folder / 'data' / 'main_data.hdf5', 'a') as file:
      file['episode_2/actions/action'][0] += 1
    refused(capsys, tmp_path, 'minari', '--source', folder, '--out',
            tmp_path / 'back.h5', parts=[
                'changed after its export', 'episode_2 has other actions'])


class TestExportRefuses:

  def check(self, capsys, tmp_path, source, *parts, flags=(), out='x-v0'):
    refused(capsys, tmp_path, 'minari_export', '--source', source, '--out',
            tmp_path / out, *flags, parts=parts)

  def test_names_and_folders(self, root, tmp_path, out, capsys):
    store_of_all(out)
    (tmp_path / 'x-v0').mkdir()
    self.check(capsys, tmp_path, out, 'exists; choose another')
    self.check(capsys, tmp_path, out, 'no folder', out='no/x-v0')
    self.check(capsys, tmp_path, out, '--id x', out='x')
    self.check(capsys, tmp_path, out, '--id a b', out='y-v0',
               flags=['--id', 'a b'])

  @pytest.mark.parametrize('worst', [-1, 2 ** 31])
  def test_actions_that_number_no_choices(
      self, root, tmp_path, out, capsys, worst):
    store.write(out, [dict(
        vector=np.zeros((2, 3), np.float32), action=np.int64([1, worst]),
        is_first=[True, False], is_last=[False, True],
        is_terminal=[False, False])], {})
    self.check(capsys, tmp_path, out, 'action has values from',
               'expected numbers of actions')

  def test_failure_leaves_nothing(self, root, tmp_path, out, capsys):
    out.write_bytes(b'no store')
    self.check(capsys, tmp_path, out, 'cannot be read')
    assert sorted(x.name for x in tmp_path.iterdir()) == ['demos.h5']


@pytest.mark.filterwarnings('ignore')
class TestImportRefuses:

  @pytest.fixture
  def folder(self, root):
    collect('gym_CartPole-v1', 'own-v0', 2)
    return root / 'own-v0' / 'data'

  def check(self, capsys, folder, *parts, flags=()):
    refused(capsys, folder.parent.parent, 'minari', '--source', folder,
            '--out', folder.parent.parent / 'x.h5', *flags, parts=parts)

  @pytest.mark.parametrize('change, message', [
      ({'total_episodes': 3}, 'total_episodes is 3'),
      ({'total_episodes': 'x'}, "total_episodes is 'x'"),
      ({'total_episodes': 0}, 'total_episodes is 0'),
      ({'data_format': 'arrow'}, "data_format is 'arrow', expected 'hdf5'"),
      ({'observation_space': None}, 'observation_space is'),
      ({'action_space': '{"type": "Box"}'}, 'is no Gymnasium space'),
      ({'action_space': '{"type": "Sphere"}'}, 'is no Gymnasium space'),
      ({'env_spec': 'hello'}, 'env_spec is not JSON'),
      ({'observation_space': json.dumps(dict(
          type='Text', max_length=3, min_length=0, charset='ab'))},
       'kind Text'),
  ])
  def test_metadata(self, folder, capsys, change, message):
    path = folder / 'metadata.json'
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    self.check(capsys, folder, message)

  @pytest.mark.parametrize('text', ['{', '[]', '\xff', '[' * 10 ** 5])
  def test_no_json(self, folder, capsys, text):
    (folder / 'metadata.json').write_bytes(text.encode('latin1'))
    self.check(capsys, folder, folder / 'metadata.json')

  def test_links_and_claims(self, folder, capsys, tmp_path):
    path = folder / 'main_data.hdf5'
    secret = tmp_path / 'secret.h5'
    with h5py.File(secret, 'w') as file:
      file['rewards'] = np.zeros(9)
    with h5py.File(path, 'a') as file:
      del file['episode_1/rewards']
      file['episode_1/rewards'] = h5py.ExternalLink(secret, 'rewards')
    self.check(capsys, folder, 'episode_1/rewards is missing or a link')
    with h5py.File(path, 'a') as file:
      del file['episode_1/rewards']
      file['episode_1'].create_dataset('rewards', (10 ** 12,), chunks=(99,))
    self.check(capsys, folder, 'claims the shape (1000000000000,)')
    with h5py.File(path, 'a') as file:
      del file['episode_1']
      file['episode_1'] = h5py.SoftLink('/episode_0')
    self.check(capsys, folder, 'episode_1 is missing or a link')

  def test_damage(self, folder, capsys):
    path = folder / 'main_data.hdf5'
    path.write_bytes(path.read_bytes()[:2000])
    self.check(capsys, folder, path, 'copy or import it again')
    path.unlink()
    self.check(capsys, folder, path, 'no such file')

  def test_sources(self, root, tmp_path, capsys):
    (tmp_path / 'empty').mkdir()
    for source, text in (
        (tmp_path / 'empty', 'no data/metadata.json'),
        ('none-v0', 'no dataset of that id'),
        ('../none-v0', 'no dataset of that id')):
      refused(capsys, tmp_path, 'minari', '--source', source, '--out',
              tmp_path / 'x.h5', parts=[text])
