"""What the method restates of upstream's agent is still what upstream does.

The method's loss with upstream's reward prediction for D's reward, and with
the reward head's loss added, must be upstream's own, and so must its
gradients. When this fails, upstream has changed: read its `Agent.loss` beside
agent.py and worldmodel.py.
"""

import dreamerv3.agent
import jax
import ninjax as nj
import numpy as np
import pytest

from dreamer_gail_plugin import agent as agentlib
from helpers import agents
from helpers import toyenv

sg = dreamerv3.agent.sg
# Heads that start at zero would hide what passes through them.
FLAGS = dict(
    agent__value__outscale=1.0, agent__policy__outscale=1.0,
    agent__rewhead__outscale=1.0)
SEED = np.array([3, 4], np.uint32)


class Rewarded(agentlib.Agent):
  """The method under upstream's reward prediction, without demonstrations."""

  def __init__(self, *args):
    super().__init__(*args)
    self.scales['rew'] = self.config.loss_scales.rew

  def _model(self, replay, expert, training):
    out, _ = super()._model(replay, expert, training)
    self.real = replay.obs['reward']
    inp = sg(self.feat2tensor(out.feat), self.config.reward_grad)
    out.losses['rew'] = self.rew(inp, 2).loss(self.real)
    # Not what the expert's rows give, as observing them would use up random
    # numbers of the imagination.
    return out, sg((out.feat, out.carry[1]))

  def _imagine(self, *args):
    imag = super()._imagine(*args)
    self.predicted = self.rew(self.feat2tensor(imag.feat), 2).pred()
    self.window = args[3]
    return imag

  def _discriminate(self, inputs, training):
    return self.predicted, self.real[:, -self.window:], {}


def update(agent, data, params):
  """Return the loss, all losses and the gradients, at some parameters."""
  def fn(params):
    def inner():
      total, (_, _, outs, _) = agent.model.loss(
          *agents.context(agent, data), training=False)
      return total, outs['losses']
    return nj.pure(inner)(params, seed=SEED)[1]
  moved = {k: v for k, v in params.items() if v.dtype == np.float32}
  fixed = {k: v for k, v in params.items() if k not in moved}
  with jax.transfer_guard('allow'):
    (total, losses), grads = jax.jit(jax.value_and_grad(
        lambda x: fn({**fixed, **x}), has_aux=True))(moved)
  return jax.device_get((total, losses, grads))


# Images and choices, vectors and choices, vectors and numbers, all at once.
@pytest.mark.slow
@pytest.mark.parametrize('task,last', [
    ('minatar_breakout', 0), ('gym_CartPole-v1', 2), ('gym_Pendulum-v1', 0),
    (toyenv.TASK, 2)])
def test_loss_and_gradients_are_upstreams(task, last):
  flags = dict(FLAGS, task=task, agent__imag_last=last)
  ours = agents.make(Rewarded, **flags)
  theirs = agents.make(
      dreamerv3.agent.Agent, agent__gail__reward='env', **flags)
  params = {**ours.initial, **theirs.initial}
  data = agents.batch(ours)
  one = update(ours, data, params)
  two = update(theirs, {k: data[k] for k in theirs.spaces}, theirs.initial)
  np.testing.assert_allclose(one[0], two[0], rtol=1e-5)
  assert one[1].keys() == two[1].keys()
  for key, value in two[1].items():
    np.testing.assert_allclose(
        one[1][key], value, rtol=1e-4, atol=1e-5, err_msg=key)
  moved = set()
  for key, value in two[2].items():
    scale = np.abs(value).max()
    np.testing.assert_allclose(
        one[2][key], value, atol=1e-4 * scale + 1e-7, err_msg=key)
    moved |= {key.split('/')[0]} if scale > 0 else set()
  assert moved == {'enc', 'dyn', 'dec', 'rew', 'con', 'pol', 'val'}
