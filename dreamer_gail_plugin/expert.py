"""The replay stream of demonstrations: `expert/...` keys for every batch."""

import math
import weakref

import elements
import numpy as np

from .data import memory as memorylib
from .data import store as storelib
from .data import stores
from .errors import UserError

PREFIX, SINGLE = 'expert/', 'single/'
FRACTION = 0.5  # Of the free memory that `memory='auto'` may fill.
LOADED = weakref.WeakValueDictionary()  # Streams of one store share its steps.


def space(obs_space, act_space, singles=False):
  """Return the spaces of one step of every key that the stream adds.

  With `singles` there are `single/<key>`, too; see ExpertReplay.
  """
  spaces = {k: v for k, v in obs_space.items() if storelib.needed(k)}
  spaces.update({k: v for k, v in act_space.items() if k != 'reset'})
  single = {SINGLE + k: v for k, v in spaces.items()} if singles else {}
  spaces['is_cut'] = elements.Space(bool)
  return {**{PREFIX + k: v for k, v in spaces.items()}, **single}


class ExpertReplay:
  """Samples batches of sequences from a store of demonstrations.

  All trajectories are laid end to end and form a ring; a sequence is any
  `length` steps of it, so every step is drawn equally often and short episodes
  fill a sequence together. A row goes on with the steps that follow for
  `consec` batches and then starts anew elsewhere, not all rows at once. The
  first `context` steps of a row that goes on are the last of the one before;
  the agent leaves them out, as it does with the replay's context.

  Where the game does not continue, `is_first` is True and the model starts
  from a reset. Of these steps `is_cut` marks those in mid-episode: the first
  step after the context of a row that starts anew there, and a join to a
  trajectory that does. The reward is never read.

  With `singles` there are as many steps again under `single/`. Each is drawn
  by itself from all (from disk: those of the sequences), and changed by
  `mirror`, a Mirror, if there is one.

  `space` has the spaces of one step. Which steps batch k has depends on the
  seed (one integer or several) and k alone. In the first batch, and the first
  after `load`, all rows start anew, as nothing before them was seen.

  `path` may be `stores.Paths`. Their steps are drawn in the shares `weights`
  then, one for each store; by (0,) each step is drawn equally often.

  `memory` is `ram`, `disk` or `auto` (ram if the steps fit into half of the
  free memory). Raises UserError if the store does not fit the spaces or holds
  fewer steps than one sequence.
  """

  def __init__(
      self, path, batch_size, length, obs_space, act_space, seed=0, task=None,
      memory='auto', singles=False, mirror=None, consec=1, context=0,
      weights=(0,)):
    assert batch_size > 0 and length > context, (batch_size, length, context)
    assert consec > 0, consec
    assert memory in ('auto', 'ram', 'disk'), memory
    self.space = space(obs_space, act_space, singles)
    self.steps = _load(path, obs_space, act_space, task, memory)
    if self.steps.total < length:
      raise UserError(
          f'{path}: holds {self.steps.total} steps, fewer than a sequence of '
          f'{length}; record more or choose a smaller batch_length')
    self.draw = _draw(self.steps, weights)
    self.shape = (batch_size, length)
    self.consec, self.context = consec, context
    self.mirror = mirror
    # Flat, as newer numpy takes no nested seeds.
    self.seed = [int(x) for x in np.atleast_1d(seed)]
    self.count = 0
    self.begun = False

  @property
  def stats(self):
    """Return trajectories, steps, bytes, memory and score (NaN: unknown)."""
    return self.steps.stats

  def __str__(self):
    stats = self.stats
    return (
        f'{stats["trajectories"]} trajectories, {stats["steps"]:,} steps, '
        f'{memorylib.size(stats["bytes"])} ({stats["memory"]})')

  def sample(self):
    """Return the next batch, `expert/<key>` arrays (B, T, ...).

    And `single/<key>` of the same shapes, if asked for.
    """
    rng = np.random.default_rng([*self.seed, self.count])
    consec, starts = self._places()
    consec *= self.begun
    self.begun = True
    self.count += 1
    batch = {}
    for key, space in self.space.items():
      if key.startswith(PREFIX):
        batch[key] = np.empty((*self.shape, *space.shape), space.dtype)
        for row, start in zip(batch[key], starts):
          self.steps.fill(key.removeprefix(PREFIX), row, start)
    singles = self._singles(rng, batch)
    if self.mirror and singles:
      self.mirror(rng, singles)
    batch.update({SINGLE + k: v for k, v in singles.items()})
    # The model starts from a reset here, wherever in the game this is.
    first, cut = batch[PREFIX + 'is_first'], batch[PREFIX + 'is_cut']
    cut[:, self.context] |= (consec == 0) & ~first[:, self.context]
    first[:, self.context] |= consec == 0
    return batch

  def _places(self):
    # How often each row went on already, and where its next steps start.
    rows, length = self.shape
    passed = self.count + np.arange(rows) * self.consec // rows
    turn, consec = np.divmod(passed, self.consec)
    starts = [
        self.draw(np.random.default_rng([*self.seed, *x]))
        for x in enumerate(turn)]
    starts = (starts + consec * (length - self.context)) % self.steps.total
    return np.int32(consec), starts

  def _singles(self, rng, batch):
    keys = [
        k.removeprefix(SINGLE) for k in self.space if k.startswith(SINGLE)]
    if self.stats['memory'] == 'disk':
      # Each step would be unpacked with the 15 around it, which takes far
      # longer than to take these, the steps of the sequences again.
      return {k: batch[PREFIX + k].copy() for k in keys}
    index = self.draw(rng, self.shape)
    return {k: self.steps.data[k][index] for k in keys}

  def save(self):
    """Return the state: how many batches were drawn."""
    return {'count': self.count}

  def load(self, state):
    """Continue with the batch that followed when `state` was saved."""
    self.count = state['count']
    self.begun = False


