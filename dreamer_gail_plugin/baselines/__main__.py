"""Train what the paper compares with.

  python -m dreamer_gail_plugin.baselines NAME --task TASK [--expert FILE]
      [--steps N] [--seed S] [--logdir DIR] [--settings BLOCK...]

NAME is ppo, c51, bc, gail_ppo or airl_ppo. The run ends with its evaluation.
All settings, which are flags too, are in baselines/settings.yaml. To evaluate
a run again, or one that was stopped:

  python -m dreamer_gail_plugin.baselines evaluate --logdir DIR
"""

import argparse
import importlib
import importlib.util
import pathlib
import sys

from .. import provenance
from ..errors import UserError
from . import config as configlib

PROGRAM = ('dreamer_gail_plugin.baselines',)
MODULES = {
    'ppo': 'ppo', 'c51': 'c51', 'bc': 'bc', 'gail_ppo': 'adversarial',
    'airl_ppo': 'adversarial'}
PACKAGES = ('torch', 'stable_baselines3', 'imitation', 'tianshou')


def main(argv=None):
  """Do what the first argument names; return the files of the evaluation."""
  argv = sys.argv[1:] if argv is None else list(argv)
  parser = argparse.ArgumentParser(
      prog='python -m dreamer_gail_plugin.baselines', description=__doc__,
      formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument('name', choices=[*configlib.NAMES, 'evaluate'])
  name = parser.parse_args(argv[:1]).name
  installed()
  if name == 'evaluate':
    from . import evaluate
    return evaluate.main(argv[1:])
  config = configlib.load(name, argv[1:])
  train(config, argv)
  if not config.eval.episodes:
    return []
  from . import evaluate
  return evaluate.main([
      '--logdir', config.logdir, '--chunks', str(config.eval.chunks),
      '--episodes', str(config.eval.episodes), '--no-films'])


def train(config, argv):
  """Train the baseline of a config; return its network.

  `argv` is what gave the config: the name and the flags.
  """
  from stable_baselines3.common.utils import get_device

  from . import saver
  logdir = make_logdir(config)
  provenance.record(
      logdir, PROGRAM, argv, config.seed, get_device(config.device).type)
  print('Logdir:', logdir)
  save = saver.Saver(logdir)
  # Only the one that runs is imported: the libraries take seconds.
  module = importlib.import_module(
      f'.{MODULES[config.baseline]}', __package__)
  if config.baseline not in configlib.IMITATORS:
    return module.train(config, save)
  from . import demonstrations
  return module.train(config, save, demonstrations.check(config))


def installed():
  """Raise UserError if the extra `baselines` is not there."""
  missing = [x for x in PACKAGES if not importlib.util.find_spec(x)]
  if missing:
    raise UserError(
        f'The baselines need {", ".join(missing)}, not installed. Run: '
        f'uv sync --extra baselines')


def make_logdir(config):
  """Return the path of the log directory, made, with the config in it.

  Raises UserError if there is a run in it: baselines do not go on.
  """
  path = pathlib.Path(config.logdir)
  filename = path / 'config.yaml'
  if filename.exists():
    raise UserError(
        f'--logdir {path}: holds a run. Baselines cannot be resumed; name '
        f'another folder.')
  try:
    path.mkdir(parents=True, exist_ok=True)
    config.save(filename)
  except OSError as error:
    raise UserError(
        f'--logdir {path}: cannot make this folder: {error}') from None
  return path


def cli():
  """Run main() and turn a UserError into one line and exit code 2."""
  try:
    main()
  except UserError as error:
    print(f'error: {error}', file=sys.stderr)
    sys.exit(2)


if __name__ == '__main__':
  # Processes of environments unpickle functions by their module's name.
  from dreamer_gail_plugin.baselines.__main__ import cli
  cli()
