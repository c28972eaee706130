"""What `demos check` says of vectors: ten experts are good, faults are not."""

import functools

import numpy as np
import pytest

from dreamer_gail_plugin.data import record
from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.demos import check
from dreamer_gail_plugin.demos import tasks
from dreamer_gail_plugin.demos.check import content
from dreamer_gail_plugin.demos.check import physics
from dreamer_gail_plugin.demos.check import play

CARTPOLE, PENDULUM = 'gym_CartPole-v1', 'gym_Pendulum-v1'


class Held:
  """Keeps an action for some steps, or acts some steps late."""

  def __init__(self, policy, held=1, late=0):
    self.policy, self.held, self.late = policy, held, late
    self.seen = []

  def __call__(self, obs):
    self.seen.append(obs['vector'])
    now = max(0, len(self.seen) - 1 - self.late)
    return {'action': self.policy(self.seen[now // self.held * self.held])}


def torque(force):
  return np.float32([np.clip(force, -2, 2)])


def swing(obs):
  x, y, speed = obs
  if x > 0.9:
    return torque(-10 * y - 2 * speed)
  return torque(-np.sign((speed ** 2 / 2 + 15 * (x - 1)) * speed))


def noise(low, high, memory, seed=0):
  """Return random actions that change slowly."""
  random, last = np.random.default_rng(seed), np.zeros(1)

  def act(obs):
    last[:] = memory * last + (1 - memory) * random.uniform(low, high)
    return np.clip(last, -2, 2).astype(np.float32)
  return act


def balance(obs):
  return np.int32(obs[2] + 0.5 * obs[3] + 0.1 * obs[1] > 0)


def flip(obs):
  return np.int32(obs[3] * 10 % 2 > 1)


def pump(obs):
  return np.int32(2 * (obs[1] > 0))


EXPERTS = {
    'swing': (PENDULUM, lambda: Held(swing)),
    'swing, held for 2 steps': (PENDULUM, lambda: Held(swing, 2)),
    'swing, held for 4 steps': (PENDULUM, lambda: Held(swing, 4)),
    'swing, a step late': (PENDULUM, lambda: Held(swing, late=1)),
    'slow noise': (PENDULUM, lambda: Held(noise(-8, 8, 0.9))),
    'small noise': (PENDULUM, lambda: Held(noise(-1, 1, 0.5))),
    'brake': (PENDULUM, lambda: Held(lambda x: torque(-x[2]))),
    'balance': (CARTPOLE, lambda: Held(balance)),
    'balance, held for 2 steps': (CARTPOLE, lambda: Held(balance, 2)),
    'balance, a step late': (CARTPOLE, lambda: Held(balance, late=1)),
    'flip': (CARTPOLE, lambda: Held(flip)),
    'pump': ('gym_MountainCar-v0', lambda: Held(pump))}


@functools.cache
def played(task):
  return play.Play(tasks.make_env(task, 0, **tasks.options(task)))


@functools.cache
def expert(name, steps=1200):
  task, policy = EXPERTS[name]
  env = tasks.make_env(task, 1, **tasks.options(task))
  found = record.rollout(env, policy(), steps)
  env.close()
  return found


def problems(task, data, tmp_path, monkeypatch, level='problem'):
  monkeypatch.setattr(play, 'SECONDS', np.inf)
  options = tasks.options(task)
  store.write(tmp_path / 'x.h5', [data], {
      'task': task, 'preprocessing': options})
  with store.Store(tmp_path / 'x.h5') as demos:
    found = check.find(demos, task, played(task), options)
  return [x.text for x in found if x.level == level]


@pytest.mark.slow
@pytest.mark.parametrize('name', EXPERTS)
def test_no_false_alarm(name, tmp_path, monkeypatch):
  task = EXPERTS[name][0]
  assert not problems(task, expert(name), tmp_path, monkeypatch)


@pytest.mark.parametrize('name', ['slow noise', 'brake'])
def test_actions_from_minus_one_to_one(name, tmp_path, monkeypatch):
  data = dict(expert(name))
  data['action'] = data['action'] / 2
  text, = problems(PENDULUM, data, tmp_path, monkeypatch)
  assert 'action from -2 to 2' in text and 'it is from -1 to 1' in text


def test_last_observations_that_were_not_saved(tmp_path, monkeypatch):
  data = expert('flip')
  ends = np.flatnonzero(data['is_terminal'])
  assert len(ends) > 9
  data = {**data, 'vector': data['vector'].copy()}
  data['vector'][ends] = data['vector'][ends - 1]
  assert not problems(CARTPOLE, data, tmp_path, monkeypatch)
  data['is_terminal'] = np.zeros_like(data['is_terminal'])
  assert problems(CARTPOLE, data, tmp_path, monkeypatch)


@pytest.mark.parametrize('extra', [0, 1])
def test_games_beyond_the_time_limit(extra, tmp_path, monkeypatch):
  data = {k: v[:501].copy() for k, v in expert('balance').items()}
  data = {k: np.concatenate([v[:2], v[2 - extra:]]) for k, v in data.items()}
  notes = problems(CARTPOLE, data, tmp_path, monkeypatch, 'note')
  assert len([x for x in notes if 'the task ends after 500' in x]) == extra


@pytest.mark.parametrize('most, count', [(1, 1), (2, 0), (0, 0), (255, 0)])
def test_images_of_0_to_1(most, count):
  image = np.zeros((9, 8, 8, 3), np.uint8)
  image[4:] = most
  assert len(content.faint([{'image': image}])) == count


def test_wide_vectors_are_left_out(monkeypatch):
  class Wide:
    parts = [{
        'vector': np.random.default_rng(0).random((150, 768)),
        'action': np.arange(150) % 3, **{
            x: np.zeros(150, bool)
            for x in ('is_first', 'is_last', 'is_terminal')}}]
    folds = lambda self: (self.parts, self.parts)
  monkeypatch.setattr(physics, 'Model', None)  # It would take 370 MB.
  found, = physics.find(Wide.parts, Wide(), 'action', 3)
  assert found.level == 'note'
  assert 'vector and action are 771 numbers' in found.text
