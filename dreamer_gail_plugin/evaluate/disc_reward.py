"""What D pays: its reward where the game scores, before it ends, elsewhere.

An accurate D may still pay least for what wins the game; this shows it. The
reward of the environment, which the stores hold, is read for the table alone.
Both stores should be new to the run: demonstrations that it did not learn
from, and play of its agent (`demos rollout --from LOGDIR`).

examples:
  dreamer-gail disc_reward --logdir LOGDIR --expert held_out.h5 --agent play.h5
  dreamer-gail disc_reward --logdir LOGDIR --expert held_out.h5 \\
      --agent play.h5 --out disc_reward.json --overwrite
"""


import numpy as np

from .. import arguments
from .. import errors
from .. import worldmodel
from . import output
from . import saved
from . import trajectories

PROGRAM = ('disc_reward',)
NAME = 'disc_reward.json'  # In the logdir.
ENDS = (1, 3, 10)  # Actions before an end.
SIDES = ('expert', 'agent')


def main(argv=None):
  """Measure, print the table and write the JSON; return the results."""
  args = parse(argv)
  out = output.place(args, NAME)
  run = saved.Run(args.logdir)
  actor = run.judge()
  results = {side: summary(*paid(
      actor, getattr(args, side), run.config)) for side in SIDES}
  show(results)
  return output.write(
      out, {**results, 'step': run.step}, argv, PROGRAM)


def parse(argv=None):
  """Return the parsed flags."""
  parser = arguments.Parser(
      prog='dreamer-gail disc_reward', description=__doc__)
  add = parser.add_argument
  add('--logdir', required=True, help='of a run with a discriminator')
  add('--expert', required=True, help='demonstrations new to the run')
  add('--agent', required=True, help='store with play of the run')
  output.add_flags(add, NAME)
  return parser.parse_args(argv)


def paid(actor, path, config):
  """Return D's rewards (N,) of the pairs in a store, and {event: bools (N,)}.

  Pairs whose state the model does not know are left out, as in D's batch.
  """
  found = list(trajectories.read(path, config, extra=('reward',)))
  size = max(len(x['is_first']) for x in found)
  def fn(data):
    model = actor.model
    feat, _ = worldmodel.observe(
        model, worldmodel.expert_rows(model, data), False)
    inputs, known = model.expert_pairs(data, feat)
    return model.rewfn(model.disc(inputs))[0], known[0] > 0
  rewards, marks = [], []
  for data in found:
    mark = events(*[
        data[k] for k in ('reward', 'is_first', 'is_terminal')])
    value, known = [
        x[:len(data['reward'])] for x in actor.call(
          fn, trajectories.row(data, size))]
    rewards.append(value[known])
    marks.append({k: v[known] for k, v in mark.items()})
  join = lambda xs: np.concatenate(xs)
  return join(rewards), {k: join([x[k] for x in marks]) for k in marks[0]}


def events(reward, first, terminal):
  """Return {event: bools (T,)}, what follows the action at each step.

  `scores` and `loses` are by the reward that comes with the next step, and
  `end N` says that the game ends within N actions, other than by a time limit.
  """
  steps = np.arange(len(reward))
  after = np.r_[reward[1:], 0] * ~np.r_[first[1:], True]
  coming = lambda flags: np.minimum.accumulate(
      np.where(flags, steps, np.inf)[::-1])[::-1]
  left = coming(terminal) - steps  # Actions up to an end.
  left[coming(terminal) > np.r_[coming(first)[1:], np.inf]] = np.inf
  found = {'scores': after > 0, 'loses': after < 0}
  found.update({f'end {n}': (0 < left) & (left <= n) for n in ENDS})
  found['elsewhere'] = ~np.any(list(found.values()), 0)
  return found


def summary(reward, marks):
  """Return {event: {mean, sd, steps}} of D's reward, and of `all` steps."""
  result = {}
  for name, chosen in {**marks, 'all': np.ones(len(reward), bool)}.items():
    part = np.asarray(reward[chosen], float)
    result[name] = {
        'mean': float(part.mean()) if len(part) else None,
        'sd': float(part.std()) if len(part) else None, 'steps': len(part)}
  return result


def show(results):
  """Print the table of mean rewards, with the number of steps in brackets."""
  print("\nD's mean reward by what the action leads to (steps)")
  print(f'{"":<10}' + ''.join(f'{x:>18}' for x in SIDES))
  for event in results['expert']:
    cells = [results[side][event] for side in SIDES]
    if any(x['steps'] for x in cells):
      print(f'{event:<10}' + ''.join(
          f'{x["mean"]:>10.4f} {"(%d)" % x["steps"]:>7}' if x['steps']
          else f'{"":>18}' for x in cells))


if __name__ == '__main__':
  errors.run(main)
