"""Values of flags that are refused before the start."""

import functools
import re

import pytest

from dreamer_gail_plugin import configs
from dreamer_gail_plugin.running import checks
from helpers.refusals import refused


@functools.cache
def config(*flags):
  return configs.load_config(['--configs', 'minatar', 'gail', 'debug', *flags])


class TestValues:

  def test_configs_pass(self):
    for block in ('gail', 'gail_paper', 'tiny'):
      checks.values(configs.load_config(['--configs', 'atari', block]))

  @pytest.mark.parametrize('key', sorted(checks.CHOICES))
  def test_choices(self, key):
    for choice in checks.CHOICES[key]:
      checks.values(config(f'--{key}', choice))
    with refused(f'--{key} nonsense', *checks.CHOICES[key]):
      checks.values(config(f'--{key}', 'nonsense'))

  @pytest.mark.parametrize('key', ['gail.disc', 'enc.simple'])
  def test_nonlinearities(self, key):
    for name in ('none', 'relu2', 'elu'):
      checks.values(config(f'--agent.{key}.act', name))
    with refused(f'--agent.{key}.act nope', 'silu'):
      checks.values(config(f'--agent.{key}.act', 'nope'))

  @pytest.mark.parametrize('flag', sorted(checks.FORMS))
  def test_forms(self, flag):
    keys = [k for k in config().flat if re.fullmatch(flag, k)]
    assert keys
    for key in keys:
      with refused(f'--{key} nonsense', checks.FORMS[flag][1]):
        checks.values(config(f'--{key}', 'nonsense'))

  @pytest.mark.parametrize('flags', [
      ['--agent.enc.simple.norm', 'layer1em8'],
      ['--agent.dyn.rssm.winit', 'normal'], ['--agent.value.output', 'mse'],
      ['--run.actor_addr', 'host:80'], ['--jax.coordinator_address', 'h:1']])
  def test_other_forms(self, flags):
    checks.values(config(*flags))

  def test_filter(self):
    with refused('--logger.filter [', 'regular expression'):
      checks.values(config('--logger.filter', '['))

  @pytest.mark.parametrize(
      'key', ['agent.gail.consec', 'consec_train', 'consec_report'])
  def test_how_often_sequences_go_on(self, key):
    with refused(f'--{key} 0', '1 or more'):
      checks.values(config(f'--{key}', '0'))


class TestRelations:

  @pytest.mark.parametrize('script', ['train', 'train_eval', 'parallel'])
  @pytest.mark.parametrize(
      'suite', ['minatar', 'atari', 'atari100k', 'crafter', 'gym'])
  def test_blocks_pass(self, suite, script):
    for size in ('tiny', 'small', 'medium', 'large', 'size12m', 'debug'):
      checks.relations(configs.lengths(configs.load_config(
          ['--configs', suite, 'gail', size, '--script', script])))

  @pytest.mark.parametrize('flags, words', [
      (['--replica', '1'], '--replicas'),
      (['--batch_size', '3', '--jax.train_devices', '0', '1'],
       'must be a multiple of the number of --jax.train_devices, 2'),
      (['--script', 'train_eval', '--run.eval_envs', '0'], '--run.eval_envs'),
      (['--script', 'parallel', '--run.actor_batch', '5'], '--run.envs'),
      (['--replay.fracs.uniform', '0.5'], '--replay.fracs: the sum'),
      (['--agent.dyn.rssm.blocks', '3'], 'must be a multiple of'),
      (['--agent.dec.simple.bspace', '3'], '--agent.dec.simple.bspace 3'),
      (['--agent.dec.simple.depth', '3', '--agent.dec.simple.mults', '2', '3'],
       'no factor in common with 9'),
      (['--agent.retnorm.perclo', '95'], 'must be below'),
      (['--agent.opt.schedule', 'linear'], '--agent.opt.warmup')])
  def test_refused(self, flags, words):
    with refused(words):
      checks.relations(config(*flags))


class TestOthers:

  def test_which_parameters_to_load(self):
    checks.pattern('run.from_checkpoint_regex', '.*', 'parameters')
    with refused('--run.from_checkpoint_regex (', 'regular expression'):
      checks.pattern('run.from_checkpoint_regex', '(', 'parameters')

  def test_seed(self):
    with refused('--seed -1'):
      checks.values(config('--seed', '-1'))

  def test_evaluation_needs_an_agent(self, tmp_path):
    with refused('--script eval_only', '--run.from_checkpoint'):
      checks.relations(config('--script', 'eval_only'))
    with refused(str(tmp_path), 'no checkpoint'):
      checks.values(config(
          '--script', 'eval_only', '--run.from_checkpoint', str(tmp_path)))
