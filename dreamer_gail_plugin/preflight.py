"""What is said and settled of task and demonstrations before training."""

import json
import math
import re

import elements
import numpy as np

from . import build
from .arguments import typed
from .data import record
from .data import store
from .data import stores
from .envs import arrays
from .errors import UserError
from .errors import counted
from .evaluate import references

PLAY = 2000  # Steps of random play, which the expert is compared with,
SECONDS = 5  # and for how long it is played at most.


def settle(config):
  """Print what each key of the task is; return the config that fits it.

  Actions without bounds get those of the demonstrations, those that the
  demonstrations lack are inferred, and networks halve images as often as their
  sizes allow. Raises UserError for images that no network of upstream's takes.
  """
  print('Task:', config.task)
  config = scale(config)
  env = build.make_raw_env(config, 0)
  for key, text in texts(env).items():
    print(f'  {key}: {text}')
  env.close()
  config = infer(config, env.act_space)
  return config if config.random_agent else halve(config)


def texts(env):
  """Return {key: what its arrays are} of an environment."""
  if hasattr(env, 'texts'):
    return env.texts
  names = lambda space: (
      f'choice of {space.classes}' if space.discrete and not space.shape
      else ' x '.join(map(str, space.shape)))
  spaces = {**env.obs_space, **env.act_space}
  return {
      k: names(v) for k, v in spaces.items()
      if store.needed(k) and k not in (*store.FLAGS, 'reset')}


def scale(config):
  """Return the config with bounds for the actions that have none.

  The bounds are the largest numbers in the demonstrations, so that the agent
  can do all that the expert did and no more, which D would tell at once.
  """
  free = unbounded(build.raw_spaces(config)[1])
  if not free:
    return config
  path = build.demonstrations(config)
  if not path or config.agent.gail.expert == 'random':
    print(
        f'  {", ".join(free)}: without bounds, so the agent acts from -1 to '
        '1; --env.gym.scale gives other bounds')
    return config
  with stores.opened(path) as demos:
    if set(free) - set(demos.keys):
      print(f'  {", ".join(free)}: without bounds and not in {path}, so the '
            'agent acts from -1 to 1; --env.gym.scale gives other bounds')
      return config
    found = [x for k, v in free.items() for x in largest(demos, k, *v)]
  print(
      f'  {", ".join(free)}: without bounds, so the agent acts within the '
      'largest numbers of the demonstrations, --env.gym.scale '
      f'{" ".join(f"{x:.4g}" for x in found)}')
  return config.update({'env.gym.scale': found})


def infer(config, act_space):
  """Return the config for demonstrations that perhaps lack actions.

  What learns from the expert's actions is off then, with a line that says so.
  """
  path, gail = build.demonstrations(config), config.agent.gail
  if not path or not path.is_file() or gail.actions != 'given':
    return config
  with stores.opened(path) as demos:
    if store.told(demos, act_space):
      return config
  if gail.actor != 'reinforce':
    raise UserError(
        f'{path}: has no actions, and --agent.gail.actor {gail.actor} needs '
        'them')
  wanted = {'actions': 'inferred'}
  if gail.anchor or gail.world == 'both':
    wanted.update(anchor=0.0, risk=0.0, world='replay')
  print(f'  {path} has no actions: '
        + ' '.join(f'--agent.gail.{k} {v}' for k, v in wanted.items()))
  return config.update({f'agent.gail.{k}': v for k, v in wanted.items()})


def unbounded(act_space):
  """Return {key: (low, high)} of the actions that lack bounds."""
  return {
      k: (v.low, v.high) for k, v in act_space.items()
      if not v.discrete and not (
          np.isfinite(v.low) & np.isfinite(v.high)).all()}


def largest(demos, key, low, high):
  """Return the largest number of each action without bounds, a list."""
  free = ~np.isfinite(low) | ~np.isfinite(high)
  each = [
      np.abs(demos.read(i, keys=[key])[key]).max(0)[free]
      for i in range(len(demos))]
  # One bound may be there, and what is beyond it must have some room.
  known = np.where(np.isfinite(low), low, np.where(
      np.isfinite(high), high, 0))[free]
  found = np.max(each, 0)
  found = np.where(found > np.abs(known), found, np.abs(known) + 1)
  return found.astype(float).tolist()


def halve(config):
  """Return the config whose networks can halve the images of the task."""
  obs_space, _ = build.spaces(config)
  for key, space in obs_space.items():
    if len(space.shape) == 3:
      return _halve(config, key, space.shape[:2])
  return config


def _halve(config, name, sides):
  size = ' x '.join(map(str, sides))
  fits = arrays.halvings(sides)
  changes = {}
  for key in ('agent.enc.simple', 'agent.dec.simple', 'agent.gail.anchor_enc'):
    mults, outer = config[f'{key}.mults'], int(config[f'{key}.outer'])
    own = [x for x in fits if x <= len(mults) - outer]
    if not own:
      suite = config.task.partition('_')[0]
      raise UserError(
          f'{name}: images of {size} cannot be halved '
          f'{len(mults) - outer} times or less to 3 to 16 pixels a side, as '
          f'the networks need it. Give --env.{suite}.size 64 64, or '
          f'--{key}.mults with another count of numbers')
    if max(own) < len(mults) - outer:
      changes[f'{key}.mults'] = list(mults[:max(own) + outer])
  why = (
      f'images of {size} leave room for fewer halvings' if changes else
      'the blocks of the decoder do not divide its channels')
  changes |= _blocks(config.update(changes))
  if changes:
    print(f'  {name}: {why}, so the run has ' + ' '.join(
        f'--{k} {" ".join(map(str, np.ravel(v)))}'
        for k, v in changes.items()))
  return config.update(changes)


