"""The baselines: wiring, and that no reward reaches those that imitate."""

import importlib.metadata
import json
import types

import elements
import gymnasium
import numpy as np
import pytest

from dreamer_gail_plugin import build
from dreamer_gail_plugin import envs
from dreamer_gail_plugin.baselines import __main__ as baselines
from dreamer_gail_plugin.baselines import config as configlib
from dreamer_gail_plugin.baselines import demonstrations
from dreamer_gail_plugin.baselines import gymenv
from dreamer_gail_plugin.baselines.mgail import actor as mgailactor
from dreamer_gail_plugin.baselines.mgail import learner
from dreamer_gail_plugin.data import record
from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.envs import minatar
from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.running import provenance
from helpers.torches import DEBUG
from helpers.torches import extra


def rows(logdir, name):
  """Return the rows of a file of a run."""
  return [json.loads(x) for x in (logdir / name).read_text().splitlines()]


def column(logdir, key):
  """Return the values of a metric, in order."""
  return [x[key] for x in rows(logdir, 'metrics.jsonl') if key in x]


def parameters(policy):
  """Return the parameters of a policy by name, as arrays."""
  if isinstance(policy, dict):
    return policy
  return {k: v.cpu().numpy() for k, v in policy.state_dict().items()}


def needs(names):
  """Return baselines as parameters; those on PyTorch are skipped without."""
  return [
      pytest.param(x, marks=extra if x in configlib.TORCH else ())
      for x in names]


def load(logdir, name):
  """Return the step of a saved policy and its arrays."""
  if name not in configlib.TORCH:
    saved = dict(np.load(logdir / 'policy.npz'))
    return int(saved.pop('step')), saved
  import torch
  saved = torch.load(logdir / 'policy.pt', weights_only=True)
  return saved['step'], {k: v.numpy() for k, v in saved['policy'].items()}


def strange(step):
  """Return MinAtar.step with rewards that have nothing to do with the game."""
  rng = np.random.default_rng(7)
  def new(self, action):
    obs = step(self, action)
    return {**obs, 'reward': np.float32(rng.integers(-50, 50))}
  return new


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  """Return a function that trains once: (name, strange rewards) -> run."""
  runs = {}
  def train(name, strangely=False):
    if (name, strangely) not in runs:
      logdir = tmp_path_factory.mktemp('run') / name
      with pytest.MonkeyPatch.context() as patch:
        if strangely:
          patch.setattr(minatar.MinAtar, 'step', strange(minatar.MinAtar.step))
        flags = [*DEBUG, '--logdir', str(logdir)]
        policy = baselines.train(
            configlib.load(name, flags), [name, *flags])
      runs[name, strangely] = types.SimpleNamespace(
          logdir=logdir, params=parameters(policy))
    return runs[name, strangely]
  return train


