"""The report reads runs, good and bad, and tells their methods apart."""

import gzip
import json
import shlex

import numpy as np
import pytest

from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.evaluate import scores as scorelib
from dreamer_gail_plugin.report import behaviour
from dreamer_gail_plugin.report import command
from dreamer_gail_plugin.report import evaluations
from dreamer_gail_plugin.report import methods
from dreamer_gail_plugin.report import runs as runlib
from dreamer_gail_plugin.report import scorefiles
from helpers import reportruns


def load(path):
  return runlib.load(path, path.name)


def packed(data):
  # Without the time, as it would be in the names of tests, which must be the
  # same in all processes that run them.
  return gzip.compress(data, mtime=0)


@pytest.fixture(scope='module')
def saved(tmp_path_factory):
  """A whole run, not to be changed."""
  return reportruns.save(tmp_path_factory.mktemp('runs') / 'run', seed=3)


@pytest.fixture
def logdir(tmp_path):
  """A whole run of short logs, to be changed."""
  return reportruns.save(tmp_path / 'run', steps=2000, run__steps=2000)


def rewrite(logdir, rows):
  """Let the scores of a run be these rows, or lines of text."""
  lines = [
      x if isinstance(x, str) else
      json.dumps({'step': x[0], 'episode/score': x[1]}) for x in rows]
  (logdir / 'scores.jsonl').write_text('\n'.join(lines) + '\n')
  reportruns.age(logdir)


