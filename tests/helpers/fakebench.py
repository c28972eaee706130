"""Stands in for `python -m MODULE` in tests of `experiments run`.

FAKE_FAIL and FAKE_HANG name runs that fail or wait in training.
"""

import json
import os
import pathlib
import sys
import time

module, *args = sys.argv[1:]
flag = lambda name: args[len(args) - args[::-1].index(name)]
logdir = pathlib.Path(flag('--logdir'))
evaluating = module.endswith('.evaluate') or args[0] == 'evaluate'
with (logdir / 'started.txt').open('a') as file:
  file.write('evaluate\n' if evaluating else 'train\n')

if evaluating:
  assert not (logdir / 'eval').exists()
  (logdir / 'eval').mkdir()
  seed = int(flag('--seed'))
  for kind in ('sampled', 'greedy'):
    (logdir / 'eval' / f'7_{kind}.json').write_text(json.dumps({
        'step': 7, 'command': 'python', 'versions': {'jax': '1.2'},
        'config': {'jax': {'platform': 'cpu'}},
        'summary': {
            'episodes': 2, 'mean': 2.0 + seed, 'sd': 1.0, 'length_mean': 9.0,
            'random_mean': 0.5, 'median': 2.0 + seed},
        'episodes': [{'score': 1.0 + seed}, {'score': 3.0 + seed}]}))
else:
  task, seed = flag('--task'), flag('--seed')
  (logdir / 'config.yaml').write_text(f'task: {task}\nseed: {seed}\n')
  (logdir / 'cores.json').write_text(json.dumps(
      sorted(os.sched_getaffinity(0))))
  again = (logdir / 'scores.jsonl').exists()
  with (logdir / 'scores.jsonl').open('a') as file:
    for step in (5000 - again, 10000 - again, 15000 - again):
      file.write(json.dumps({'step': step, 'episode/score': step / 1e4}))
      file.write('\n')
  if os.environ.get('FAKE_FAIL') == logdir.name:
    print('boom, it said')
    sys.exit(3)
  if os.environ.get('FAKE_HANG') == logdir.name:
    (logdir / 'hangs').write_text(str(os.getpid()))
    time.sleep(600)
