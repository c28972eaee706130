"""What experiments play and compare: tasks and methods."""

import dataclasses

from ..baselines import config as baselines


@dataclasses.dataclass(frozen=True)
class Suite:
  """Tasks {name: flags of it} and the flags that all runs share.

  `blocks` are those of configs.yaml, `flags` those of
  dreamer_gail_plugin.main and `evaluation` those of
  dreamer_gail_plugin.evaluate. The flags of tasks are also those of the
  baselines. Without `blocks` they are the task's suite and `small`. `steps`
  {task: steps} and `methods` are what runs if nothing is named. `shown` are
  numbers of steps: methods learn from demonstrations of so many each. Without
  it they learn from all that are bundled.
  """

  tasks: dict
  blocks: tuple
  flags: tuple
  evaluation: tuple = ('--no-films',)
  steps: dict = dataclasses.field(default_factory=dict)
  methods: tuple = ()
  shown: tuple = ()

  def blocks_of(self, task):
    """Return the blocks of configs.yaml for a task."""
    return self.blocks or (task.partition('_')[0], 'small')


@dataclasses.dataclass(frozen=True)
class Method:
  """A row of the table: what it is and its flags.

  `train` and `evaluate` are the modules, with their first words, that are run
  with the flags of dreamer_gail_plugin.main and .evaluate. `blocks` follow
  those of the suite. `plays` says whether it learns from steps in the
  environment, `watches` whether from demonstrations, `resumes` whether it
  goes on where it was stopped, else anew.
  `baseline` names one of dreamer_gail_plugin.baselines, which has flags and
  numbers of steps of its own.
  """

  what: str
  flags: tuple = ()
  train: tuple = ('dreamer_gail_plugin.main',)
  evaluate: tuple = ('dreamer_gail_plugin.evaluate',)
  blocks: tuple = ('gail',)
  plays: bool = True
  watches: bool = True
  resumes: bool = True
  baseline: str = ''


def baseline(name):
  """Return the Method of a baseline."""
  module = 'dreamer_gail_plugin.baselines'
  return Method(
      baselines.NAMES[name], train=(module, name),
      evaluate=(module, 'evaluate'), plays=name != 'bc',
      watches=name not in ('ppo', 'c51'), resumes=False, baseline=name)


CLONES = 'dreamer_gail_plugin.experiments.cloning'
# Games end where those of the demonstrations did, or scores would not
# compare. Freeway's own clock ends it.
GAME = '300'
LIMIT = ('--env.minatar.length', GAME)

# Nobody looks at the videos.
QUIET = (
    '--agent.report', 'False', '--run.report_every', '1e9',
    '--logger.outputs', 'jsonl')

MINATAR = Suite(
    tasks={
        'minatar_breakout': LIMIT,
        'minatar_seaquest': LIMIT,
        'minatar_asterix': LIMIT,
        'minatar_freeway': (),
        'minatar_space_invaders': LIMIT,
    },
    blocks=('minatar', 'tiny'),
    flags=QUIET)
BUNDLED = 10_240  # Steps of the demonstrations of each of these games.

SUITES = {
    'minatar': MINATAR,
    # With and without the expert's actions.
    'few': dataclasses.replace(
        MINATAR, shown=(100, 300, 1024, BUNDLED),
        methods=(
            'random', 'constant', 'gail', 'constant+outcomes',
            'gail+outcomes', 'gail_inferred', 'cloning', 'plain_cloning',
            'bco', 'gaifo_ppo')),
    # Minutes a run, for screening: the end of a game is failure in the first
    # and success in the second.
    'vector': Suite(
        tasks={'gym_CartPole-v1': (), 'gym_MountainCar-v0': ()},
        blocks=('gym', 'tiny'),
        flags=QUIET),
    # Sections 4 and 5 of the paper. 100M frames of Atari are 2.5e7 steps. The
    # baselines have their steps from their own settings. Evaluations have
    # film strips, as figures 3 to 5.
    'paper': Suite(
        tasks={
            'atari_seaquest': (), 'atari_alien': (), 'crafter_reward': ()},
        blocks=(), flags=QUIET, evaluation=(),
        steps={
            'atari_seaquest': 25_000_000, 'atari_alien': 25_000_000,
            'crafter_reward': 20_000_000},
        methods=(
            'gail_paper', 'constant_paper', 'gail', 'ppo', 'c51', 'bc',
            'gail_ppo', 'airl_ppo', 'mgail', 'vmail', 'env', 'random')),
}
# What --scale below 1 adds, by the kind of program.
REHEARSAL = {
    'blocks': ('debug',), 'baseline': ('--settings', 'debug'),
    'evaluation': ('--chunks', '1', '--episodes', '2')}

