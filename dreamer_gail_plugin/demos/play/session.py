"""What is being played and what has been kept; knows nothing of browsers."""

import numpy as np

from ...data import record
from ...data import store
from .game import make

SPACING = 16  # Steps between copies of the game.
MARKS = 64  # Copies that are held; longer undos start at the seed.


class Episode:
  """One game from its seed on: what was seen and done, and how to go back.

  `obs` are the observations, one more than `acts`, the numbers of the
  actions, or lists of numbers. `undone` counts the steps that were taken back.
  """

  def __init__(self, task, seed):
    self.task = task
    self.seed = seed
    self.game = make(task, seed)
    self.obs = [self.game.reset()]
    self.acts = []
    self.marks = {}
    self.undone = 0

  @property
  def over(self):
    """Whether the game has ended."""
    return bool(self.obs[-1]['is_last'])

  @property
  def score(self):
    """The sum of the rewards."""
    return float(sum(x['reward'] for x in self.obs))

  def step(self, action):
    """Take an action, by number."""
    assert not self.over
    self._mark()
    self.obs.append(self.game.step(action))
    self.acts.append(action)

  def undo(self, count):
    """Go back by so many steps or to the start; return whether it worked.

    The game is played again from a copy, or from the seed, with the same
    actions. If it does not show the same as before, it stays where it is.
    """
    target = max(0, len(self.acts) - count)
    # Not from a copy at the target itself: at least one step must tell that
    # the copy is true.
    places = [k for k in self.marks if k < target]
    game = self._replay(max(places), target) if places else None
    game = game or self._replay(None, target)
    if not game:
      return False
    self.game.close()
    self.game = game
    self.undone += len(self.acts) - target
    del self.acts[target:], self.obs[target + 1:]
    self.marks = {k: v for k, v in self.marks.items() if k <= target}
    return True

  def data(self):
    """Return the arrays of the trajectory, by key, as `store.write` takes.

    A game that has ended has its last observation, with the action 0, as its
    last step. Of one that is kept before its end, the last step is the last
    one with an action.
    """
    env = self.game.env
    space = env.act_space['action']
    rest = np.zeros(space.shape, space.dtype)
    acts = [*self.acts, rest] if self.over else self.acts
    data = {'action': np.array(acts, space.dtype)}
    for key, space in env.obs_space.items():
      if not key.startswith('log/'):
        data[key] = np.array(
            [x[key] for x in self.obs[:len(acts)]], space.dtype)
    return data

  def close(self):
    """Close the game."""
    self.game.close()

  def _mark(self):
    step = len(self.acts)
    if step - max(self.marks, default=-SPACING) < SPACING:
      return
    mark = self.game.mark()
    if mark is not None:
      self.marks[step] = mark
    if len(self.marks) > MARKS:
      del self.marks[min(self.marks)]

  def _replay(self, start, target):
    # Return a game at step `target`, or None if it went another way.
    if start is None:
      game, start = make(self.task, self.seed), 0
      same = _equal(game.reset(), self.obs[0])
    else:
      game, same = self.game.fork(self.marks[start]), True
    for step in range(start, target):
      same = same and _equal(game.step(self.acts[step]), self.obs[step + 1])
    if same:
      return game
    game.close()


class Session:
  """Episodes of one task, played one after the other into one store.

  Args:
    task: as in minatar_seaquest.
    out: path of the store; if it is there, episodes are added to it.
    seed: decides, with the number of the episode, about every game.
    attrs: root attributes of the store.
    number: of the first episode.
  """

  def __init__(self, task, out, seed, attrs, number=0):
    self.task = task
    self.out = out
    self.seed = seed
    self.attrs = attrs
    self.number = number
    self.episodes, self.steps, self.scores, self.whole = 0, 0, [], []
    if out.exists():
      with store.Store(out) as file:
        self.episodes, self.steps = len(file), sum(file.lengths)
        self.scores = [x.get('score', np.nan) for x in file.infos]
        self.whole = [
            bool(file.read(i, keys=['is_last'])['is_last'][-1])
            for i in range(len(file))]
    self.episode = self._start()

  def step(self, action):
    """Take an action, by number, unless the game is over."""
    if not self.episode.over:
      self.episode.step(action)

  def undo(self, count):
    """Go back by so many steps; return whether it worked."""
    return self.episode.undo(count)

  def keep(self):
    """Save the episode as a trajectory and start the next one.

    When it returns, the episode is on the disk. If it raises UserError or
    OSError, the episode is still there. Does nothing without a step.
    """
    episode = self.episode
    if not episode.acts:
      return
    data = episode.data()
    score = store.score(data['reward'], data['is_first'], data['is_last'])
    scores = [*self.scores, score]
    whole = [*self.whole, episode.over]
    info = {
        'score': score, 'seed': episode.seed, 'number': self.number,
        'undone': episode.undone,
        'source_id': f'seed {self.seed} number {self.number}'}
    self.episodes = store.append(
        self.out, [{**data, 'attrs': info}],
        {**self.attrs, **means(scores, whole)})
    self.scores, self.whole = scores, whole
    self.steps += len(data['is_first'])
    self.discard()

  def discard(self):
    """Drop the episode and start the next one."""
    self.episode.close()
    self.number += 1
    self.episode = self._start()

  def close(self):
    """Close the game."""
    self.episode.close()

  def _start(self):
    return Episode(self.task, record.seeds(self.seed, self.number)[0])


def _equal(left, right):
  return all(np.array_equal(left[k], right[k]) for k in right)


def means(scores, whole):
  """Return the attributes of a store that tell its mean scores.

  `mean_score` is over all episodes. `expert_score` is over those that were
  kept at their end, where there are any: what was cut tells no score.
  """
  ended = [x for x, y in zip(scores, whole) if y]
  found = {'mean_score': float(np.mean(scores))}
  return {**found, 'expert_score': float(np.mean(ended))} if ended else found
