"""The invariants of the design: what must hold for results to be true."""


import dreamerv3.agent
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dreamer_gail_plugin import agent as agentlib
from dreamer_gail_plugin import build
from dreamer_gail_plugin import pairs
from dreamer_gail_plugin import worldmodel
from dreamer_gail_plugin.variants import joint
from helpers import agents


def same(xs, ys):
  assert xs.keys() == ys.keys(), xs.keys() ^ ys.keys()
  return all(np.array_equal(xs[k], ys[k], equal_nan=True) for k in xs)


# Learning from the demonstrations beyond what the paper does.
LEARN = dict(
    agent__gail__world='both', agent__gail__anchor=0.5,
    agent__gail__absorbing=True)


class TestNoEnvironmentReward:

  def collect(self, factor, steps=40, **flags):
    # Batches of real play whose environments differ in their rewards only.
    agent = agents.make(**flags)
    agents.reset(agent)
    envs = [build.make_env(agents.config(), i) for i in range(2)]
    carry = agent.init_policy(2)
    acts = {'action': np.zeros(2, np.int32), 'reset': np.ones(2, bool)}
    played = []
    for _ in range(steps):
      obs = [env.step({k: v[i] for k, v in acts.items()})
             for i, env in enumerate(envs)]
      obs = {k: np.stack([x[k] for x in obs]) for k in obs[0]}
      obs['reward'] = np.float32(factor * obs['reward'] + factor)
      carry, act, outs = agent.policy(carry, obs)
      acts = {**act, 'reset': obs['is_last']}
      played.append({**obs, **act, **outs})
    steps = {k: np.stack([x[k] for x in played], 1) for k in played[0]}
    shape = (agents.FLAGS['batch_size'], agents.FLAGS['batch_length'] + 1)
    batches = []
    for number in range(3):
      data = agents.batch(agent, seed=number)
      for row in range(shape[0]):
        start = 7 * number + 3 * row
        for key in steps.keys() & data.keys():
          data[key][row] = steps[key][row % 2, start: start + shape[1]]
      batches.append(data)
    return agent, batches

  @pytest.mark.parametrize('flags', [{}, LEARN])
  def test_rewards_do_not_reach_parameters(self, flags):
    agent, batches = self.collect(1.0, **flags)
    one, _ = agents.train(agent, batches)
    agent, batches = self.collect(-50.0, **flags)
    assert batches[0]['reward'].min() <= -50
    two, _ = agents.train(agent, batches)
    assert same(one, two)

  def test_rewards_reach_plain_dreamer(self):
    # The test above could not fail if the batches made no difference.
    runs = []
    agent = agents.make(agent__gail__reward='env')
    for reward in (0.0, 50.0):
      data = agents.batch(agent)
      data['reward'][:] = reward
      runs.append(agents.train(agent, [data])[0])
    assert not same(*runs)

  def test_no_reward_head(self):
    assert not [k for k in agents.make().params if k.startswith('rew/')]

  @pytest.mark.parametrize('flags', [{}, LEARN])
  def test_hidden_terminals(self, flags):
    runs = []
    agent = agents.make(agent__gail__terminals=False, **flags)
    for terminal in (False, True):
      data = agents.batch(agent)
      data['is_terminal'][:] = terminal
      data['expert/is_terminal'][:] = terminal
      runs.append(agents.train(agent, [data])[0])
    assert same(*runs)


class TestUpstreamEquivalence:

  def test_env_reward_is_plain_dreamer(self):
    runs = []
    for cls in (None, dreamerv3.agent.Agent):
      agent = agents.make(cls, agent__gail__reward='env')
      batches = [agents.batch(agent, seed=i) for i in range(2)]
      runs.append(agents.train(agent, batches))
    assert same(runs[0][0], runs[1][0])
    assert same(runs[0][1][1], runs[1][1][1])

  def test_world_model_losses_are_unchanged(self):
    ours = agents.make()
    theirs = agents.make(
        dreamerv3.agent.Agent, agent__gail__reward='env')
    shared = {k: v for k, v in ours.initial.items() if k in theirs.initial}
    params = {**theirs.initial, **shared}
    data = agents.batch(ours)
    one = agents.loss(ours, data)
    data = {k: v for k, v in data.items() if 'expert/' not in k}
    two = agents.loss(theirs, data, params)
    for key in ('dyn', 'rep', 'con', 'image'):
      assert np.array_equal(one[key], two[key]), key


