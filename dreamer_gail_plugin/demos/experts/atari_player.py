"""Plays Atari games by looking ahead in a second emulator.

At every step a few plans, runs of held actions, are tried from the present
state: the best one of the step before, changes of it, and random ones. The
first action of the best is played. What a plan is worth is what it scores,
less the price of lost lives, of every change of action and of acting at all:
an action without a reason is noise to whoever imitates it.

The second emulator has no sticky actions and gets the state of the first one
without its random state, which is neither read nor moved: whether an action
will stick stays unknown. What else the game will do is in the state, its own
random numbers included, so the player foresees what no image shows.
"""

import numpy as np

from ...envs import atari
from ...envs import common

HORIZON = 20  # Steps of a plan; at 4 frames each, 1.3 seconds.
PLANS = 5  # Random ones, tried at every step.
DISCOUNT = 0.97
DEATH = 500.0
CHANGE = 1.0  # Points, as are the others.
ACT = 0.05  # For every step that is not a no-op.
MARGIN = 2.0  # By which a new plan must be better than the last one's rest.
# Addresses in the memory of Seaquest and of Freeway, from the annotations of
# Anand et al. (2019), https://arxiv.org/abs/1906.08226.
DEPTH, DIVERS, AIR = 97, 62, 102
SURFACE = 13
HEIGHT, CROSSINGS = 14, 103
# Fewer actions than there are: two buttons less often, so that pictures tell
# more of what is done.
MOVES = ('NOOP', 'UP', 'RIGHT', 'LEFT', 'DOWN')
SHOTS = ('FIRE', 'UPFIRE', 'RIGHTFIRE', 'LEFTFIRE', 'DOWNFIRE')


class AtariPlayer:
  """A policy for `envs.atari.Atari`, with options as in configs.yaml.

  Raises UserError if the environment lacks an action that it needs.

  Args:
    env: the environment that it will act in.
    seed: of the plans that are tried.
    actions: names of the actions to choose from, NOOP among them.
    worth: function from the memory, (128,) uint8, to the points that being
      in this state is worth.
  """

  def __init__(self, env, seed=0, actions=MOVES, worth=lambda memory: 0.0):
    self.env = env
    self.random = np.random.default_rng(seed)
    for name in actions:
      common.choose('Atari action', name, env.action_meanings)
    self.actions = [env.action_meanings.index(x) for x in actions]
    self.idle = env.action_meanings.index('NOOP')
    self.worth = worth
    self.ale = atari.emulator(env.game, seed=0)
    self.ale.reset_game()
    self.plan = np.full(HORIZON, self.idle)
    self.last = self.idle

  def __call__(self, obs):
    """Return the action at the present state of the environment."""
    if obs['is_first']:
      self.plan = np.full(HORIZON, self.idle)
      self.last = self.idle
    return {'action': np.int32(self.choose())}

  def choose(self):
    """Return the index of the best action and keep the rest of its plan."""
    state = self.env.ale.cloneState(include_rng=False)
    best = self._value(self.plan, state) + MARGIN
    rest = self.plan
    for plan in self._candidates(rest):
      if (plan == rest).all():
        continue
      value = self._value(plan, state)
      if value > best:
        best, self.plan = value, plan
    self.last = int(self.plan[0])
    self.plan = np.append(self.plan[1:], self.plan[-1])
    return self.last

  def _candidates(self, rest):
    # Later, idle and longer: these take actions away and so come first.
    yield np.append(self.idle, rest[:-1])
    yield np.append(self.last, rest[:-1])
    yield np.full(HORIZON, self.idle)
    yield np.full(HORIZON, self.last)
    for index in range(PLANS):
      plan = self._draw()
      if index % 2:  # Only the beginning is new, or only the end.
        cut = self.random.integers(1, HORIZON)
        ends = (plan, rest) if index % 4 == 1 else (rest, plan)
        plan = np.append(ends[0][:cut], ends[1][cut:])
      yield plan

  def _draw(self):
    lengths = self.random.integers(1, 13, HORIZON)
    actions = self.random.choice(self.actions, HORIZON)
    return np.repeat(actions, lengths)[:HORIZON]

  def _value(self, plan, state):
    self.ale.restoreState(state)
    lives = self.ale.lives()
    before = self.worth(self.ale.getRAM())
    total, weight, last = 0.0, 1.0, self.last
    for action in plan:
      total -= CHANGE * (action != last) + ACT * (action != self.idle)
      reward = self._step(action)
      if self.ale.lives() < lives or self.ale.game_over():
        return total - weight * DEATH
      total += weight * reward
      weight *= DISCOUNT
      last = action
    return total + weight * (self.worth(self.ale.getRAM()) - before)

  def _step(self, action):
    chosen = self.env.actions[action]
    return sum(self.ale.act(chosen) for _ in range(self.env.repeat))


class Seaquest(AtariPlayer):
  """Looks after divers and air, too far ahead for plans."""

  def __init__(self, env, seed=0):
    super().__init__(env, seed, MOVES + SHOTS, seaquest_worth)


def seaquest_worth(memory):
  """Return what divers on board and the way to the air are worth."""
  divers, air = int(memory[DIVERS]), int(memory[AIR])
  need = max(0, 24 - air) if divers else 0
  return 40.0 * divers - need * 0.5 * max(0, int(memory[DEPTH]) - SURFACE)


class Freeway(AtariPlayer):
  """Goes up: the reward of a crossing is too far ahead for plans."""

  def __init__(self, env, seed=0):
    super().__init__(env, seed, ('NOOP', 'UP', 'DOWN'), freeway_worth)

  def _candidates(self, rest):
    # The second emulator has just played the rest. Nothing is better than
    # going straight up, a line a frame: half of the time needs no search.
    height, last = (int(x.getRAM()[HEIGHT]) for x in (self.env.ale, self.ale))
    if last - height < HORIZON * self.env.repeat:
      yield from super()._candidates(rest)


def freeway_worth(memory):
  """Return what the height and the crossings so far are worth."""
  tens, ones = divmod(int(memory[CROSSINGS]), 16)
  # From the top, at 177, the chicken goes back to the bottom, at 6.
  return float(memory[HEIGHT]) + 250.0 * (10 * tens + ones)
