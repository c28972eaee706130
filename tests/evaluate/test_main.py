"""Evaluation by its command line, against upstream's agent in plain loops."""

import json
import pathlib
import shutil
import sys

import elements
import jax
import ninjax as nj
import numpy as np
import pytest

from dreamer_gail_plugin import envs
from dreamer_gail_plugin import errors
from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.evaluate import __main__ as command
from dreamer_gail_plugin.evaluate import policy as policylib
from dreamer_gail_plugin.evaluate import protocol
from dreamer_gail_plugin.evaluate import saved
from dreamer_gail_plugin.evaluate import stats
from dreamer_gail_plugin.running import checkpoint
from helpers import savedruns

ROOT = pathlib.Path(__file__).parents[2]
FLAGS = ['--chunks', '2', '--episodes', '5', '--envs', '4', '--no-films']


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  """Return the logdir of an evaluated run, which tests only read."""
  logdir = savedruns.seaquest(tmp_path_factory.mktemp('run'))
  command.main(['--logdir', str(logdir), *FLAGS])
  return logdir


def load(logdir, policy='sampled'):
  """Return the result that an evaluation has left."""
  return json.loads((logdir / 'eval' / f'1234_{policy}.json').read_text())


@pytest.fixture(scope='module')
def agent(tmp_path_factory):
  """Return upstream's agent object with the parameters of the run."""
  savedruns.seaquest(tmp_path_factory.mktemp('other'))
  return savedruns.build()


@pytest.fixture(scope='module')
def step(agent):
  """Return its policy and the logits of the action, compiled."""
  model = agent.model
  def logits(feat):
    return model.pol(model.feat2tensor(feat), 1)['action'].logits
  def step(params, carry, obs, seed):
    carry, act, _ = nj.pure(model.policy)(params, carry, obs, seed=seed)[1]
    return carry, act, nj.pure(logits)(params, carry[1], seed=seed)[1]
  return jax.jit(step)


