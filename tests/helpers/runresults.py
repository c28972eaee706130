"""Hand-made results of runs on two tasks, where random play scores 2."""

BREAKOUT, SEAQUEST = 'minatar_breakout', 'minatar_seaquest'
# Files of scores/ that hold something else than results of runs.
OTHERS = ('speed', 'steady', 'disc_rates', 'encoders')
# The expert scores 12, so normalised is (x - 2) / 10.
SCORES = {
    ('gail', BREAKOUT): [12, 8], ('gail', SEAQUEST): [7, 9],
    ('env', BREAKOUT): [8, 4], ('env', SEAQUEST): [9],
    ('random', BREAKOUT): [2, 2]}


def make(method, task, seed, score, **changes):
  """Return a result with a sampled score; the greedy one is 1 more."""
  brief = lambda score: {
      'step': 9, 'command': 'python', 'scores': [score - 1.0, score + 1.0],
      # Its mean over the seeds is 2.
      'summary': {
          'episodes': 2, 'mean': float(score), 'sd': 1.0, 'median': 7.0,
          'length_mean': 1 / 3, 'random_mean': 1.5 + seed}}
  found = {'sampled': brief(score), 'greedy': brief(score + 1)}
  if method == 'random':
    del found['greedy']
  return {
      'format': 1, 'suite': 'minatar', 'method': method, 'task': task,
      'seed': seed, 'steps': 20000, 'expert': 12.0, 'evaluations': found,
      'flags': ['--seed', str(seed), '--logdir', 'x/y', '--more', '1'],
      'commits': ['a'], 'versions': {}, 'machine': {}, 'config': {'a': 1},
      'wall_seconds': {'train': 3600.0 * (1 + seed)}, 'training': {
          'steps': [10000, 20000], 'scores': [score / 2, score],
          'episodes': [5, 5]}, **changes}


def all_results():
  """Return the results of SCORES."""
  return [
      make(*key, seed, score) for key, values in SCORES.items()
      for seed, score in enumerate(values)]
