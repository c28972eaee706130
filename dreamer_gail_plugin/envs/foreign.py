"""Code of others: what a Gymnasium environment raises or gives, in one line.

Whatever goes wrong inside of it, or is not as its spaces declare, becomes a
UserError that names the environment, the step and what to do.
"""

import contextlib
import importlib
import importlib.machinery
import json
import os
import sys

import gymnasium

from ..errors import UserError
from . import checks

OLD = (
    'This is the API of Gym before 0.26. Change reset(self, *, seed=None, '
    'options=None) to return (observation, info) and step to return '
    '(observation, reward, terminated, truncated, info)')
# An environment that calls exit() would end the program without a word.
LEAVES = (Exception, SystemExit)
LARGEST = checks.LARGEST


class Foreign:
  """Makes, resets and steps one environment, and checks what it gives.

  `traceback` lets exceptions of the environment through as they are.
  """

  def __init__(self, task, traceback=False):
    self.task = task
    self.name = f'The Gymnasium environment {task!r}'
    self.traceback = traceback
    self.episode = self.count = 0

  def make(self, kwargs, extra):
    """Return the environment, made with the JSON object `kwargs`."""
    kwargs = {**parse(kwargs), **extra}
    module = self.task.rpartition(':')[0]
    if module:
      look_here()
    try:
      if self.task.startswith('ALE/'):
        importlib.import_module('ale_py')  # Registers these ids.
      return gymnasium.make(self.task, disable_env_checker=True, **kwargs)
    except (gymnasium.error.Error, ImportError) as error:
      raise UserError(
          f'Cannot make the Gymnasium environment {self.task!r}: '
          f'{_line(error)} Ids that a package or a module in the working '
          'directory registers are written package:Id.') from error
    except LEAVES as error:
      if self.traceback:
        raise
      raise UserError(
          f'{self.name} cannot be made: {_line(error)}. '
          f'{_advice_on_making(error)}') from error

  def declare(self, obs_space, act_space):
    """Set the spaces that hold from now on."""
    warn = lambda text: print(f'Warning: {self._place()}: {text}')
    self.obs = checks.Checker(obs_space, 'observation', warn)
    # Floats are within their bounds, as they come out of a clip.
    self.act = checks.Checker(act_space, 'action', lambda text: None)

  def reset(self, game, seed):
    """Return the first observation of an episode."""
    self.episode, self.count = self.episode + 1, 0
    try:
      result = game.reset(seed=seed)
    except LEAVES as error:
      raise self._raised('reset', error) from error
    if not isinstance(result, tuple) or len(result) != 2:
      raise self._error(
          f'reset gave {_kind(result)}, expected (observation, info). {OLD}')
    self._expect(self.obs(result[0]))
    return result[0]

  def step(self, game, action):
    """Return observation, reward and whether terminated and truncated."""
    self.count += 1
    if not self.act.fine(action):
      self._expect(self.act(action))
    try:
      result = game.step(action)
    except LEAVES as error:
      raise self._raised('step', error) from error
    try:
      obs, reward, terminated, truncated, _ = result
    except (TypeError, ValueError):
      raise self._error(
          f'step gave {_kind(result)}, expected (observation, reward, '
          f'terminated, truncated, info). {OLD}') from None
    # What is fine at most steps is seen without a call.
    if not isinstance(reward, float) or not -LARGEST < reward < LARGEST:
      self._expect(checks.reward(reward))
    if terminated is not False or truncated is not False:
      self._expect(checks.end(terminated) or checks.end(truncated))
    if not self.obs.fine(obs):
      self._expect(self.obs(obs))
    return obs, reward, terminated, truncated

  def close(self, game):
    """Close the environment; what it raises is told, as the run is over."""
    try:
      game.close()
    except LEAVES as error:
      if self.traceback:
        raise
      print(f'Warning: {self._place()}: close raised {_line(error)}')

  @contextlib.contextmanager
  def said(self):
    """Name the environment in errors about its spaces."""
    try:
      yield
    except UserError as error:
      raise self._error(str(error)) from error
    except LEAVES as error:
      if self.traceback:
        raise
      raise self._error(
          f'its spaces cannot be used: {_line(error)}. '
          f'{_advice_on_making(error)}') from error

  def _raised(self, what, error):
    if self.traceback:
      return error
    old = isinstance(error, TypeError) and 'seed' in str(error)
    advice = OLD if old else '--env.gym.traceback True shows where'
    return self._error(f'{what} raised {_line(error)}. {advice}')

  def _expect(self, fault):
    if fault:
      raise self._error(fault)

  def _error(self, text):
    return UserError(f'{self._place()}: {text}')

  def _place(self):
    if not self.episode:
      return self.name
    return f'{self.name}, episode {self.episode}, step {self.count}'


def look_here():
  """Let modules in the working directory be imported.

  Programs that pip installs do not look there. It comes last, to hide nothing.
  """
  if os.getcwd() not in sys.path:
    sys.path.append(os.getcwd())


def source(module):
  """Return the path of a module that was not imported, '' if not found.

  Nothing of it is imported for that. `module` is a name with dots.
  """
  paths, found = [*sys.path, os.getcwd()], None
  for part in module.split('.'):
    found = importlib.machinery.PathFinder.find_spec(part, paths)
    if not found:
      return ''
    paths = list(found.submodule_search_locations or ())
  return found.origin or next(iter(paths), '')


def parse(kwargs):
  """Return the keyword arguments of a text of JSON, or of a dict."""
  try:
    kwargs = json.loads(kwargs or '{}') if isinstance(kwargs, str) else kwargs
    return dict(kwargs.items())
  except (ValueError, AttributeError, RecursionError):
    raise UserError(
        f'--env.gym.kwargs {kwargs}: expected the arguments of the '
        """environment as JSON, such as '{"level": 3}'""") from None


def _advice_on_making(error):
  text = str(error)
  if isinstance(error, TypeError) and 'argument' in text:
    return (
        'Give the arguments of the environment by --env.gym.kwargs, such as '
        """--env.gym.kwargs '{"level": 3}'""")
  if 'inherit' in text or isinstance(error, AttributeError):
    return (
        'An environment must be a subclass of gymnasium.Env, with '
        'observation_space and action_space')
  return '--env.gym.traceback True shows where'


def _line(error):
  text = ''.join(x for x in ' '.join(str(error).split()) if x.isprintable())
  if isinstance(error, (gymnasium.error.Error, ImportError)):
    return text
  return f'{type(error).__name__}: {text:.300}'.rstrip('.: ')


def _kind(value):
  if isinstance(value, tuple):
    return f'a tuple of {len(value)}'
  return f'{type(value).__name__}'
