"""Demonstrations without actions: who names them, and what D sees."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dreamer_gail_plugin import build
from dreamer_gail_plugin import configs
from dreamer_gail_plugin import expert
from dreamer_gail_plugin import preflight
from dreamer_gail_plugin import worldmodel
from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.running import checks
from dreamer_gail_plugin.variants import observation
from helpers import agents
from helpers.refusals import refused

INFERRED = dict(agent__gail__actions='inferred')
NONE = dict(agent__gail__actions='none')
OUTCOMES = dict(agent__gail__outcomes=True)


def batch(agent, consec=0):
  """Return a batch without any border, but the rows' own where consec is 0."""
  data = agents.batch(agent)
  data['expert/is_first'][:] = data['expert/is_cut'][:] = False
  if not consec:
    agents.start_anew(data, slice(None))
  return data


def watch(agent, data, past=None):
  """Return features, actions and past of the expert's rows of a batch."""
  def fn(data, past):
    *_, obs, _ = agents.context(agent, data)
    rows = obs['expert']
    if past:
      (enc, _, dec), dyn = rows.carry, past[0]
      rows = observation.Frames((enc, dyn, dec), rows.obs, past[1])
    return agent.model._watch(rows, None, False)
  return jax.device_get(agents.call(agent, fn, data, past))


class TestWhatIsRead:

  def test_no_actions_of_the_expert(self):
    assert 'expert/action' in agents.make().spaces
    assert 'expert/action' not in agents.make(**INFERRED).spaces

  def test_outcomes_need_them(self):
    assert 'expert/action' in agents.make(**OUTCOMES).spaces

  @pytest.mark.parametrize('flags', [INFERRED, OUTCOMES])
  def test_disc_sees_states_alone(self, flags):
    sizes = [
        agents.make(**x).initial['disc/linear0/kernel'].shape[0]
        for x in ({}, flags)]
    assert sizes[0] - sizes[1] == 3  # Breakout has 3 actions.

  def test_losses_move_what_they_should(self):
    agent = agents.make(**INFERRED)
    assert agents.grads(agent, 'inv') == {'inv'}
    after, _ = agents.train(agent, [batch(agent, 0), batch(agent, 1)])
    assert {'inv', 'disc', 'pol', 'val', 'dyn'} <= agents.moved(agent, after)


class TestInverseModel:

  def test_it_learns_which_action_it_was(self):
    # The next image shows it. Steps that are held out show how well.
    agent = agents.make(**INFERRED, agent__opt__lr=1e-2)
    batches = []
    for seed in range(60):
      data = agents.batch(agent, seed)
      data['is_first'][:] = data['is_last'][:] = False
      shown = np.zeros_like(data['image'])
      after = data['action'][:, :-1]
      for index in np.ndindex(after.shape):
        shown[index[0], index[1] + 1, :, 3 * after[index]] = 255
      data['image'][:] = shown
      data['stepid'][:] = np.arange(3)[:, None, None] % 2 + 14
      data['stepid'][:, :, :19] = 0
      data['stepid'][0, :, 0] = 1  # The first row is not held out.
      batches.append(data)
    _, metrics = agents.train(agent, batches)
    found = [float(x['inv/acc_action']) for x in metrics]
    assert np.mean(found[:3]) < 0.7
    assert np.mean(found[-5:]) > 0.9

  def test_held_out_steps_do_not_teach_it(self):
    agent = agents.make(**INFERRED)
    data = agents.batch(agent)
    data['stepid'][:] = 0
    assert not agents.loss(agent, data)['inv'].any()
    data['stepid'][:, :, 0] = 1
    data['is_first'][:] = False
    assert agents.loss(agent, data)['inv'].all()

  def test_no_loss_across_a_border(self):
    agent = agents.make(**INFERRED)
    data = agents.batch(agent)
    data['stepid'][:] = 1
    data['is_first'][:] = False
    data['is_first'][:, 4] = True  # Step 3 without the context.
    assert (agents.loss(agent, data)['inv'] == 0).tolist() == 3 * [
        [x == 2 for x in range(5)]]


