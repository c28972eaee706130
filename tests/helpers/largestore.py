"""Writes a large store of demonstrations: one trajectory, many times.

  python -m helpers.largestore FILE 2000 5008 --configs atari small gail

The copies have data of their own in the file, which takes no time to compress.
"""

import sys

import h5py

from dreamer_gail_plugin import build
from dreamer_gail_plugin import configs
from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.perf import stream


def main(path, count, length, *flags):
  """Write `count` trajectories of `length` steps for the task of the flags."""
  spaces = build.spaces(configs.load_config(flags))
  store.write(path, stream.trajectories(*spaces, 1, int(length)), {})
  with h5py.File(path, 'r+') as file:
    root = file['trajectories']
    for index in range(1, int(count)):
      root.copy('00000', f'{index:05}')


if __name__ == '__main__':
  main(*sys.argv[1:])
