"""Plays whole games, each from its own seed, and counts each once.

Upstream's driver plays until some number of episodes has ended, and short ones
end first, so it sees too many of them. Here the games are fixed beforehand
and all are played to their ends, many side by side.
"""

import functools
import multiprocessing
from functools import partial as bind

import cloudpickle
import dreamerv3.main
import numpy as np

from .. import envs

ACHIEVEMENT = 'log/achievement_'


def make_env(config, seed):
  """Return an environment of the config's task as the agent sees it.

  Unlike in training it counts Crafter's achievements and does not clip
  rewards.
  """
  suite, _, task = config.task.partition('_')
  kwargs = dict(config.env.get(suite, {}))
  kwargs.update({
      k: v for k, v in dict(logs=True, clip_reward=False).items()
      if k in kwargs})
  env = envs.make(suite, task, seed=seed, **kwargs)
  return dreamerv3.main.wrap_env(env, config)


def play(actor, make_env, seeds, rows, workers=1, ended=None, watch=None):
  """Play one game for each seed; return the games in that order.

  A game is a dict of `seed`, `score` (sum of rewards), `length` (actions
  taken), `limit` (whether a time limit ended it instead of a termination) and
  `achievements` (name: count, if there are any). It depends on its seed and,
  through rounding, on `rows`.

  Args:
    actor: see actors.Actor.
    make_env: function of a seed that returns an embodied.Env. With several
      workers it must be picklable by cloudpickle.
    seeds: list of integers from 0 to 2 ** 31 - 1.
    rows: how many games are played side by side.
    workers: number of processes for the environments; 1 for this one.
    ended: called with each game when it has ended.
    watch: called at each step with the number of the game, the observation,
      the action (None at the end) and a function that returns the
      discriminator's reward for the two.
  """
  pool = Pool(make_env) if workers == 1 else ProcessPool(make_env, workers)
  try:
    return _play(actor, pool, seeds, rows, ended, watch)
  finally:
    pool.close()


def _play(actor, pool, seeds, rows, ended, watch):
  games = [None] * len(seeds)
  table = [None] * rows  # The number of the game in each row.
  times, keys = np.zeros(rows, np.uint32), np.zeros((rows, 2), np.uint32)
  carry, batch, number = actor.start(rows), None, 0
  asks = {}
  while True:
    for row in range(rows):
      if table[row] is None and number < len(seeds):
        table[row], asks[row] = number, int(seeds[number])
        # The environment's draws are not the policy's.
        keys[row] = np.random.SeedSequence(
            [seeds[number], 1]).generate_state(2)
        number += 1
    if not asks:
      return games
    seen = pool.step(asks)
    batch = _batch(batch, seen, rows)
    for row, obs in seen.items():
      times[row] = 0 if obs['is_first'] else times[row] + 1
      games[table[row]] = _score(games[table[row]], obs, asks[row])
    carry, acts = actor(carry, batch, keys, times)
    rewards = functools.cache(
        lambda given=(carry, acts, keys, times): actor.rewards(*given))
    asks = {}
    for row, obs in seen.items():
      last = bool(obs['is_last'])
      act = {k: v[row] for k, v in acts.items()}
      watch and watch(
          table[row], obs, None if last else act,
          bind(_at, rewards, row))
      if last:
        ended and ended(games[table[row]])
        table[row] = None
      else:
        asks[row] = act


def _at(function, row):
  return function()[row]


def _batch(batch, seen, rows):
  # A row without a game starts anew at every step, so its state stays finite.
  first = next(iter(seen.values()))
  keys = [k for k in first if not k.startswith('log/')]
  if batch is None:
    batch = {
        k: np.zeros((rows, *np.shape(first[k])), np.asarray(first[k]).dtype)
        for k in keys}
  batch['is_first'][:] = True
  for row, obs in seen.items():
    for key in keys:
      batch[key][row] = obs[key]
  return batch


def _score(game, obs, ask):
  if obs['is_first']:
    game = {'seed': ask, 'score': 0.0, 'length': -1}
  counts = {
      k.removeprefix(ACHIEVEMENT): int(v) for k, v in obs.items()
      if k.startswith(ACHIEVEMENT)}
  return {
      **game,
      'score': game['score'] + reward(obs), 'length': game['length'] + 1,
      'limit': bool(obs['is_last'] and not obs['is_terminal']),
      **({'achievements': counts} if counts else {})}


def reward(obs):
  """Return the reward that came with an observation, as a float.

  Crafter logs its benchmark's reward even where the task has none.
  """
  return float(obs.get('log/reward', obs['reward']))


class Pool:
  """The environments of the rows, in this process."""

  def __init__(self, make_env):
    self.make_env, self.envs = make_env, {}

  def step(self, asks):
    """Return {row: observation}; `asks` has actions or seeds of new games."""
    return {row: self._step(row, ask) for row, ask in asks.items()}

  def _step(self, row, ask):
    if not isinstance(ask, int):
      return self.envs[row].step({**ask, 'reset': np.bool_(False)})
    # Environments take their seed when they are made.
    row in self.envs and self.envs[row].close()
    env = self.envs[row] = self.make_env(ask)
    acts = {k: np.zeros(v.shape, v.dtype) for k, v in env.act_space.items()}
    return env.step({**acts, 'reset': np.bool_(True)})

  def close(self):
    """Close all environments."""
    [env.close() for env in self.envs.values()]


class ProcessPool:
  """The environments of the rows, spread over some processes."""

  def __init__(self, make_env, workers):
    context = multiprocessing.get_context('spawn')  # JAX runs threads.
    make_env = cloudpickle.dumps(make_env)
    self.pipes, self.processes = [], []
    for _ in range(workers):
      pipe, other = context.Pipe()
      process = context.Process(
          target=_serve, args=(other, make_env), daemon=True)
      process.start()
      other.close()  # Or this process would not notice that one's end.
      self.pipes.append(pipe)
      self.processes.append(process)

  def step(self, asks):
    """Return {row: observation}; `asks` has actions or seeds of new games.

    Raises RuntimeError if a process has failed.
    """
    deal = [{} for _ in self.pipes]
    for row, ask in asks.items():
      deal[row % len(deal)][row] = ask
    busy = [(x, part) for x, part in zip(self.pipes, deal) if part]
    result = {}
    try:
      [pipe.send(part) for pipe, part in busy]
      for pipe, _ in busy:
        result.update(pipe.recv())
    except (EOFError, OSError):
      raise RuntimeError(
          'A process that plays environments has ended, see above. Was '
          'there too little memory? Fewer --envs or --workers need less.'
      ) from None
    return {row: result[row] for row in asks}

  def close(self):
    """End all processes."""
    [pipe.close() for pipe in self.pipes]
    [process.join() for process in self.processes]


def _serve(pipe, make_env):
  pool = Pool(cloudpickle.loads(make_env))
  try:
    while True:
      pipe.send(pool.step(pipe.recv()))
  except (EOFError, KeyboardInterrupt):
    pool.close()
