"""Refuses values of flags that would fail only after the start."""

import importlib.util
import math
import re

import embodied.jax.nets

from .. import errors
from .. import rewards
from ..errors import UserError
from . import checkpoint
from . import hosts
from . import ranges

CHOICES = {
    'script': (
        'train', 'train_eval', 'eval_only', 'parallel', 'parallel_env',
        'parallel_envs', 'parallel_replay'),
    'agent.gail.reward': ('env', *rewards.REWARDS),
    'agent.gail.actions': ('given', 'inferred', 'none'),
    'agent.gail.negatives': ('imagination', 'replay', 'both'),
    'agent.gail.expert_latent': ('posterior', 'prior'),
    'agent.gail.world': ('replay', 'both'),
    'agent.image_loss': ('mse', 'binary'),
    'agent.image_zero': ('gray', 'black'),
    'agent.gail.actor': ('reinforce', 'dynamics', 'sac'),
    'agent.opt.schedule': ('const', 'linear', 'cosine'),
    'agent.retnorm.impl': ('none', 'perc', 'meanstd'),
    'agent.valnorm.impl': ('none', 'perc', 'meanstd'),
    'agent.advnorm.impl': ('none', 'perc', 'meanstd'),
    'jax.platform': ('auto', 'cpu', 'cuda', 'gpu', 'rocm', 'tpu'),
    'jax.compute_dtype': ('auto', 'float32', 'bfloat16', 'float16'),
}
# What upstream can read as a value: the form, and words for it.
FORMS = {
    r'.*\.norm': ('none|(rms|layer)(1em[0-9]+)?', 'none, rms or layer'),
    r'.*\.winit': (
        '(zeros|uniform|normal|trunc_normal|normed)(_(in|out|avg))?',
        'a distribution and its fan, such as trunc_normal_in'),
    r'agent\.(rewhead|value)\.output': (
        'mse|huber|symlog_mse|symexp_twohot',
        'mse, huber, symlog_mse or symexp_twohot'),
    r'agent\.conhead\.output': ('binary', 'binary'),
    r'agent\.policy_dist_disc': (
        'categorical|onehot', 'categorical or onehot'),
    r'agent\.policy_dist_cont': (
        'bounded_normal|normal_logstd', 'bounded_normal or normal_logstd'),
    r'agent\.(enc|dec)\.typ': ('simple', 'simple'),
    r'agent\.dyn\.typ': ('rssm', 'rssm'),
    r'run\..*_addr': (r'.+:([0-9]+|\{auto\})', 'HOST:PORT'),
    r'jax\.coordinator_address': ('|.+:[0-9]+', 'HOST:PORT or nothing'),
}
# Names for --logger.outputs and the packages that each needs: module, name.
OUTPUTS = {
    'jsonl': {}, 'scope': {},
    'tensorboard': {
        'tensorflow': 'tensorflow-cpu', 'tensorboard': 'tensorboard'},
    'wandb': {x: x for x in ('wandb', 'moviepy', 'imageio')},
}


def values(config):
  """Raise UserError for values that would fail only after the start."""
  for key, choices in CHOICES.items():
    if config[key] not in choices:
      raise UserError(
          f'--{key} {config[key]}: no such choice. '
          f'{errors.near(config[key], choices)}There are: '
          f'{", ".join(choices)}')
  forms(config)
  outputs(config.logger.outputs)
  pattern('logger.filter', config.logger.filter, 'metrics to show')
  ranges.check(config)
  activations(config)
  if config.run.from_checkpoint:
    checkpoint.find(config.run.from_checkpoint)
    pattern(
        'run.from_checkpoint_regex', config.run.from_checkpoint_regex,
        'parameters to load')


