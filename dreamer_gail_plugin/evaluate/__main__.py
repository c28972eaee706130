"""Evaluate a run by the protocol of the paper.

It plays 250 games, five chunks of 50 with seeds of their own, by the sampled
and then by the greedy policy of the latest checkpoint. It writes scores,
statistics and films to LOGDIR/eval. All settings come from the run itself.

examples:
  dreamer-gail evaluate --logdir ~/logdir/breakout
  dreamer-gail evaluate --logdir ~/logdir/breakout --episodes 10 \\
      --policy greedy
"""

import os

from .. import errors
from ..running import device
from ..running import provenance
from . import protocol
from . import saved

PROGRAM = ('evaluate',)


def main(argv=None):
  """Evaluate the run named on the command line; return the files written."""
  args = protocol.parse(argv, __doc__)
  os.environ.setdefault('XLA_PYTHON_CLIENT_PREALLOCATE', 'false')
  run = saved.Run(args.logdir, args.checkpoint, args.platform)
  device.prepare_jax(run.config)
  # Random play has no likeliest action.
  kinds = ('sampled',) if run.config.random_agent else args.policy
  # Before the agent is built, which takes seconds.
  protocol.check_new(protocol.files(args, run.step, kinds))
  actors = {kind: run.actor(greedy=(kind == 'greedy')) for kind in kinds}
  return protocol.judge(
      run.config, actors, run.step, protocol.expert_score(run.config), args,
      provenance.command(argv, PROGRAM))


if __name__ == '__main__':
  errors.run(main)
