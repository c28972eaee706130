"""The report reads runs, good and bad, and computes what it shows of them."""

import gzip
import json
import shlex

import numpy as np
import pytest
import reportruns
from embodied.core.chunk import Chunk

from dreamer_gail_plugin import evaluate
from dreamer_gail_plugin import scores as scorelib
from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.report import command
from dreamer_gail_plugin.report import evaluations
from dreamer_gail_plugin.report import film
from dreamer_gail_plugin.report import methods
from dreamer_gail_plugin.report import play
from dreamer_gail_plugin.report import runs as runlib
from dreamer_gail_plugin.report import scorefiles
from dreamer_gail_plugin.report import summary
from dreamer_gail_plugin.report import tables


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

  def test_stopped(self, logdir):
    reportruns.cut(logdir, 1000)
    reportruns.age(logdir, 3 * 3600 + 5)
    run = load(logdir)
    assert run.state == 'stopped' and run.usable
    assert run.problems == ['stopped at step 1,000 of 2,000, 3 hours ago']

  def test_target_counts_the_repeat(self, logdir):
    # Upstream logs frames: 2000 of a run of 2000 actions are a quarter.
    path = reportruns.elements.Path(str(logdir)) / 'config.yaml'
    reportruns.config(task='atari_pong', run__steps=2000).save(path)
    reportruns.age(logdir)
    problem, = load(logdir).problems
    assert problem.startswith('stopped at step 2,000 of 8,000')

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
        'scores.jsonl: 1 of 3 lines are damaged and left out, the first is '
        'line 2']

  def test_last_line_may_be_cut(self, logdir):
    rewrite(logdir, [(100, 1), (2000, 2), '{"step": 2001, "epi'])
    assert load(logdir).problems == []

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
      (logdir / 'eval' / f'{name}.png').write_bytes(play.png(
          np.zeros((4, 4, 3), np.uint8)))
    (logdir / 'eval' / '20000_sampled_worst.png').write_bytes(b'no picture')
    evals = evaluations.load(logdir, [])
    assert [k for k, _ in evaluations.strips(logdir, evals)] == ['best']


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
        dict(seed=2, run__steps=5e4, run__log_every=7)) == ['Dreamer-GAIL'] * 3

  def test_controls(self):
    assert self.assign(
        {}, dict(agent__gail__reward='env'), dict(random_agent=True),
        dict(agent__gail__reward='constant')) == [
            'Dreamer-GAIL', 'DreamerV3', 'Random play', 'Constant reward']

  def test_unlike_settings_are_never_averaged(self):
    assert self.assign({}, dict(agent__gail__opt__learning_rate=3e-9)) == [
        'Dreamer-GAIL (opt.learning_rate=0.0001)',
        'Dreamer-GAIL (opt.learning_rate=3e-09)']

  def test_many_differences(self):
    assert self.assign({}, dict(
        agent__gail__opt__learning_rate=3e-9, batch_size=4,
        batch_length=8)) == ['Dreamer-GAIL A', 'Dreamer-GAIL B']

  def test_equal_names_of_unlike_files(self):
    assert self.assign(
        dict(agent__gail__expert='/a/x.h5'),
        dict(agent__gail__expert='/b/x.h5')) == [
            'Dreamer-GAIL A', 'Dreamer-GAIL B']

  def test_differences_between_tasks_are_none(self):
    # Each game has its own demonstrations.
    assert self.assign(
        dict(agent__gail__expert='x.h5'),
        dict(agent__gail__expert='y.h5', task='minatar_seaquest')) == [
            'Dreamer-GAIL'] * 2

  def test_settings_without_effect(self):
    rate = dict(agent__gail__opt__learning_rate=3e-9)
    assert len(set(self.assign(
        dict(random_agent=True), dict(random_agent=True, **rate)))) == 1
    env = dict(agent__gail__reward='env')
    assert len(set(self.assign(env, {**env, **rate}))) == 1

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


