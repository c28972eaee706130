"""The rate of policy and value networks, agent.ac_rate."""

import numpy as np
import pytest

from helpers import agents


def moved(factor):
  """Return {parameter: change} of one update from the same start."""
  agent = agents.make(agent__ac_rate=factor)
  after, _ = agents.train(agent, [agents.batch(agent)])
  return {
      k: after[k] - v for k, v in agent.initial.items()
      if not np.issubdtype(v.dtype, np.integer)}


@pytest.mark.slow
def test_a_tenth_of_the_rate_moves_policy_and_value_a_tenth():
  full, slow, checked = moved(1.0), moved(0.1), set()
  for key, change in full.items():
    name = key.split('/')[0]
    if name in ('pol', 'val'):
      np.testing.assert_allclose(slow[key], 0.1 * change, atol=1e-7)
    elif name in ('enc', 'dyn', 'dec', 'con', 'disc'):
      np.testing.assert_array_equal(slow[key], change)
    checked |= {name} if np.abs(change).max() > 0 else set()
  assert {'pol', 'val', 'enc', 'dyn', 'dec', 'con'} <= checked
  # The optimizer's state has the same form, so a run can go on with another.
  assert any(k.startswith('opt/state/') for k in full)
  assert slow.keys() == full.keys()
