"""Settings of a baseline: blocks of settings.yaml, then flags."""

import functools
import importlib.util
import pathlib
import re

import elements
import ruamel.yaml as yaml

from .. import configs
from .. import errors
from ..errors import UserError

SETTINGS = pathlib.Path(__file__).parent / 'settings.yaml'
# name: title in reports
NAMES = {
    'ppo': 'PPO', 'c51': 'C51', 'bc': 'BC', 'gail_ppo': 'GAIL on PPO',
    'airl_ppo': 'AIRL on PPO', 'sqil': 'SQIL', 'mgail': 'MGAIL',
    'gaifo_ppo': 'GAIfO on PPO', 'bco': 'BCO'}
# These two learn from observations alone.
OBSERVERS = ('gaifo_ppo', 'bco')
IMITATORS = ('bc', 'gail_ppo', 'airl_ppo', 'sqil', 'mgail', *OBSERVERS)
TORCH = tuple(x for x in NAMES if x != 'mgail')
CHOOSE = ('c51', 'sqil', 'mgail')
PACKAGES = ('torch', 'stable_baselines3', 'imitation', 'tianshou')
SUITES = {'atari100k': 'atari'}
DEVICES = ('auto', 'cpu', 'cuda')
# Flags that choose among the settings.
FIRST = {'task': '', 'settings': [''], 'steps': 0.0, 'expert': 'auto'}
COUNTS = (
    'envs', 'stack', 'eval.games', 'ppo.n_steps', 'disc.updates',
    'bco.rounds', 'bco.updates', 'mgail.length', 'c51.train_every',
    'sqil.train_every', 'mgail.train_every')


@functools.cache
def settings():
  """Return the blocks of settings.yaml by their names, dicts."""
  return yaml.YAML(typ='safe').load(SETTINGS.read_text())


def defaults():
  """Return the Config of the defaults and of what upstream's logger reads."""
  base = configs.load_config([])
  config = elements.Config({
      **settings()['defaults'], 'env': base.env, 'logger': base.logger})
  return config.update({'logger.filter': 'score|length|fps|train/'})


def keys():
  """Return the flags of all baselines, without their dashes, a list."""
  return [*FIRST, *defaults().flat]


def load(name, argv):
  """Return the Config of a baseline for the flags `argv`.

  It has the keys of settings.yaml, the name as `baseline` and, as the configs
  of other runs, `method`, `env`, `logger`, `random_agent` and `agent.gail`:
  its `reward` is env, or the name of what learns without the environment's.
  Raises UserError for flags that there are not.
  """
  blocks = {k: v for k, v in settings().items() if k != 'defaults'}
  config = defaults()
  config = elements.Config({
      **config, 'baseline': name, 'method': NAMES[name], 'random_agent': False,
      'agent': {'gail': {
          'reward': name if name in IMITATORS else 'env', 'expert': 'auto'}}})
  try:
    first, rest = elements.Flags(
        **{**FIRST, 'task': config.task}).parse_known(argv)
    suite = first.task.partition('_')[0]
    suite = SUITES.get(suite, suite)
    own = (suite, f'{suite}_{name}')
    for block in (*own, *filter(None, first.settings)):
      if block in blocks:
        config = config.update(blocks[block])
      elif block not in own:
        raise UserError(
            f'--settings {block}: no such block in settings.yaml. '
            f'{errors.near(block, blocks)}There are: {", ".join(blocks)}')
    config = config.update(
        {'task': first.task, 'agent.gail.expert': first.expert})
    if first.steps:
      config = config.update({f'steps.{name}': first.steps})
    config = elements.Flags(config).parse(rest)
    logdir = config.logdir.format(timestamp=elements.timestamp())
  except (KeyError, TypeError, ValueError, OverflowError, IndexError,
          re.error) as error:
    raise UserError(
        f'{error.args[0]} {configs.near_flag(error, keys())}See '
        'baselines/settings.yaml for all keys.') from None
  return _check(config.update(
      logdir=str(pathlib.Path(logdir).expanduser())), name)


def choices(config, act_space):
  """Raise UserError where a baseline needs a choice and there is none."""
  if config.baseline in CHOOSE and not hasattr(act_space, 'n'):
    raise UserError(
        f'{config.baseline}: needs a choice from some actions, this task has '
        f'{act_space}.')


def installed(name):
  """Raise UserError if what a baseline needs is not there."""
  missing = [x for x in PACKAGES if not importlib.util.find_spec(x)]
  if missing and name in TORCH:
    raise UserError(
        f'{name}: needs {", ".join(missing)}, not installed. Run: '
        f'uv sync --extra baselines')


def saved(logdir):
  """Return the Config of a baseline's run; raises UserError without one."""
  filename = pathlib.Path(logdir).expanduser() / 'config.yaml'
  try:
    config = elements.Config.load(filename)
    found = config.baseline in NAMES
  except Exception as error:  # A YAML parser has many.
    found = False
    reason = ' '.join(str(error).split())[:200]
  else:
    reason = 'it is that of another program'
  if not found:
    raise UserError(
        f'{filename}: is not the config of a baseline: {reason}')
  return config.update(logdir=str(pathlib.Path(logdir).expanduser()))


def _check(config, name):
  if config.steps[name] < 1:
    raise UserError(f'--steps {config.steps[name]}: expected at least 1')
  for key in COUNTS:
    if config.flat[key] < 1:
      raise UserError(f'--{key} {config.flat[key]}: expected at least 1')
  for key in ('c51.explore', 'sqil.explore'):
    if not 0 < config.flat[key] <= 1:
      raise UserError(
          f'--{key} {config.flat[key]}: expected a share above 0, at most 1')
  if config.eval.every < 0:
    raise UserError(
        f'--eval.every {config.eval.every}: must not be negative, 0 is never')
  if config.seed < 0:
    raise UserError(f'--seed {config.seed}: must not be negative.')
  if name == 'mgail' and config.device not in DEVICES:
    raise UserError(
        f'--device {config.device}: expected one of {", ".join(DEVICES)}')
  rows = int(config.mgail.memory) // config.envs
  if name == 'mgail' and rows <= config.mgail.length:
    raise UserError(
        f'--mgail.memory {config.mgail.memory}: holds {rows} steps of each of '
        f'{config.envs} environments, expected more than --mgail.length')
  return config
