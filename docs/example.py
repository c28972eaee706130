"""Dreamer-GAIL in a DreamerV3 pipeline of your own, in 20 lines.

Plays a little and makes a few updates of a very small agent, with a replay
and a driver that are made here. Most of its time goes into compiling.
"""

# The plugin comes first, since it patches upstream before that is imported.
# isort: off
from dreamer_gail_plugin import Agent
from dreamer_gail_plugin import make_stream
from dreamer_gail_plugin import build
from dreamer_gail_plugin import configs
from dreamer_gail_plugin.running import device
from functools import partial as bind
import elements
import embodied

config = configs.load_config(['--configs', 'minatar', 'gail', 'debug'])
config = device.platform(config)
device.prepare_jax(config)

# Upstream's make_agent, with the plugin's Agent in it.
obs_space, act_space = build.spaces(config)
keys = (
    'logdir', 'seed', 'jax', 'batch_size', 'batch_length', 'replay_context',
    'report_length', 'replica', 'replicas')
agent = Agent(obs_space, act_space, elements.Config(
    **config.agent, **{k: config[k] for k in keys}))

# Your own replay and driver.
length = config.batch_length + config.replay_context
replay = embodied.replay.Replay(length, capacity=10_000)
driver = embodied.Driver([bind(build.make_env, config, 0)], parallel=False)
driver.on_step(replay.add)
driver.reset(agent.init_policy)
driver(agent.policy, steps=100)

# make_stream adds the demonstrations to the batches of your replay. A stream
# of your own would instead add `expert.sample()` to each batch, and pass it
# through build.normalize_actions if actions are continuous.
expert = build.make_expert(config, length, context=config.replay_context)
print('Demonstrations:', expert)
stream = iter(agent.stream(make_stream(config, replay, 'train')))

carry = agent.init_train(config.batch_size)
for _ in range(4):
  driver(agent.policy, steps=10)
  carry, outs, metrics = agent.train(carry, next(stream))
  if outs:  # Both come one update late.
    replay.update(outs['replay'])
    print({k: float(v) for k, v in metrics.items() if 'disc/' in k})
