"""A DreamerV3 script of your own that learns from demonstrations.

  python example.py YOUR_CONFIGS.YAML --configs debug \\
      --task gym_CartPole-v1 --logdir LOGDIR

This is upstream's script, shortened, with an environment of yours. The lines
that differ for the plugin have a `# GAIL`; upstream's own imports of `Agent`
inside of its functions go. `--agent.gail.expert FILE` names the
demonstrations; here they are those bundled for CartPole.
"""

# The plugin comes first, since it patches upstream before that is imported.
# isort: off
from dreamer_gail_plugin import Agent, expert_stream, gail_config  # GAIL
from functools import partial as bind
import sys

from dreamerv3 import main as upstream
from dreamer_gail_plugin import envs  # For CartPole; yours needs none of it.
import elements
import embodied
import ruamel.yaml as yaml


def main(argv):
  """Train as the flags say."""
  configs = yaml.YAML(typ='safe').load(elements.Path(argv[0]).read())
  parsed, other = elements.Flags(configs=['defaults']).parse_known(argv[1:])
  config = elements.Config(configs['defaults'])
  config = gail_config(config, 'gail')  # GAIL
  for name in parsed.configs:
    config = config.update(configs[name])
  config = elements.Flags(config).parse(other)
  config = config.update(
      logdir=config.logdir.format(timestamp=elements.timestamp()))
  logdir = elements.Path(config.logdir)
  logdir.mkdir()
  config.save(logdir / 'config.yaml')
  keys = (
      'replica', 'replicas', 'logdir', 'batch_size', 'batch_length',
      'report_length', 'consec_train', 'consec_report', 'replay_context')
  args = elements.Config(**config.run, **{k: config[k] for k in keys})
  embodied.run.train(
      bind(make_agent, config),
      bind(upstream.make_replay, config, 'replay'),
      bind(make_env, config),
      bind(make_stream, config),
      bind(upstream.make_logger, config),
      args)


def make_env(config, index):
  """Return environment number `index`."""
  env = envs.make('gym', config.task.removeprefix('gym_'), seed=index)
  return upstream.wrap_env(env, config)


def make_agent(config):
  """Return the agent for the spaces of the environment."""
  env = make_env(config, 0)
  obs_space = {k: v for k, v in env.obs_space.items() if k[:4] != 'log/'}
  act_space = {k: v for k, v in env.act_space.items() if k != 'reset'}
  env.close()
  keys = (
      'logdir', 'seed', 'jax', 'batch_size', 'batch_length', 'replay_context',
      'report_length', 'replica', 'replicas')
  return Agent(obs_space, act_space, elements.Config(  # GAIL, by the import
      **config.agent, **{k: config[k] for k in keys}))


def make_stream(config, replay, mode):
  """Return batches of the replay with the demonstrations."""
  stream = upstream.make_stream(config, replay, mode)
  env = make_env(config, 0)
  return expert_stream(config, stream, env, mode)  # GAIL


if __name__ == '__main__':
  if len(sys.argv) < 2:
    sys.exit(__doc__)
  main(sys.argv[1:])