class TestTimeAlignment:

  FLAGS = dict(
      agent__gail__reward='airl', agent__gail__expert_latent='posterior')

  @pytest.fixture(params=[0, 4])
  def seen(self, request, monkeypatch):
    # A discriminator whose logit is 10 * deter[0] + action, and all that the
    # actor and critic losses receive under it.
    agent = agents.make(agent__imag_last=request.param, **self.FLAGS)
    model, seen = agent.model, {}
    class Disc:
      def inputs(self, feat, act):
        return jnp.stack([feat['deter'][..., 0], act['action']], -1)
      def __call__(self, x):
        return 10 * x[..., 0] + x[..., 1]
    monkeypatch.setattr(model, 'disc', Disc())
    monkeypatch.setattr(
        agentlib.discriminator, 'disc_loss', lambda *a, **k: (0.0, {}))
    def spy(owner, name, note):
      real = getattr(owner, name)
      def wrapped(*args, **kwargs):
        out = real(*args, **kwargs)
        seen.update(note(args, out))
        return out
      monkeypatch.setattr(owner, name, wrapped)
    spy(dreamerv3.agent, 'imag_loss', lambda args, out: dict(
        rewimg=args[1], con=args[2], val=args[4].pred(), ret=out[1]['ret']))
    spy(dreamerv3.agent, 'repl_loss', lambda args, out: dict(rewrep=args[2]))
    spy(model, '_imagine', lambda args, out: dict(
        imgdeter=out.feat['deter'][..., 0], imgact=out.act['action']))
    def fn(data):
      outs = model.loss(*agents.context(agent, data), training=False)[1][2]
      return {**seen, 'repdeter': outs['repfeat']['deter'][..., 0]}
    data = agents.batch(agent)
    result = jax.tree.map(np.asarray, agents.call(agent, fn, data))
    # The batch itself holds at step t the action chosen at image t.
    K = request.param or agent.config.batch_length
    return {**result, 'repact': data['action'][:, -K:], 'K': K}

  def test_imagined_reward_stands_one_step_later(self, seen):
    want = 10 * seen['imgdeter'] + seen['imgact']
    assert np.abs(want).max() > 0.5
    assert np.allclose(seen['rewimg'][:, 1:], want[:, :-1], atol=1e-5)
    assert (seen['rewimg'][:, 0] == 0).all()

  def test_replayed_reward_stands_one_step_later(self, seen):
    want = 10 * seen['repdeter'][:, -seen['K']:] + seen['repact']
    assert np.allclose(seen['rewrep'][:, 1:], want[:, :-1], atol=1e-5)
    assert (seen['rewrep'][:, 0] == 0).all()

  def test_imagined_returns_by_hand(self, seen):
    con, val, lam = seen['con'], seen['val'], 0.95
    H = con.shape[1] - 1
    ret = val[:, H]
    for t in reversed(range(H)):
      reward = 10 * seen['imgdeter'][:, t] + seen['imgact'][:, t]
      ret = reward + con[:, t + 1] * ((1 - lam) * val[:, t + 1] + lam * ret)
      assert np.allclose(ret, seen['ret'][:, t], rtol=1e-4, atol=1e-4), t


