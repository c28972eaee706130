"""Nothing that a run has saved is lost: saves, the replay, the logs."""

import inspect
import json
import resource
import signal
import time

import elements
import numpy as np
import pytest

from dreamer_gail_plugin import atomic
from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.patches import own_lines
from dreamer_gail_plugin.patches import replay_chunks
from dreamer_gail_plugin.patches import whole_saves
from dreamer_gail_plugin.running import checkpoint
from helpers import dummies
from helpers.looptools import replayed
from helpers.looptools import saved
from helpers.looptools import train
from helpers.looptools import train_eval
from helpers.upstreams import SAVES

FSIZE = resource.RLIMIT_FSIZE


class TestWholeSaves:

  def test_release_removes_what_it_has_saved(self, tmp_path):
    store = elements.Checkpoint(tmp_path)
    store.step = elements.Counter()
    (tmp_path / '99991231T000000F000000').mkdir()
    store.save()
    assert not store.latest().exists() and whole_saves.needed()

  def test_saves_have_checksums(self, trained):
    lines = (checkpoint.find(trained) / 'done').read().splitlines()
    assert [x.split('  ')[1] for x in lines] == [
        'agent.pkl', 'replay.pkl', 'step.pkl']

  def test_goes_on_from_the_newest_whole_save(self, tmp_path, capsys):
    logdir = elements.Path(tmp_path)
    for end in (40, 60):
      train(logdir, steps=end, keep_checkpoints=2)
    good, bad = checkpoint.saves(logdir)
    (bad / 'step.pkl').write('')
    train(logdir, steps=100, keep_checkpoints=2)
    assert checkpoint.saves(logdir)[0] == good
    assert len(checkpoint.saves(logdir)) == 2 and not bad.exists()
    # From step 40 on: 20 steps are in the replay twice.
    assert replayed(logdir) == 120
    assert f'{bad.name} step.pkl is not as it was' in capsys.readouterr().out

  def test_latest_is_empty(self, tmp_path):
    logdir = elements.Path(tmp_path)
    train(logdir)
    (logdir / SAVES / 'latest').write('')
    agent = train(logdir, steps=60, make_agent=lambda: dummies.Agent(7))
    assert agent.params['enc/w'].tolist() == [1, 1]

  def test_all_damaged(self, tmp_path):
    logdir = elements.Path(tmp_path)
    train(logdir)
    for folder in checkpoint.saves(logdir):
      (folder / 'step.pkl').remove()
    with pytest.raises(UserError, match='lacks step.pkl'):
      train(logdir, steps=60)

  def test_another_script(self, tmp_path):
    logdir = elements.Path(tmp_path)
    train(logdir)
    with pytest.raises(UserError, match='no replay_eval and no replay_train'):
      train_eval(logdir, steps=60)

  def test_full_disk_ends_no_run(self, tmp_path, monkeypatch, capsys):
    logdir = elements.Path(tmp_path)
    train(logdir)
    before, left = saved(logdir, 'step'), [1] * 2
    def fsync(number):
      if left:
        left.pop()
        raise OSError(28, 'No space left on device')
    monkeypatch.setattr(atomic.os, 'fsync', fsync)
    train(logdir, steps=80, save_every=-1)
    assert before == 40 and saved(logdir, 'step') == 80
    assert 'Warning: not saved' in capsys.readouterr().out
    # All steps are there, though their chunks were refused at first.
    assert replayed(logdir) == 80

  def test_a_final_save_that_fails_is_an_error(self, tmp_path, monkeypatch):
    def fsync(number):
      raise OSError(28, 'No space left on device')
    logdir = elements.Path(tmp_path)
    train(logdir)
    monkeypatch.setattr(atomic.os, 'fsync', fsync)
    with pytest.raises(UserError, match='not saved: .*No space left'):
      train(logdir, steps=60)
    monkeypatch.undo()
    assert saved(logdir, 'step') == 40


