"""The runs of an experiment, each with its flags and files."""

import dataclasses
import functools
import itertools
import json
import pathlib
import sys

from .. import configs
from .. import errors
from ..baselines import config as baselines
from ..errors import UserError
from ..evaluate import protocol
from . import suites

# Flags that are set here.
OWN = ('--configs', '--task', '--seed', '--logdir', '--run.steps')
STEPS = 80_000  # Where a suite has none of its own.
STATE = 'experiment.json'
LOCK = '.experiment.lock'  # Beside that of the run, .lock.
PYTHON = (sys.executable, '-m')  # What runs a module.


@dataclasses.dataclass(frozen=True)
class Plan:
  """One run: `extra` are flags for main, `logdirs` and `results` folders.

  A `rehearsal` has networks of a few units and an evaluation of two games.
  `shown` is the number of demonstrated steps, 0 for all that are bundled.
  """

  suite: str
  method: str
  task: str
  seed: int
  steps: int
  extra: tuple
  logdirs: pathlib.Path
  results: pathlib.Path
  rehearsal: bool = False
  shown: int = 0

  @property
  def name(self):
    """Return the name of its logdir and of its result."""
    shown = f'{self.shown}-' if self.shown else ''
    return f'{self.task}-{self.method}-{shown}{self.seed}'

  @property
  def setting(self):
    """Return what tells it from other runs of its method and seed."""
    return f'{self.shown:,} steps' if self.shown else ''

  @property
  def demonstrations(self):
    """Return the file to learn from, or None for what is bundled."""
    if self.shown in (0, suites.BUNDLED):
      return None
    return self.logdirs / 'demonstrations' / f'{self.task}_{self.shown}.h5'

  @property
  def logdir(self):
    """Return the folder of the run."""
    return self.logdirs / self.name

  @property
  def result(self):
    """Return the file of its result."""
    return self.results / f'{self.name}.json'

  @property
  def flags(self):
    """Return the flags of the program that trains, a tuple of text."""
    return (*self._common, *suites.METHODS[self.method].flags)

  @property
  def resumes(self):
    """Return whether a run that was stopped can go on."""
    return suites.METHODS[self.method].resumes

  @property
  def _common(self):
    suite = suites.SUITES[self.suite]
    blocks = suites.METHODS[self.method].blocks
    return (
        '--configs', *suite.blocks_of(self.task), *blocks,
        *self._rehearsed('blocks'),
        *suite.flags, '--task', self.task, *suite.tasks[self.task],
        '--run.steps', str(self.steps), *self._shown('--agent.gail.expert'),
        *self.extra, '--seed', str(self.seed), '--logdir', str(self.logdir))

  def _shown(self, flag):
    path = self.demonstrations
    return (flag, str(path)) if path else ()

  def _rehearsed(self, kind):
    return suites.REHEARSAL[kind] if self.rehearsal else ()

  @functools.cached_property
  def config(self):
    """Return the config {key: value} of the flags, as JSON holds it."""
    return _flat(configs.load_config(list(self.flags)))

  @property
  def total(self):
    """Return the steps to train; fewer than `steps` for random play."""
    return int(self.config['run.steps'])

  def expert(self):
    """Return the mean score of the bundled demonstrations or None."""
    return bundled(self.suite, self.task)

  def show(self):
    """Return the command that makes its demonstrations."""
    return [
        *PYTHON, 'dreamer_gail_plugin.demos', 'planner', '--task', self.task,
        '--limit', suites.GAME, '--trajectories', '1',
        '--length', str(self.shown), '--seed', '0',
        '--out', str(self.demonstrations)]

  def train(self):
    """Return the command that trains."""
    method = suites.METHODS[self.method]
    return [*PYTHON, *method.train, *self.flags]

  def evaluate(self):
    """Return the command that evaluates; its games are those of the seed."""
    method = suites.METHODS[self.method]
    return [
        *PYTHON, *method.evaluate, '--logdir', str(self.logdir),
        '--seed', str(self.seed), *suites.SUITES[self.suite].evaluation,
        *self._rehearsed('evaluation')]


@dataclasses.dataclass(frozen=True)
class BaselinePlan(Plan):
  """The run of a baseline, whose program has flags of its own.

  `steps` are then the baseline's, and 0 stands for those of its settings.
  """

  @property
  def flags(self):
    suite = suites.SUITES[self.suite]
    steps = ('--steps', str(self.steps)) if self.steps else ()
    return (
        '--task', self.task, *self._rehearsed('baseline'),
        *suite.tasks[self.task], *steps, *self._shown('--expert'),
        *self.extra, '--seed', str(self.seed), '--logdir', str(self.logdir),
        # `evaluate` does that.
        '--eval.episodes', '0')

  @functools.cached_property
  def config(self):
    return _flat(baselines.load(self.method, list(self.flags)))

  @property
  def total(self):
    return int(self.config[f'steps.{self.method}'])


