"""The expert's rows go on: the RSSM knows their past as the agent's.

With a reset at the start of each batch D would tell expert from agent by how
long the RSSM has run (docs/ablations.md).
"""

import jax
import numpy as np
import pytest

from dreamer_gail_plugin import worldmodel
from helpers import agents

WORLDS = [{}, dict(agent__gail__world='both')]


def observe(agent, data, past=None):
  """Return what the RSSM makes of the expert's steps, and the new past."""
  def fn(data, past):
    model = agent.model
    rows = worldmodel.Rows(*agents.context(agent, data))
    expert = worldmodel.expert_rows(model, rows.obs['expert'].obs, past)
    _, seen = model._model(rows, expert, False)
    feat, carry = seen or worldmodel.observe(model, expert, False)
    return feat, (carry, {'action': expert.obs['action'][:, -1]})
  return jax.device_get(agents.call(agent, fn, data, past))


def batch(agent, consec):
  """Return a batch without any border, but the rows' own where consec is 0."""
  data = agents.batch(agent)
  data['expert/is_first'][:] = data['expert/is_cut'][:] = False
  if not consec:
    agents.start_anew(data, slice(None))
  return data


@pytest.mark.parametrize('flags', WORLDS)
class TestPast:

  def test_rows_go_on_from_the_last_state_and_action(self, flags):
    agent = agents.make(**flags)
    data = batch(agent, 1)
    feat, (carry, act) = observe(agent, data)
    for key in ('deter', 'stoch'):
      assert np.array_equal(carry[key], feat[key][:, -1]), key
    assert np.array_equal(act['action'], data['expert/action'][:, -1])

  def test_only_rows_that_go_on_know_it(self, flags):
    agent = agents.make(**flags)
    for consec, knows in ((0, False), (1, True)):
      data = batch(agent, consec)
      fresh, (carry, act) = observe(agent, data)
      other = {'action': (act['action'] + 1) % 3}
      by_state, _ = observe(agent, data, (carry, act))
      by_action, _ = observe(agent, data, (carry, other))
      first = lambda feat: feat['deter'][:, 0]
      assert np.array_equal(first(fresh), first(by_state)) != knows
      assert np.array_equal(first(by_state), first(by_action)) != knows


def test_training_hands_it_on():
  agent = agents.make()
  agents.reset(agent)
  data = batch(agent, 1)
  results = []
  for carry in (agent.init_train(agent.config.batch_size), None):
    carry, _, _ = agent.train(results[0] if carry is None else carry, {
        **jax.device_put(data, agent.train_sharded),
        'seed': agent._seeds(0, agent.train_mirrored)})
    results.append(carry)
  (_, _, _, (one, act), _), (_, _, _, (two, _), _) = jax.device_get(results)
  assert np.array_equal(act['action'], data['expert/action'][:, -1])
  assert not np.array_equal(one['deter'], two['deter'])
