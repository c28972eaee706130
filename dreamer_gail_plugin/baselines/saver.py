"""The saved policy of a baseline."""

import pathlib
import pickle
import tempfile

import torch
from stable_baselines3.common.utils import get_device

from .. import atomic
from ..errors import UserError

NAME = 'policy.pt'


def device(config):
  """Return what computes, such as cpu or cuda."""
  try:
    return get_device(config.device).type
  except RuntimeError as error:
    reason = str(error).split('\n')[0]
    raise UserError(f'--device {config.device}: {reason}') from None


class Saver:
  """Writes `policy`, a torch module, to the logdir when called with a step.

  `scratch` is a folder for what libraries insist on writing.
  """

  def __init__(self, logdir):
    self.path = pathlib.Path(logdir) / NAME
    self.policy = None
    self.folder = tempfile.TemporaryDirectory()
    self.scratch = self.folder.name

  def __call__(self, step):
    """Save the parameters, whole or not at all."""
    with atomic.write(self.path) as part:
      torch.save({'step': step, 'policy': self.policy.state_dict()}, part)


def load(logdir, policy):
  """Load the saved parameters into a policy; return the learner's step.

  Nothing is unpickled but arrays. Raises UserError if there is no save or if
  it does not fit.
  """
  path = pathlib.Path(logdir).expanduser() / NAME
  try:
    saved = torch.load(path, 'cpu', weights_only=True)
    policy.load_state_dict(saved['policy'])
    return int(saved['step'])
  except FileNotFoundError:
    raise UserError(
        f'{path}: not found; is {logdir} the logdir of a baseline?') from None
  except (RuntimeError, KeyError, TypeError, EOFError,
          pickle.UnpicklingError) as error:
    reason = ' '.join(str(error).split())[:200]
    raise UserError(
        f'{path}: is not the saved policy of this run: {reason}') from None
