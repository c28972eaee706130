"""Which rule for windows with several actions says most about the images.

python benchmarks/atari_head_action.py --source FOLDER --game seaquest \
    --trials 54 --out benchmarks/atari_head_action.json

Imports the same trials by each `--action` and measures by
`demos/alignment.py` how much of the actions a linear model tells from the
change between their image and the next, on steps it was not fitted to.
"""

import argparse
import json
import pathlib
import platform
import tempfile

import numpy as np

from dreamer_gail_plugin import store
from dreamer_gail_plugin.demos import __main__ as demos
from dreamer_gail_plugin.demos import alignment
from dreamer_gail_plugin.demos import atari_head_steps


def measure(args, rule, folder):
  """Return what the alignment estimate says of an import by a rule."""
  path = pathlib.Path(folder) / f'{rule}.h5'
  # Parts of 850 steps, as five of them do not overlap in a trial.
  code = demos.main([
      'atari_head', '--source', args.source, '--game', args.game,
      '--trials', *args.trials, '--length', '850', '--averaged', 'match',
      '--action', rule, '--out', str(path)])
  assert code == 0, code
  with store.Store(path) as demonstrations:
    found = [demonstrations.read(i) for i in range(len(demonstrations))]
  actions = [x['action'] for x in found]
  return {
      'steps': sum(len(x) for x in actions),
      'changes': int(sum((np.diff(x) != 0).sum() for x in actions)),
      'explained': {
          k: round(v, 4) for k, v in alignment.estimate(found).items()}}


def main():
  """Measure every rule; write JSON and print it."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--source', required=True)
  parser.add_argument('--game', required=True)
  parser.add_argument('--trials', nargs='+', required=True)
  parser.add_argument('--out', required=True)
  args = parser.parse_args()
  with tempfile.TemporaryDirectory() as folder:
    rules = {k: measure(args, k, folder) for k in atari_head_steps.RULES}
  result = {
      'game': args.game, 'trials': args.trials, 'rules': rules,
      'python': platform.python_version(), 'numpy': np.__version__}
  pathlib.Path(args.out).write_text(json.dumps(result, indent=1) + '\n')
  print(json.dumps(result, indent=1))


if __name__ == '__main__':
  main()
