"""Several hosts: what they share, and what each has of its own."""

import signal
import socket
import threading

import elements
import numpy as np
import pytest

from dreamer_gail_plugin import build
from dreamer_gail_plugin import configs
from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.patches import final_save
from dreamer_gail_plugin.patches import host_clocks
from dreamer_gail_plugin.patches import loops
from dreamer_gail_plugin.running import checks
from dreamer_gail_plugin.running import hosts
from dreamer_gail_plugin.running import signals
from helpers.upstreams import needs

FLAGS = [
    '--configs', 'minatar', 'gail', 'debug', '--replicas', '2',
    '--jax.coordinator_address', 'here:1234']


def config(*flags):
  return configs.load_config([*FLAGS, *map(str, flags)])


@pytest.fixture
def second(monkeypatch):
  """Let this process be the second of two hosts, of which none answers."""
  monkeypatch.setattr(hosts.JOINED, 'index', 1)
  monkeypatch.setattr(hosts.JOINED, 'count', 2)
  def answer(found):
    monkeypatch.setattr(hosts, 'gather', lambda mine: np.array([found, mine]))
  return answer


def test_hosts_see_other_demonstrations_and_games():
  def seen(*flags):
    made = config(*flags)
    stream = build.make_expert(made, 20, seed=(0, *hosts.part(made)))
    batch = stream.sample()['expert/image']
    env = build.make_env(made, 0)
    images = [env.step({'action': np.int32(1), 'reset': not i})['image']
              for i in range(20)]
    env.close()
    return batch, np.array(images)
  first, again, other = [seen('--replica', x) for x in (0, 0, 1)]
  alone = seen('--replicas', 1)
  for index in range(2):
    assert np.array_equal(first[index], again[index])
    assert np.array_equal(first[index], alone[index])
    assert not np.array_equal(first[index], other[index])


def test_only_the_training_has_hosts():
  assert hosts.several(config()) and hosts.part(config()) == ()
  assert hosts.part(config('--replica', 1)) == (1,)
  # A process of an environment has a number, too.
  flags = '--script', 'parallel_env', '--replica', 1
  assert not hosts.several(config(*flags)) and not hosts.part(config(*flags))


@pytest.mark.parametrize('flags, text', [
    (['--jax.coordinator_address', ''], '--jax.coordinator_address, HOST'),
    (['--run.twin', 'True'], '--run.twin True'),
    (['--replica', '2'], '--replica 2: must be below')])
def test_flags_that_do_not_go_together(flags, text):
  with pytest.raises(UserError, match=text):
    checks.relations(config(*flags))


@pytest.mark.parametrize('sent', [b'', hosts.DONE])
def test_a_lost_host_ends_the_process(sent, monkeypatch, capsys):
  ended, (mine, other) = [], socket.socketpair()
  monkeypatch.setattr(hosts.os, '_exit', ended.append)
  other.sendall(sent)
  other.close()
  hosts.watch(mine)
  lines = capsys.readouterr().err.splitlines()
  assert ended == ([] if sent else [1])
  assert len(lines) == (not sent) and all('has ended' in x for x in lines)


@pytest.mark.parametrize('index', [0, 1])
def test_the_first_host_leaves_last(second, monkeypatch, index):
  done, (mine, other) = [], socket.socketpair()
  monkeypatch.setattr(hosts.JOINED, 'index', index)
  monkeypatch.setattr(hosts.jax.distributed, 'shutdown', lambda: done.append(
      other.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK) if not index
      else None))
  watch = threading.Thread(target=hosts.watch, args=(mine,))
  watch.start()
  threading.Timer(0.2, other.sendall, [hosts.DONE]).start()
  hosts.leave([mine], [watch])
  if not index:
    assert not watch.is_alive()  # The other has left before.
  assert done == [None if index else hosts.DONE]
  assert other.recv(1) == hosts.DONE
  watch.join()


def test_a_signal_to_one_is_one_to_all(second):
  listener, saved = signals.Listener(), []
  listener.active = listener.listening = True
  obey = lambda: listener.obey(lambda: saved.append(1), hosts.share)
  second([0, 0])
  obey()
  assert not saved
  second([signal.SIGTERM, 1])
  with pytest.raises(signals.Stop):
    obey()
  assert listener.ending == signal.SIGTERM and saved == [1]


def test_a_signal_while_hosts_talk_waits_for_the_next_step(monkeypatch):
  listener = signals.Listener()
  listener.active = listener.listening = True
  def late(values):
    listener.ending = signal.SIGTERM
    return np.array([values, values])
  monkeypatch.setattr(hosts, 'gather', late)
  listener.obey(None, hosts.share)  # Others would not end with this one.
  with pytest.raises(signals.Stop):
    listener.obey(None, hosts.share)


@needs('host_clocks')
def test_the_clock_of_the_first_host_counts(second):
  clock = loops.module('train').embodied.LocalClock(-1)
  assert isinstance(clock, host_clocks.Clock)
  for found in (0, 1):
    second([found])
    assert clock() is bool(found)


def test_the_first_host_saves(second, tmp_path):
  saved = []
  checkpoint = final_save.Checkpoint(tmp_path)
  counter = elements.Counter(3)
  counter.save = lambda: saved.append(1) or 3
  checkpoint.step = counter
  checkpoint.save()
  assert saved and not list(tmp_path.iterdir())


def test_a_save_that_not_all_see(second, tmp_path):
  second([1])
  checkpoint = final_save.Checkpoint(tmp_path)
  checkpoint.step = elements.Counter()
  with pytest.raises(UserError, match='a folder that they share'):
    checkpoint.load_or_save()
