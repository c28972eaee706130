"""The risk critic, and the agent that avoids what it warns of."""

import elements
import jax.numpy as jnp
import numpy as np
import pytest

from dreamer_gail_plugin import build
from dreamer_gail_plugin import configs
from dreamer_gail_plugin.envs import upstreams
from dreamer_gail_plugin.evaluate import actors
from dreamer_gail_plugin.variants import risk
from helpers import agents

FLAGS = dict(
    agent__gail__anchor=0.5, agent__gail__risk=3.0,
    agent__gail__anchor_shift=0)


@pytest.fixture(scope='module')
def agent():
  return agents.make(**FLAGS)


def test_moves_itself_alone(agent):
  assert agents.grads(agent, 'risk') == {'risk'}


def test_squared_error_of_the_choice_taken(agent):
  data = agents.batch(agent)
  obs = {'image': data['ends/image']}
  values = np.asarray(agents.call(
      agent, lambda obs: agent.model.risk(obs, 2)['action'], obs))
  action, target = data['ends/action'], data['ends/target']
  taken = np.take_along_axis(values, action[..., None], -1)[..., 0]
  found = agents.loss(agent, data)['risk']
  np.testing.assert_allclose(found, (taken - target) ** 2, rtol=1e-3)


def test_is_no_matter_of_imagination(agent):
  # Whatever it says, the losses of the others are the same.
  data = agents.batch(agent)
  loud = {
      k: v + 1 if 'risk/' in k and v.dtype == np.float32 else v
      for k, v in agent.initial.items()}
  plain, other = (agents.loss(agent, data, x) for x in (agent.initial, loud))
  assert np.abs(plain['risk'] - other['risk']).max() > 1e-3
  for key in ('policy', 'value', 'anchor', 'anchor_kl', 'dyn'):
    np.testing.assert_array_equal(plain[key], other[key])


def test_takes_off_logits():
  given = {'a': (jnp.zeros((1, 3)),), 'b': (jnp.ones(1), jnp.ones(1))}
  found = risk.less_risk(given, {'a': jnp.array([[1.0, 0.0, -0.5]])}, 2.0)
  assert found['a'][0].tolist() == [[-2.0, 0.0, 1.0]]
  assert found['b'] is given['b']


def test_values_of_single_choices_alone():
  config = agents.config(**FLAGS).agent
  space = elements.Space
  acts = {
      'one': space(np.int32, (), 0, 4), 'many': space(np.int32, (2,), 0, 4),
      'number': space(np.float32, (), -1, 1)}
  critic = risk.Risk(
      {'image': space(np.uint8, (10, 10, 4))}, acts, config, name='risk')
  assert set(critic.head.head.spaces) == {'one'}


@pytest.mark.slow
def test_learns_and_avoids():
  # Left ends the game where it is light, right where it is dark.
  flags = dict(agent__opt__lr=1e-2, agent__gail__anchor_rate=1.0, **FLAGS)
  agent, config = agents.make(**flags), agents.config(**flags)
  batches = []
  for seed in range(80):
    data = agents.batch(agent, seed)
    rng = np.random.default_rng(seed)
    light = rng.integers(0, 2, data['ends/action'].shape)
    data['ends/image'][:] = 255 * light[..., None, None, None]
    data['ends/target'] = np.float32(
        data['ends/action'] == np.where(light, 1, 2))
    # The anchor likes both as much.
    data['single/action'] = rng.integers(1, 3, light.shape, dtype=np.int32)
    batches.append(data)
  params, metrics = agents.train(agent, batches)
  assert metrics[-1]['loss/risk'] < 0.05 < metrics[0]['loss/risk']
  share = {}
  for scale in (0.0, 3.0):
    actor = actors.Actor(
        config.update({'agent.gail.risk': scale}), params)
    obs = {
        k: np.zeros((200, *v.shape), v.dtype)
        for k, v in actor.obs_space.items()}
    obs['image'][:100] = 255
    obs['is_first'][:] = True
    keys = np.arange(400, dtype=np.uint32).reshape((200, 2))
    _, acts = actor(actor.start(200), obs, keys, np.zeros(200, np.uint32))
    ended = np.where(np.arange(200) < 100, 1, 2)
    share[scale] = (acts['action'] == ended).mean()
  assert 0.3 < share[0.0] < 0.7 and share[3.0] < 0.15


def test_stream_has_what_the_agent_wants():
  flags = [
      '--configs', 'minatar', 'gail', 'anchor', 'debug',
      '--jax.platform', 'cpu']
  for scale in ('0', '1'):
    config = configs.load_config([*flags, '--agent.gail.risk', scale])
    replay = upstreams.main().make_replay(
        config.update({'logdir': '/nowhere'}), 'replay')
    length = config.batch_length + config.replay_context
    env = build.make_env(config, 0)
    for step in range(4 * length):
      action = {k: v.sample() for k, v in env.act_space.items()}
      obs = env.step({**action, 'reset': np.array(step == 0)})
      extra = {k: np.zeros(v.shape, v.dtype) for k, v in {
          'stepid': elements.Space(np.uint8, 20),
          'consec': elements.Space(np.int32)}.items()}
      replay.add({**obs, **action, **extra})
    batch = next(iter(build.make_stream(config, replay, 'train')))
    found = {k for k in batch if k.startswith('ends/')}
    assert found == ({
        'ends/image', 'ends/action', 'ends/target'} if scale == '1' else set())