# The anchor by itself.
CLONING = dict(
    train=(CLONES, 'train'), evaluate=(CLONES, 'evaluate'),
    blocks=('gail', 'anchor'), plays=False, resumes=False)
ANCHORED = dict(blocks=('gail', 'anchor'))
OUTCOMES = dict(blocks=('gail', 'outcomes'))
CONSTANT = ('--agent.gail.reward', 'constant')
NULL = ('--agent.gail.expert', 'random')

# In the order of tables. A method and its twin differ in the reward alone.
METHODS = {
    # A few steps, as the evaluation wants a run.
    'random': Method(
        'random play', ('--random_agent', 'True', '--run.steps', '100'),
        plays=False, watches=False),
    'env': Method(
        'DreamerV3, with reward', ('--agent.gail.reward', 'env'),
        watches=False),
    # Images as upstream takes them and the last parameters: shows what of a
    # score is due to how the anchor learns.
    'plain_cloning': Method(
        "behaviour cloning by upstream's encoder and policy head", (
            '--agent.gail.anchor_shift', '0', '--agent.gail.anchor_rate', '1',
            '--agent.gail.anchor_mirror', 'False',
            '--agent.image_zero', 'gray'), **CLONING),
    'cloning': Method('the same as the anchor learns: the anchor', **CLONING),
    'constant': Method(
        'twin of `gail`: each step is worth 1', CONSTANT, watches=False),
    'gail': Method("D's reward, nothing cloned"),
    'gail_inferred': Method(
        "`gail` without the expert's actions, which it infers",
        ('--agent.gail.actions', 'inferred')),
    'constant+outcomes': Method(
        'twin of `gail+outcomes`: each step is worth 1', CONSTANT,
        watches=False, **OUTCOMES),
    'gail+outcomes': Method(
        '`gail` whose D sees what actions lead to, entropy held', **OUTCOMES),
    'constant_paper': Method(
        'twin of `gail_paper`: each step is worth 1', CONSTANT,
        blocks=('gail_paper',), watches=False),
    'gail_paper': Method("the paper's settings", blocks=('gail_paper',)),
    'constant+anchor': Method(
        'twin of `gail+anchor`: each step is worth 1', CONSTANT, **ANCHORED),
    'gail+anchor': Method(
        "D's reward, anchor and risk critic", **ANCHORED),
    'null': Method(
        '`gail` with random play for an expert', NULL, watches=False),
    'null+anchor': Method(
        '`gail+anchor` with random play for an expert', NULL, watches=False,
        **ANCHORED),
    'vmail': Method('V-MAIL', blocks=('vmail',)),
    'vmail_sac': Method(
        'V-MAIL with discrete SAC', ('--agent.gail.actor', 'sac'),
        blocks=('vmail',)),
    **{x: baseline(x) for x in baselines.NAMES},
}
# Those that run if none are named.
DEFAULT = tuple(x for x, y in METHODS.items() if not (
    y.baseline or x.startswith('vmail') or
    x.endswith(('_paper', '_inferred', '+outcomes'))))


def place(name):
  """Return where a method or a task stands in tables, a number."""
  order = [*METHODS, *(y for x in SUITES.values() for y in x.tasks)]
  return order.index(name) if name in order else len(order)
