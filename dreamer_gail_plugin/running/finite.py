"""Ends a run whose numbers have become NaN or infinite, before it saves."""

import numpy as np

from ..errors import UserError

LOSSES = ('loss/', 'disc/loss')


def guarded(agent):
  """Let upstream's outer agent raise UserError for such numbers; return it.

  Its `train` looks at the losses that it returns, those of the update before.
  Its `save` looks at the parameters, so that no save has them. Its `policy`
  says so where upstream has an assertion.
  """
  train, save, policy = agent.train, agent.save, agent.policy

  def checked_train(carry, data):
    carry, outs, metrics = train(carry, data)
    _check({k: v for k, v in metrics.items() if k.startswith(LOSSES)})
    return carry, outs, metrics

  def checked_save():
    data = save()
    _check(data['params'])
    return data

  def checked_policy(*args, **kwargs):
    try:
      return policy(*args, **kwargs)
    except AssertionError:
      _check(agent.policy_params)
      raise

  agent.train, agent.save, agent.policy = (
      checked_train, checked_save, checked_policy)
  return agent


def _check(values):
  wrong = {k: np.asarray(v, np.float32) for k, v in values.items()}
  wrong = [k for k, v in wrong.items() if not np.isfinite(v).all()]
  if wrong:
    more = f' and {len(wrong) - 3} more' if len(wrong) > 3 else ''
    raise UserError(
        f'The training has diverged: {", ".join(wrong[:3])}{more} are NaN or '
        'infinite. The last save is from before that: the same command goes '
        'on from there, with a lower --agent.opt.lr for instance.')
