"""Looks for faults in demonstrations that ruin imitation; says what to do.

It looks at the file, and compares it with random play in its task if that can
be made here. The environment has the settings that the file names, or those
of flags such as --env.atari.average True. The exit code is 1 if there are
problems, 0 if there are only notes.

examples:
  dreamer-gail demos check mine.h5
  dreamer-gail demos check mine.h5 --task gym_walk:Walk-v0 --seed 1
"""

from ... import arguments
from ...data import recipe
from ...data import store
from ...errors import UserError
from .. import tasks
from . import boards
from . import content
from . import findings
from . import moves
from . import physics
from . import pictures
from . import rhythm
from . import settings
from .findings import note
from .play import Play

SAMPLE = 20000  # Steps of the demonstrations for all but duplicates.


def add_arguments(parser):
  """Add the flags of the subcommand to an argparse parser."""
  add = parser.add_argument
  add('file', help='the .h5 file, or the .json file of a recipe')
  add('--task', help='compare with this task (the one in the file)')
  add('--seed', type=arguments.count, default=0, help='of the random play')
  tasks.add_options(parser)


def run(args):
  """Print the findings and return the exit code."""
  with store.Store(recipe.stored(args.file)) as demos:
    task = args.task or demos.attrs['task']
    play, options, found = make(demos, args)
    found += find(demos, task, play, options, bool(tasks.given(args)))
    steps = f'{len(demos)} trajectories, {sum(demos.lengths):,} steps'
    sampled = min(SAMPLE, sum(demos.lengths))
  for level in ('problem', 'note'):
    for item in found:
      if item.level == level:
        print(f'{level}: {item.text}')
  answered = {x.text for x in found if x.level == 'decided'}
  open_ = [x for x in findings.QUESTIONS if x not in answered]
  if play is not None:
    print(f'compared: {sampled:,} steps with {play.steps:,} of random play '
          f'in {play.games} games')
  if open_:
    print(f'not decided: {"; ".join(open_)}')
  problems = sum(x.level == 'problem' for x in found)
  notes = sum(x.level == 'note' for x in found)
  print(f'{args.file}: {steps}; {problems} problem(s), {notes} note(s)')
  return int(problems > 0)


def make(demos, args):
  """Return Play or None, options of the environment, and findings about it."""
  task = args.task or demos.attrs['task']
  if not task:
    return None, {}, [note(
        'the file names no task, so it is compared with none; name one by '
        '--task')]
  named = tasks.given(args)
  try:
    task = args.task or tasks.of_file(task)
    options = tasks.options(task, named)
    env = tasks.make_env(task, 0, **options)
    if not named:
      # What the file says of itself is tried first, if it is so.
      found, own = adopted(demos, task, options)
      if found and settings.fits(demos, found, task):
        env, options = found, own
    return Play(env, args.seed), options, []
  except UserError as e:
    return None, {}, [note(f'the task {task} cannot be made here: {e}')]


def adopted(demos, task, options):
  """Return the environment with the file's settings, or None, and these."""
  own = settings.adopted(demos, options)
  try:
    return tasks.make_env(task, 0, **own) if own != options else None, own
  except UserError:  # The file may say anything.
    return None, own


def find(demos, task, play, options, named=False):
  """Return the Findings about an open store.

  `play` may be None. `options` are those of its environment, `named` tells
  whether they are the user's or the file's.
  """
  parts = sample(demos)
  found = content.find(demos, parts, play)
  if play is None:
    return found + moves.find(parts, None, findings.action_keys(demos))
  found += settings.find(demos, task, play, options, named)
  if not settings.fits(demos, play, task):
    return found  # Nothing of it can be compared.
  keys = findings.action_keys(demos)
  if 'vector' in parts[0] and len(keys) == 1:
    space = play.act_space[keys[0]]
    if space.shape == () or not space.discrete:
      found += physics.find(
          parts, play, keys[0], int(space.classes) if space.discrete else 0)
  found += pictures.find(parts, play) + boards.find(parts, play)
  found += rhythm.find(parts, play) + moves.find(parts, play, keys)
  return found


def sample(demos):
  """Return the arrays of parts of all trajectories, SAMPLE steps at most."""
  each = max(1, SAMPLE // len(demos))
  return [
      demos.read(i, 0, min(each, demos.lengths[i]))
      for i in range(len(demos))]
