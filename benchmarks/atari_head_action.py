"""Which rule for windows with several actions says most about the images.

python benchmarks/atari_head_action.py --source FOLDER --game seaquest \
    --trials 54 --out benchmarks/atari_head_action.json

Two measures. (1) Imports the same trials by each `--action` and measures by
`demos/alignment.py` how much of the actions a linear model tells from the
change between their image and the next, on steps it was not fitted to.
(2) Plays the rows in the emulator. At every step with several actions it
plays the step as the person did, a frame at a time, and then from the same
state with the one action of each rule, and counts the pixels that differ.
"""

import argparse
import json
import pathlib
import platform
import tempfile

import ale_py
import numpy as np

from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.demos import __main__ as demos
from dreamer_gail_plugin.demos.importers import alignment
from dreamer_gail_plugin.demos.importers import atari_head_files as files
from dreamer_gail_plugin.demos.importers import atari_head_steps
from dreamer_gail_plugin.envs import atari

REPEAT = 4  # Frames of a step.


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


def play(args):
  """Return what (2) finds, over all steps with several actions.

  The emulator of today is not that of the recording, so the game takes
  another course than the person's and starts anew when it is over; what is
  compared is only the step itself.
  """
  found = {k: [] for k in atari_head_steps.RULES}
  trials = files.find_trials(files.find_game(args.source, args.game))
  for number in map(int, args.trials):
    action = files.read_labels(trials[number].labels).action
    ale = atari.emulator(args.game, 0, sticky=False, average=False)
    for start in range(0, len(action) - REPEAT, REPEAT):
      window = action[start: start + REPEAT]
      window = window[~np.isnan(window)].astype(int).tolist()
      if ale.game_over():
        ale.reset_game()
      state = ale.cloneState()
      if len(window) == REPEAT and len(set(window)) > 1:
        wanted = act(ale, window)
        for name, rule in atari_head_steps.RULES.items():
          ale.restoreState(state)
          screen = act(ale, [rule(window)] * REPEAT)
          found[name].append((screen != wanted).any(-1).sum())
        ale.restoreState(state)
      act(ale, window)
  return summary({k: np.array(v, float) for k, v in found.items()})


def act(ale, actions):
  """Play actions by number, a frame each, and return the screen."""
  for action in actions:
    ale.act(ale_py.Action(action))
  return ale.getScreenRGB()


def summary(pixels):
  """Return means (and standard errors) of pixels (N,) of each rule."""
  error = lambda x: round(float(x.std() / np.sqrt(len(x))), 2)
  mean = lambda x: round(float(x.mean()), 2)
  best = pixels['majority']
  return {
      'steps': len(best), **{k: {
          'pixels': mean(v), 'same_screen': round(float((v == 0).mean()), 4),
          'more_than_majority': mean(v - best),
          'standard_error': error(v - best)} for k, v in pixels.items()}}


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
      'emulator': play(args), 'python': platform.python_version(),
      'numpy': np.__version__}
  pathlib.Path(args.out).write_text(json.dumps(result, indent=1) + '\n')
  print(json.dumps(result, indent=1))


if __name__ == '__main__':
  main()
