"""Records a person who plays in the browser.

Serves a page at http://127.0.0.1 for this machine alone. Episodes that are
kept there are on the disk at once; see docs/playing.md.

examples:
  dreamer-gail demos play --task minatar_seaquest
  dreamer-gail demos play --task gym_CartPole-v1 --actions left,right \\
      --out cartpole.h5
"""

import importlib.util
import json
import re
import secrets

from ... import arguments
from ...data import store
from ...errors import UserError
from .. import tasks

PACKAGES = ('filelock', 'starlette', 'uvicorn', 'websockets')
PORTS = range(8001, 8021)  # That of the viewer of curves, 8000, is left.


def add_arguments(parser):
  """Add the flags of the subcommand to an argparse parser."""
  parser.add_argument('--task', required=True, help='as in minatar_seaquest')
  parser.add_argument(
      '--out', type=arguments.out_file, help='the .h5 file; if it is there, '
      'episodes are added to it (default: TASK_played.h5)')
  parser.add_argument(
      '--steps', type=arguments.natural, default=1024,
      help='how many you want to record; more may be kept')
  parser.add_argument(
      '--actions', help='names of the actions, as in left,noop,right, or of '
      'the sliders, for tasks that do not tell; keys follow from the names')
  parser.add_argument(
      '--port', type=arguments.count, help='0 for any (default: '
      f'{PORTS[0]}, or the next one that is free)')
  parser.add_argument(
      '--seed', type=arguments.count,
      help='makes the games repeatable (default: random)')
  parser.add_argument(
      '--licence', help='what the recording may be used for')


def run(args):
  """Serve the page until the process is interrupted.

  Raises UserError for missing packages, unknown tasks, tasks that neither keys
  nor sliders can play or that cannot be shown, a file that does not fit or is
  in use, and a port that is taken.
  """
  check_packages()
  from . import game
  from . import server
  from . import session
  if args.port is not None and args.port >= 2 ** 16:
    raise UserError(f'--port {args.port}: expected 0 to 65535')
  out = args.out or arguments.out_file(default_name(args.task))
  if out.suffix != '.h5' and not out.exists():
    raise UserError(f'--out {out}: expected a name that ends in .h5')
  first = game.make(args.task, 0)
  first.reset()
  first.screen()  # Fail now if it cannot be shown.
  names = names_of(args, first)
  keys = controls(first, names)
  attrs = {
      'task': args.task,
      'source': 'a person at dreamer_gail_plugin.demos.play',
      'preprocessing': tasks.options(args.task),
      'action_meanings': [] if first.continuous else names}
  if args.licence is not None:
    attrs['licence'] = args.licence
  ports = PORTS if args.port is None else [args.port]
  with server.lock(out), server.listen(ports) as socket:
    if out.exists():
      check_same(out, first.env, attrs)
    first.close()
    seed = secrets.randbelow(2 ** 31) if args.seed is None else args.seed
    playing = session.Session(
        args.task, out, seed, attrs, next_number(out, seed))
    try:
      server.serve(server.Play(playing, keys, args.steps), socket)
    finally:
      playing.close()
  lost = len(playing.episode.acts)
  if lost:
    print(f'The last episode, {lost} steps, was not kept.')
  if playing.episodes:
    print(f'{out}: {playing.episodes} trajectories, {playing.steps} steps')
    print('Next:', *after(args.task, out, first.continuous), sep='\n  ')


def after(task, out, continuous):
  """Return the commands that come after a recording."""
  blocks = [task.partition('_')[0], 'tiny', 'gail']
  blocks += [] if continuous else ['anchor']  # Which plays better.
  return [
      arguments.typed('demos', 'check', out),
      arguments.typed('demos', 'show', out),
      arguments.typed(
          'train', '--configs', *blocks, '--task', task,
          '--agent.gail.expert', out)]


def check_packages():
  """Raise UserError if packages of the extra `play` are not installed."""
  missing = [x for x in PACKAGES if not importlib.util.find_spec(x)]
  if missing:
    raise UserError(
        f'Playing in the browser needs the extra `play` ({", ".join(missing)} '
        'not installed). Run the program with `uv run --extra play`, or run: '
        f'pip install {" ".join(missing)}')


def default_name(task):
  """Return the name of the file for a task."""
  return re.sub(r'[^\w.-]', '_', task) + '_played.h5'


def names_of(args, game):
  """Return the names of the actions, by flag or of the game."""
  if not args.actions:
    return game.names
  names = [x.strip() for x in args.actions.split(',')]
  if len(names) != len(game.names) or len(set(names)) != len(names):
    raise UserError(
        f'--actions {args.actions}: expected {len(game.names)} different '
        f'names, in the order of the actions of {args.task}')
  return names


def controls(game, names):
  """Return what gives the actions of a game: its Keyboard or Sliders."""
  from . import keyboard
  from . import sliders
  if game.continuous:
    return sliders.Sliders(names, game.space)
  return keyboard.Keyboard(names)


def check_same(path, env, attrs):
  """Raise UserError unless the store was recorded as this one will be."""
  with store.Store(path) as file:
    store.validate(file, env.obs_space, env.act_space, attrs['task'])
    for key in ('source', 'preprocessing', 'action_meanings'):
      made, wanted = file.attrs[key], attrs[key]
      if key != 'source':
        made, wanted = json.loads(made or 'null'), _plain(wanted)
      if made != wanted:
        raise UserError(
            f'{path}: has the {key} {made!r}, this recording will have '
            f'{wanted!r}. Name another file by --out.')


def next_number(path, seed):
  """Return the number of the first episode that the store does not have."""
  if not path.exists():
    return 0
  with store.Store(path) as file:
    return 1 + max([
        x['number'] for x in file.infos
        if x.get('source_id', '').startswith(f'seed {seed} ')
        and isinstance(x.get('number'), int)], default=-1)


def _plain(value):
  # As it will be read.
  return json.loads(json.dumps(value))