class TestLoad:

  def test_whole(self, saved):
    run = load(saved)
    assert (run.task, run.seed) == ('minatar_breakout', 3)
    assert run.state == 'complete'
    assert run.problems == [] and run.usable
    assert run.steps.tolist() == list(range(100, 20_001, 100))
    assert run.scores == pytest.approx(run.steps / 20_000)
    xs, ys = run.metrics['train/disc/bce']
    assert xs.tolist() == list(range(1000, 20_001, 1000))
    assert set(ys) == {0.5}

  def test_hours(self, saved):
    # 50 steps a second; between and beyond the lines of the log as well.
    run = load(saved)
    assert run.hours(np.array([0, 500, 20_000, 38_000])) == pytest.approx(
        [0, 500 / 180e3, 20 / 180, 38 / 180])

  def test_hours_with_action_repeat(self, saved):
    run = load(saved)
    run.flat = {'task': 'atari_pong', 'env.atari.repeat': 4}
    assert run.hours(np.float64(18_000)) == pytest.approx(18 / 720)

  def test_hours_unknown(self, saved):
    run = load(saved)
    del run.metrics['fps/policy']
    assert run.hours(np.zeros(1)) is None

  def test_running(self, logdir):
    reportruns.cut(logdir, 1000)
    run = load(logdir)
    assert (run.state, run.last) == ('running', 1000)
    assert run.problems == [
        'still running, at step 1,000 of 2,000; last written less than a '
        'minute ago']

  def test_a_run_without_its_lock_has_stopped(self, logdir):
    reportruns.cut(logdir, 1000)
    (logdir / 'run.json').write_text('{"format": 1, "starts": []}')
    assert load(logdir).state == 'stopped'
    (logdir / '.lock').touch()
    assert load(logdir).state == 'running'

  def test_a_run_with_its_lock_is_running_to_the_end(self, logdir):
    reportruns.age(logdir, 5)
    (logdir / 'run.json').write_text('{"format": 1, "starts": []}')
    assert load(logdir).state == 'complete'
    (logdir / '.lock').touch()
    assert load(logdir).state == 'running'
    reportruns.age(logdir, 3 * 3600)  # Killed at its end.
    assert load(logdir).state == 'complete'

  def test_stopped(self, logdir):
    reportruns.cut(logdir, 1000)
    reportruns.age(logdir, 3 * 3600 + 5)
    run = load(logdir)
    assert run.state == 'stopped' and run.usable
    assert run.problems == [
        *[f'{x}.jsonl: 1 of 11 lines are damaged or cut off, as by a kill, '
          'and left out, the first is line 11' for x in ('scores', 'metrics')],
        'stopped at step 1,000 of 2,000, 3 hours ago']

  def test_target_counts_the_repeat(self, logdir):
    # Upstream logs frames: 2000 of a run of 2000 actions are a quarter.
    path = reportruns.elements.Path(str(logdir)) / 'config.yaml'
    reportruns.config(task='atari_pong', run__steps=2000).save(path)
    reportruns.age(logdir)
    problem, = load(logdir).problems
    assert problem.startswith('stopped at step 2,000 of 8,000')

  @pytest.mark.parametrize('flat, want', [
      ({'run.steps': 7}, 7), ({}, 0),
      ({'run.steps': 7, 'env.a.repeat': 4}, 28),
      ({'baseline': 'ppo', 'steps.ppo': 7, 'env.a.repeat': 4}, 28),
      ({'baseline': 'bc', 'steps.bc': 7, 'env.a.repeat': 4}, 7)])
  def test_target(self, flat, want):
    assert runlib.target({'task': 'a_b', **flat}) == want

  def test_names_of_folders_that_are_no_text(self, tmp_path):
    path = tmp_path / '\udcff\x1b[2J'
    path.mkdir()
    assert load(path).name == r'\udcff\x1b[2J'

  def test_unknown_target(self, logdir):
    (logdir / 'config.yaml').write_text('{task: a_b, seed: 0, method: X}')
    reportruns.age(logdir, 7200)
    assert load(logdir).problems == ['stopped at step 2,000, 2 hours ago']

  def test_no_scores_yet(self, logdir):
    (logdir / 'scores.jsonl').write_text('')
    (logdir / 'metrics.jsonl').unlink()
    run = load(logdir)
    assert run.state == 'empty' and not run.usable
    assert 'no episode has ended yet' in run.problems[0]

  def test_empty_folder(self, tmp_path):
    run = load(tmp_path)
    assert run.state == 'empty'
    assert run.problems == ['the folder holds no logs of a run']

  @pytest.mark.parametrize('text', [
      None, '', '[1, 2]', 'task: [', '\t{', 'task: minatar_breakout',
      '!!python/object/apply:os.system ["true"]', '\x00\x01'])
  def test_broken_config(self, logdir, text):
    (logdir / 'config.yaml').unlink()
    if text is not None:
      (logdir / 'config.yaml').write_text(text)
    run = load(logdir)
    assert run.state == 'broken' and not run.usable
    assert len(run.problems) == 1
    assert run.problems[0].startswith('config.yaml')
    assert '\n' not in run.problems[0]

  def test_resumed(self, logdir):
    # A run that was killed repeats the steps since its last save.
    rewrite(logdir, [(100, 1), (200, 2), (300, 3), (150, 4), (400, 5)])
    run = load(logdir)
    assert run.steps.tolist() == [100, 150, 400]
    assert run.scores.tolist() == [1, 4, 5]
    assert '2 scores of the part that was repeated' in run.problems[0]

  @pytest.mark.parametrize('line', [
      '{"step": 12, "episode/sco', '', '[1]', '7', '{"episode/score": 1}',
      '{"step": 1, "episode/score": NaN}', '{"step": "x", "episode/score": 1}',
      '{"step": 1, "episode/score": "x"}', '[' * 100_000, '\x00' * 50,
      '{"step": 1, "episode/score": 1' + '0' * 400 + '}'])
  def test_damaged_line(self, logdir, line):
    rewrite(logdir, [(100, 1), line, (2000, 2)])
    run = load(logdir)
    assert run.scores.tolist() == [1, 2]
    assert run.problems == [
        'scores.jsonl: 1 of 3 lines are damaged or cut off, as by a kill, and '
        'left out, the first is line 2']

  def test_last_line_may_be_cut(self, logdir):
    rewrite(logdir, [(100, 1), (2000, 2), '{"step": 2001, "epi'])
    assert load(logdir).problems == [
        'scores.jsonl: 1 of 3 lines are damaged or cut off, as by a kill, and '
        'left out, the first is line 3']

  def test_nothing_but_damage(self, logdir):
    for name in ('scores.jsonl', 'metrics.jsonl'):
      (logdir / name).write_bytes(bytes(range(128, 256)))
    run = load(logdir)
    assert run.state == 'broken'
    assert run.problems[-1] == 'no score can be read'

  def test_scores_from_the_metrics(self, logdir):
    (logdir / 'scores.jsonl').unlink()
    assert len(load(logdir).scores) == 20


class TestFind:

  def test_folders(self, tmp_path):
    for name in ('a/run1', 'a/run2', 'b'):
      (tmp_path / name).mkdir(parents=True)
      (tmp_path / name / 'config.yaml').write_text('')
    (tmp_path / 'a' / 'notes').mkdir()
    (tmp_path / 'empty').mkdir()
    found = runlib.find([tmp_path / x for x in ('a', 'b', 'empty', 'a/run2')])
    assert [x.relative_to(tmp_path).as_posix() for x in found] == [
        'a/run1', 'a/run2', 'b', 'empty']


