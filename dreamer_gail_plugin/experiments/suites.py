"""What a benchmark plays and compares: its tasks and its methods."""

import dataclasses

from ..baselines import config as baselines


@dataclasses.dataclass(frozen=True)
class Suite:
  """Tasks {name: flags of it} and the flags that all runs share.

  `blocks` are those of configs.yaml, `flags` those of
  dreamer_gail_plugin.main and `evaluation` those of
  dreamer_gail_plugin.evaluate. The flags of tasks are also those of the
  baselines.
  """

  tasks: dict
  blocks: tuple
  flags: tuple
  evaluation: tuple = ('--no-films',)


@dataclasses.dataclass(frozen=True)
class Method:
  """A row of the table: its name for people and its flags.

  `train` and `evaluate` are the modules, with their first words, that are run
  with the flags of dreamer_gail_plugin.main and .evaluate. `blocks` follow
  those of the suite. `plays` says whether it learns from steps in the
  environment, `resumes` whether it goes on where it was stopped, else anew.
  `baseline` names one of dreamer_gail_plugin.baselines, which has flags and
  numbers of steps of its own.
  """

  title: str
  flags: tuple = ()
  train: tuple = ('dreamer_gail_plugin.main',)
  evaluate: tuple = ('dreamer_gail_plugin.evaluate',)
  blocks: tuple = ('gail',)
  plays: bool = True
  resumes: bool = True
  baseline: str = ''


def baseline(name):
  """Return the Method of a baseline."""
  module = 'dreamer_gail_plugin.baselines'
  return Method(
      baselines.NAMES[name], train=(module, name),
      evaluate=(module, 'evaluate'), plays=name != 'bc', resumes=False,
      baseline=name)


CLONING = 'dreamer_gail_plugin.experiments.cloning'
# Games end where those of the demonstrations did, or scores would not
# compare. Freeway's own clock ends it.
LIMIT = ('--env.minatar.length', '300')

# Nobody looks at the videos.
QUIET = (
    '--agent.report', 'False', '--run.report_every', '1e9',
    '--logger.outputs', 'jsonl')

SUITES = {
    'minatar': Suite(
        tasks={
            'minatar_breakout': LIMIT,
            'minatar_seaquest': LIMIT,
            'minatar_asterix': LIMIT,
            'minatar_freeway': (),
            'minatar_space_invaders': LIMIT,
        },
        blocks=('minatar', 'tiny'),
        flags=QUIET),
    # Minutes a run, for screening: the end of a game is failure in the first
    # and success in the second.
    'vector': Suite(
        tasks={'gym_CartPole-v1': (), 'gym_MountainCar-v0': ()},
        blocks=('gym', 'tiny'),
        flags=QUIET),
}

METHODS = {
    'gail': Method('Dreamer-GAIL'),
    'env': Method('DreamerV3 with reward', ('--agent.gail.reward', 'env')),
    'constant': Method(
        'Constant reward', ('--agent.gail.reward', 'constant')),
    'null': Method('Random-play expert', ('--agent.gail.expert', 'random')),
    'cloning': Method(
        'Behaviour cloning', (), (CLONING, 'train'), (CLONING, 'evaluate'),
        plays=False, resumes=False),
    # Images as upstream takes them and the last parameters: shows what of a
    # score is due to how the anchor learns.
    'plain_cloning': Method(
        'Plain cloning', (
            '--agent.gail.anchor_shift', '0', '--agent.gail.anchor_rate', '1',
            '--agent.gail.anchor_mirror', 'False',
            '--agent.image_zero', 'gray'),
        (CLONING, 'train'), (CLONING, 'evaluate'), plays=False,
        resumes=False),
    # A few steps, as the evaluation wants a run.
    'random': Method(
        'Random play', ('--random_agent', 'True', '--run.steps', '100'),
        plays=False),
    'vmail': Method('V-MAIL', blocks=('vmail',)),
    **{x: baseline(x) for x in baselines.NAMES},
}
# Those that run if none are named.
DEFAULT = (
    'gail', 'env', 'constant', 'null', 'cloning', 'plain_cloning', 'random')
