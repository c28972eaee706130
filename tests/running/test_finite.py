"""A run that has diverged ends, and its last good save stays."""

import functools

import elements
import numpy as np
import pytest

from dreamer_gail_plugin.running import finite
from helpers import dummies
from helpers import looptools
from helpers.refusals import refused

NAN = np.float32('nan')


class Agent:
  """As upstream's outer agent; `metrics` and `params` are what it has."""

  def __init__(self, metrics=None, params=None):
    self.metrics = {'loss/dyn': np.float32(1), **(metrics or {})}
    self.policy_params = {
        'enc/w': np.ones(2), 'opt/step': np.int32(3), **(params or {})}

  def train(self, carry, data):
    return carry, {}, self.metrics

  def save(self):
    return {'params': self.policy_params, 'counters': {}}

  def policy(self, carry, obs, mode='train'):
    assert obs['fine'], 'not finite'
    return carry, mode


def test_what_is_finite_passes():
  agent = finite.guarded(Agent({'opt/grad_norm': NAN, 'disc/rew_end': NAN}))
  assert agent.train(1, {})[2] is agent.metrics
  assert agent.save()['params'] is agent.policy_params
  assert agent.policy(5, {'fine': True}, mode='eval') == (5, 'eval')


@pytest.mark.parametrize('key', ['loss/dyn', 'loss/policy', 'disc/loss'])
@pytest.mark.parametrize('value', [NAN, np.float32('inf')])
def test_a_loss(key, value):
  with refused('diverged', f'{key} are NaN', '--agent.opt.lr'):
    finite.guarded(Agent({key: value})).train(0, {})


def test_parameters_are_not_saved():
  agent = finite.guarded(Agent(params={'pol/w': np.array([1, NAN])}))
  with refused('pol/w are NaN'):
    agent.save()


def test_the_policy_says_which():
  agent = finite.guarded(Agent(params={f'p{x}': NAN for x in range(5)}))
  with refused('p0, p1, p2 and 2 more are NaN'):
    agent.policy(0, {'fine': False})
  with pytest.raises(AssertionError, match='not finite'):
    finite.guarded(Agent()).policy(0, {'fine': False})


@pytest.mark.parametrize('given, words', [
    ({'loss': True}, 'loss/dyn are NaN'), ({'acts': True}, 'pol/w are NaN')])
@pytest.mark.parametrize('loop', [looptools.train, looptools.train_eval])
def test_the_loops_end_before_they_save(tmp_path, loop, given, words):
  logdir = elements.Path(tmp_path)
  make = functools.partial(dummies.make_diverging, **given)
  with refused('diverged', words):
    loop(logdir, steps=1000, save_every=1000, make_agent=make)
  assert looptools.saved(logdir, 'step') == 0
