"""The invariants of the design: what must hold for results to be true."""

import dreamerv3.agent
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dreamer_gail_plugin import agent as agentlib
from dreamer_gail_plugin import main
from dreamer_gail_plugin import rewards

import agents


def same(xs, ys):
  assert xs.keys() == ys.keys(), xs.keys() ^ ys.keys()
  return all(np.array_equal(xs[k], ys[k], equal_nan=True) for k in xs)


class TestNoEnvironmentReward:

  def collect(self, factor, steps=40):
    # Batches of real play whose environments differ in their rewards only.
    config = agents.config(run__envs=2)
    envs = [main.make_env(config, i) for i in range(2)]
    agent = agents.outer(config)
    carry = agent.init_policy(2)
    acts = {'action': np.zeros(2, np.int32), 'reset': np.ones(2, bool)}
    rows = []
    for _ in range(steps):
      obs = [env.step({k: v[i] for k, v in acts.items()})
             for i, env in enumerate(envs)]
      obs = {k: np.stack([x[k] for x in obs]) for k in obs[0]}
      obs['reward'] = np.float32(factor * obs['reward'] + factor)
      carry, act, outs = agent.policy(carry, obs)
      acts = {**act, 'reset': obs['is_last']}
      rows.append({**obs, **act, **outs})
    steps = {k: np.stack([x[k] for x in rows], 1) for k in rows[0]}
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

  def test_rewards_do_not_reach_parameters(self):
    agent, batches = self.collect(1.0)
    one, _ = agents.train(agent, batches)
    agent, batches = self.collect(-50.0)
    assert batches[0]['reward'].min() <= -50
    two, _ = agents.train(agent, batches)
    assert same(one, two)

  def test_rewards_reach_plain_dreamer(self):
    # The test above could not fail if the batches made no difference.
    runs = []
    for reward in (0.0, 50.0):
      agent = agents.outer(agents.config(agent__gail__reward='env'))
      data = agents.batch(agent)
      data['reward'][:] = reward
      runs.append(agents.train(agent, [data])[0])
    assert not same(*runs)

  def test_no_reward_head(self):
    assert not [k for k in agents.build().params if k.startswith('rew/')]

  def test_hidden_terminals(self):
    runs = []
    for terminal in (False, True):
      agent = agents.outer(agents.config(agent__gail__terminals=False))
      data = agents.batch(agent)
      data['is_terminal'][:] = terminal
      runs.append(agents.train(agent, [data])[0])
    assert same(*runs)


class TestUpstreamEquivalence:

  def test_env_reward_is_plain_dreamer(self):
    config = agents.config(agent__gail__reward='env')
    runs = []
    for cls in (agentlib.Agent, dreamerv3.agent.Agent):
      agent = agents.outer(config, cls)
      batches = [agents.batch(agent, seed=i) for i in range(2)]
      runs.append(agents.train(agent, batches))
    assert same(runs[0][0], runs[1][0])
    assert same(runs[0][1][1], runs[1][1][1])

  def test_world_model_losses_are_unchanged(self):
    ours = agents.build()
    theirs = agents.outer(
        agents.config(agent__gail__reward='env'), dreamerv3.agent.Agent)
    shared = {k: v for k, v in ours.params.items() if k in theirs.params}
    params = {**theirs.params, **shared}
    losses = []
    for agent, params in ((ours, ours.params), (theirs, params)):
      data = agents.batch(ours)
      if agent is theirs:
        data = {k: v for k, v in data.items() if 'expert/' not in k}
      args = agents.inputs(agent, data)
      _, (_, _, outs, _) = agents.call(
          agent, agent.model.loss, *args, training=False, params=params)
      losses.append(outs['losses'])
    for key in ('dyn', 'rep', 'con', 'image'):
      assert np.array_equal(losses[0][key], losses[1][key]), key


