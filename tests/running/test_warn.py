"""Warnings in plain words, and the metrics that only they need."""

import re

import jax
import numpy as np
import pytest

from dreamer_gail_plugin import agent as agentlib
from dreamer_gail_plugin import configs
from dreamer_gail_plugin import pairs
from dreamer_gail_plugin.running import checks
from dreamer_gail_plugin.running import progress
from dreamer_gail_plugin.running import warn
from helpers import agents

CALM = {
    'train/disc/acc_expert': 0.8, 'train/disc/acc_imag': 0.7,
    'train/disc/logit_gap': 1.0, 'train/disc/latent_gap': 0.1,
    'train/disc/rew_std': 0.2, 'train/top_imag/action': 0.8,
    'train/top_expert/action': 0.7}
ODD = {
    'winning': {'train/disc/acc_expert': 0.99, 'train/disc/acc_imag': 0.98},
    'latent': {'train/disc/latent_gap': -0.9},
    'flat': {'train/disc/rew_std': 0.001},
    'collapsed': {'train/top_imag/action': 0.995},
}


def agent(**changes):
  """Return `config.agent` by which all rules apply, with changes of gail."""
  changes = {'expert_latent': 'posterior', **changes}
  return agents.config().agent.update(
      {f'gail.{k}': v for k, v in changes.items()})


def warnings(metrics, **changes):
  return warn.warnings(metrics, agent(**changes))


class TestRules:

  def test_calm(self):
    assert warnings(CALM) == {}

  def test_every_rule_has_a_case(self):
    assert set(ODD) == set(warn.RULES)

  @pytest.mark.parametrize('name', ODD)
  def test_odd(self, name):
    found = warnings({**CALM, **ODD[name]})
    assert list(found) == [name]
    assert 'Try ' in found[name] and '--agent.' in found[name]

  @pytest.mark.parametrize('name', ODD)
  def test_missing_or_not_finite_says_nothing(self, name):
    odd = {**CALM, **ODD[name]}
    assert warnings({k: v for k, v in odd.items() if 'gap' in k}) in (
        {}, warnings(odd))
    assert warnings({k: np.nan for k in odd}) == {}

  @pytest.mark.parametrize('name', ODD)
  def test_a_constant_is_no_reward_of_d(self, name):
    found = warnings({**CALM, **ODD[name]}, reward='constant')
    assert list(found) == ['collapsed'] * (name == 'collapsed')

  def test_prior_latents_are_no_advice_to_who_has_them(self):
    assert not warnings({**CALM, **ODD['latent']}, expert_latent='prior')

  def test_expert_who_does_one_thing(self):
    assert not warnings({
        **CALM, **ODD['collapsed'], 'train/top_expert/action': 0.97})

  def test_no_advice_that_is_followed_already(self):
    advice = lambda name, **changes: warnings(
        {**CALM, **ODD[name]}, **changes)[name].partition('Try ')[2]
    assert advice('winning') == (
        '--agent.gail.disc_loss.penalty 10, a lower '
        '--agent.gail.opt.learning_rate, the block anchor (--configs ... '
        'anchor) or more demonstrations.')
    strict = {'disc_loss.penalty': 10.0, 'anchor': 0.1}
    assert advice('winning', **strict) == (
        'a lower --agent.gail.opt.learning_rate, --agent.gail.anchor 1 or '
        'more demonstrations.')
    assert 'anchor' not in advice('collapsed', anchor=1.0)
    assert 'constant' not in advice('collapsed', reward='constant')
    assert 'airl' not in advice('flat', reward='airl')
    assert 'penalty' not in advice('flat', **strict)

  def test_flags_and_blocks_named_exist(self):
    config = agents.config()
    for rule in warn.RULES.values():
      for _, text in rule.advice:
        flags = re.findall(r'--([\w.]+)( [\w.-]+)?', text)
        for name, value in flags:
          if name == 'configs':
            assert text.split()[2] in configs.blocks()
          else:
            assert name in config.flat
            checks.values(config.update({
                name: type(config[name])(value.strip())} if value else {}))


class TestWarner:

  def test_once_when_it_begins_to_hold(self):
    warner, odd = warn.Warner(agent(), lines=2), {**CALM, **ODD['flat']}
    said = [
        len(warner(x)) for x in (odd, odd, odd, CALM, odd, odd, {}, odd, odd)]
    assert said == [0, 1, 0, 0, 0, 1, 0, 0, 0]

  def test_at_the_terminal(self, capsys):
    output = progress.Progress(100, agent())
    for step in range(3):
      output(tuple((step, k, np.float64(v)) for k, v in {
          **CALM, **ODD['latent']}.items()))
    assert capsys.readouterr().out.count('Warning: D tells how a state') == 1


class TestMetrics:

  @pytest.fixture(params=['prior', 'posterior'])
  def seen(self, request, monkeypatch):
    # D's logit is the first class of the first latent.
    agent = agents.make(agent__gail__expert_latent=request.param)
    model, seen = agent.model, {}
    class Disc:
      def inputs(self, feat, act):
        return feat['stoch'][..., 0, 0, None]
      def __call__(self, x):
        return x[..., 0]
    both = pairs.both_ways
    def ways(agent, feat):
      result = both(agent, feat)
      shown = dict(zip((request.param, 'other'), result))
      seen.setdefault('prior', shown.get('prior', result[1])['stoch'])
      return result
    imagine = model._imagine
    def spy(*args):
      imagined = imagine(*args)
      seen['act'] = imagined.act['action']
      return imagined
    monkeypatch.setattr(model, 'disc', Disc())
    monkeypatch.setattr(pairs, 'both_ways', ways)
    monkeypatch.setattr(model, '_imagine', spy)
    monkeypatch.setattr(
        agentlib.discriminator, 'disc_loss', lambda *a, **k: (0.0, {}))
    data = agents.batch(agent)
    def fn(data):
      _, (_, _, outs, mets) = model.loss(
          *agents.context(agent, data), training=False)
      return {**seen, **mets, 'stoch': outs['repfeat']['stoch']}
    found = jax.tree.map(np.asarray, agents.call(agent, fn, data))
    return {**found, 'data': data}

  def test_latent_gap(self, seen):
    weight = ~seen['data']['is_last'][:, 1: -1]
    post, prior = [
        (seen[k][:, :-1, 0, 0] * weight).sum() for k in ('stoch', 'prior')]
    assert post != prior
    assert np.isclose(
        seen['disc/latent_gap'], (post - prior) / weight.sum(), atol=1e-5)

  def test_top(self, seen):
    expert = seen['data']['expert/action'][:, 1:]  # Less the context.
    for name, acts in (('imag', seen['act']), ('expert', expert)):
      want = np.bincount(acts.reshape(-1)).max() / acts.size
      assert np.isclose(seen[f'top_{name}/action'], want, atol=1e-6), name