class TestRuns:

  @pytest.mark.slow
  @pytest.mark.parametrize('name', needs(configlib.NAMES))
  def test_writes_what_other_runs_write(self, trained, name):
    run = trained(name)
    config = elements.Config.load(run.logdir / 'config.yaml')
    reward = name if name in configlib.IMITATORS else 'env'
    assert config.agent.gail.reward == reward
    start, = provenance.load(run.logdir / 'run.json')
    assert start['command'] == (
        f'dreamer-gail baselines {name} --task '
        f'minatar_breakout --settings debug --logdir {run.logdir}')
    for package in ('torch', 'jax') if name in configlib.TORCH else ('jax',):
      assert start['versions'][package] == importlib.metadata.version(package)
    assert start['seed'] == config.seed
    assert start['machine']['device'] in ('cpu', 'cuda')
    step, saved = load(run.logdir, name)
    assert step == pytest.approx(128, abs=1)
    for key, value in run.params.items():
      assert np.array_equal(saved[key], value)
      assert np.isfinite(value).all()
    metrics = rows(run.logdir, 'metrics.jsonl')
    assert metrics[-1]['step'] == step
    losses = {
        'bc': 'bc/loss', 'c51': 'c51/loss', 'sqil': 'sqil/loss',
        'mgail': 'mgail/foreseen', 'bco': 'bco/right'}
    loss = column(run.logdir, f'train/{losses.get(name, "ppo/loss")}')
    assert loss and np.isfinite(loss).all()

  @pytest.mark.parametrize('name', needs([
      x for x in configlib.NAMES if x != 'bc']))
  def test_scores_are_those_of_the_games(self, trained, name):
    scores = rows(trained(name).logdir, 'scores.jsonl')
    assert len(scores) > 2
    assert all(0 < x['step'] <= 129 for x in scores)
    lengths = column(trained(name).logdir, 'episode/length')
    # Two environments, and the first observation of each game counts, too.
    taken = sum(lengths) - len(lengths)
    assert 48 < taken <= 129

  @pytest.mark.parametrize('name', needs(configlib.IMITATORS))
  def test_the_reward_of_the_environment_is_not_used(self, trained, name):
    run, other = trained(name), trained(name, strangely=True)
    assert run.params.keys() == other.params.keys()
    for key, value in run.params.items():
      assert np.array_equal(value, other.params[key]), key
    if name != 'bc':
      assert column(run.logdir, 'episode/score') != column(
          other.logdir, 'episode/score')

  @pytest.mark.parametrize('name', needs(configlib.OBSERVERS))
  def test_nor_are_the_expert_s_actions(self, trained, name, tmp_path):
    # A store without any makes no difference.
    path = tmp_path / 'film.h5'
    with store.Store(build.expert_path(configlib.load(name, DEBUG))) as old:
      trajs = [old.read(i) for i in range(len(old))]
      for traj in trajs:
        traj.update(attrs={'score': 1.0})
        del traj['action']
      store.write(path, trajs, {'task': 'minatar_breakout'})
    flags = [*DEBUG, '--expert', str(path), '--logdir', str(tmp_path / 'run')]
    policy = baselines.train(configlib.load(name, flags), [name, *flags])
    for key, value in parameters(policy).items():
      assert np.array_equal(value, trained(name).params[key]), key

  @extra
  def test_others_need_them(self, tmp_path):
    path = tmp_path / 'film.h5'
    data = dict(
        image=np.zeros((40, 10, 10, 4), np.uint8),
        **{k: np.zeros(40, bool) for k in store.FLAGS})
    store.write(path, [data], {'task': 'minatar_breakout'})
    config = configlib.load('bc', [*DEBUG, '--expert', str(path)])
    with pytest.raises(UserError, match='action: store has no such key'):
      demonstrations.check(config)

  @extra
  def test_and_is_by_ppo(self, trained):
    run, other = trained('ppo'), trained('ppo', strangely=True)
    assert any(
        not np.array_equal(v, other.params[k]) for k, v in run.params.items())

  @extra
  @pytest.mark.parametrize('name', ['ppo', 'gail_ppo', 'airl_ppo'])
  def test_the_learning_rate_falls_over_the_run(self, trained, name):
    # Over each call of learn() instead, it would always be zero here. There
    # are two rollouts, which are logged alone or as their mean.
    found = column(trained(name).logdir, 'train/ppo/learning_rate')
    assert found in ([1e-3, 5e-4], [7.5e-4])

  @extra
  def test_learning_moves_the_parameters(self, trained):
    ends = [trained(x).params for x in ('ppo', 'gail_ppo', 'airl_ppo')]
    key = 'action_net.weight'
    assert not np.array_equal(ends[0][key], ends[1][key])
    assert not np.array_equal(ends[1][key], ends[2][key])


@extra
class TestGreedy:

  @pytest.mark.parametrize('name', ['ppo', 'c51'])
  def test_games_as_it_trains(self, trained, name):
    logdir = trained(name).logdir
    found = np.load(logdir / 'evaluations.npz')
    assert found['timesteps'].tolist() == [64, 128]
    assert found['results'].shape == found['ep_lengths'].shape == (2, 2)
    # Whole games of Breakout last longer than the ball needs to fall.
    assert (found['ep_lengths'] > 5).all()
    assert column(logdir, 'train/eval/mean_reward') == (
        found['results'].mean(1).tolist())

  @pytest.mark.slow
  @pytest.mark.parametrize('name', ['ppo', 'c51'])
  def test_does_not_change_what_is_learned(self, trained, tmp_path, name):
    flags = [*DEBUG, '--eval.every', '0', '--logdir', str(tmp_path / 'run')]
    policy = baselines.train(configlib.load(name, flags), [name, *flags])
    assert not (tmp_path / 'run/evaluations.npz').exists()
    for key, value in parameters(policy).items():
      assert np.array_equal(value, trained(name).params[key]), key

  def test_of_whole_games_and_raw_rewards(self, tmp_path):
    from dreamer_gail_plugin.baselines import watch
    # MinAtar tells no lives, so an environment with them is refused.
    config = configlib.load('ppo', [
        *DEBUG, '--lives', 'True', '--clip_reward', 'True', '--logdir',
        str(tmp_path)])
    env = watch.greedy(config).eval_env.envs[0].unwrapped
    assert env.reward == 'raw'