def bundled(suite, task):
  """Return the mean score of the demonstrations bundled for a task or None.

  Runs are compared with these whatever they learn from. Raises UserError for
  an unknown suite or task.
  """
  if task not in getattr(suites.SUITES.get(suite), 'tasks', ()):
    raise UserError(f'{suite!r:.40} has no task {task!r:.40}')
  return protocol.expert_score(configs.load_config([
      '--task', task, *suites.SUITES[suite].tasks[task]]))


def _flat(config):
  return json.loads(json.dumps(protocol.plain(dict(config.flat))))


def make(args, extra):
  """Return the Plans that the command line asks for, whole seeds first.

  Raises UserError for names that there are not and flags that may not be.
  """
  suite = suites.SUITES[args.suite]
  tasks = _chosen('--tasks', args.tasks, suite.tasks)
  methods = _chosen(
      '--methods', args.methods, suites.METHODS,
      suite.methods or suites.DEFAULT)
  own = _steps(args.steps_of or ())
  for word in extra:
    if word.partition('=')[0] in OWN:
      raise UserError(
          f'{word}: `experiments run` sets this flag. Use --tasks, --seeds, '
          f'--steps or --logdirs, or change experiments/suites.py')
  for method in methods:
    if suites.METHODS[method].baseline:
      baselines.installed(method)
  found = []
  for seed, task, method, shown in itertools.product(
      range(args.seeds), tasks, methods, _shown(args, suite)):
    baseline = suites.METHODS[method].baseline
    steps = own.get(method) or _budget(suite, args, task, baseline)
    found.append((BaselinePlan if baseline else Plan)(
        args.suite, method, task, seed, steps, tuple(extra),
        args.logdirs, args.results, args.scale < 1,
        shown if suites.METHODS[method].watches else 0))
  found = list(dict.fromkeys(found))  # What learns from none has no number.
  [plan.config for plan in found]  # Wrong flags end it here.
  return found


def _shown(args, suite):
  if args.shown and not suite.shown:
    raise UserError(
        f'--shown: {args.suite} shows all the demonstrations that are '
        f'bundled. Leave it out, or run `few`.')
  return args.shown or suite.shown or (0,)


def _budget(suite, args, task, baseline):
  # 0 stands for a baseline's own.
  if args.scale == 1 and baseline:
    return 0
  steps = (
      baselines.load(baseline, ['--task', task]).steps[baseline] if baseline
      else args.steps or suite.steps.get(task, STEPS))
  return max(1, int(steps * args.scale))


def _chosen(flag, names, known, default=None):
  for name in names or ():
    if name not in known:
      raise UserError(
          f'{flag} {name}: no such name. {errors.near(name, known)}There are: '
          f'{", ".join(known)}')
  return list(dict.fromkeys(names or default or known))


def _steps(words):
  # Of `--steps_of ppo=1e6 c51=5e5`.
  found = {}
  for word in words:
    name, _, number = word.partition('=')
    try:
      found[name] = int(float(number))
    except (ValueError, OverflowError):
      found[name] = 0
    if name not in suites.METHODS or found[name] < 1:
      raise UserError(
          f'--steps_of {word}: expected METHOD=STEPS, such as ppo=1e6, of '
          f'{", ".join(suites.METHODS)}')
  return found


def check(plan):
  """Return whether a run is done; raise UserError where it was another.

  Raises it if a result or a logdir of the same name has another config, and
  if the logdir is of another program. A logdir may have fewer steps: the run
  goes on from there.
  """
  state = plan.logdir / STATE
  for path in (plan.result, state):
    if path.exists():
      old = _config(path)
      if path == state and extends(old, plan):
        old.pop('run.steps')
      changed = _changes(old, plan.config)
      if changed:
        raise UserError(
            f'{plan.name}: {path} is of another configuration: {changed}. '
            f'Give the old flags again; or keep both and name other folders '
            f'by --results and --logdirs; or remove {plan.result} and '
            f'{plan.logdir} to run it anew.')
  if plan.result.exists():
    return True
  if not state.exists() and plan.logdir.exists() and any(
      x.name not in (LOCK, '.lock') for x in plan.logdir.iterdir()):
    raise UserError(
        f'{plan.logdir}: is there and not of `experiments run`, as it has no '
        f'{STATE}. Move it away or name another folder by --logdirs.')
  return False


def extends(config, plan):
  """Return whether a plan is a run of this config with more steps."""
  return config.get('run.steps', plan.total) < plan.total


def _config(path):
  try:
    return dict(json.loads(path.read_text())['config'])
  except (OSError, ValueError, KeyError, TypeError) as error:
    raise UserError(
        f'{path}: cannot be read ({type(error).__name__}), expected JSON of '
        f'`experiments run`; remove it and what it belongs to.') from None


def _changes(old, new, most=5):
  # A key that one version of the program lacks is not a difference. The folder
  # may be written in another way, and some seeds may be computed elsewhere:
  # each result tells its machine.
  keys = [
      k for k in old if k in new and old[k] != new[k]
      and k != 'logdir' and not k.startswith('jax.')]
  texts = [f'{k} {old[k]} there, {new[k]} now' for k in keys[:most]]
  if len(keys) > most:
    texts.append(f'and {len(keys) - most} more')
  return '; '.join(texts)
