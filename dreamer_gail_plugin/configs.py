"""The config of a run: configs.yaml, its blocks and the flags."""

import contextlib
import functools
import os
import pathlib
import re

import elements
import ruamel.yaml as yaml

from . import errors
from . import upstream
from .errors import UserError

LARGEST = 1 << 16  # Bytes of the config of a run; those of today have 13,000.
DEEPEST = 20
STORES = '--agent.gail.expert'  # Takes several paths.
ACTORS = {'dynamics': 'vmail', 'sac': 'vmail_sac'}


@functools.cache
def blocks():
  """Return the blocks of configs.yaml by their names, dicts."""
  return yaml.YAML(typ='safe').load(
      upstream.resource('configs.yaml').read_text())


def keys():
  """Return the flags of a training, without their dashes, a list."""
  return ['configs', *elements.Config(blocks()['defaults']).flat]


def load_config(argv=None):
  """Return the Config of the flags `argv`, without touching the disk."""
  config = elements.Config(blocks()['defaults'])
  with _told():
    parsed, other = elements.Flags(configs=['defaults']).parse_known(argv)
    for name in parsed.configs:
      config = _apply(config, name)
  config = change(config, other)
  try:
    logdir = config.logdir.format(timestamp=elements.timestamp())
  except (KeyError, IndexError, ValueError):
    raise UserError(
        f'--logdir {config.logdir}: in braces only {{timestamp}} is allowed.'
    ) from None
  config = config.update(logdir=logdir)
  if 'JOB_COMPLETION_INDEX' in os.environ:
    config = config.update(replica=int(os.environ['JOB_COMPLETION_INDEX']))
  return config


def change(config, flags):
  """Return the Config with the values of some flags, a list."""
  with _told():
    return elements.Flags(config).parse(joined(flags))


def joined(flags):
  """Return flags such that several values of STORES are one, with commas."""
  words, flag = [], None
  for word in flags:
    if flag == STORES and words[-1] != STORES and not word.startswith('--'):
      words[-1] += f',{word}'
      continue
    if word.startswith('--'):
      flag = word.partition('=')[0]
    words.append(word)
  return words


@contextlib.contextmanager
def _told():
  try:
    yield
  except (KeyError, TypeError, ValueError, OverflowError, re.error) as error:
    raise UserError(
        f'{error.args[0]} {near_flag(error, keys())}See configs.yaml for '
        'all keys.') from None


def near_flag(error, names):
  """Return what to ask of the flag that an error of elements is about."""
  # It stands in the message alone.
  name = re.match(r"Flag '--(\S+)' did not match", str(error.args[0]))
  return errors.near(name[1], names, '--') if name else ''


def read(filename):
  """Return the Config in the config.yaml of a run, perhaps a stranger's.

  Raises UserError if it holds none. Aliases of YAML, by which a few lines can
  stand for more than the memory holds, are refused: no run writes any.
  """
  path = pathlib.Path(filename)
  reader = yaml.YAML(typ='safe', pure=True)
  reader.Composer = _Composer
  try:
    if path.stat().st_size > LARGEST:
      raise ValueError(f'has more than {LARGEST:,} bytes')
    found = reader.load(path.read_text('utf-8'))
    if not isinstance(found, dict):
      raise ValueError('expected keys and values')
    config = elements.Config(found)
    for key, value in config.flat.items():
      if not (key + str(value)).isprintable():
        raise ValueError(f'{key!r:.60} has characters that cannot be printed')
    return config
  except Exception as error:  # A YAML parser has many, of several lines.
    reason = ' '.join(str(error).split())[:200] or type(error).__name__
    raise UserError(
        f'{path}: is not the config of a run: {reason}') from None


class _Composer(yaml.composer.Composer):
  depth = 0

  def compose_node(self, parent, index):
    if self.parser.check_event(yaml.events.AliasEvent):
      raise ValueError('has aliases')
    if self.depth > DEEPEST:
      raise ValueError('is nested too deeply')
    self.depth += 1
    node = super().compose_node(parent, index)
    self.depth -= 1
    return node


def gail_config(config, *names):
  """Return DreamerV3's own config with the keys of the plugin.

  For pipelines with a configs.yaml of their own, of any release. What the
  config has stays; the keys that it lacks under `agent` and `run` are added
  with the defaults of the plugin. Call it before the flags are parsed.

  Args:
    config: an elements.Config.
    names: blocks of the plugin's configs.yaml to apply, such as `gail`.

  Raises UserError for a block that does not exist or does not fit.
  """
  ours = elements.Config(blocks()['defaults']).flat
  added = {
      k: v for k, v in ours.items()
      if k.startswith(('agent.', 'run.')) and k not in config.flat}
  config = elements.Config({**config.flat, **added})
  for name in names:
    try:
      config = _apply(config, name)
    except (KeyError, TypeError, ValueError) as error:
      raise UserError(
          f'The block {name} does not fit this config: {error.args[0]}'
      ) from None
  return config


def method(flat):
  """Return the name of the method of a flattened config, as docs have it.

  That is the reward's, `gail` or another, `null` where the expert is random
  play, or `vmail` or `vmail_sac` by the actor; each with `+anchor` if there is
  one, or with `_inferred` or `_none` where that is done with the expert's
  actions. Others are `env`, `random` and the baselines.
  """
  if flat.get('random_agent'):
    return 'random'
  reward = flat.get('baseline', flat['agent.gail.reward'])
  if 'baseline' in flat or reward == 'env':
    return reward
  actor = flat.get('agent.gail.actor')
  if actor in ACTORS:
    reward = ACTORS[actor]
  elif flat.get('agent.gail.expert') == 'random':
    reward = 'null'
  actions = flat.get('agent.gail.actions', 'given')
  if actions != 'given':
    return f'{reward}_{actions}'
  return f'{reward}+anchor' if flat.get('agent.gail.anchor') else reward


def lengths(config):
  """Return the config with `report_length` cut to what the replay holds.

  Upstream takes its reports from the sequences of the training replay and
  fails where those are shorter, as with a small `--batch_length`.
  """
  held = config.consec_train * config.batch_length // config.consec_report
  if config.report_length <= held:
    return config
  print(f'Reports use --report_length {held}, as long as the replay allows')
  return config.update(report_length=held)


def rows(config):
  """Return the config of the streams: half the rows where both feed the model.

  With `agent.gail.world: both` half of a batch's rows are demonstrations, so
  replay and expert have half as many each. The train ratio is halved with
  them, as it counts replayed steps, which leaves the updates as they were.
  """
  gail = config.agent.gail
  if gail.world != 'both' or gail.reward == 'env' or config.random_agent:
    return config
  if config.batch_size % 2:
    raise UserError(
        f'--batch_size {config.batch_size}: must be even, as half of the rows '
        f'are demonstrations (--agent.gail.world both)')
  return config.update({
      'batch_size': config.batch_size // 2,
      'run.train_ratio': config.run.train_ratio / 2})


def _apply(config, name):
  """Return the config updated by a block of configs.yaml."""
  if name not in blocks():
    raise UserError(
        f'--configs {name}: no such block in configs.yaml. '
        f'{errors.near(name, blocks())}There are: '
        f'{", ".join(sorted(blocks()))}')
  return config.update(blocks()[name])