class TestEvaluation:

  @pytest.mark.parametrize('name', needs(['bc', 'c51', 'sqil', 'mgail']))
  def test_of_a_run(self, trained, name, tmp_path):
    run = trained(name)
    out = tmp_path / 'eval'
    files = baselines.main([
        'evaluate', '--logdir', str(run.logdir), '--out', str(out),
        '--chunks', '1', '--episodes', '2', '--no-films'])
    step = load(run.logdir, name)[0]
    assert [x.name for x in files] == [
        f'{step}_sampled.json', f'{step}_greedy.json']
    found = json.loads(files[0].read_text())
    assert found['task'] == 'minatar_breakout'
    assert found['config']['method'] == configlib.NAMES[name]
    assert len(found['episodes']) == 2
    assert ('expert_mean' in found['summary']) == (
        name in configlib.IMITATORS)
    # By the rules of the game: Breakout gives 1 for each step at most.
    assert all(x['score'] <= x['length'] for x in found['episodes'])
    with pytest.raises(UserError, match='is there already'):
      baselines.main([
          'evaluate', '--logdir', str(run.logdir), '--out', str(out)])

  @pytest.mark.parametrize('greedy', [True, False])
  @pytest.mark.parametrize('name', needs(['bc', 'mgail']))
  def test_actions_are_those_of_the_network(self, greedy, name):
    config = configlib.load(name, DEBUG)
    actor, probs = {'bc': cloned, 'mgail': through_a_model}[name](
        config, greedy)
    rng = np.random.default_rng(0)
    boards = rng.integers(0, 2, (400, 10, 10, 4), np.uint8) * 255
    boards[:] = boards[:1]
    keys = rng.integers(0, 99, (400, 2), np.uint32)
    obs = {'image': boards, 'is_first': np.ones(400, bool)}
    times = np.arange(400, dtype=np.uint32)
    seen, acts = actor(actor.start(400), obs, keys, times)
    probs = probs(seen[:1])
    share = np.bincount(acts['action'], minlength=3) / 400
    if greedy:
      assert share[probs.argmax()] == 1
    else:
      assert np.allclose(share, probs, atol=0.1)
    # A game does not depend on those beside it.
    some = {k: v[100: 103] for k, v in obs.items()}
    again = actor(actor.start(3), some, keys[100: 103], times[100: 103])[1]
    assert np.array_equal(again['action'], acts['action'][100: 103])

  def test_without_a_run(self, tmp_path):
    with pytest.raises(UserError, match='is not the config of a baseline'):
      baselines.main(['evaluate', '--logdir', str(tmp_path)])

  @pytest.mark.parametrize('name', needs(['bc', 'mgail']))
  def test_with_a_damaged_save(self, tmp_path, name):
    config = configlib.load(name, [*DEBUG, '--logdir', str(tmp_path)])
    baselines.make_logdir(config)
    with pytest.raises(UserError, match='not found'):
      baselines.main(['evaluate', '--logdir', str(tmp_path)])
    for filename in ('policy.pt', 'policy.npz'):
      (tmp_path / filename).write_bytes(b'no')
    with pytest.raises(UserError, match='not the saved policy'):
      baselines.main(['evaluate', '--logdir', str(tmp_path)])


def cloned(config, greedy):
  """Return an actor of `bc` and a function for its probabilities."""
  import torch

  from dreamer_gail_plugin.baselines import torchactor
  net = torchactor.network(config)
  probs = lambda seen: net.get_distribution(
      torch.as_tensor(seen)).distribution.probs[0].detach().numpy()
  return torchactor.Actor(config, net, greedy), probs


def through_a_model(config, greedy):
  """Return an actor of `mgail` and a function for its probabilities."""
  import jax
  import ninjax as nj
  model = learner.make(config, *demonstrations.spaces(config))
  params = nj.init(model.logits)(
      {}, np.zeros((1, 4, 10, 10), np.uint8), seed=np.uint32([0, 1]))
  actor = mgailactor.Actor(config, model, params, greedy)
  return actor, lambda seen: np.asarray(jax.nn.softmax(actor.logits(seen)))[0]


