"""The replay's chunks may not be on the disk when a save is, and pile up.

Wrong: `Replay.save` hands its chunks to threads and does not wait, so that a
kill after "Saved checkpoint" loses steps that the save counts. What such a
thread fails at is never told. A chunk that is half written has the name of a
whole one. Chunks that are older than what the replay holds stay for ever.
Versions: dreamer 3.3.0 and upstream's git.
Mended: the save waits, a chunk has its name once all of it is on the disk, and
one that could not be written is written with the next save. Then the files of
chunks that the replay has dropped are removed.
"""

import functools
import inspect
import pathlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np


def needed():
  """Return whether the replay does not wait unless it is told to."""
  import embodied
  init = inspect.signature(embodied.replay.Replay.__init__)
  return init.parameters['save_wait'].default is False


def apply():
  """Replace how a chunk is saved, and let the replay wait."""
  import embodied
  from embodied.core import chunk
  chunk.Chunk.save = write
  embodied.replay.Replay.save = waiting(embodied.replay.Replay.save)


def write(chunk, directory, log=False):
  """Write a chunk to a file of its own, once."""
  from dreamer_gail_plugin import atomic
  if chunk.saved:
    return
  data = {k: v[:chunk.length] for k, v in chunk.data.items()}
  path = pathlib.Path(directory) / chunk.filename
  with atomic.write(path) as part, part.open('wb') as file:
    np.savez_compressed(file, **data)
  chunk.saved = True


def waiting(save):
  """Return `save` such that it returns when all is written, or raises."""
  @functools.wraps(save)
  def wrapper(self):
    if not self.directory:
      return save(self)
    for part in pathlib.Path(self.directory).glob('.*.part'):
      part.unlink()  # Of a run that was killed.
    self.save_wait = True
    try:
      save(self)
    except OSError:
      self.workers.shutdown()  # Waits for the other chunks.
      self.workers = ThreadPoolExecutor(16, 'replay_saver')
      left = [k for k, v in list(self.chunks.items()) if not v.saved]
      self.saved.difference_update(left)
      raise
    trim(self)
  return wrapper


def trim(replay):
  """Remove the files of chunks that this process had and has dropped."""
  dropped = replay.saved - set(replay.chunks)
  names = {str(x) for x in dropped}
  for path in pathlib.Path(replay.directory).glob('*.npz') if names else ():
    if path.name.split('-')[1] in names:
      path.unlink()
  replay.saved -= dropped
