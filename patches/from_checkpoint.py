"""`--run.from_checkpoint` takes no checkpoint that a run writes.

Wrong: `train`, `train_eval` and `parallel` unpickle a single file and look up
'model' in it, while checkpoints are folders that hold 'agent'. They also read
the key `run.from_checkpoint_regex`, which upstream's own configs lack.
`eval_only` takes the folder of one save only, named by its time.
Versions: dreamer 3.3.0 with elements 3.17 or later. Upstream's git loads the
folder of one save in all four; its configs still lack the key.
Mended: the first three get a function that makes the agent and loads the
folder into it, and no longer see the flag. Without the key, all that the
folder holds is loaded. All four take a logdir too.
"""

import contextlib
import functools
import io
import re
import tempfile

import elements

from . import dryrun
from . import loops


def needed():
  """Return whether the loop fails at the folder of a run's saves."""
  with tempfile.TemporaryDirectory() as folder:
    checkpoint = elements.Checkpoint(elements.Path(folder) / 'ckpt')
    checkpoint.agent = dryrun.Agent(dryrun.Seen())
    with contextlib.redirect_stdout(io.StringIO()):
      checkpoint.save()
    try:
      dryrun.run('train', from_checkpoint=folder)
      return False
    except (AssertionError, OSError):
      return True


def apply():
  """Wrap the run loops, to act on the flag before they see it."""
  loops.wrap('train', 'train', restored)
  loops.wrap('train_eval', 'train_eval', restored)
  loops.wrap('parallel', 'combined', restored)
  loops.wrap('eval_only', 'eval_only', found)


def restored(loop, given):
  """Run the loop with an agent that has the saved parameters."""
  args = given['args']
  if args.from_checkpoint:
    given['make_agent'] = functools.partial(
        make_agent, given['make_agent'], args.from_checkpoint,
        args.get('from_checkpoint_regex', '.*'))
    given['args'] = args.update(from_checkpoint='')
  return loop(**given)


def found(loop, given):
  """Run the loop with the folder that the flag points to."""
  path = given['args'].from_checkpoint
  if path:
    given['args'] = given['args'].update(from_checkpoint=str(find(path)))
  return loop(**given)


def find(path):
  """Return the folder of the latest save; see checkpoint.find."""
  # Not at the top: this file is imported while the package still is.
  from dreamer_gail_plugin.running import checkpoint
  return checkpoint.find(path)


def make_agent(make_agent, path, regex):
  """Return a new agent with the parameters saved at `path`.

  Only those whose names match `regex` from their start. Raises UserError if
  the agent lacks one of them or has it in another shape.
  """
  from dreamer_gail_plugin.running import saves
  folder = find(path)
  agent = make_agent()

  def load(data):
    check(folder, agent.params, data['params'] if data else {}, regex)
    agent.load(data, regex=regex)

  saves.load(folder, {'agent': load})
  return agent


def check(folder, params, saved, regex):
  """Raise UserError unless the saved parameters fit the agent's."""
  from dreamer_gail_plugin.errors import UserError
  chosen = {k: v for k, v in saved.items() if re.match(regex, k)}
  wrong = [
      f'{k} {v.shape}, here {params[k].shape if k in params else "absent"}'
      for k, v in chosen.items()
      if k not in params or params[k].shape != v.shape]
  if wrong or not chosen:
    listed = '; '.join(wrong[:5]) + ('; ...' if len(wrong) > 5 else '')
    raise UserError(
        f'{folder}: {len(chosen)} of {len(saved)} saved parameters match '
        f'{regex!r} and {len(wrong)} of those do not fit this agent: {listed} '
        f'Use the --configs of that run, or choose what to load, such as '
        f"--run.from_checkpoint_regex '(enc|dyn|dec|con)/'.")