def relations(config):
  """Raise UserError for numbers that do not go together."""
  run, agent, rssm = config.run, config.agent, config.agent.dyn.rssm
  decoder = agent.dec.simple
  bspace, channels = decoder.bspace, decoder.depth * decoder.mults[-1]
  for wrong, text in (
      (config.replica >= config.replicas,
       f'--replica {config.replica}: must be below --replicas'),
      (config.batch_size % len(config.jax.train_devices),
       f'--batch_size {config.batch_size}: must be a multiple of the number '
       f'of --jax.train_devices, {len(config.jax.train_devices)}'),
      (hosts.several(config) and not config.jax.coordinator_address,
       f'--replicas {config.replicas}: several hosts that train one agent '
       'need --jax.coordinator_address, HOST:PORT of the first of them'),
      (hosts.several(config) and run.twin,
       '--run.twin True: follows a run of one host, --replicas 1'),
      (config.script == 'eval_only' and not run.from_checkpoint,
       '--script eval_only: evaluates a saved agent, name the logdir of its '
       'run by --run.from_checkpoint'),
      (run.twin and (
          config.script != 'train' or config.random_agent or
          agent.gail.reward in ('env', 'constant')),
       '--run.twin True: follows --script train with a reward of D'),
      (config.script == 'train_eval' and not run.eval_envs,
       '--run.eval_envs 0: --script train_eval needs one or more'),
      (config.script == 'parallel' and run.actor_batch > run.envs,
       f'--run.actor_batch {run.actor_batch}: must not be over --run.envs'),
      (sum(config.replay.fracs.values()) != 1,
       '--replay.fracs: the sum of uniform, priority and recency must be 1'),
      (rssm.deter % rssm.blocks,
       f'--agent.dyn.rssm.deter {rssm.deter}: must be a multiple of '
       f'--agent.dyn.rssm.blocks {rssm.blocks}'),
      (agent.gail.actor == 'sac' and agent.gail.anchor,
       '--agent.gail.actor sac: goes without an anchor, --agent.gail.anchor '
       '0'),
      (agent.gail.entropy and (
          agent.gail.actor != 'reinforce' or agent.gail.anchor),
       f'--agent.gail.entropy {agent.gail.entropy}: needs --agent.gail.actor '
       'reinforce and --agent.gail.anchor 0'),
      (agent.gail.outcomes and (
          agent.gail.actor != 'reinforce' or agent.gail.world == 'both' or
          agent.gail.anchor),
       '--agent.gail.outcomes True: needs --agent.gail.actor reinforce, '
       '--agent.gail.world replay and --agent.gail.anchor 0'),
      (agent.gail.actions != 'given' and (
          agent.gail.actor != 'reinforce' or agent.gail.world == 'both' or
          agent.gail.anchor),
       f'--agent.gail.actions {agent.gail.actions}: needs --agent.gail.actor '
       'reinforce, --agent.gail.world replay and --agent.gail.anchor 0'),
      (bspace and rssm.deter % bspace,
       f'--agent.dyn.rssm.deter {rssm.deter}: must be a multiple of '
       f'--agent.dec.simple.bspace {bspace}'),
      (bspace > 1 and math.gcd(bspace, channels) == 1,
       f'--agent.dec.simple.bspace {bspace}: has no factor in common with '
       f'{channels}, --agent.dec.simple.depth times the last of '
       '--agent.dec.simple.mults; give 1 or other numbers'),
      (agent.retnorm.perclo >= agent.retnorm.perchi,
       f'--agent.retnorm.perclo {agent.retnorm.perclo}: must be below '
       '--agent.retnorm.perchi'),
      (agent.opt.schedule != 'const' and agent.opt.anneal <= agent.opt.warmup,
       f'--agent.opt.schedule {agent.opt.schedule}: needs an '
       '--agent.opt.anneal that is over --agent.opt.warmup')):
    if wrong:
      raise UserError(text)


def activations(config):
  """Raise UserError for a nonlinearity that upstream does not have."""
  for key, name in config.flat.items():
    if key.endswith('.act'):
      try:
        embodied.jax.nets.act(name)
      except AttributeError:
        raise UserError(
            f'--{key} {name}: no such nonlinearity. Expected none, mish, '
            'relu2 or a name of jax.nn, as silu') from None


def forms(config):
  """Raise UserError for a value that is not of the form of its flag."""
  for key, value in config.flat.items():
    for flag, (form, words) in FORMS.items():
      if re.fullmatch(flag, key) and not re.fullmatch(form, value):
        raise UserError(f'--{key} {value}: expected {words}')


def pattern(key, text, what):
  """Raise UserError for a text that is not a regular expression."""
  try:
    re.compile(text)
  except re.error as error:
    raise UserError(
        f'--{key} {text}: expected a regular expression of the {what}, found '
        f'{error}') from None


def outputs(names):
  """Raise UserError for a logger output that is not there."""
  for name in names:
    if name not in OUTPUTS:
      raise UserError(
          f'--logger.outputs {name}: no such output. '
          f'{errors.near(name, OUTPUTS)}There are: {", ".join(OUTPUTS)}')
    missing = [
        package for module, package in OUTPUTS[name].items()
        if not importlib.util.find_spec(module)]
    if missing:
      raise UserError(
          f'--logger.outputs {name}: needs {" and ".join(missing)}, not '
          f'installed. Start with `uv run '
          f'{" ".join(f"--with {x}" for x in missing)} python -m ...`, or '
          f'run: pip install {" ".join(missing)}')
