"""`--run.from_checkpoint` reads a file where a folder is now.

Wrong: the run loops unpickle a single file and look up 'model' in it, while
checkpoints are folders that hold 'agent'. Starting from the agent of another
run fails in `train`, `train_eval` and `parallel`. They also read the key
`run.from_checkpoint_regex`, which upstream's own configs lack.
Versions: dreamer 3.3.0 with elements 3.17 or later. Upstream's git loads the
folder; its configs still lack the key.
Mended: the loops get a function that makes the agent and loads the folder
into it, and no longer see the flag. Without the key, all that the folder
holds is loaded.
"""

import functools
import inspect
import re
import sys

import elements

LOOPS = (
    ('train', 'train'),
    ('train_eval', 'train_eval'),
    ('parallel', 'combined'),
)


def needed():
  """Return whether upstream's loops unpickle by themselves."""
  import embodied.run  # noqa: F401
  return 'pickle' in vars(sys.modules['embodied.run.train'])


def apply():
  """Wrap the run loops, in their modules and in the package."""
  import embodied
  for module, name in LOOPS:
    module = sys.modules[f'embodied.run.{module}']
    loop = with_checkpoint(getattr(module, name))
    setattr(module, name, loop)
    if hasattr(embodied.run, name):
      setattr(embodied.run, name, loop)


def with_checkpoint(loop):
  """Return the loop with its flag `from_checkpoint` acted on beforehand."""
  signature = inspect.signature(loop)

  @functools.wraps(loop)
  def wrapper(*args, **kwargs):
    given = signature.bind(*args, **kwargs).arguments
    flags = given['args']
    if flags.from_checkpoint:
      given['make_agent'] = functools.partial(
          make_restored, given['make_agent'], flags.from_checkpoint,
          flags.get('from_checkpoint_regex', '.*'))
      given['args'] = flags.update(from_checkpoint='')
    return loop(**given)

  return wrapper


def make_restored(make_agent, path, regex):
  """Return a new agent with the parameters saved at `path`.

  Only those whose names match `regex` from their start. Raises UserError if
  the agent lacks one of them or has it in another shape.
  """
  # Not at the top: this module is imported while the package still is.
  from dreamer_gail_plugin import checkpoint
  folder = checkpoint.find(path)
  agent = make_agent()

  def load(data):
    check(folder, agent.params, data['params'], regex)
    agent.load(data, regex=regex)

  elements.checkpoint.load(folder, {'agent': load})
  return agent


def check(folder, params, saved, regex):
  """Raise UserError unless the saved parameters fit the agent's."""
  from dreamer_gail_plugin.errors import UserError
  chosen = {k: v for k, v in saved.items() if re.match(regex, k)}
  wrong = [
      f'{k} {v.shape} here {params[k].shape if k in params else "absent"}'
      for k, v in chosen.items()
      if k not in params or params[k].shape != v.shape]
  if wrong or not chosen:
    listed = ', '.join(wrong[:5]) + (', ...' if len(wrong) > 5 else '')
    raise UserError(
        f'{folder}: {len(chosen)} of {len(saved)} saved parameters match '
        f'{regex!r} and {len(wrong)} of them do not fit this agent: {listed}. '
        'Use the configs of that run, or choose what to load by '
        "--run.from_checkpoint_regex, such as '(enc|dyn|dec|con)/'.")
