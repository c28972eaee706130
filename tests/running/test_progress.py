"""What a run says of itself while it runs: the line and evaluation scores."""

import functools
import inspect
import json

import elements
import embodied
import numpy as np
import pytest

from dreamer_gail_plugin import build
from dreamer_gail_plugin import configs
from dreamer_gail_plugin.running import progress
from helpers import agents
from helpers import dummies

bind = functools.partial


def summaries(step, **values):
  """Return logger output as upstream passes it; `__` stands for a slash."""
  values['fps/policy'] = 3.0
  return tuple(
      (step, k.replace('__', '/'), np.float64(v)) for k, v in values.items())


class TestLine:

  @pytest.fixture
  def output(self):
    self.now = 100.0
    return progress.Progress(
        60_000, agents.config().agent, lambda: self.now, lambda: 1.26e9)

  def test_first(self, output):
    # No speed yet, and nothing is made up for what is not known.
    assert output.line(summaries(600)) == (
        'Step 600 of 60,000 (1%) | 1.3 GB')

  def test_all_parts(self, output):
    output.line(summaries(1000))
    self.now += 10
    line = output.line((
        *summaries(1900, episode__score=2.0),
        *summaries(
            2000, episode__score=5.0, train__disc__acc_expert=0.75,
            train__disc__acc_imag=0.801)))
    # 1000 steps in 10 s; 58,000 are left.
    assert line == (
        'Step 2,000 of 60,000 (3%) | 100 steps/s | 9:40 left | score 3.50 | '
        'D right on 75% expert, 80% imagined | 1.3 GB')

  def test_last_score_stays(self, output):
    output.line(summaries(1000, episode__score=4.0))
    assert 'score 4.00' in output.line(summaries(1000))

  def test_speed_is_of_the_last_lines(self, output):
    lines = []
    for step in (0, 10, 20, 30, 40, 50, 1060, 2070, 3080, 4090, 5100):
      lines.append(output.line(summaries(step)))
      self.now += 10
    assert '| 1.0 steps/s |' in lines[5] and '| 101 steps/s |' in lines[-1]

  def test_beyond_the_end(self, output):
    output.line(summaries(59_000))
    self.now += 1
    line = output.line(summaries(60_100))
    assert line.startswith('Step 60,000 of 60,000 (100%) | ')
    # The total of a flag such as 1e7 is no whole number to Python.
    assert '.0 of' not in progress.Progress(
        1500.0, agents.config().agent).line(summaries(1504))
    assert '| 0:00 left' in line

  def test_duration(self):
    assert [progress.duration(x) for x in (0.4, 59.6, 61, 3600, 100_000)] == [
        '0:00', '1:00', '1:01', '1:00:00', '27:46:40']

  def test_in_the_logger_of_a_run(self, tmp_path, capsys):
    # In frames, as all steps of the logger.
    logger = build.make_logger(configs.load_config([
        '--configs', 'atari', 'debug', '--logdir', str(tmp_path),
        '--logger.outputs', 'jsonl', '--run.steps', '1e3']))
    logger.step.increment(100)
    logger.add({'episode/score': 7})
    logger.write()
    assert 'Step 400 of 4,000 (10%) | score 7.00 | ' in capsys.readouterr().out


class Paying(dummies.Dummy):
  """The environment of evaluation: rewards a hundredfold."""

  def step(self, action):
    obs = super().step(action)
    return {**obs, 'reward': 100 * obs['reward']}


class TestEvaluationApart:

  def run(self, logdir, loop):
    """Run the loop; return the values of each metric of the two."""
    logdir = elements.Path(logdir)
    loop(
        dummies.Agent, bind(dummies.make_replay, logdir / 'replay'),
        bind(dummies.make_replay, logdir / 'eval'), dummies.make_env, Paying,
        dummies.make_stream, bind(dummies.make_logger, logdir),
        dummies.flags(logdir, eval_envs=2, eval_eps=4, log_every=0))
    rows = [
        json.loads(x)
        for x in (logdir / 'metrics.jsonl').read_text().splitlines()]
    names = {k for row in rows for k in row}
    return {k: {row[k] for row in rows if k in row} for k in names}

  def test_release_mixes_them(self, tmp_path):
    found = self.run(tmp_path, inspect.unwrap(embodied.run.train_eval))
    assert found['episode/score'] == {10, 1000}
    assert 'eval/score' not in found

  def test_apart(self, tmp_path):
    # 0 + 1 + 2 + 3 + 4 in games of five steps.
    found = self.run(tmp_path, embodied.run.train_eval)
    assert found['episode/score'] == {10} and found['eval/score'] == {1000}
    assert found['episode/length'] == found['eval/length'] == {5}
    assert found['eval/episodes'] == {4}
    assert 'epstats/log/count/max' in found, sorted(found)
    assert 'evalstats/log/count/max' in found