class TestEvaluations:

  def test_read(self, logdir):
    reportruns.evaluation(logdir, range(10))
    found, = evaluations.load(logdir, [])
    assert found['scores'].tolist() == list(range(10))
    assert found['chunks'].tolist() == [0, 1, 2, 3, 4] * 2
    assert found['limits'].sum() == 3

  def test_the_one_that_counts(self, logdir):
    # The latest, and the sampled policy before the greedy one.
    for step, policy in ((50, 'greedy'), (200, 'sampled'), (1000, 'sampled')):
      reportruns.evaluation(logdir, [step], policy, step)
    evals = evaluations.load(logdir, [])
    assert evaluations.best(evals)['step'] == 1000
    greedy = [x for x in evals if x['policy'] == 'greedy']
    assert evaluations.best(greedy)['step'] == 50
    assert evaluations.best([]) is None

  @pytest.mark.parametrize('change', [
      dict(format=2), dict(episodes=[]), dict(episodes=[{'score': 1}]),
      dict(policy='other'), dict(step='x'), dict(summary=3)])
  def test_not_readable(self, logdir, change):
    path = reportruns.evaluation(logdir, [1, 2], **change)
    problems = []
    assert evaluations.load(logdir, problems) == []
    assert len(problems) == 1 and path.name in problems[0]

  def test_strips(self, logdir):
    reportruns.evaluation(logdir, [1])
    for name in ('20000_sampled_best', '20000_greedy_best', 'other'):
      (logdir / 'eval' / f'{name}.png').write_bytes(behaviour.png(
          np.zeros((4, 4, 3), np.uint8)))
    (logdir / 'eval' / '20000_sampled_worst.png').write_bytes(b'no picture')
    evals = evaluations.load(logdir, [])
    assert [k for k, _ in evaluations.pictures(logdir, evals, 'png')] == [
        'best']


class TestMethods:

  def assign(self, *changes):
    runs = [
        runlib.Run(str(i), task=x.get('task', 'minatar_breakout'),
                   flat=reportruns.config(**x).flat)
        for i, x in enumerate(changes)]
    found = methods.assign(runs)
    assert set(found) == {x.method for x in runs}
    return [x.method for x in runs]

  def test_seeds_are_one_method(self):
    assert self.assign(
        dict(seed=0, logdir='a'), dict(seed=1, logdir='b'),
        dict(seed=2, run__steps=5e4, run__log_every=7)) == ['gail'] * 3

  def test_controls(self):
    assert self.assign(
        {}, dict(agent__gail__reward='env'), dict(random_agent=True),
        dict(agent__gail__reward='constant'),
        dict(agent__gail__anchor=0.1), dict(agent__gail__actor='dynamics'),
        dict(agent__gail__expert='random'), dict(method='mine')) == [
            'gail', 'env', 'random', 'constant', 'gail+anchor', 'vmail',
            'null', 'mine']

  def test_unlike_settings_are_never_averaged(self):
    assert self.assign({}, dict(agent__gail__opt__learning_rate=3e-9)) == [
        'gail (opt.learning_rate=0.0001)',
        'gail (opt.learning_rate=3e-09)']

  def test_many_differences(self):
    assert self.assign({}, dict(
        agent__gail__opt__learning_rate=3e-9, batch_size=4,
        batch_length=8)) == ['gail A', 'gail B']

  def test_equal_names_of_unlike_files(self):
    assert self.assign(
        dict(agent__gail__expert='/a/x.h5'),
        dict(agent__gail__expert='/b/x.h5')) == [
            'gail A', 'gail B']

  def test_differences_between_tasks_are_none(self):
    # Each game has its own demonstrations.
    assert self.assign(
        dict(agent__gail__expert='x.h5'),
        dict(agent__gail__expert='y.h5', task='minatar_seaquest')) == [
            'gail'] * 2

  def test_settings_without_effect(self):
    rate = dict(agent__gail__opt__learning_rate=3e-9)
    assert len(set(self.assign(
        dict(random_agent=True), dict(random_agent=True, **rate)))) == 1
    env = dict(agent__gail__reward='env')
    assert len(set(self.assign(env, {**env, **rate}))) == 1

  def test_baselines(self):
    flat = {
        'method': 'PPO', 'baseline': 'ppo', 'agent.gail.reward': 'env',
        'task': 'a_b', 'steps.ppo': 10, 'device': 'cpu'}
    runs = [runlib.Run('x', task='a_b', flat=x) for x in (flat, {
        **flat, 'steps.ppo': 20, 'device': 'cuda', 'eval.chunks': 1,
        'parallel': True, 'save_every': 3, 'log_every': 2})]
    assert list(methods.assign(runs)) == ['ppo']

  def test_runs_of_others(self):
    runs = [
        runlib.Run('upstream', task='a_b', flat={'task': 'a_b', 'seed': 0}),
        runlib.Run('ppo', task='a_b', flat={'method': 'PPO'}),
        runlib.Run('bc', task='a_b', flat={
            'method': 'BC', 'uses_reward': False})]
    found = methods.assign(runs)
    assert [x.method for x in runs] == ['DreamerV3', 'PPO', 'BC']
    assert {k: v.uses_reward for k, v in found.items()} == {
        'BC': False, 'DreamerV3': True, 'PPO': True}


