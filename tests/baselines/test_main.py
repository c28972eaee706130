"""The baselines: wiring, and that no reward reaches those that imitate."""

import importlib.metadata
import json
import types

import elements
import numpy as np
import pytest

from dreamer_gail_plugin import build
from dreamer_gail_plugin.baselines import __main__ as baselines
from dreamer_gail_plugin.baselines import config as configlib
from dreamer_gail_plugin.baselines import demonstrations
from dreamer_gail_plugin.baselines.mgail import actor as mgailactor
from dreamer_gail_plugin.baselines.mgail import learner
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
    # They are logged alone or, in a fast run, as their mean.
    means = found['results'].mean(1).tolist()
    assert column(logdir, 'train/eval/mean_reward') in (
        means, [sum(means) / 2])

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