class TestPlainLoops:

  sure = []  # Chance of the likeliest action at each step.

  def plain(self, agent, step, seed, greedy):
    """Play one game, one call a step."""
    env = envs.make(
        'minatar', 'seaquest', seed=seed, sticky=0.1, actions='needed',
        length=10000)
    carry = nj.pure(agent.model.init_policy)(
        {}, 1, seed=np.zeros(2, np.uint32))[1]
    key = np.random.SeedSequence([seed, 1]).generate_state(2)
    obs = env.step({'reset': True})
    score, time = 0.0, 0
    while not obs['is_last']:
      batch = {k: np.asarray(v)[None] for k, v in obs.items()}
      carry, act, logits = step(
          agent.params, carry, batch, jax.random.fold_in(key, time))
      self.sure.append(np.max(jax.nn.softmax(logits)))
      if greedy:
        act = {'action': np.argmax(logits, -1).astype(np.int32)}
        carry = (*carry[:-1], act)
      obs = env.step({'action': int(act['action'][0]), 'reset': False})
      score += float(obs['reward'])
      time += 1
    return {'seed': seed, 'score': score, 'length': time, 'limit': False}

  @pytest.mark.parametrize('policy', ['sampled', 'greedy'])
  def test_agree(self, run, agent, step, policy):
    episodes, greedy = load(run, policy)['episodes'], policy == 'greedy'
    with jax.transfer_guard('allow'):
      again = [self.plain(agent, step, x['seed'], greedy) for x in episodes]
    assert [{'chunk': i // 5, **x} for i, x in enumerate(again)] == episodes
    assert len({x['length'] for x in again}) > 3
    # The policy is far from uniform, 1 / 6, and not always the same.
    assert np.mean(self.sure) > 0.5 and np.std(self.sure) > 0.02

  def test_policies_differ(self, run):
    assert load(run)['episodes'] != load(run, 'greedy')['episodes']


class TestResult:

  def test_of_a_run(self, run):
    result = load(run)
    assert {k: result[k] for k in (
        'format', 'task', 'reward', 'seed', 'step', 'policy')} == {
            'format': 1, 'task': 'minatar_seaquest', 'reward': 'gail',
            'seed': 0, 'step': 1234, 'policy': 'sampled'}
    assert [x['chunk'] for x in result['episodes']] == [0] * 5 + [1] * 5
    assert len({x['seed'] for x in result['episodes']}) == 10
    assert result['config']['task'] == 'minatar_seaquest'
    assert result['config']['agent']['gail']['reward'] == 'gail'
    assert result['versions']['dreamer'] == '3.3.0'
    assert result['command'].startswith(
        'dreamer-gail evaluate --logdir ')
    assert 0 < result['wall_seconds'] < 1000

  def test_summary_follows_from_the_episodes(self, run):
    result = load(run)
    x, scores = result['summary'], [
        x['score'] for x in result['episodes']]
    low, high = stats.bootstrap([scores[:5], scores[5:]], stats.iqm, 0)
    assert x['episodes'] == 10
    for key, value in {
        'mean': np.mean(scores), 'sd': np.std(scores),
        'median': np.median(scores), 'iqm': stats.iqm(scores),
        'iqm_low': low, 'iqm_high': high, 'limit_share': 0,
        'length_mean': np.mean([x['length'] for x in result['episodes']]),
    }.items():
      assert x[key] == pytest.approx(value), key
    with store.Store(ROOT / 'expert_data' / 'minatar_seaquest.h5') as demos:
      assert x['expert_mean'] == pytest.approx(
          np.mean([x['score'] for x in demos.infos]))
    assert x['expert_normalised'] == pytest.approx(
        (x['mean'] - x['random_mean']) / (x['expert_mean'] - x['random_mean']))
    assert 'human_normalised' not in x and 'crafter_score' not in x

  def test_repeats(self, run, tmp_path):
    command.main([
        '--logdir', str(run), *FLAGS, '--policy', 'sampled',
        '--out', str(tmp_path)])
    again = json.loads((tmp_path / '1234_sampled.json').read_text())
    assert again['episodes'] == load(run)['episodes']
    assert again['summary'] == load(run)['summary']

  def test_seed_decides_the_games(self):
    one, other = protocol.seeds(0, 0, 50), protocol.seeds(0, 1, 50)
    assert len(set(one + other)) == 100
    assert protocol.seeds(0, 0, 3) == one[:3]
    assert not set(protocol.seeds(1, 0, 50)) & set(one)
    # Those of the training games, see main.make_raw_env.
    training = {
        int(np.random.SeedSequence([0, i]).generate_state(1)[0])
        for i in range(50)}
    assert not training & {y for x in one for y in (2 * x, 2 * x + 1, x)}

  def test_random_agent(self, tmp_path, capsys):
    logdir = savedruns.random(tmp_path / 'run')
    files = command.main(['--logdir', str(logdir), *FLAGS])
    assert [x.name for x in files] == ['1234_sampled.json']
    result = load(logdir)
    assert result['reward'] == 'random' and not result['summary']['flags']
    assert 'reward random' in capsys.readouterr().out

  def test_crafter(self, tmp_path):
    logdir = savedruns.random(
        tmp_path / 'run', '--task', 'crafter_noreward')
    command.main([
        '--logdir', str(logdir), '--chunks', '1', '--episodes', '2',
        '--workers', '1', '--no-films'])
    result = load(logdir)
    for game in result['episodes']:
      assert len(game['achievements']) == 22
      # The benchmark's reward: 1 for a first time, 0.1 for a point of health.
      reached = sum(x > 0 for x in game['achievements'].values())
      assert abs(game['score'] - reached) < 1
    x = result['summary']
    assert x['success']['collect_sapling'] == np.mean([
        x['achievements']['collect_sapling'] > 0 for x in result['episodes']])
    percent = 100 * np.array(list(x['success'].values()))
    assert x['crafter_score'] == pytest.approx(
        np.exp(np.log(1 + percent).mean()) - 1)
    assert 0 < x['crafter_score'] < 20

  def test_steps_count_as_in_the_scores(self, tmp_path):
    logdir = savedruns.random(tmp_path / 'run', '--task', 'atari_seaquest')
    config = saved.load_config(logdir)
    folder = elements.Path(logdir) / 'checkpoint.pkl'
    folder = folder / (folder / 'latest').read().strip()
    assert checkpoint.step(logdir, folder, config) == 4 * 1234
    # The parallel script keeps its step elsewhere.
    other = logdir / 'logger.pkl' / folder.name
    other.mkdir(parents=True)
    for name in ('step.pkl', 'done'):
      shutil.move(str(folder / name), other / name)
    assert checkpoint.step(logdir, folder, config) == 4 * 1234


class TestEarlierCheckpoint:

  @pytest.fixture(scope='class')
  @classmethod
  def logdir(cls, run, tmp_path_factory):
    """Return a run whose agent had other parameters at step 500."""
    logdir = tmp_path_factory.mktemp('earlier') / 'run'
    shutil.copytree(run, logdir)
    shutil.rmtree(logdir / 'eval')
    latest = checkpoint.find(logdir)
    data = {}
    elements.checkpoint.load(latest, {'agent': data.update})
    rng = np.random.default_rng(1)
    data['params'] = {
        k: v + rng.normal(size=v.shape).astype(v.dtype) * ('pol/' in k)
        for k, v in data['params'].items()}
    elements.checkpoint.save(
        latest.parent / '20200101T000000F000000-000000000500',
        {'agent': lambda: data, 'step': lambda: 500})
    return logdir

  def test_by_its_step(self, run, logdir):
    flags = ['--logdir', str(logdir), *FLAGS, '--policy', 'sampled']
    files = command.main([*flags, '--checkpoint', '500'])
    assert [x.name for x in files] == ['500_sampled.json']
    early = json.loads(files[0].read_text())
    assert early['step'] == 500
    assert '--checkpoint 500' in early['command']
    assert early['episodes'] != load(run)['episodes']
    command.main([*flags, '--checkpoint', '1234'])
    assert load(logdir)['episodes'] == load(run)['episodes']

  def test_policies_differ(self, logdir):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 2, (30, 10, 10, 10), np.uint8)
    acts = {}
    for save in (None, 500, '1234'):
      policy = policylib.load_policy(logdir, save=save)
      acts[save] = [int(policy(x)) for x in images]
    assert acts[None] == acts['1234'] != acts[500]


class TestFilms:

  def test_recorded(self, run, tmp_path, capsys):
    import av
    command.main([
        '--logdir', str(run), *FLAGS[:-1], '--policy', 'sampled', '--disc',
        '--out', str(tmp_path)])
    names = {x.name for x in tmp_path.iterdir()}
    assert names == {'1234_sampled.json'} | {
        f'1234_sampled_{name}.{kind}' for name in ('best', 'median', 'worst')
        for kind in ('mp4', 'png')}
    assert 'played again' not in capsys.readouterr().out
    episodes = load(run)['episodes']
    best = max(episodes, key=lambda x: x['score'])
    with av.open(str(tmp_path / '1234_sampled_best.mp4')) as video:
      frames = list(video.decode(video=0))
    assert len(frames) == best['length'] + 1  # And the one of the reset.
    # With --disc nothing but the reward of D is added to a game.
    told = json.loads((tmp_path / '1234_sampled.json').read_text())
    assert all(x['disc_return'] > 0 for x in told['episodes'])
    assert [{k: v for k, v in x.items() if k != 'disc_return'}
            for x in told['episodes']] == episodes
    assert -1 <= told['summary']['disc_sum_rank'] <= 1
    assert 'disc_sum_rank' not in load(run)['summary']


class TestInformative:

  def test_ranks(self):
    # Longer games score less here and have a larger sum, but a smaller mean.
    played = [
        {'score': 5 - i, 'disc_return': 10.0 + i, 'length': 10 * (i + 1)}
        for i in range(5)]
    assert protocol.informative(played) == {
        'disc_sum_rank': pytest.approx(-1), 'disc_mean_rank': pytest.approx(1)}

  def test_equal_scores(self):
    played = [{'score': 1, 'disc_return': x, 'length': 2} for x in (1., 2.)]
    assert protocol.informative(played) == {
        'disc_sum_rank': None, 'disc_mean_rank': None}


class TestRefusals:

  @pytest.fixture
  def refused(self, monkeypatch, capsys):
    def refused(*flags):
      monkeypatch.setattr(sys, 'argv', ['evaluate', *map(str, flags)])
      with pytest.raises(SystemExit) as caught:
        errors.run(command.main)
      assert caught.value.code == 2
      line, = capsys.readouterr().err.splitlines()
      assert line.startswith('error: ')
      return line
    return refused

  def test_no_run(self, refused, tmp_path):
    assert 'config.yaml' in refused('--logdir', tmp_path)
    (tmp_path / 'config.yaml').write_text('a: [')
    assert 'config.yaml' in refused('--logdir', tmp_path)

  def test_no_checkpoint(self, refused, run, tmp_path):
    shutil.copy(run / 'config.yaml', tmp_path)
    assert 'no checkpoint' in refused('--logdir', tmp_path)
    assert 'no checkpoint' in refused(
        '--logdir', run, '--checkpoint', tmp_path)

  def test_no_such_step(self, refused, run):
    line = refused('--logdir', run, '--checkpoint', '77')
    assert '77' in line and f'1234 ({checkpoint.find(run).name})' in line

  def test_results_are_kept(self, refused, run):
    before = load(run)
    assert '1234_sampled.json' in refused('--logdir', run)
    assert load(run) == before

  def test_no_discriminator(self, refused, tmp_path):
    logdir = savedruns.random(tmp_path / 'run')
    assert '--disc' in refused('--logdir', logdir, '--disc')

  def test_another_size(self, refused, run, tmp_path):
    # The config of the run does not fit its checkpoint.
    shutil.copytree(run, tmp_path / 'run')
    file = tmp_path / 'run' / 'config.yaml'
    elements.Config.load(elements.Path(file)).update(
        {'agent.policy.units': 16}).save(elements.Path(file))
    line = refused('--logdir', tmp_path / 'run', *FLAGS, '--out', tmp_path)
    assert 'pol/' in line and 'do not fit' in line