class TestTimeAlignment:

  FLAGS = dict(
      agent__gail__reward='airl', agent__gail__expert_latent='posterior')

  @pytest.fixture(params=[0, 4])
  def seen(self, request, monkeypatch):
    # A discriminator whose logit is 10 * deter[0] + action, and all that the
    # actor and critic losses receive under it.
    agent = agents.outer(agents.config(
        agent__imag_last=request.param, **self.FLAGS))
    model, seen = agent.model, {}
    class Disc:
      def inputs(self, feat, act):
        return jnp.stack([feat['deter'][..., 0], act['action']], -1)
      def __call__(self, x):
        return 10 * x[..., 0] + x[..., 1]
    model.disc = Disc()
    monkeypatch.setattr(
        agentlib.discriminator, 'disc_loss', lambda *a, **k: (0.0, {}))
    for name in ('imag_loss', 'repl_loss'):
      real = getattr(dreamerv3.agent, name)
      def spy(*args, name=name, real=real, **kwargs):
        out = real(*args, **kwargs)
        seen[name] = (args, kwargs, out)
        return out
      monkeypatch.setattr(dreamerv3.agent, name, spy)
    imagine = model._imagine
    def spy(*args):
      seen['imgfeat'], seen['imgact'] = imagine(*args)
      return seen['imgfeat'], seen['imgact']
    monkeypatch.setattr(model, '_imagine', spy)
    seen['data'] = agents.batch(agent)
    args = agents.inputs(agent, seen['data'])
    _, (_, _, seen['outs'], _) = agents.call(
        agent, model.loss, *args, training=False)
    seen['K'] = request.param or agent.config.batch_length
    return jax.tree.map(
        lambda x: np.asarray(x) if hasattr(x, 'shape') else x, seen)

  def test_imagined_reward_stands_one_step_later(self, seen):
    rew = np.asarray(seen['imag_loss'][0][1])
    deter, act = seen['imgfeat']['deter'][..., 0], seen['imgact']['action']
    assert np.abs(rew).max() > 0.5
    assert np.allclose(rew[:, 1:], 10 * deter[:, :-1] + act[:, :-1], atol=1e-5)
    assert (rew[:, 0] == 0).all()

  def test_replayed_reward_stands_one_step_later(self, seen):
    rew, K = np.asarray(seen['repl_loss'][0][2]), seen['K']
    deter = seen['outs']['repfeat']['deter'][..., 0][:, -K:]
    # The batch itself holds at step t the action chosen at image t.
    act = seen['data']['action'][:, -K:]
    assert np.allclose(rew[:, 1:], 10 * deter[:, :-1] + act[:, :-1], atol=1e-5)
    assert (rew[:, 0] == 0).all()

  def test_imagined_returns_by_hand(self, seen):
    (_, _, con, _, value, *_), kwargs, (_, outs, _) = seen['imag_loss']
    con, val = np.asarray(con), np.asarray(value.pred())
    deter, act = seen['imgfeat']['deter'][..., 0], seen['imgact']['action']
    lam, H = kwargs['lam'], act.shape[1] - 1
    ret = val[:, H]
    for t in reversed(range(H)):
      reward = 10 * deter[:, t] + act[:, t]  # Of s_t and a_t.
      ret = reward + con[:, t + 1] * ((1 - lam) * val[:, t + 1] + lam * ret)
      assert np.allclose(ret, outs['ret'][:, t], rtol=1e-4, atol=1e-4), t


