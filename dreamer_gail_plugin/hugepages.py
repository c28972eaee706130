"""Huge pages for the memory of a train step, on Linux.

XLA on a CPU takes the memory of a step from malloc and gives it back, every
time. The kernel hands it out in pages of 4 KB, or of 2 MB to those that ask,
where its setting is `madvise`. glibc, from 2.35, asks if an environment
variable says so when the process starts, so it starts anew. What this brings
is in docs/speed.md.
"""

import os
import pathlib
import re
import sys

VARIABLE = 'GLIBC_TUNABLES'
TUNABLE = 'glibc.malloc.hugetlb'
SETTING = pathlib.Path('/sys/kernel/mm/transparent_hugepage/enabled')


def restart(package):
  """Start the process anew, asking for huge pages, if it would help.

  To be called while `python -m package.module` still looks for the module, so
  that nothing is done twice; returns at once in all other programs. Whoever
  names the tunable in the variable has decided: `glibc.malloc.hugetlb=0`
  leaves all as it is.
  """
  tunables = os.environ.get(VARIABLE, '')
  if sys.argv[0] != '-m' or TUNABLE in tunables or not asks(SETTING):
    return
  ours = re.compile(rf'(-\w*m)?{package}(\.\w+)*')  # Also `-mpackage`.
  if not any(ours.fullmatch(word) for word in sys.orig_argv):
    return
  os.environ[VARIABLE] = ':'.join(filter(None, [tunables, f'{TUNABLE}=1']))
  os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def asks(setting):
  """Return whether the kernel gives huge pages only to those that ask."""
  return setting.exists() and '[madvise]' in setting.read_text()