def test_one_block_in_sixteen_is_held_out():
  steps = [
      np.r_[np.full(16, chunk), np.frombuffer(
          place.to_bytes(4, 'big'), np.uint8)]
      for chunk in range(32) for place in range(1024)]
  held = np.asarray(observation.held_out(jnp.uint8(steps)))
  assert held.mean() == 1 / 16
  parts = held.reshape((32, 16, 64))
  assert (parts.all(2) == parts.any(2)).all()
  assert parts.any(2).sum(1).tolist() == 32 * [1]


class TestExpertRows:

  def test_they_go_on_from_the_last_state_and_observation(self):
    agent = agents.make(**INFERRED)
    data = batch(agent, 1)
    feat, _, (carry, before) = watch(agent, data)
    for key in ('deter', 'stoch'):
      assert np.array_equal(carry[key], feat[key][:, -1]), key
    assert np.array_equal(before['image'], data['expert/image'][:, -1])

  def test_the_first_action_is_that_since_the_batch_before(self):
    agent = agents.make(**INFERRED)
    data = batch(agent, 1)
    _, acts, past = watch(agent, data)
    assert acts['action'].shape == (3, 6)
    # In two halves it is as in one: the rows are drawn one step longer.
    longer = dict(data)
    longer['expert/image'] = np.concatenate([
        data['expert/image'][:, :1], data['expert/image'][:, :-1]], 1)
    longer['expert/image'][:, 1] = past[1]['image']
    longer['expert/image'][:, 2:] = data['expert/image'][:, 1:-1]
    _, one, _ = watch(agent, longer)
    _, two, _ = watch(agent, data, past)
    assert np.array_equal(one['action'][:, 1:], two['action'][:, :-1])

  def test_none_are_zeros(self):
    agent = agents.make(**NONE)
    params = dict(agent.initial)
    bias = 'inv/head/action/logits/bias'
    params[bias] = params[bias] + np.float32([0, 0, 9])
    size = params['inv/mlp/linear0/kernel'].shape[0] // 2
    tokens = np.zeros((3, 7, size), np.float32)
    named = [
        jax.device_get(agents.call(
            kind, kind.model._named, tokens, params=params))['action']
        for kind in (agent, agents.make(**INFERRED))]
    assert (named[0] == 0).all() and (named[1] == 2).all()


class TestPairs:

  @pytest.mark.parametrize('flags', [INFERRED, OUTCOMES])
  def test_an_action_has_the_state_that_it_leads_to(self, flags):
    agent = agents.make(**flags, agent__gail__expert_latent='posterior')
    data = batch(agent)
    data['expert/is_first'][1, 4] = True  # Step 3 without the context.
    def fn(data):
      model = agent.model
      *_, obs, _ = agents.context(agent, data)
      rows = obs['expert']
      feat, _, _ = model._watch(rows, None, False)
      return feat, *model.expert_pairs(rows.obs, feat)
    feat, inputs, weight = jax.device_get(agents.call(agent, fn, data))
    size = feat['deter'].shape[-1]
    assert np.array_equal(inputs[:, :-1, :size], feat['deter'][:, 1:])
    going = ~data['expert/is_last'][:, 1:]
    assert not weight[:, -1].any()
    assert weight[1, 2] == 0  # The next step is another game's.
    assert np.array_equal(weight[0, 2:5], going[0, 2:5])  # After the burn-in.

  @pytest.mark.parametrize('flags', [INFERRED, OUTCOMES])
  def test_all_sources_have_weights_of_their_shape(self, flags):
    agent = agents.make(**flags)
    found = []
    original = agent.model._pairs
    def spy(*args):
      found.append(original(*args))
      return found[-1]
    def fn(data):
      agent.model._pairs = spy
      agent.model.loss(*agents.context(agent, data), training=False)
      del agent.model._pairs
      return found[-1]
    inputs = jax.device_get(agents.call(agent, fn, batch(agent)))
    assert {k: x.shape[:2] for k, (x, _) in inputs.items()} == {
        'expert': (3, 6), 'imag': (18, 4), 'replay': (3, 5), 'other': (3, 5)}
    assert all(x.shape[:2] == w.shape for x, w in inputs.values())