class TestSummary:

  def run(self, values, state='complete', **kwargs):
    values = np.float64(values)
    steps = 100.0 * np.arange(1, 1 + len(values))
    return runlib.Run(
        'x', task='t', method='m', steps=steps, scores=values, state=state,
        **kwargs)

  def table(self, *runs, **kwargs):
    return summary.table(runs, ['m', methods.RANDOM], kwargs)

  def test_training_score_is_that_of_the_scores_command(self, saved):
    own = summary.score(load(saved))
    assert own.source == 'training'
    assert own.games.mean() == scorelib.window(saved)['mean']

  def test_long_run(self):
    # The last tenth of 300,000 steps: 270,001 to 300,000.
    run = runlib.Run('x', steps=np.float64([100, 27e4, 28e4, 3e5]),
                     scores=np.float64([1, 2, 3, 4]))
    assert summary.score(run).games.tolist() == [3, 4]

  def test_evaluation_first(self, logdir):
    reportruns.evaluation(logdir, [5, 7] * 5)
    own = summary.score(load(logdir))
    assert own.source == 'evaluation, sampled' and len(own.strata) == 5
    assert own.games.mean() == 6

  def test_row(self):
    row, = self.table(
        self.run([1, 1, 4, 4], seed=1), self.run([3] * 4, seed=0))
    assert (row.seeds, row.mean, row.games) == ([0, 1], 2.75, 8)
    assert row.sd == pytest.approx(np.std([2.5, 3], ddof=1))
    assert row.iqm == 3 and row.low <= row.iqm <= row.high
    assert row.normalised is row.hours is row.length is None

  def test_one_run_has_no_sd(self):
    assert self.table(self.run([1, 2]))[0].sd is None

  def test_normalised(self):
    random = self.run([1.0])
    random.method = methods.RANDOM
    rows = self.table(self.run([3.0]), random, t=5.0)
    assert [x.normalised for x in rows] == [0.5, 0]

  def test_normalised_without_random_play(self, logdir):
    # Then by the random play that belongs to the evaluation.
    reportruns.evaluation(
        logdir, [5, 7] * 5, summary=dict(flags=[], expert_normalised=0.75))
    run = load(logdir)
    run.task, run.method = 't', 'm'
    assert [x.normalised for x in self.table(run, t=5.0)] == [0.75]
    random = self.run([2.0])
    random.method = methods.RANDOM
    found = [x.normalised for x in self.table(run, random, t=10.0)]
    assert found == [0.5, 0]

  def test_unfinished_runs_stay_out(self):
    running = self.run([100], state='running')
    row, = self.table(self.run([1, 2]), running)
    assert row.mean == 1.5 and 'not in the scores' in running.problems[0]
    alone = self.run([100], state='stopped')
    assert self.table(alone)[0].mean == 100 and not alone.problems

  def test_human_play_of_atari(self, tmp_path):
    # Random play of Seaquest has 68.4, a human 42,054.7 (Wang et al., 2016).
    chance = [dict(score=68.4, length=10)]
    for seed, level in enumerate((0.25, 0.75)):
      logdir = reportruns.save(
          tmp_path / str(seed), task='atari_seaquest', seed=seed)
      scores = 68.4 + level * (42054.7 - 68.4) * np.float64([1, 0.5, 1.5])
      played = [
          dict(chunk=0, score=x, length=9, limit=False) for x in scores]
      found = evaluate.summary(
          reportruns.config(task='atari_seaquest'), played, chance)
      assert found['human_normalised'] == pytest.approx(level)
      reportruns.evaluation(logdir, scores, summary=found)
    runs = [load(tmp_path / x) for x in '01']
    rows = summary.table(runs, methods.assign(runs), {})
    assert rows[0].human == pytest.approx(0.5)
    line, = tables.results(rows)
    assert dict(line['cells'])['human = 1'] == '0.50'
    # No such column for other tasks.
    for run in runs:
      run.evals[0]['summary'].pop('human_normalised')
    line, = tables.results(summary.table(runs, methods.assign(runs), {}))
    assert 'human = 1' not in dict(line['cells'])

  def test_achievements_of_crafter(self, tmp_path):
    # Two runs of two games each.
    for seed, games in enumerate(([(1, 0), (3, 0)], [(0, 0), (2, 1)])):
      played = [
          dict(chunk=0, score=x, length=9, limit=False,
               achievements={'wake_up': x, 'eat_cow': y}) for x, y in games]
      found = evaluate.summary(
          reportruns.config(task='crafter_reward'), played, played)
      logdir = reportruns.save(
          tmp_path / str(seed), task='crafter_reward', seed=seed)
      reportruns.evaluation(logdir, [1, 2, seed], summary=found)
    runs = [load(tmp_path / x) for x in '01']
    known = methods.assign(runs)
    names, rates = tables.achievements(runs, 'crafter_reward')
    assert names == ['wake up', 'eat cow']
    assert [x.tolist() for x in rates.values()] == [[0.75, 0.25]]
    # Mean of the runs' scores: rates of 100 and 0 %, and of 50 and 50 %.
    row, = summary.table(runs, known, {})
    assert row.crafter == pytest.approx((101 ** 0.5 + 51) / 2 - 1)
    line, = tables.results([row])
    assert dict(line['cells'])['Crafter score'] == '29.5 %'

  def test_copies_count_once(self):
    runs = [self.run(x) for x in ([1, 2], [1, 2], [2, 1], [5, 5], [5, 5])]
    row, = self.table(*runs)
    assert row.values.tolist() == [1.5, 1.5, 5, 5] and row.games == 8
    assert [len(x.problems) for x in runs] == [0, 1, 0, 0, 0]
    assert 'its games are those of x' in runs[1].problems[0]