class TestGradientsStayHome:

  def grads(self, agent, key):
    # The gradient of one metric or loss by every parameter.
    args = agents.inputs(agent, agents.batch(agent))
    def fn(params):
      out = agents.call(
          agent, agent.model.loss, *args, training=False, params=params)
      loss, (_, _, outs, metrics) = out
      values = {'total': loss, **metrics, **outs['losses']}
      return values[key].mean()
    return self.touched(jax.jit(jax.grad(fn))(self.floats(agent)))

  def floats(self, agent):
    return {k: v for k, v in agent.params.items()
            if jnp.issubdtype(v.dtype, jnp.floating)}

  def touched(self, grads):
    return {k.split('/')[0] for k, v in grads.items() if np.any(v != 0)}

  @pytest.fixture(scope='class')
  def agent(self):
    # Heads that start at zero would hide gradients through them.
    return agents.build(
        agent__value__outscale=1.0, agent__policy__outscale=1.0)

  def test_disc_loss_moves_the_discriminator_alone(self, agent):
    assert self.grads(agent, 'disc/loss') == {'disc'}

  def test_policy_loss_moves_the_policy_alone(self, agent):
    assert self.grads(agent, 'policy') == {'pol'}

  def test_main_loss_moves_all_but_the_discriminator(self, agent):
    touched = self.grads(agent, 'total')
    assert touched == {'enc', 'dyn', 'dec', 'con', 'pol', 'val'}

  def test_each_optimizer_moves_its_own(self):
    moved = {}
    for name, flags in {
        'main': dict(agent__gail__opt__learning_rate=0.0),
        'disc': dict(agent__opt__lr=0.0)}.items():
      agent = agents.outer(agents.config(**flags))
      before = agents.params(agent)
      after, _ = agents.train(agent, [agents.batch(agent)])
      moved[name] = {
          k.split('/')[0] for k in before
          if not np.array_equal(before[k], after[k])}
    counters = {'opt', 'discopt', 'retnorm', 'slowval_count'}
    assert moved['disc'] - counters == {'disc'}
    assert moved['main'] - counters == {
        'enc', 'dyn', 'dec', 'con', 'pol', 'val', 'slowval'}

  def test_discriminator_scores_after_its_update(self):
    # Algorithm 1 updates D first, so one step's rewards show the new D.
    rewards = []
    for rate in (0.0, 0.5):
      agent = agents.outer(agents.config(agent__gail__opt__learning_rate=rate))
      _, metrics = agents.train(agent, [agents.batch(agent)])
      rewards.append(metrics[0]['disc/rew_mean'])
    assert abs(rewards[0] - rewards[1]) > 0.1


class TestExpertSequences:

  def pairs(self, agent, data):
    rows = {
        k[7:]: jnp.asarray(v) for k, v in data.items() if 'expert/' in k}
    return jax.tree.map(np.asarray, agents.call(
        agent, agent.model._expert_pairs, rows, False))

  def test_settled(self):
    # Rows: a cut at the start, a true start, and a border within a cut.
    reset = np.array([[1, 0, 0, 0, 0], [1, 0, 0, 0, 0], [1, 0, 0, 1, 0]], bool)
    cut = np.array([[1, 0, 0, 0, 0], [0, 0, 0, 0, 0], [1, 0, 0, 0, 0]], bool)
    want = [[0, 0, 0, 1, 1], [1, 1, 1, 1, 1], [0, 0, 0, 1, 1]]
    assert agentlib.settled(reset, cut, 3).astype(int).tolist() == want
    assert agentlib.settled(reset, cut, 0).all()

  def test_past_beyond_a_border_is_forgotten(self):
    agent = agents.build()
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
    agent = agents.build()
    data = agents.batch(agent)
    inputs, _ = self.pairs(agent, data)
    assert np.array_equal(inputs[..., -3:].argmax(-1), data['expert/action'])

  def test_last_steps_and_burnin_weigh_nothing(self):
    agent = agents.build()
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
    deter = agents.FLAGS and agents.build().config.dyn.rssm.deter
    shown = [
        self.pairs(agent, agents.batch(agent))[0] for agent in (
            agents.build(), agents.build(
                agent__gail__expert_latent='posterior'))]
    assert np.array_equal(shown[0][..., :deter], shown[1][..., :deter])
    assert not np.array_equal(shown[0], shown[1])


class TestControls:

  def test_constant_reward(self):
    agent = agents.outer(agents.config(agent__gail__reward='constant'))
    _, metrics = agents.train(agent, [agents.batch(agent)])
    assert metrics[0]['disc/rew_min'] == metrics[0]['disc/rew_max'] == 1

  @pytest.mark.parametrize('negatives', ['imagination', 'replay', 'both'])
  @pytest.mark.parametrize('reward', sorted(rewards.REWARDS))
  def test_every_choice_is_finite(self, negatives, reward):
    if negatives != 'both' and reward != 'gail':
      pytest.skip('each choice once')
    agent = agents.outer(agents.config(
        agent__gail__reward=reward, agent__gail__negatives=negatives,
        agent__gail__disc__spectral=1.0, agent__gail__disc__norm='layer',
        agent__gail__disc_loss__entropy=0.01))
    _, metrics = agents.train(agent, [agents.batch(agent)])
    assert all(np.isfinite(x).all() for x in metrics[0].values())