class TestGradientsStayHome:

  @pytest.fixture(scope='class')
  @classmethod
  def agent(cls):
    # Heads that start at zero would hide gradients through them.
    return agents.make(
        agent__value__outscale=1.0, agent__policy__outscale=1.0)

  def test_disc_loss_moves_the_discriminator_alone(self, agent):
    assert agents.grads(agent, 'disc/loss') == {'disc'}

  def test_so_it_does_where_the_model_learns_from_both(self):
    assert agents.grads(agents.make(**LEARN), 'disc/loss') == {'disc'}

  def test_policy_loss_moves_the_policy_alone(self, agent):
    assert agents.grads(agent, 'policy') == {'pol'}

  def test_main_loss_moves_all_but_the_discriminator(self, agent):
    touched = agents.grads(agent, 'total')
    assert touched == {'enc', 'dyn', 'dec', 'con', 'pol', 'val'}

  def test_each_optimizer_moves_its_own(self):
    moved = {}
    for name, flags in {
        'main': dict(agent__gail__opt__learning_rate=0.0),
        'disc': dict(agent__opt__lr=0.0)}.items():
      agent = agents.make(**flags)
      after, _ = agents.train(agent, [agents.batch(agent)])
      moved[name] = agents.moved(agent, after)
    counters = {'opt', 'discopt', 'retnorm', 'slowval_count'}
    # The slow critic mixes two equal sets of values, which rounds.
    assert moved['disc'] - counters - {'slowval'} == {'disc'}
    assert moved['main'] - counters == {
        'enc', 'dyn', 'dec', 'con', 'pol', 'val', 'slowval'}

  def test_discriminator_scores_after_its_update(self):
    # Algorithm 1 updates D first, so one step's rewards show the new D. All
    # else is equal, so rewards of the old D would be equal to the last bit.
    rewards = []
    for flags in ({}, dict(agent__gail__opt__learning_rate=0.0)):
      agent = agents.make(**flags)
      _, metrics = agents.train(agent, [agents.batch(agent)])
      rewards.append(metrics[0]['disc/rew_mean'])
    assert rewards[0] != rewards[1]


class TestExpertSequences:

  def pairs(self, agent, data):
    rows = {
        k[7:]: v for k, v in data.items() if 'expert/' in k}
    model = agent.model
    def fn(rows):
      feat, _ = worldmodel.observe(
          model, worldmodel.expert_rows(model, rows), False)
      return pairs.of_expert(model, rows, feat)
    return jax.tree.map(np.asarray, agents.call(agent, fn, rows))

  def test_settled(self):
    # Rows: a cut at the start, a true start, and a border within a cut.
    reset = np.array([[1, 0, 0, 0, 0], [1, 0, 0, 0, 0], [1, 0, 0, 1, 0]], bool)
    cut = np.array([[1, 0, 0, 0, 0], [0, 0, 0, 0, 0], [1, 0, 0, 0, 0]], bool)
    want = [[0, 0, 0, 1, 1], [1, 1, 1, 1, 1], [0, 0, 0, 1, 1]]
    with jax.transfer_guard('allow'):
      settled = [pairs.settled(reset, cut, n).tolist() for n in (3, 0)]
    assert settled == [np.array(want, bool).tolist(), [[True] * 5] * 3]

  def test_past_beyond_a_border_is_forgotten(self):
    agent = agents.make()
    data = agents.batch(agent)
    data['expert/is_first'][:] = False
    data['expert/is_first'][:, [0, 3]] = True
    one, _ = self.pairs(agent, data)
    data['expert/image'][:, :3] ^= 255
    data['expert/action'][:, :2] = (data['expert/action'][:, :2] + 1) % 3
    two, _ = self.pairs(agent, data)
    assert not np.array_equal(one[:, :3], two[:, :3])
    assert np.array_equal(one[:, 3:], two[:, 3:])

  def test_actions_stand_with_their_state(self):
    agent = agents.make()
    data = agents.batch(agent)
    inputs, _ = self.pairs(agent, data)
    assert np.array_equal(inputs[..., -3:].argmax(-1), data['expert/action'])

  def test_last_steps_and_burnin_weigh_nothing(self):
    agent = agents.make()
    data = agents.batch(agent)
    for key in ('is_first', 'is_cut', 'is_last'):
      data[f'expert/{key}'][:] = False
    data['expert/is_first'][:, 0] = True
    data['expert/is_cut'][0, 0] = True
    data['expert/is_last'][1, 4] = True
    _, weight = self.pairs(agent, data)
    assert weight.astype(int).tolist() == [
        [0, 0, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 1, 1], [1] * 7]

  def test_posterior_and_prior_differ_in_stoch_only(self):
    deter = agents.make().config.dyn.rssm.deter
    shown = [
        self.pairs(agent, agents.batch(agent))[0] for agent in (
            agents.make(), agents.make(
                agent__gail__expert_latent='posterior'))]
    assert np.array_equal(shown[0][..., :deter], shown[1][..., :deter])
    assert not np.array_equal(shown[0], shown[1])


