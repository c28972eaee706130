"""Which class a config gets, and that the public Agent is that."""

import pytest

import dreamer_gail_plugin
from dreamer_gail_plugin import agent
from dreamer_gail_plugin import configs
from dreamer_gail_plugin import dreamer
from dreamer_gail_plugin.variants import absorbing
from dreamer_gail_plugin.variants import anchored
from dreamer_gail_plugin.variants import compose
from dreamer_gail_plugin.variants import images
from dreamer_gail_plugin.variants import joint
from dreamer_gail_plugin.variants import vmail

ALL = {
    absorbing.Absorbing, anchored.Anchored, images.Images, joint.Joint,
    vmail.VMail}


def chosen(*flags):
  """Return the class for some flags, after checking its base."""
  config = configs.load_config(['--configs', *flags])
  return compose.agent_class(config.agent)


@pytest.mark.parametrize('flags,want', [
    (['atari', 'gail_paper'], set()),
    (['atari', 'gail'], {absorbing.Absorbing}),
    (['minatar', 'gail_paper'], {images.Images}),
    (['atari', 'gail', 'anchor'], {
        absorbing.Absorbing, anchored.Anchored, joint.Joint}),
    (['atari', 'gail_paper', 'anchor'], {anchored.Anchored, joint.Joint}),
    (['atari', 'vmail'], {vmail.VMail, joint.Joint})])
def test_variants_of_blocks(flags, want):
  cls = chosen(*flags)
  assert issubclass(cls, agent.Agent)
  assert {x for x in ALL if issubclass(cls, x)} == want


def test_with_reward_it_is_upstreams():
  flags = ['gail', 'anchor', '--agent.gail.reward', 'env']
  assert chosen('atari', *flags) is dreamer.Dreamer
  cls = chosen('minatar', *flags)
  assert issubclass(cls, images.Images) and not issubclass(cls, agent.Agent)


def test_anchor_is_what_gail_was():
  config = configs.load_config(['--configs', 'minatar', 'tiny', 'gail',
                                'anchor'])
  gail = config.agent.gail
  assert (gail.anchor, gail.anchor_rate, gail.risk) == (0.1, 0.002, 20)
  assert (gail.world, gail.expert_latent) == ('both', 'prior')
  assert gail.absorbing and gail.disc_loss.penalty == 1


def test_rate_of_the_papers_actor():
  config = configs.load_config(['--configs', 'atari', 'small', 'gail_paper'])
  rate = config.agent.opt.lr * config.agent.ac_rate
  assert rate == pytest.approx(3e-5)


def test_public_agent_is_that_of_the_config(monkeypatch):
  config = configs.load_config(['--configs', 'atari', 'gail']).agent
  made = lambda *args: args
  monkeypatch.setattr(compose, 'agent_class', lambda x: made)
  assert dreamer_gail_plugin.Agent(1, 2, config) == (1, 2, config)
  assert dreamer_gail_plugin.Agent.banner


def test_public_agent_has_no_subclasses():
  with pytest.raises(TypeError, match='agent.Agent instead'):
    type('Sub', (dreamer_gail_plugin.Agent,), {})


def test_later_methods_replace_earlier_ones():
  config = configs.load_config(
      ['--configs', 'minatar', 'tiny', 'vmail', 'anchor', 'gail'])
  gail = config.agent.gail
  assert (gail.reward, gail.actor, gail.anchor) == ('gail', 'reinforce', 0)
  assert (gail.world, gail.opt.learning_rate) == ('replay', 1e-4)