class TestCurve:

  def test_means_of_bins(self):
    xs, ys = np.float64([1, 4, 6, 9]), np.float64([1, 3, 5, 9])
    curve = summary.curve([(xs, ys), (xs, ys + 2)], 10, bins=2)
    assert curve.x.tolist() == [2.5, 7.5]
    assert curve.ys.tolist() == [[2, 7], [4, 9]]
    assert curve.mean.tolist() == [3, 8] and curve.end == 8

  def test_gaps_are_filled_between_but_not_beyond(self):
    run = (np.float64([1, 5]), np.float64([0, 4]))
    whole = (np.float64([1, 3, 5, 7]), np.float64([1, 1, 1, 1]))
    curve = summary.curve([run, whole], 8, bins=4)
    assert curve.ys[0, :3].tolist() == [0, 2, 4] and np.isnan(curve.ys[0, 3])

  def test_no_mean_without_all_runs(self):
    # It would jump from 5 to 10 where the worse run ends.
    short = (np.float64([1, 3]), np.float64([0, 0]))
    long = (np.float64([1, 3, 5, 7]), np.float64([10, 10, 10, 10]))
    curve = summary.curve([short, long], 8, bins=4)
    assert curve.full.tolist() == [True, True, False, False]
    assert curve.mean[:2].tolist() == [5, 5] and np.isnan(curve.mean[2:]).all()
    assert curve.end == 5

  def test_nothing(self):
    empty = np.zeros(0)
    assert summary.curve([(empty, empty)], 10) is None
    assert summary.curve([], 10) is None


class TestScoreFiles:

  def test_round_trip(self, saved, tmp_path):
    run = load(saved)
    run.method = 'Dreamer-GAIL (a=1)'
    name, = scorefiles.save([run], tmp_path)
    assert name == 'minatar-dreamer_gail_a_1.json.gz'
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
    from dreamer_gail_plugin import main
    wanted = reportruns.config(**changes)
    text, lost = command.rebuild(wanted.flat)
    assert lost == []
    words = shlex.split(text)
    assert words[:3] == shlex.split(command.MODULE)
    parsed = main.load_config(words[3:])
    assert parsed.update(logdir=wanted.logdir) == wanted

  def test_is_short(self):
    text, _ = command.rebuild(reportruns.defaults().flat)
    names = text.removeprefix(f'{command.MODULE} --configs ').split()
    assert sorted(names) == ['gail', 'minatar', 'tiny']

  def test_settings_of_another_version(self):
    flat = {**reportruns.defaults().flat, 'agent.gail.old': 1}
    assert command.rebuild(flat)[1] == ['agent.gail.old']

  def test_not_ours(self):
    assert command.rebuild({'task': 'a_b', 'seed': 1}) == ('', [])


