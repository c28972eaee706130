"""Train what the paper compares with.

The run ends with its evaluation; `evaluate` repeats it, also for a run that
was stopped. `NAME --help` lists the settings of one, which are flags.

examples:
  dreamer-gail baselines ppo --task minatar_breakout --logdir ~/logdir/ppo
  dreamer-gail baselines evaluate --logdir ~/logdir/ppo
"""

import importlib
import pathlib
import sys

from .. import arguments
from .. import errors
from .. import helptext
from ..errors import UserError
from ..running import provenance
from . import config as configlib
from . import demonstrations
from . import evaluate

PROGRAM = ('baselines',)
MODULES = {
    'ppo': 'ppo', 'c51': 'c51', 'bc': 'bc', 'gail_ppo': 'adversarial',
    'airl_ppo': 'adversarial', 'sqil': 'sqil', 'mgail': 'mgail.learner',
    'gaifo_ppo': 'adversarial', 'bco': 'bco'}


# Parts of the settings that a baseline reads, beside the general ones.
GROUPS = {
    **{x: ('ppo', 'disc') for x in ('gail_ppo', 'airl_ppo', 'gaifo_ppo')},
    'bco': ('bco', 'bc')}
HELP = """\
usage: dreamer-gail baselines {name} [--FLAG VALUE...]

examples:
  dreamer-gail baselines {name} --task minatar_breakout
  dreamer-gail baselines {name} --task gym_CartPole-v1 --steps 1e5 --seed 1

flags, with the defaults of MinAtar, which other suites change:"""


def main(argv=None):
  """Do what the first argument names; return the files of the evaluation."""
  argv = sys.argv[1:] if argv is None else list(argv)
  parser = arguments.Parser(
      prog='dreamer-gail baselines', description=__doc__)
  parser.add_argument(
      'name', metavar='NAME', choices=[*configlib.NAMES, 'evaluate'],
      help=f'one of {", ".join(configlib.NAMES)}, or evaluate')
  name = parser.parse_args(argv[:1]).name
  if name == 'evaluate':
    return evaluate.main(argv[1:])
  if {'-h', '--help'} & set(argv):
    print(usage(name))
    return 0
  configlib.installed(name)
  config = configlib.load(name, argv[1:])
  train(config, argv)
  if not config.eval.episodes:
    return []
  return evaluate.main([
      '--logdir', config.logdir, '--chunks', str(config.eval.chunks),
      '--episodes', str(config.eval.episodes), '--no-films'])


def usage(name):
  """Return the help text of a baseline."""
  notes = {
      k.removeprefix('defaults.'): v for k, v in helptext.comments(
          configlib.SETTINGS.read_text()).items()}
  flat = dict(configlib.load(name, []).flat)
  flat.update(
      logdir=configlib.settings()['defaults']['logdir'], expert='auto',
      settings=[''], steps=flat[f'steps.{name}'])
  notes.update(
      expert='Demonstrations: FILE, auto or random',
      settings='Blocks of baselines/settings.yaml',
      steps='How long to train')
  general = sorted(x for x in flat if x in notes)
  head = arguments.as_typed(HELP.format(name=name))
  lines = [head, *helptext.table(flat, notes, general)]
  for group in GROUPS.get(name, (name,)):
    keys = sorted(x for x in flat if x.startswith(f'{group}.'))
    lines += ['', f'{group}: {helptext.sentence(notes[group])}', *(
        helptext.columns([(x, *helptext.default(flat, x), '') for x in keys]))]
  return '\n'.join(lines)


def train(config, argv):
  """Train the baseline of a config; return its network.

  `argv` is what gave the config: the name and the flags.
  """
  # Only what runs is imported: the libraries take seconds.
  load = lambda name: importlib.import_module(f'.{name}', __package__)
  saver = load(
      'saver' if config.baseline in configlib.TORCH else 'mgail.actor')
  free(config)
  device = saver.device(config)
  # Before the folder is in use, as is all that a mistake may end.
  configlib.choices(config, demonstrations.spaces(config)[1])
  args = [demonstrations.check(config)] if (
      config.baseline in configlib.IMITATORS) else []
  logdir = make_logdir(config)
  provenance.record(logdir, PROGRAM, argv, config.seed, device)
  print('Logdir:', logdir)
  module, save = load(MODULES[config.baseline]), saver.Saver(logdir)
  return module.train(config, save, *args)


def free(config):
  """Raise UserError if there is a run in the logdir: none can go on."""
  if (pathlib.Path(config.logdir) / 'config.yaml').exists():
    raise UserError(
        f'--logdir {config.logdir}: holds a run. Baselines cannot be resumed; '
        f'name another folder.')


def make_logdir(config):
  """Return the path of the log directory, made, with the config in it."""
  path = pathlib.Path(config.logdir)
  try:
    path.mkdir(parents=True, exist_ok=True)
    config.save(path / 'config.yaml')
  except OSError as error:
    raise UserError(
        f'--logdir {path}: cannot make this folder: {error}') from None
  return path


if __name__ == '__main__':
  # Processes of environments unpickle functions by their module's name.
  from .__main__ import main
  errors.run(main)