class TestOutcomes:

  def test_imagined_states_are_those_after_the_actions(self):
    agent = agents.make(**OUTCOMES)
    def fn(data):
      model = agent.model
      carry, obs, prevact = agents.context(agent, data)
      rows = worldmodel.Rows(carry, obs, prevact)
      seen, _ = model._model(rows, obs['expert'], False)
      feat, acts, _ = model._watch(obs['expert'], None, False)
      imag = model._imagine(
          seen.carry[1], seen.entries[1], seen.feat, 5, False)
      con = jax.numpy.ones(imag.feat['deter'].shape[:2])
      inputs = model._pairs(
          (obs['expert'].obs, feat), (obs, prevact, seen.feat),
          (imag.feat, imag.act, con), 5)
      return imag.feat['deter'], inputs['imag'][0]
    deter, inputs = jax.device_get(agents.call(agent, fn, batch(agent)))
    size = deter.shape[-1]
    assert np.array_equal(inputs[..., :size], deter[:, 1:])

  def test_with_the_entropy_held_it_trains(self):
    agent = agents.make(**OUTCOMES, agent__gail__entropy=0.2)
    after, metrics = agents.train(agent, [batch(agent, 0), batch(agent, 1)])
    assert {'disc', 'pol', 'val', 'dyn'} <= agents.moved(agent, after)
    assert 'actent' in metrics[0]

  @pytest.mark.parametrize('flags', [
      {'anchor': 0.1}, {'world': 'both'}, {'actor': 'sac'},
      {'actor': 'dynamics'}])
  def test_flags_that_contradict(self, flags):
    config = agents.config(
        **OUTCOMES, **{f'agent__gail__{k}': v for k, v in flags.items()})
    refused('--agent.gail.outcomes True: needs', checks.relations, config)


class TestStores:

  @pytest.fixture
  def film(self, tmp_path):
    path = tmp_path / 'film.h5'
    with store.Store(build.expert_path(agents.config())) as old:
      data = old.read(0)
      del data['action']
      store.write(path, [data], {k: old.attrs[k] for k in (
          'task', 'source', 'licence', 'preprocessing')})
    return path

  def config(self, film, *flags):
    return configs.load_config([
        '--configs', 'minatar', 'debug', 'gail', *flags, '--agent.gail.expert',
        str(film)])

  def test_the_stream_needs_none(self, film):
    config = preflight.settle(self.config(film))
    assert config.agent.gail.actions == 'inferred'
    found = build.make_expert(config, 6).sample()
    assert 'expert/image' in found and 'expert/action' not in found
    assert found.keys() == expert.space(
        build.spaces(config)[0], {}).keys()

  def test_what_learns_from_actions_is_off_and_said(self, film, capsys):
    config = preflight.settle(self.config(film, '--configs', 'minatar',
                                          'debug', 'gail', 'anchor'))
    gail = config.agent.gail
    assert (gail.anchor, gail.risk, gail.world) == (0, 0, 'replay')
    said = ' has no actions: --agent.gail.actions inferred --agent.gail.anchor'
    assert said in capsys.readouterr().out

  def test_vmail_needs_them(self, film):
    config = self.config(film, '--agent.gail.actor', 'dynamics')
    refused('has no actions', preflight.settle, config)

  @pytest.mark.parametrize('flags', [
      ['--agent.gail.anchor', '0.1'], ['--agent.gail.world', 'both'],
      ['--agent.gail.actor', 'sac']])
  def test_flags_that_contradict(self, film, flags):
    config = self.config(film, '--agent.gail.actions', 'none', *flags)
    refused('--agent.gail.actions none: needs', checks.relations, config)

  def test_those_with_actions_stay(self):
    config = preflight.settle(agents.config())
    assert config.agent.gail.actions == 'given'


def test_evaluation_of_rows_with_actions_works():
  # Programs on frozen models read stores of play, which have them.
  agent = agents.make(**INFERRED)
  data = {
      k.removeprefix('expert/'): v for k, v in agents.batch(
          agents.make()).items() if k.startswith('expert/')}
  def fn(data):
    model = agent.model
    feat, _ = worldmodel.observe(
        model, worldmodel.expert_rows(model, data), False)
    inputs, weight = model.expert_pairs(data, feat)
    return model.disc(inputs), weight
  logits, weight = agents.call(agent, fn, data)
  assert logits.shape == weight.shape == (3, 7)