class TestPlay:

  def game(self, length, ended=True):
    last = np.arange(length) == length - 1
    return dict(
        image=np.arange(length, dtype=np.uint8)[:, None, None, None].repeat(
            5, 1).repeat(5, 2).repeat(3, 3),
        action=np.arange(length, dtype=np.int32) % 2,
        is_first=np.arange(length) == 0, is_last=last & ended,
        is_terminal=last & ended, reward=np.zeros(length, np.float32))

  def captions(self, *args):
    return [x for _, x in play.strip(self.game(*args))]

  def test_every_eighth_frame(self):
    assert self.captions(100) == [str(x) for x in range(0, 80, 8)]

  def test_end(self):
    assert self.captions(20) == ['0', '8', '16', '19 end']
    assert self.captions(17) == ['0', '8', '16 end']
    assert self.captions(1) == ['0 end']
    assert self.captions(20, False) == ['0', '8', '16']

  def test_frames_are_those_of_their_steps(self):
    for data, text in play.strip(self.game(100)):
      image = np.array(play.Image.open(play.io.BytesIO(data)))
      assert image.shape == (120, 120, 3)
      assert (image == int(text)).all()

  def test_names_of_actions(self):
    strip = play.strip(self.game(9), ('noop', 'fire'))
    assert [x for _, x in strip] == ['0 noop', '8 end']

  def test_bundled_expert(self):
    flat = reportruns.defaults().flat
    own = play.expert(flat, None)
    assert own.score == pytest.approx(30.27, abs=0.005)
    assert own.actions.sum() == 10 * 1024 - 30  # 30 games end in them.
    assert own.meanings == ('noop', 'left', 'right')
    assert len(own.strip) == 10

  def test_expert_kept_as_a_recipe(self, monkeypatch, tmp_path):
    # Crafter's demonstrations are bundled as seeds and actions.
    seen = []
    monkeypatch.setattr(
        play.recipe, 'cached', lambda x: seen.append(x.name) or x)
    flat = {'agent.gail.expert': 'auto', 'task': 'crafter_reward'}
    assert play.expert_path(flat, tmp_path).exists()
    assert seen == ['crafter_reward.json']

  def test_missing_expert(self):
    flat = {**reportruns.defaults().flat, 'agent.gail.expert': 'none.h5'}
    run = runlib.Run('x', task='minatar_breakout', flat=flat)
    run.path = play.pathlib.Path('.')
    notes = []
    assert film.experts([run], notes) == {}
    assert 'none.h5: no such file' in notes[0]

  def test_learner_from_upstreams_replay(self, tmp_path):
    chunk = Chunk(64)
    for game in (self.game(10), self.game(30)):
      for step in range(len(game['is_first'])):
        chunk.append({k: v[step] for k, v in game.items()})
    (tmp_path / 'replay').mkdir()
    chunk.save(reportruns.elements.Path(str(tmp_path / 'replay')))
    own = play.learner(tmp_path)
    assert [x for _, x in own.strip] == ['0', '8', '16', '24', '29 end']
    # The actions of last steps mean nothing.
    assert own.actions.tolist() == [5 + 15, 4 + 14]

  def test_nothing_is_unpickled(self, tmp_path):
    (tmp_path / 'replay').mkdir()
    bad = np.array([{}, {}], object)
    np.savez(tmp_path / 'replay' / 'a.npz', is_first=bad, is_last=bad)
    (tmp_path / 'replay' / 'b.npz').write_bytes(b'PK\x03\x04 no archive')
    assert play.learner(tmp_path) is None


def test_ago():
  assert runlib.ago(59) == 'less than a minute ago'
  assert runlib.ago(60) == '1 minute ago'
  assert runlib.ago(2 * 86400 + 1) == '2 days ago'