class TestScoreFiles:

  def test_round_trip(self, saved, tmp_path):
    run = load(saved)
    run.method = 'gail (a=1)'
    name, = scorefiles.save([run], tmp_path)
    assert name == 'minatar-gail_a_1.json.gz'
    record, = json.loads(gzip.decompress((tmp_path / name).read_bytes()))
    assert list(record) == ['task', 'method', 'seed', 'xs', 'ys']
    assert (record['task'], record['seed']) == ('minatar_breakout', 3)
    assert record['xs'] == run.steps.tolist()
    assert record['ys'] == run.scores.tolist()
    back, = scorefiles.load(tmp_path / name)
    assert (back.steps == run.steps).all() and back.state == 'imported'

  def test_for_plot_py(self, saved, tmp_path):
    # It takes task, method and seed from the name of the folder.
    run = load(saved)
    run.task, run.method, run.name = 'gym_CartPole-v1', 'A-B', 'x/y-0'
    scorefiles.save([run], tmp_path)
    path, = tmp_path.glob('**/scores.jsonl')
    assert path.parent.name.split('-')[1:] == ['gym_CartPole_v1', 'a_b', '3']
    steps, scores = scorelib.read(path.parent)
    assert (steps == run.steps).all() and (scores == run.scores).all()

  def test_names_that_differ_in_a_dash(self, saved, tmp_path):
    runs = [load(saved) for _ in range(3)]
    for run, name in zip(runs, ('gail-0', 'gail_0', 'Gail_0')):
      run.method, run.name = 'GAIL', name
    scorefiles.save(runs, tmp_path)
    assert sorted(
        x.parent.name for x in tmp_path.glob('**/scores.jsonl')) == [
            f'gail_0{x}-minatar_breakout-gail-3' for x in ('', '_2', '_3')]

  def test_nulls_of_upstream(self, tmp_path):
    path = tmp_path / 'x.json.gz'
    path.write_bytes(gzip.compress(json.dumps([dict(
        task='atari_alien', method='ppo', seed=1, xs=[0, 10, 20],
        ys=[None, 2.5, 3])]).encode()))
    run, = scorefiles.load(path)
    assert run.steps.tolist() == [10, 20] and run.scores.tolist() == [2.5, 3]
    methods.assign([run])
    assert (run.method, run.uses_reward) == ('ppo', True)

  @pytest.mark.parametrize('data', [
      b'', b'plain', packed(b'{'), packed(b'[]'), packed(b'[1]'),
      packed(b'{"a": 1}'), packed(b'[{"task": 1, "method": 2, "seed": 0}]'),
      packed(b'[]')[:-6], packed(b'[' * 100_000)])
  def test_damaged(self, tmp_path, data):
    path = tmp_path / 'x.json.gz'
    path.write_bytes(data)
    with pytest.raises(UserError, match='x.json.gz'):
      scorefiles.load(path)


class TestCommand:

  @pytest.mark.parametrize('changes', [
      {}, dict(agent__gail__reward='env'), dict(random_agent=True),
      dict(task='gym_CartPole-v1', run__steps=12_345),
      dict(agent__gail__expert="a folder/it's.h5", agent__ac_grads=True),
      dict(env__gym__size=(32, 48), agent__enc__simple__mults=(2, 3))])
  def test_gives_the_same_config(self, changes):
    from dreamer_gail_plugin import configs
    wanted = reportruns.config(**changes)
    text, lost = command.rebuild(wanted.flat)
    assert lost == []
    words = shlex.split(text)
    assert words[:2] == ['dreamer-gail', 'train']
    parsed = configs.load_config(words[2:])
    assert parsed.update(logdir=wanted.logdir) == wanted

  def test_is_short(self):
    text, _ = command.rebuild(reportruns.defaults().flat)
    names = text.removeprefix('dreamer-gail train --configs ').split()
    assert sorted(names) == ['gail', 'minatar', 'tiny']

  def test_settings_of_another_version(self):
    flat = {**reportruns.defaults().flat, 'agent.gail.old': 1}
    assert command.rebuild(flat)[1] == ['agent.gail.old']

  def test_not_ours(self):
    assert command.rebuild({'task': 'a_b', 'seed': 1}) == ('', [])


def test_ago():
  assert runlib.ago(59) == 'less than a minute ago'
  assert runlib.ago(60) == '1 minute ago'
  assert runlib.ago(2 * 86400 + 1) == '2 days ago'