def _blocks(config):
  # The decoder gives each block of `deter` as many channels of its smallest
  # image. With other mults there may be a number that the blocks do not share.
  decoder = config.agent.dec.simple
  fits = math.gcd(
      decoder.bspace, decoder.depth * decoder.mults[-1],
      config.agent.dyn.rssm.deter)
  if not decoder.bspace or fits == decoder.bspace:
    return {}
  return {'agent.dec.simple.bspace': fits}


def compare(config):
  """Return the keys of which the store says what they are, a list.

  Raises UserError where what the store says of a key is not what the task
  has, as D would tell the expert by that.
  """
  path = build.expert_path(config)
  with stores.opened(path) as demos:
    made = json.loads(demos.attrs.get('arrays') or '{}')
  env = build.make_raw_env(config, 0)
  env.close()
  made = made if isinstance(made, dict) else {}
  known = {k: v for k, v in texts(env).items() if k in made}
  for key, text in known.items():
    if _array(made[key]) != _array(text):
      raise UserError(
          f'{path}: {key} is {made[key]!s:.200} there, and {text} in the '
          'task: import it again, or give the options that it was made with '
          '(--env.gym.image, --env.gym.size)')
  return list(known)


def _array(text):
  # Without the reason why numbers are no image, which is worded anew at times.
  return re.sub('( numbers?), .*', r'\1', str(text))


def expert(config):
  """Print who the expert is, beside random play, with warnings.

  Returns the score of random play, as `scores.play_random` does.
  """
  path = build.expert_path(config)
  with stores.opened(path) as demos:
    keys = [k for k in (*store.FLAGS, 'reward') if k in demos.keys]
    theirs = outcome([demos.read(i, keys=keys) for i in range(len(demos))])
    told = demos.attrs.get('expert_score')
    theirs['score'] = theirs['score'] if told is None else told
  env = build.make_raw_env(config, 0)
  data = record.rollout(env, record.Random(env), PLAY, seconds=SECONDS)
  env.close()
  for key in store.dark(data):
    warn(f'{config.task}: {key} has no value above 1 of 255, so all is black: '
         'its space says 0 to 255; say 0 to 1, or give such values')
  chance, known = outcome([data]), references.atari(config.task)
  found = spread(data)
  if known:
    chance['score'], found = known[0], {'mean': known[0]}
  print(
      f'Expert: score {_number(theirs["score"])}{_of(theirs, told)}; random '
      'play scores '
      f'{_number(chance["score"])} '
      + ('in whole games (Wang et al., 2016)' if known else
         f'here in {_games(chance)}, {counted(chance["steps"], "step")}'))
  if theirs['steps'] < store.FEW:
    warn(f'{path}: has {theirs["steps"]} steps. Below {store.FEW} there is '
         'little to learn from; record more')
  # Parts of games are compared by what a step pays.
  whole = theirs['games'] and (known or chance['games'])
  by = 'score' if whole else 'a step'
  if config.agent.gail.expert != 'random' and theirs[by] <= chance[by]:
    warn(f'{path}: this expert scores no more than random play does '
         f'({theirs[by]:.4g} and {chance[by]:.4g}, {by}): look at it with '
         f'`{typed("demos", "show", path)}` and '
         f'`{typed("demos", "check", path)}`')
  return found if known or chance['games'] else None


def spread(data):
  """Return mean, sd and number of the scores of whole games, a dict."""
  ends = np.flatnonzero(data['is_last']) + 1
  games = np.split(data['reward'], ends)[:len(ends)]
  sums = [float(x.sum()) for x in games] or [np.nan]
  return {
      'mean': float(np.mean(sums)), 'sd': float(np.std(sums)),
      'episodes': len(ends)}


def outcome(trajectories):
  """Return what there is in trajectories, a dict.

  steps: of all.
  games: whole ones.
  cut, all: trajectories without a whole game, and all.
  score: mean over trajectories, as `store.score` counts.
  a step: mean reward. It is NaN where the rewards are unknown, as is `score`.
  """
  games = [
      int((np.cumsum(x['is_first']) > 0)[x['is_last']].sum())
      for x in trajectories]
  result = {
      'steps': sum(len(x['is_first']) for x in trajectories),
      'games': sum(games), 'cut': games.count(0), 'all': len(games)}
  if 'reward' not in trajectories[0]:
    return {**result, 'score': np.nan, 'a step': np.nan}
  scores = [
      store.score(x['reward'], x['is_first'], x['is_last'])
      for x in trajectories]
  total = sum(float(x['reward'].sum()) for x in trajectories)
  return {
      **result, 'score': float(np.mean(scores)),
      'a step': total / result['steps']}


def warn(text):
  """Print a warning."""
  elements.print(f'Warning: {text}', color='red')


def _of(theirs, told):
  # What the expert's score is of. `told`: that of whole games, or None.
  if told is not None:
    return f' in whole games, {theirs["games"]} of them in the file'
  if not theirs['cut']:
    return f', {_games(theirs)}'
  if not theirs['games']:
    return ' a trajectory, and none is a whole game'
  return (f' a trajectory, and {theirs["cut"]} of {theirs["all"]} have no '
          'whole game')


def _games(found):
  return counted(found['games'], 'whole game')


def _number(value):
  return 'unknown' if np.isnan(value) else f'{value:.4g}'
