"""Upstream's agent as this plugin runs it; alone it is plain DreamerV3."""

import dreamerv3.agent
import ninjax as nj
import optax

from .running import videos

prefix = dreamerv3.agent.prefix
ACTING = 'pol/', 'val/', 'qval'  # Actor and critics.


class Dreamer(dreamerv3.agent.Agent):
  """DreamerV3 with a rate of its own for actor and critic, and full reports.

  With `ac_rate: 1` every update is upstream's, bit for bit on a CPU.
  """

  imitates = False  # Whether the reward comes from demonstrations.

  def _make_opt(self, **kwargs):
    # Upstream has one rate for all networks. optax.masked would change the
    # optimizer's state, and saved runs could not go on.
    opt, rate = super()._make_opt(**kwargs), self.config.ac_rate
    if rate == 1:
      return opt
    def update(grads, state, params=None):
      updates, state = opt.update(grads, state, params)
      return {
          k: v * rate if k.startswith(ACTING) else v
          for k, v in updates.items()}, state
    return optax.GradientTransformation(opt.init, update)

  def acting(self, obs):
    """Return the policy network of agents that see observations (N, ...)."""
    return self.pol

  def report(self, carry, data):
    """Return the new carry and metrics: all losses and open-loop videos.

    Upstream's own report drops the losses. It also fails on images that have
    neither one nor three channels, such as boards and frame stacks.
    """
    if not self.config.report:
      return carry, {}
    carry, obs, prevact, _ = self._apply_replay_context(carry, data)
    _, (new_carry, _, outs, metrics) = self.loss(
        carry, obs, prevact, training=False)
    if self.config.report_gradnorms:
      metrics.update(self._gradnorms(carry, obs, prevact))
    films = videos.videos(
        self.dyn, self.dec, carry, obs, prevact, outs['tokens'])
    metrics.update(prefix(films, 'openloop'))
    return (*new_carry, {k: data[k][:, -1] for k in self.act_space}), metrics

  def _gradnorms(self, carry, obs, prevact):
    # One backward pass a loss: slow, for debugging.
    metrics = {}
    for key in self.scales:
      lossfn = lambda: self.loss(
          carry, obs, prevact, training=False)[1][2]['losses'][key].mean()
      try:
        grad = nj.grad(lossfn, self.modules)()[-1]
      except KeyError:
        print(f'Skipping gradnorm summary for missing loss: {key}')
        continue
      metrics[f'gradnorm/{key}'] = optax.global_norm(grad)
    return metrics
