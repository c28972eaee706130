"""Evaluate a run by the protocol of the paper.

  python -m dreamer_gail_plugin.evaluate --logdir LOGDIR

plays 250 games, five chunks of 50 with seeds of their own, by the sampled and
then by the greedy policy of the latest checkpoint. Writes scores, statistics
and films to LOGDIR/eval. All settings come from the run itself.
"""

import os
import sys

from ..errors import UserError
from ..running import checkpoint
from ..running import device
from ..running import provenance
from . import policy as policylib
from . import protocol

PROGRAM = ('dreamer_gail_plugin.evaluate',)


def main(argv=None):
  """Evaluate the run named on the command line; return the files written."""
  args = protocol.parse(argv, __doc__)
  config = policylib.load_config(args.logdir).update(
      {'jax.platform': args.platform})
  save = checkpoint.choose(args.logdir, args.checkpoint, config)
  step = checkpoint.step(args.logdir, save, config)
  # Random play has no likeliest action.
  kinds = ('sampled',) if config.random_agent else args.policy
  protocol.check_new(protocol.files(args, step, kinds))
  if args.disc and protocol.reward(config) in ('env', 'random'):
    raise UserError('--disc: this run has no discriminator.')
  os.environ.setdefault('XLA_PYTHON_CLIENT_PREALLOCATE', 'false')
  config = device.platform(config)
  device.prepare_jax(config)
  actors = {
      kind: policylib.load_actor(config, save, greedy=(kind == 'greedy'))
      for kind in kinds}
  return protocol.judge(
      config, actors, step, protocol.expert_score(config), args,
      provenance.command(argv, PROGRAM))


def cli():
  """Run main() and turn a UserError into one line and exit code 2."""
  try:
    main()
  except UserError as error:
    print(f'error: {error}', file=sys.stderr)
    sys.exit(2)


if __name__ == '__main__':
  cli()