class TestDemonstrations:

  def config(self, *flags):
    return configlib.load('bc', [*DEBUG, *flags])

  def test_episodes_of_the_bundled_store(self):
    config = self.config()
    path = demonstrations.check(config)
    episodes = demonstrations.episodes(config, path)
    with store.Store(path) as demos:
      data = demos.read(0)
    # Three games that the recorder stopped, and the start of a fourth.
    assert len(episodes) == 40
    assert not any(x.terminal for x in episodes)
    stop = np.flatnonzero(data['is_last'])[0]
    first, second = episodes[:2]
    assert first.obs.shape == (stop + 1, 4, 10, 10)
    assert np.array_equal(
        first.obs, np.moveaxis(data['image'][: stop + 1], -1, 1))
    assert np.array_equal(first.acts, data['action'][:stop])
    assert np.array_equal(second.acts[:5], data['action'][stop + 1: stop + 6])

  def test_the_same_eyes_as_in_the_environment(self, tmp_path):
    config = self.config('--stack', '2')
    make = lambda seed: envs.make('minatar', 'breakout', seed=seed)
    path = tmp_path / 'x.h5'
    store.write(path, record.record(make, record.Random, 1, 80), {
        'task': 'minatar_breakout', 'source': '', 'licence': '',
        'preprocessing': '', 'action_meanings': ''})
    episodes = demonstrations.episodes(config, path)
    assert len(episodes) > 2 and episodes[0].terminal
    env = gymenv.Env(config, 0, 'none')
    env.env = make(record.seeds(0, 0)[0])
    for episode in episodes:
      seen = [env.reset()[0]]
      for action in episode.acts:
        obs, reward, terminal, limit, _ = env.step(action)
        seen.append(obs)
        assert reward == 0 and not limit
      assert terminal == episode.terminal
      assert np.array_equal(np.stack(seen), episode.obs)
    # The newest image is last; at the start the first stands for both.
    obs = episodes[0].obs
    assert obs.shape[1:] == (8, 10, 10)
    assert np.array_equal(obs[0, :4], obs[0, 4:])
    assert np.array_equal(obs[1:, :4], obs[:-1, 4:])
    assert not np.array_equal(obs[1, :4], obs[1, 4:])

  def test_of_another_task(self):
    path = build.expert_path(self.config())
    config = configlib.load(
        'bc', ['--task', 'minatar_seaquest', '--expert', str(path)])
    with pytest.raises(UserError, match='do not fit the task'):
      demonstrations.check(config)


@extra
def test_a_time_limit_is_no_end_to_sqil():
  from imitation.data import types as imtypes

  from dreamer_gail_plugin.baselines import sqil
  obs = np.float32([[0.1], [0.2]])  # Of an environment each.
  buffer = sqil.Buffer(
      10, gymnasium.spaces.Box(-1, 1, (1,)), gymnasium.spaces.Discrete(2),
      [imtypes.Trajectory(obs, np.zeros(1, int), None, True)],
      'cpu', n_envs=2)
  buffer.add(
      obs, obs, np.zeros((2, 1)), np.zeros(2), np.ones(2),
      [{'TimeLimit.truncated': x} for x in (True, False)])
  found = buffer.sample(80)
  limit = np.isclose(found.observations[:40].flatten(), 0.1)
  assert 0 < limit.sum() < 40
  assert np.array_equal(found.dones[:40].flatten() == 1, ~limit)


@extra
class TestMemory:

  def test_stacks_are_put_together_again(self):
    from tianshou.data import Batch  # noqa: F401

    from dreamer_gail_plugin.baselines import c51
    config = configlib.load('c51', [*DEBUG, '--stack', '2', '--envs', '1'])
    memory = c51.Memory(config, (2, 3, 3))
    image = lambda *x: np.stack([np.full((3, 3), v, np.uint8) for v in x])
    # A game of three steps that ends, and one that a time limit cuts.
    steps = [
        ((1, 1), (1, 2), 0, 0), ((1, 2), (2, 3), 0, 0),
        ((2, 3), (3, 4), 1, 0), ((5, 5), (5, 6), 0, 0), ((5, 6), (6, 7), 1, 1)]
    for number, (obs, after, done, limit) in enumerate(steps):
      infos = [{'terminal_observation': image(*after),
                'TimeLimit.truncated': bool(limit)}]
      memory.add(
          image(*obs)[None], np.array([number]), image(*after)[None],
          np.float32([number]), np.array([bool(done)]), infos)
    batch = memory.buffer[np.arange(5)]
    found = batch.obs.reshape(5, 2, 9)[:, :, 0].tolist()
    assert found == [list(x[0]) for x in steps]
    assert batch.terminated.tolist() == [0, 0, 1, 0, 0]
    assert batch.truncated.tolist() == [0, 0, 0, 0, 1]


