"""Ideas measured one at a time against the block `gail`, on several screens.

  python benchmarks/ablations.py run vector --jobs 2
  python benchmarks/ablations.py run minatar --names base penalty10
  python benchmarks/ablations.py table vector

`run` does what has no result yet and goes on where it was stopped. Results are
in benchmarks/results/ablations/SCREEN/NAME, a folder of the benchmark for each
idea. `table` prints them as markdown: two numbers are the mean scores of the
sampled and the greedy policy, one is the mean training score of the last
10,000 steps, all means over seeds, with the seeds' own in brackets.
"""

import argparse
import pathlib
import sys

import numpy as np

from dreamer_gail_plugin.experiments import __main__ as command
from dreamer_gail_plugin.experiments import results

RESULTS = pathlib.Path('benchmarks/results/ablations')
VECTOR = ('gym_CartPole-v1', 'gym_MountainCar-v0')
MINATAR = ('minatar_breakout', 'minatar_space_invaders')
# Suite, tasks, steps and flags of each screen.
SCREENS = {
    'vector': ('vector', VECTOR, 10_000, ()),
    'minatar': ('minatar', MINATAR, 20_000, ()),
    # With an anchor what D does hardly counts.
    'alone': ('minatar', MINATAR, 20_000, ('--agent.gail.anchor', '0')),
    # It does best with a world model of the agent's play.
    'alone_world': ('minatar', MINATAR, 20_000, (
        '--agent.gail.anchor', '0', '--agent.gail.world', 'replay')),
}
# Name: (method of the benchmark, keys of `agent` beside it).
IDEAS = {
    'base': ('gail', {}),
    'random_expert': ('null', {}),
    'constant': ('constant', {}),
    'env': ('env', {}),
    'negatives_replay': ('gail', {'gail.negatives': 'replay'}),
    'negatives_both': ('gail', {'gail.negatives': 'both'}),
    'posterior': ('gail', {'gail.expert_latent': 'posterior'}),
    'penalty0': ('gail', {'gail.disc_loss.penalty': 0}),
    'penalty10': ('gail', {'gail.disc_loss.penalty': 10}),
    'spectral': ('gail', {
        'gail.disc.spectral': 1, 'gail.disc_loss.penalty': 0}),
    'disc_entropy': ('gail', {'gail.disc_loss.entropy': 0.03}),
    'disc_lr1e-5': ('gail', {'gail.opt.learning_rate': 1e-5}),
    'disc_lr1e-3': ('gail', {'gail.opt.learning_rate': 1e-3}),
    'reward_airl': ('gail', {'gail.reward': 'airl'}),
    'reward_logd': ('gail', {'gail.reward': 'logd'}),
    'reward_fairl': ('gail', {'gail.reward': 'fairl'}),
    'reward_prob': ('gail', {'gail.reward': 'prob'}),
    'end0': ('gail', {'gail.absorbing': False}),
    'random_expert_end0': ('null', {'gail.absorbing': False}),
    'terminals_hidden': ('gail', {'gail.terminals': False}),
    'world_replay': ('gail', {'gail.world': 'replay'}),
    'world_replay_constant': ('constant', {'gail.world': 'replay'}),
    'anchor0': ('gail', {'gail.anchor': 0}),
    'anchor0_constant': ('constant', {'gail.anchor': 0}),
    'anchor0.01': ('gail', {'gail.anchor': 0.01}),
    'anchor1': ('gail', {'gail.anchor': 1}),
    'risk0': ('gail', {'gail.risk': 0}),
    'risk40': ('gail', {'gail.risk': 40}),
    'unmirrored': ('gail', {'gail.anchor_mirror': False}),
    'horizon50': ('gail', {'horizon': 50}),
    'paper': ('gail', {
        'gail.expert_latent': 'posterior', 'gail.disc_loss.penalty': 0,
        'gail.world': 'replay', 'gail.anchor': 0,
        'gail.opt.learning_rate': 3e-9}),
}


def main(argv=None):
  """Do what the command line says; return the exit code."""
  parser = argparse.ArgumentParser(
      description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
  parser.add_argument('command', choices=('run', 'table'))
  parser.add_argument('screen', choices=SCREENS)
  parser.add_argument('--names', nargs='+', choices=IDEAS, default=list(IDEAS))
  parser.add_argument('--seeds', type=int, default=2)
  parser.add_argument('--jobs', type=int, default=1)
  parser.add_argument(
      '--logdirs', type=pathlib.Path, default=pathlib.Path('runs/ablations'))
  args = parser.parse_args(argv)
  return {'run': run, 'table': table}[args.command](args)


def run(args):
  """Train and evaluate; return 1 if a run failed and 0 otherwise."""
  suite, tasks, steps, common = SCREENS[args.screen]
  failed = 0
  for name in args.names:
    method, keys = IDEAS[name]
    flags = [
        x for k, v in keys.items() for x in (f'--agent.{k}', str(v))]
    print(f'{name}: {method} {" ".join(flags)}', flush=True)
    failed |= command.main([
        'run', suite, '--tasks', *tasks, '--methods', method,
        '--seeds', str(args.seeds), '--steps', str(steps),
        '--jobs', str(args.jobs),
        '--results', str(RESULTS / args.screen / name),
        '--logdirs', str(args.logdirs / args.screen / name), *common, *flags])
  return failed


def table(args):
  """Print the results that there are; return 0."""
  _, tasks, *_ = SCREENS[args.screen]
  head = ['name', 'flags']
  for task in tasks:
    head += [task, 'training']
  print('', *head, '', sep=' | ')
  print('', *['---'] * len(head), '', sep=' | ')
  for name in args.names:
    folder = RESULTS / args.screen / name
    if folder.is_dir():
      print('', *row(name, results.load(folder), tasks), '', sep=' | ')
  return 0


def row(name, found, tasks):
  """Return the cells of an idea's row."""
  method, keys = IDEAS[name]
  cells = [name, ' '.join(
      [method] * (method != 'gail') + [f'{k} {v}' for k, v in keys.items()])]
  for task in tasks:
    runs = [x for x in found if x['task'] == task]
    cells += [
        ' / '.join(mean([
            x['evaluations'][policy]['summary']['mean'] for x in runs])
            for policy in ('sampled', 'greedy')),
        mean([x['training']['scores'][-1] for x in runs])]
  return cells


def mean(values):
  """Return text: the mean and each value."""
  if not values:
    return '-'
  each = ', '.join(f'{x:.1f}' for x in values)
  return f'{np.mean(values):.1f} ({each})'


if __name__ == '__main__':
  sys.exit(main())