class TestRowsOfBoth:

  def feats(self, agent, data):
    # Features of the replayed and of the expert's rows.
    model = agent.model
    def fn(data):
      rows = worldmodel.Rows(*agents.context(agent, data))
      expert = rows.obs['expert']
      out, seen = model._model(rows, expert, False)
      seen = seen or worldmodel.observe(model, expert, False)
      return out.feat, seen[0]
    return jax.tree.map(np.asarray, agents.call(agent, fn, data))

  def test_rows_do_not_mix(self):
    agent = agents.make(**LEARN)
    base = self.feats(agent, agents.batch(agent))
    for changed, key in enumerate(('image', 'expert/image')):
      data = agents.batch(agent)
      data[key] ^= 255
      after = self.feats(agent, data)
      same = [
          all(np.array_equal(x[k], y[k]) for k in x)
          for x, y in zip(base, after)]
      assert same == [changed != 0, changed != 1]

  def test_first_states_equal_those_of_two_scans(self):
    # Later ones follow other random draws.
    one, two = [
        self.feats(agent, agents.batch(agent))
        for agent in (agents.make(), agents.make(**LEARN))]
    for x, y in zip(one, two):
      for key in ('deter', 'logit'):
        assert np.allclose(x[key][:, 0], y[key][:, 0], atol=1e-5), key
      assert not np.allclose(x['logit'][0, 0], x['logit'][1, 0], atol=1e-5)

  def test_rows_in_turns(self):
    x = np.arange(6).reshape((3, 2))
    both = joint.joint({'a': x}, {'a': -x})
    assert both['a'].shape == (6, 2)
    for part, want in zip(joint.disjoint(both), (x, -x)):
      assert np.array_equal(part['a'], want)


class TestLearningFromDemonstrations:

  def losses(self, agent, change=None):
    data = agents.batch(agent)
    if change:
      change(data)
    # Off the device, as upstream bans the transfers that indexing there needs.
    return jax.device_get(agents.loss(agent, data))

  def test_world_loss_is_the_mean_over_both(self):
    # Demonstrations that are the replayed rows themselves, first steps of
    # episodes at their start, so that nothing hangs on what was before.
    replay, both = agents.make(), agents.make(agent__gail__world='both')
    def copy(data):
      for key in ('image', 'action', 'is_first', 'is_last', 'is_terminal'):
        data[f'expert/{key}'][:] = data[key]
      for key in ('is_first', 'expert/is_first'):
        data[key][:, 1] = True  # The first step after the context.
      data['expert/is_cut'][:] = False
    one, two = self.losses(replay, copy), self.losses(both, copy)
    # The first step has no random draws before it.
    for key in ('dyn', 'rep'):
      assert np.allclose(one[key][:, 0], two[key][:, 0], rtol=1e-4), key

  def test_expert_images_move_the_model(self):
    def invert(data):
      data['expert/image'][:] = 255 - data['expert/image']
    for agent, moves in (
        (agents.make(), False), (agents.make(**LEARN), True)):
      one, two = self.losses(agent), self.losses(agent, invert)
      assert np.array_equal(one['image'], two['image']) != moves

  def test_cut_steps_do_not_move_the_model(self):
    # All steps cut: the rows weigh nothing, whatever is in them.
    agent = agents.make(**LEARN)
    def cut(data):
      for key in ('is_first', 'is_cut'):
        data[f'expert/{key}'][:] = True
    def noisy(data):
      cut(data)
      data['expert/image'][:] = 255 - data['expert/image']
    one, two = self.losses(agent, cut), self.losses(agent, noisy)
    for key in ('image', 'dyn', 'rep', 'con'):
      assert np.array_equal(one[key], two[key]), key
      assert one[key].any(), key


class TestControls:

  @pytest.mark.slow
  @pytest.mark.parametrize('reward,negatives', [
      ('constant', 'both'), ('fairl', 'replay')])
  def test_choices(self, reward, negatives):
    agent = agents.make(
        agent__gail__reward=reward, agent__gail__negatives=negatives,
        agent__gail__disc__spectral=1.0)
    _, metrics = agents.train(agent, [agents.batch(agent)])
    assert all(np.isfinite(x).all() for x in metrics[0].values())
    constant = metrics[0]['disc/rew_min'] == metrics[0]['disc/rew_max'] == 1
    assert constant == (reward == 'constant')