class ExpertStream:
  """Adds expert batches to the batches of another stream.

  Both must have the same batch size and length; the result has the keys of
  the source and the `expert/<key>` arrays. Saves and restores both. Actions
  stay in the units of the store; `expert_stream` brings them into the agent's
  and makes all of it from a config.
  """

  def __init__(self, source, expert):
    self.source = source
    self.expert = expert

  def __iter__(self):
    self.source = iter(self.source)
    return self

  def __next__(self):
    batch = next(self.source)
    shape = batch['is_first'].shape
    assert shape == self.expert.shape, (shape, self.expert.shape)
    return {**batch, **self.expert.sample()}

  def save(self):
    return {'source': self.source.save(), 'expert': self.expert.save()}

  def load(self, state):
    self.source.load(state['source'])
    self.expert.load(state['expert'])


class Steps:
  """The steps of a store as one ring, in memory or read when asked for."""

  def __init__(self, store, keys, memory):
    lengths = np.array(store.lengths)
    sizes = {k: _bytes(store.spec[k]) for k in keys}
    self.store = store
    self.total = int(lengths.sum())
    self.sizes = [sum(x.lengths) for x in store.parts]
    self.ends = np.cumsum(lengths)
    amount = self.total * sum(sizes.values())
    if memory == 'auto':
      fits = amount <= FRACTION * memorylib.free_memory()
      memory = 'ram' if fits else 'disk'
    lazy = {k for k in keys if memory == 'disk' and sizes[k] > storelib.SMALL}
    self.data = {k: self._gather(k) for k in keys if k not in lazy}
    self._mark_starts()
    self.stats = dict(
        trajectories=len(lengths), steps=self.total, score=_score(store),
        bytes=amount, memory=memory)
    if not lazy:
      store.close()

  def fill(self, key, out, start):
    """Write the steps from `start` on, around the ring, into out (T, ...)."""
    done = 0
    while done < len(out):
      at = (start + done) % self.total
      done += self._piece(key, out[done:], at)

  def _piece(self, key, out, start):
    if key in self.data:
      part = self.data[key][start: start + len(out)]
      out[:len(part)] = part
      return len(part)
    index = np.searchsorted(self.ends, start, 'right')
    begin = start - (self.ends[index] - self.store.lengths[index])
    stop = min(begin + len(out), self.store.lengths[index])
    self.store.read_into(index, begin, key, out[:stop - begin])
    return stop - begin

  def _gather(self, key):
    dtype, shape = self.store.spec[key]
    result = np.empty((self.total, *shape), dtype)
    parts = np.split(result, self.ends[:-1])  # Views, one a trajectory.
    for index, part in enumerate(parts):
      self.store.read_into(index, 0, key, part)
    return result

  def _mark_starts(self):
    starts = np.r_[0, self.ends[:-1]]
    self.data['is_cut'] = np.zeros(self.total, bool)
    self.data['is_cut'][starts] = ~self.data['is_first'][starts]
    self.data['is_first'][starts] = True


def _draw(steps, weights):
  # The function of a generator and a shape that draws steps of the ring.
  if not any(weights):
    return lambda rng, shape=None: rng.integers(0, steps.total, shape)
  if len(weights) != len(steps.sizes):
    raise UserError(
        f'--agent.gail.expert_weights: has {len(weights)} numbers, and '
        f'--agent.gail.expert {len(steps.sizes)} stores; give one for each')
  shares, sizes = np.array(weights) / sum(weights), np.array(steps.sizes)
  starts = np.cumsum(sizes) - sizes
  def draw(rng, shape=None):
    part = rng.choice(len(sizes), shape, p=shares)
    return starts[part] + rng.integers(0, sizes[part], shape)
  return draw


def _load(path, obs_space, act_space, task, memory):
  store = stores.opened(path)
  try:
    spaces = {**obs_space, **act_space}
    keys = tuple(sorted(
        k for k in spaces if storelib.needed(k) and k != 'reset'))
    files = tuple(
        (x.path.resolve(), x.path.stat().st_mtime_ns) for x in store.parts)
    name = (files, keys, memory, task, str(spaces))
    steps = LOADED.get(name)
    if not steps:
      storelib.validate(store, obs_space, act_space, task)
      steps = Steps(store, keys, memory)
  except UserError:
    store.close()
    raise
  if steps.store is not store:
    store.close()
  LOADED[name] = steps
  return steps


def _score(store):
  if 'expert_score' in store.attrs:
    return float(store.attrs['expert_score'])
  scores = [x.get('score', math.nan) for x in store.infos]
  scores = [x for x in scores if not math.isnan(x)]
  return float(np.mean(scores)) if scores else math.nan


def _bytes(spec):
  dtype, shape = spec
  return dtype.itemsize * math.prod(shape)
