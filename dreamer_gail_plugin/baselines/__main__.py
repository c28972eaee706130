"""Train what the paper compares with.

  python -m dreamer_gail_plugin.baselines NAME --task TASK [--expert FILE]
      [--steps N] [--seed S] [--logdir DIR] [--settings BLOCK...]

NAME is ppo, c51, bc, gail_ppo, airl_ppo, sqil or mgail. The run ends with its
evaluation. All settings, which are flags too, are in baselines/settings.yaml.
To evaluate a run again, or one that was stopped:

  python -m dreamer_gail_plugin.baselines evaluate --logdir DIR
"""

import importlib
import pathlib
import sys

from .. import arguments
from .. import errors
from ..errors import UserError
from ..running import provenance
from . import config as configlib
from . import demonstrations
from . import evaluate

PROGRAM = ('dreamer_gail_plugin.baselines',)
MODULES = {
    'ppo': 'ppo', 'c51': 'c51', 'bc': 'bc', 'gail_ppo': 'adversarial',
    'airl_ppo': 'adversarial', 'sqil': 'sqil', 'mgail': 'mgail.learner'}


def main(argv=None):
  """Do what the first argument names; return the files of the evaluation."""
  argv = sys.argv[1:] if argv is None else list(argv)
  parser = arguments.Parser(
      prog='python -m dreamer_gail_plugin.baselines', description=__doc__)
  parser.add_argument('name', choices=[*configlib.NAMES, 'evaluate'])
  name = parser.parse_args(argv[:1]).name
  if name == 'evaluate':
    return evaluate.main(argv[1:])
  configlib.installed(name)
  config = configlib.load(name, argv[1:])
  train(config, argv)
  if not config.eval.episodes:
    return []
  return evaluate.main([
      '--logdir', config.logdir, '--chunks', str(config.eval.chunks),
      '--episodes', str(config.eval.episodes), '--no-films'])


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
