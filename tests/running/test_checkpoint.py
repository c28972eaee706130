"""A saved agent is loaded whole or refused in plain words."""

import numpy as np
import pytest

from dreamer_gail_plugin.errors import UserError
from dreamer_gail_plugin.running import checkpoint

SAVED = {'enc/w': np.zeros((2, 3)), 'pol/w': np.zeros(4)}


class Agent:
  """As upstream's outer agent, with the parameters of SAVED."""

  def __init__(self):
    self.params = SAVED
    self.loaded = []

  def load(self, data, regex=None):
    self.loaded.append((data, regex))


def test_what_fits_is_loaded():
  agent = checkpoint.strict(Agent())
  agent.load({'params': {k: v + 1 for k, v in SAVED.items()}})
  assert (agent.loaded[0][0]['params']['pol/w'] == 1).all()


@pytest.mark.parametrize('params, text', [
    ({**SAVED, 'pol/w': np.zeros(5)}, r'1 .* pol/w \(5,\), here \(4,\)'),
    ({'pol/w': np.zeros(4)}, r'1 .* enc/w absent, here \(2, 3\)'),
    ({**SAVED, 'risk/w': np.zeros(1)}, r'1 .* risk/w \(1,\), here absent')])
def test_what_does_not_is_not(params, text):
  agent = checkpoint.strict(Agent())
  with pytest.raises(UserError, match=text):
    agent.load({'params': params})
  assert not agent.loaded


def test_with_a_regex_parts_are_loaded():
  agent = checkpoint.strict(Agent())
  agent.load({'params': {'pol/w': np.zeros(4)}}, regex='pol/')
  assert agent.loaded[0][1] == 'pol/'