class TestOwnLines:

  def log(self, folder, step):
    output = elements.logger.JSONLOutput(folder, 'x.jsonl', parallel=False)
    output([(step, 'metric', np.array(1.0))])

  def test_release_goes_on_in_the_torn_line(self, tmp_path, monkeypatch):
    output = elements.logger.JSONLOutput
    assert not own_lines.needed()
    monkeypatch.setattr(output, '_write', inspect.unwrap(output._write))
    assert own_lines.needed()

  @pytest.mark.parametrize('text, lines', [
      (None, 0), ('', 0), ('{"step": 1}\n', 1), ('{"step": 1}\n{"st', 2),
      ('{"st', 1)])
  def test_starts_a_line(self, tmp_path, text, lines):
    path = tmp_path / 'x.jsonl'
    if text is not None:
      path.write_text(text)
    self.log(tmp_path, 7)
    self.log(tmp_path, 8)
    found = path.read_text().splitlines()
    assert len(found) == lines + 2
    assert [json.loads(x)['step'] for x in found[-2:]] == [7, 8]
    assert path.read_text().startswith(text or '')

  def test_no_half_of_a_line_stays(self, tmp_path, capsys):
    self.log(tmp_path, 7)
    path, limits = tmp_path / 'x.jsonl', resource.getrlimit(FSIZE)
    text = path.read_text()
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(FSIZE, (len(text) + 5, limits[1]))
    try:
      self.log(tmp_path, 8)
    finally:
      resource.setrlimit(FSIZE, limits)
      signal.signal(signal.SIGXFSZ, before)
    assert path.read_text() == text
    assert 'x.jsonl is lost: File too large' in capsys.readouterr().out

  def test_full_disk(self, tmp_path, capsys):
    (tmp_path / 'x.jsonl').symlink_to('/dev/full')
    self.log(tmp_path, 7)
    assert 'x.jsonl is lost: No space left' in capsys.readouterr().out


class TestReplayChunks:

  def replay(self, path, steps=40):
    replay = dummies.make_replay(elements.Path(path))
    for number in range(steps):
      replay.add({'number': np.int64(number)})
    return replay

  def test_release_does_not_wait(self):
    assert replay_chunks.needed()

  def test_on_the_disk_when_the_save_returns(self, tmp_path, monkeypatch):
    save = np.savez_compressed
    def slow(*args, **kwargs):
      time.sleep(0.2)
      save(*args, **kwargs)
    monkeypatch.setattr(np, 'savez_compressed', slow)
    self.replay(tmp_path).save()
    steps = sorted(
        x for path in tmp_path.iterdir() for x in np.load(path)['number'])
    assert steps == list(range(40))

  def test_all_are_loaded(self, tmp_path):
    self.replay(tmp_path).save()
    replay = dummies.make_replay(elements.Path(tmp_path))
    replay.load()
    assert len(replay) == 40 - 3

  def test_what_failed_is_told_and_tried_again(self, tmp_path, monkeypatch):
    def fail(file, **data):
      file.write(b'half')
      raise OSError(28, 'No space left on device')
    replay = self.replay(tmp_path)
    monkeypatch.setattr(np, 'savez_compressed', fail)
    with pytest.raises(OSError, match='No space left'):
      replay.save()
    monkeypatch.undo()
    assert not list(tmp_path.iterdir())
    replay.save()
    replay.save()
    assert len(list(tmp_path.iterdir())) == 3

  def test_the_disk_has_no_more_than_the_replay(self, tmp_path):
    # The replay holds 100 steps, in chunks of 16 or what a save completes.
    for start in range(3):
      replay = dummies.make_replay(elements.Path(tmp_path))
      replay.load()
      for number in range(300):
        replay.add({'number': np.int64(1000 * start + number)})
        if number % 50 == 49:
          replay.save()
          steps = sum(
              int(x.stem.split('-')[-1]) for x in tmp_path.glob('*.npz'))
          assert steps <= 100 + 2 * 16
    kept = sorted(x for path in tmp_path.iterdir() for x in np.load(path)[
        'number'])
    assert kept[-100:] == list(range(2200, 2300))

  def test_files_of_others_stay(self, tmp_path):
    self.replay(tmp_path).save()
    replay = self.replay(tmp_path, 300)
    replay.save()
    assert len(list(tmp_path.iterdir())) == 3 + len(
        [x for x in replay.chunks.values() if x.length])
