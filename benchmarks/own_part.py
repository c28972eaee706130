"""What D's reward taught a saved agent: games with it and without it.

  python benchmarks/own_part.py LOGDIR --out FILE

With an anchor the policy is the anchor times what its own network says, and
that alone learns from D's reward. The same games are played by both together
and by the anchor without it, the risk critic in either case, by the sampled
and the greedy policy. The score is for this report only.
"""

import argparse
import pathlib

import risk_scale

from dreamer_gail_plugin.evaluate import policy as policylib
from dreamer_gail_plugin.experiments import results
from dreamer_gail_plugin.running import checkpoint
from dreamer_gail_plugin.running import checks
from dreamer_gail_plugin.running import provenance

HEAD = 'pol/head/'


def main(args):
  """Play all games and write the file, new after each row."""
  config = checks.platform(policylib.load_config(args.logdir))
  checks.prepare_jax(config)
  folder = checkpoint.choose(args.logdir, None, config)
  rows = []
  for policy in ('sampled', 'greedy'):
    for own in (True, False):
      actor = policylib.load_actor(config, folder, policy == 'greedy')
      if not own:
        # All actions are alike to a head of zeros.
        actor.params = {
            k: v * (not k.startswith(HEAD)) for k, v in actor.params.items()}
      rows.append(risk_scale.measure(
          config, actor, args.episodes, policy=policy, own=own))
      results.save(args.out, {
          'logdir': args.logdir, 'task': config.task,
          'step': checkpoint.step(args.logdir, folder, config),
          'episodes': args.episodes, 'rows': rows,
          'commit': provenance.commit(), 'versions': provenance.versions()})


if __name__ == '__main__':
  parser = argparse.ArgumentParser(
      description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
  parser.add_argument('logdir')
  parser.add_argument('--out', type=pathlib.Path, required=True)
  parser.add_argument('--episodes', type=int, default=250)
  main(parser.parse_args())
