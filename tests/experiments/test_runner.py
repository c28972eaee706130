"""`experiments run`, with a stand-in for the programs that it runs.

One run is real.
"""

import dataclasses
import fcntl
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import types

import numpy as np
import psutil
import pytest

from dreamer_gail_plugin import errors
from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.experiments import __main__ as experiments
from dreamer_gail_plugin.experiments import plans
from dreamer_gail_plugin.experiments import runner
from dreamer_gail_plugin.experiments import suites
from helpers.sweeps import ENV
from helpers.sweeps import FAKE
from helpers.sweeps import GAIL
from helpers.sweeps import flags
from helpers.sweeps import result
from helpers.sweeps import started

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def start(tmp_path, monkeypatch):
  """Return a function that runs experiments with the stand-in."""
  monkeypatch.setattr(plans, 'PYTHON', (sys.executable, FAKE))
  return lambda *args: experiments.main(flags(tmp_path, *args))


class TestRun:

  def test_result(self, start, tmp_path, capsys):
    assert start('--agent.imag_last', '2') == 0
    assert sorted(x.name for x in (tmp_path / 'results').iterdir()) == [
        f'{ENV}.json', f'{GAIL}.json']
    found = result(tmp_path, ENV)
    assert {k: found[k] for k in (
        'format', 'suite', 'method', 'task', 'seed', 'steps')} == {
            'format': 1, 'suite': 'minatar', 'method': 'env',
            'task': 'minatar_breakout', 'seed': 0, 'steps': 20000}
    assert found['expert'] == pytest.approx(30.2667, abs=1e-3)
    assert found['config']['agent.gail.reward'] == 'env'
    assert found['config']['agent.imag_last'] == 2
    assert found['config']['env.minatar.length'] == 300
    assert found['training'] == {
        'steps': [10000, 20000], 'scores': [0.75, 1.5], 'episodes': [2, 1]}
    assert found['evaluations']['greedy']['scores'] == [1.0, 3.0]
    assert found['evaluations']['sampled']['summary']['mean'] == 2.0
    assert found['versions'] == {'jax': '1.2'}
    assert found['machine']['cores'] == len(os.sched_getaffinity(0))
    assert 0 < found['wall_seconds']['train'] < 60
    assert found['commits'] and found['flags'][:2] == ['--configs', 'minatar']
    assert '2 of 2 runs done, 0 failed' in capsys.readouterr().out

  def test_skips_what_is_done(self, start, tmp_path, capsys):
    start('--methods', 'gail')
    before = (tmp_path / 'results' / f'{GAIL}.json').read_bytes()
    assert start() == 0
    assert '2 runs, 1 of them done already' in capsys.readouterr().out
    assert started(tmp_path, GAIL) == ['train', 'evaluate']
    assert (tmp_path / 'results' / f'{GAIL}.json').read_bytes() == before

  def test_half_an_evaluation_is_done_again(self, start, tmp_path):
    start('--methods', 'gail')
    (tmp_path / 'results' / f'{GAIL}.json').unlink()
    state = tmp_path / 'logs' / GAIL / plans.STATE
    state.write_text(state.read_text().replace(', "evaluate"]', ']'))
    (tmp_path / 'logs' / GAIL / 'eval' / '7_greedy.json').unlink()
    assert start('--methods', 'gail') == 0
    assert started(tmp_path, GAIL) == ['train', 'evaluate', 'evaluate']
    assert set(result(tmp_path, GAIL)['evaluations']) == {
        'sampled', 'greedy'}

  def test_random_expert_has_the_score_of_the_true_one(
      self, start, tmp_path):
    start('--methods', 'null', 'cloning')
    null = result(tmp_path, 'minatar_breakout-null-0')
    assert null['config']['agent.gail.expert'] == 'random'
    assert null['expert'] == pytest.approx(30.2667, abs=1e-3)

  def test_names_with_a_plus(self, start, tmp_path):
    name = 'minatar_breakout-constant+anchor-0'
    assert start('--methods', 'constant+anchor') == 0
    found = result(tmp_path, name)
    assert found['method'] == 'constant+anchor'
    assert found['flags'][:5] == [
        '--configs', 'minatar', 'tiny', 'gail', 'anchor']
    assert found['config']['agent.gail.reward'] == 'constant'
    assert found['config']['agent.gail.anchor'] > 0
    assert found['training']['episodes'] == [2, 1]
    assert start('--methods', 'constant+anchor') == 0
    assert started(tmp_path, name) == ['train', 'evaluate']
    assert start('--methods', 'constant', '--steps_of', 'gail+anchor=1e4') == 0
    twin = result(tmp_path, 'minatar_breakout-constant-0')
    assert twin['config']['agent.gail.anchor'] == 0

  def test_own_demonstrations(self, start, tmp_path):
    # Compared with the bundled ones all the same.
    other = str(ROOT / 'expert_data' / 'minatar_seaquest.h5')
    start('--methods', 'gail', '--agent.gail.expert', other)
    assert result(tmp_path, GAIL)['expert'] == pytest.approx(30.27, abs=0.01)

  def test_a_core_each(self, start, tmp_path):
    cores = sorted(os.sched_getaffinity(0))
    start('--jobs', '2')
    used = [
        json.loads((tmp_path / 'logs' / x / 'cores.json').read_text())
        for x in (GAIL, ENV)]
    assert used == [[cores[0]], [cores[1 % len(cores)]]]
    assert result(tmp_path, GAIL)['machine']['cores'] == 1

  def test_failure(self, start, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv('FAKE_FAIL', GAIL)
    assert start() == 1
    printed = capsys.readouterr()
    assert 'boom, it said' in printed.err
    assert f'failed: {GAIL}, see ' in printed.out
    assert not (tmp_path / 'results' / f'{GAIL}.json').exists()
    assert result(tmp_path, ENV)['method'] == 'env'
    monkeypatch.delenv('FAKE_FAIL')
    assert start() == 0
    assert started(tmp_path, GAIL) == ['train', 'train', 'evaluate']


class TestKill:

  @pytest.mark.slow
  def test_goes_on(self, start, tmp_path):
    code = (
        'from dreamer_gail_plugin.experiments import __main__, jobs, plans;'
        f'plans.PYTHON = ({sys.executable!r}, {FAKE!r}); jobs.KEEP = 0.1;'
        '__main__.errors.run(__main__.main)')
    runner = subprocess.Popen(
        [sys.executable, '-c', code, *flags(tmp_path, '--methods', 'gail')],
        env={**os.environ, 'FAKE_HANG': GAIL}, stderr=subprocess.DEVNULL)
    logdir = tmp_path / 'logs' / GAIL
    child = int(wait(lambda: (logdir / 'hangs').read_text()))
    wait(lambda: state(logdir)['wall']['train'] > 0.3)
    runner.send_signal(signal.SIGKILL)
    runner.wait()
    wait(lambda: not psutil.pid_exists(child))  # Ends with it.
    used = state(logdir)['wall']['train']
    assert state(logdir)['done'] == []
    assert not (tmp_path / 'results').exists()
    assert start('--methods', 'gail') == 0
    assert started(tmp_path, GAIL) == ['train', 'train', 'evaluate']
    found = result(tmp_path, GAIL)
    assert found['wall_seconds']['train'] >= round(used, 1)
    # Steps that were done twice count once.
    assert found['training']['episodes'] == [2, 1]

  def test_goes_on_to_more_steps(self, start, tmp_path):
    more = ('--methods', 'gail', '--steps', '30000')
    start('--methods', 'gail')
    before = result(tmp_path, GAIL)
    used = state(tmp_path / 'logs' / GAIL)['wall']['train']
    assert start(*more, '--results', str(tmp_path / 'later')) == 0
    assert result(tmp_path, GAIL) == before and before['steps'] == 20_000
    found = json.loads((tmp_path / 'later' / f'{GAIL}.json').read_text())
    assert found['steps'] == found['config']['run.steps'] == 30_000
    assert found['flags'][found['flags'].index('--run.steps') + 1] == '30000'
    assert found['wall_seconds']['train'] > used
    assert started(tmp_path, GAIL) == 2 * ['train', 'evaluate']

  def test_not_twice_at_once(self, start, tmp_path, capsys):
    logdir = tmp_path / 'logs' / GAIL
    logdir.mkdir(parents=True)
    with (logdir / plans.LOCK).open('w') as file:
      fcntl.flock(file, fcntl.LOCK_EX)
      assert start() == 1
    assert 'another process is at work' in capsys.readouterr().err
    assert not (logdir / 'started.txt').exists()
    assert result(tmp_path, ENV)


def state(logdir):
  """Return what the runner keeps in a logdir."""
  return json.loads((logdir / plans.STATE).read_text())


def wait(what, seconds=120):
  """Return what a function gives, once that is something."""
  end = time.time() + seconds
  while time.time() < end:
    try:
      if found := what():
        return found
    except (OSError, ValueError):
      pass
    time.sleep(0.05)
  raise TimeoutError


class TestMistakes:

  def test_other_configuration(self, start, tmp_path, monkeypatch, capsys):
    start()
    (tmp_path / 'results' / f'{ENV}.json').unlink()
    for steps, method, place in (
        ('30000', 'gail', 'results'), ('10000', 'env', 'logs')):
      with pytest.raises(UserError) as error:
        start('--methods', method, '--steps', steps)
      text = str(error.value)
      assert f'run.steps 20000.0 there, {steps}.0 now' in text
      assert str(tmp_path / place) in text and '--results' in text
    monkeypatch.setattr(sys, 'argv', ['x', *flags(
        tmp_path, '--agent.imag_last', '3')])
    with pytest.raises(SystemExit) as error:
      errors.run(experiments.main)
    assert error.value.code == 2
    assert 'agent.imag_last 4 there, 3 now' in capsys.readouterr().err
    assert started(tmp_path, ENV) == ['train', 'evaluate']

  def test_computed_elsewhere(self, start, tmp_path):
    start()
    start('--jax.compute_dtype', 'bfloat16')
    assert started(tmp_path, ENV) == ['train', 'evaluate']

  def test_logdir_of_another_run(self, start, tmp_path):
    logdir = tmp_path / 'logs' / GAIL
    logdir.mkdir(parents=True)
    (logdir / 'config.yaml').write_text('task: mine\n')
    with pytest.raises(UserError, match='not of `experiments run`'):
      start()

  def test_damaged_result(self, start, tmp_path):
    (tmp_path / 'results').mkdir()
    (tmp_path / 'results' / f'{GAIL}.json').write_text('{')
    with pytest.raises(UserError, match='cannot be read'):
      start()

  @pytest.mark.parametrize('args, text', [
      (['--methods', 'maxent'], 'There are: random, env'),
      (['--steps_of', 'ppo'], 'expected METHOD=STEPS'),
      (['--steps_of', 'dqn=1e6'], 'expected METHOD=STEPS'),
      (['--methods', 'mgail', '--agent.imag_last', '2'], 'settings.yaml'),
      (['--tasks', 'breakout'], 'There are: minatar_breakout'),
      (['--task', 'minatar_seaquest'], '--task: `experiments run` sets'),
      (['--agent.gail.penalti', '1'], 'no such flag'),
  ])
  def test_flags(self, start, args, text):
    with pytest.raises(UserError, match=text):
      start(*args)

  @pytest.mark.parametrize('number', ['inf', 'nan', '1.5', '0'])
  def test_numbers(self, start, number):
    with pytest.raises(UserError, match=f'{number}: expected a whole number'):
      start('--seeds', number)

  def test_suite(self):
    with pytest.raises(UserError, match='There are: minatar'):
      experiments.main(['run', 'crafter'])


class TestCloning:

  def test_begins_anew_if_it_was_stopped(self, tmp_path):
    made = [plans.Plan(
        'minatar', x, 'minatar_breakout', 0, 20_000, (), tmp_path, tmp_path)
        for x in ('gail', 'cloning', 'plain_cloning')]
    assert [x.resumes for x in made] == [True, False, False]

  def test_more_steps(self, start, tmp_path):
    # Though they count for nothing in cloning.
    name = 'minatar_breakout-cloning-0'
    start('--methods', 'cloning')
    state_of = tmp_path / 'logs' / name / plans.STATE
    found = json.loads(state_of.read_text())
    found['wall']['train'] = 1e6
    state_of.write_text(json.dumps(found))
    assert start('--methods', 'cloning', '--steps', '30000', '--results',
                 str(tmp_path / 'later')) == 0
    found = json.loads((tmp_path / 'later' / f'{name}.json').read_text())
    assert found['wall_seconds']['train'] < 1e6


class TestBaselines:

  MGAIL, VMAIL = [f'minatar_breakout-{x}-0' for x in ('mgail', 'vmail')]

  def test_have_flags_and_steps_of_their_own(self, start, tmp_path):
    assert start(
        '--methods', 'mgail', 'vmail', '--steps_of', 'mgail=3e4') == 0
    mgail, vmail = result(tmp_path, self.MGAIL), result(tmp_path, self.VMAIL)
    assert mgail['steps'] == 30000 and vmail['steps'] == 20000
    assert mgail['config']['steps.mgail'] == 30000
    assert mgail['config']['env.minatar.length'] == 300
    assert '--configs' not in mgail['flags']
    assert vmail['flags'][:4] == ['--configs', 'minatar', 'tiny', 'vmail']
    assert vmail['config']['agent.gail.actor'] == 'dynamics'
    assert mgail['expert'] == vmail['expert'] == pytest.approx(30.27, abs=0.1)
    assert mgail['training']['steps'][-1] == 30000

  def test_steps_of_their_settings(self, tmp_path):
    plan = plans.BaselinePlan(
        'minatar', 'mgail', 'minatar_seaquest', 0, 0, (), tmp_path, tmp_path)
    assert plan.total == plan.config['steps.mgail'] > 1e4
    assert plan.train()[-2:] == ['--eval.episodes', '0']
    assert plan.train()[2:4] == ['dreamer_gail_plugin.baselines', 'mgail']

  def test_begin_anew_if_they_were_stopped(
      self, start, tmp_path, monkeypatch):
    monkeypatch.setenv('FAKE_FAIL', self.MGAIL)
    assert start('--methods', 'mgail') == 1
    logdir = tmp_path / 'logs' / self.MGAIL
    (logdir / 'left').mkdir()
    monkeypatch.delenv('FAKE_FAIL')
    assert start('--methods', 'mgail') == 0
    assert not (logdir / 'left').exists()
    assert started(tmp_path, self.MGAIL) == ['train', 'evaluate']
    assert 'boom' in (logdir / 'output.log').read_text()

  def test_without_their_packages(self, start, monkeypatch):
    monkeypatch.setattr(
        plans.baselines.importlib.util, 'find_spec', lambda _: None)
    with pytest.raises(UserError, match='uv sync --extra baselines'):
      start('--methods', 'ppo')


class TestReal:

  @pytest.mark.slow
  def test_from_end_to_end(self, tmp_path, monkeypatch):
    # Random play needs no compiler; the other programs have their own tests.
    suite = suites.SUITES['minatar']
    monkeypatch.setitem(suites.SUITES, 'minatar', dataclasses.replace(
        suite, evaluation=('--no-films', '--chunks', '2', '--episodes', '3')))
    assert experiments.main(flags(tmp_path, '--methods', 'random')) == 0
    found = result(tmp_path, 'minatar_breakout-random-0')
    sampled, = found['evaluations'].values()
    assert len(sampled['scores']) == 6
    assert sampled['summary']['mean'] == np.mean(sampled['scores'])
    assert found['config']['run.steps'] == 100
    assert found['machine']['device'] == 'cpu'
    assert found['versions']['dreamer'] == '3.3.0'


class TestSuites:

  def test_games_end_as_those_of_the_demonstrations(self, tmp_path):
    lengths = {}
    for task in suites.SUITES['minatar'].tasks:
      plan = plans.Plan(
          'minatar', 'gail', task, 0, 10, (), tmp_path, tmp_path)
      lengths[task] = plan.config['env.minatar.length']
      assert plan.expert() > 10
    assert lengths.pop('minatar_freeway') > 2502
    assert set(lengths.values()) == {300}

  def test_vector_tasks_have_demonstrations(self, tmp_path):
    # Opposites: one expert never loses, the other always arrives.
    cart, car = [
        plans.Plan('vector', 'gail', x, 0, 10, (), tmp_path, tmp_path)
        for x in suites.SUITES['vector'].tasks]
    assert cart.expert() == 500 and -200 < car.expert() < -100


class TestMethods:

  def config(self, method):
    """Return what a method learns with, without what names the run."""
    plan = plans.Plan(
        'minatar', method, 'minatar_breakout', 0, 10, (), pathlib.Path('x'),
        pathlib.Path('x'))
    return {k: v for k, v in plan.config.items() if k != 'logdir'}

  @pytest.mark.parametrize('one, other, keys', [
      ('gail', 'constant', ['agent.gail.reward']),
      ('gail+anchor', 'constant+anchor', ['agent.gail.reward']),
      ('gail', 'env', ['agent.gail.reward']),
      ('gail', 'null', ['agent.gail.expert']),
      ('gail+anchor', 'null+anchor', ['agent.gail.expert']),
      ('gail+anchor', 'cloning', []),
      ('gail', 'gail+anchor', [
          'agent.gail.anchor', 'agent.gail.anchor_rate', 'agent.gail.risk',
          'agent.gail.world']),
  ])
  def test_twins_differ_in_one_thing(self, one, other, keys):
    one, other = self.config(one), self.config(other)
    assert sorted(k for k in one if one[k] != other[k]) == keys

  def test_names_may_be_parts_of_files(self):
    assert all(re.fullmatch(r'[\w+]+', x) for x in suites.METHODS)

  def test_every_task_and_method_has_its_place(self):
    names = [*suites.METHODS, *suites.SUITES['minatar'].tasks]
    places = [suites.place(x) for x in names]
    assert places == sorted(set(places))
    assert suites.place('atari_pong') > max(places)


def test_progress_of_a_run_that_goes_back_to_its_last_save(tmp_path):
  plan = plans.Plan(
      'minatar', 'gail', 'minatar_breakout', 0, 20000, (), tmp_path / 'logs',
      tmp_path / 'results')
  plan.logdir.mkdir(parents=True)
  (plan.logdir / 'metrics.jsonl').write_text('{"step": 9000}\n')
  bar = runner.Bar([plan])
  for steps in (9000, 8000, 8500):
    bar.last = 0
    (plan.logdir / 'metrics.jsonl').write_text(f'{{"step": {steps}}}\n')
    bar.show([plan], 'train')
  shown = bar.bar.format_dict
  bar.close()
  assert (shown['initial'], shown['n']) == (8000, 8500)


class TestPaper:

  def plans(self, *args):
    parsed = types.SimpleNamespace(**{
        'suite': 'paper', 'seeds': 1, 'steps': None, 'steps_of': None,
        'scale': 1.0, 'logdirs': pathlib.Path('logs'),
        'results': pathlib.Path('results'), 'tasks': None, 'methods': None,
        'shown': None,
        **dict(args)})
    return {x.name: x for x in plans.make(parsed, [])}

  @pytest.fixture(autouse=True)
  def installed(self, monkeypatch):
    monkeypatch.setattr(plans.baselines, 'installed', lambda name: None)

  def test_the_papers_numbers(self):
    found = self.plans()
    assert len(found) == 3 * 12
    steps = lambda name: found[f'{name}-0'].total
    assert steps('atari_seaquest-gail_paper') == 2.5e7  # 100M frames.
    assert steps('atari_alien-vmail') == 2.5e7
    assert steps('crafter_reward-gail_paper') == 2e7
    assert steps('crafter_reward-ppo') == steps('atari_alien-c51') == 5e7
    assert steps('atari_seaquest-gail_ppo') == 2.5e6
    config = found['atari_alien-gail_paper-0'].config
    want = {
        'agent.gail.reward': 'gail', 'agent.gail.opt.learning_rate': 3e-9,
        'agent.gail.disc.layers': 2, 'agent.gail.disc_loss.penalty': 0,
        'agent.gail.anchor': 0, 'agent.gail.absorbing': False,
        'agent.gail.expert_latent': 'posterior', 'agent.imag_length': 15,
        'agent.gail.world': 'replay', 'agent.dyn.rssm.deter': 2560,
        'batch_size': 16, 'batch_length': 64, 'env.atari.repeat': 4}
    assert {k: config[k] for k in want} == want
    rate = config['agent.opt.lr'] * config['agent.ac_rate']
    assert rate == pytest.approx(3e-5)
    twin = found['atari_alien-constant_paper-0'].config
    assert {k for k in config if config[k] != twin[k]} == {
        'agent.gail.reward', 'logdir'}

  def test_rehearsal(self):
    found = self.plans(('scale', 1e-4))
    gail = found['crafter_reward-gail_paper-0']
    assert gail.total == 2000 and gail.config['agent.policy.units'] == 8
    assert gail.config['agent.gail.opt.learning_rate'] == 3e-9
    assert gail.evaluate()[-4:] == ['--chunks', '1', '--episodes', '2']
    ppo = found['atari_alien-ppo-0']
    assert ppo.total == 5000 and ppo.config['ppo.n_steps'] == 32
    # A run of another scale is none of this experiment.
    assert gail.config != self.plans()['crafter_reward-gail_paper-0'].config