@extra
class TestC51:

  @pytest.mark.parametrize('flags, want', [
      (['--c51.double', 'False'], [1, 0]), (['--c51.double', 'True'], [0, 1])])
  def test_who_picks_the_next_action(self, flags, want):
    import torch
    from tianshou.data import Batch

    from dreamer_gail_plugin.baselines import c51
    config = configlib.load('c51', [*DEBUG, '--c51.atoms', '2', *flags])
    algorithm = c51.make(
        config, gymnasium.spaces.Box(0, 255, (4, 10, 10), np.uint8),
        gymnasium.spaces.Discrete(2))
    # Of the copy action 1 is the best, with all on atom 0 of action 0; what
    # learns has it the other way round.
    def net(values):
      logits = 30 * torch.tensor(values)[None]
      return lambda obs, state=None, info=None: (logits.softmax(-1), state)
    low_high, high_low = [[1., 0.], [0., 1.]], [[0., 1.], [1., 0.]]
    algorithm.policy.model.forward = net(high_low)
    algorithm.model_old.module.forward = net(low_high)
    support = algorithm.policy.support
    batch = Batch(obs_next=np.zeros((1, 4, 10, 10), np.uint8), info=[None])
    batch.returns = support.repeat(1, 1)
    found = algorithm._target_dist(batch)[0].tolist()
    assert found == pytest.approx(want[::-1], abs=1e-3)


class Fake:
  """Three lives: a game of six steps, of which the second loses one."""

  obs_space = {
      'image': elements.Space(np.uint8, (8, 8, 1)),
      'reward': elements.Space(np.float32)}
  act_space = {
      'action': elements.Space(np.int32, (), 0, 2),
      'reset': elements.Space(bool)}

  def step(self, action):
    self.time = 0 if action['reset'] else self.time + 1
    image = np.full((8, 8, 1), self.time, np.uint8)
    return {
        'image': image, 'reward': np.float32(3 * self.time),
        'is_first': self.time == 0, 'is_last': self.time == 6,
        'is_terminal': self.time in (2, 6)}


class TestEnv:

  def make(self, monkeypatch, **kwargs):
    monkeypatch.setattr(build, 'make_env', lambda *args, **kw: Fake())
    config = configlib.load('ppo', ['--task', 'atari_pong', '--stack', '2'])
    return gymenv.Env(config, 0, **kwargs)

  def test_a_lost_life_ends_the_episode_and_not_the_game(self, monkeypatch):
    env = self.make(monkeypatch, reward='sign')
    assert env.observation_space.shape == (2, 8, 8)
    obs, _ = env.reset()
    assert obs[:, 0, 0].tolist() == [0, 0]
    obs, reward, *_ = env.step(0)
    assert obs[:, 0, 0].tolist() == [0, 1] and reward == 1
    obs, _, terminal, limit, info = env.step(0)
    assert terminal and not limit and not info
    obs, _ = env.reset()
    assert obs[:, 0, 0].tolist() == [2, 2]
    for _ in range(4):
      obs, _, terminal, _, info = env.step(0)
    assert terminal
    assert info['game'] == {'score': 3 * 21, 'length': 7}
    assert env.reset()[0][:, 0, 0].tolist() == [0, 0]

  def test_rewards(self, monkeypatch):
    for name, wanted in (('none', 0.0), ('raw', 3.0), ('sign', 1.0)):
      env = self.make(monkeypatch, reward=name)
      env.reset()
      assert env.step(0)[1] == wanted

  def test_is_a_gymnasium_environment(self):
    from gymnasium.utils import env_checker
    config = configlib.load('ppo', DEBUG)
    env = gymenv.Env(config, 0, 'raw')
    assert isinstance(env.action_space, gymnasium.spaces.Discrete)
    obs, _ = env.reset()
    assert env.observation_space.contains(obs)
    env_checker.check_reset_return_type(env)
