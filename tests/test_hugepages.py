"""The restart that asks for huge pages."""

import os
import pathlib
import platform
import re
import subprocess
import sys
import time

import pytest

from dreamer_gail_plugin import hugepages

PACKAGE = 'dreamer_gail_plugin'
# Prints how often the kernel handed out a page for five steps of 64 MB.
STEPS = """
import resource, jax
step = jax.jit(lambda x: (x @ x.T @ x).sum())
x = jax.numpy.ones((4096, 8))
counts = []
for _ in range(6):
  step(x).block_until_ready()
  counts.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
print(counts[-1] - counts[0])
"""
GLIBC = re.fullmatch(r'glibc-(2\.3[5-9]|2\.[4-9]\d|[3-9].*)', '-'.join(
    platform.libc_ver()))
MAIN = ['python', '-m', f'{PACKAGE}.main', '--seed', '1']

madvise = pytest.mark.skipif(
    not hugepages.asks(hugepages.SETTING),
    reason='the kernel gives huge pages to all or to none')


@pytest.fixture
def started(monkeypatch, tmp_path):
  """Return a function: what a program starts anew, as its kernel is set."""
  def run(words, tunables='', mode='always [madvise] never', first='-m'):
    calls = []
    setting = tmp_path / 'enabled'
    setting.write_text(mode)
    monkeypatch.setattr(hugepages, 'SETTING', setting)
    monkeypatch.setattr(sys, 'argv', [first, *words[3:]])
    monkeypatch.setattr(sys, 'orig_argv', words)
    monkeypatch.setenv(hugepages.VARIABLE, tunables)
    monkeypatch.setattr(os, 'execv', lambda *args: calls.append(args))
    hugepages.restart(PACKAGE)
    return calls, os.environ[hugepages.VARIABLE]
  return run


@pytest.mark.parametrize('words', [
    MAIN, ['python', '-u', *MAIN[1:]], ['python', f'-m{PACKAGE}.main'],
    ['python', '-um', PACKAGE]])
def test_starts_anew_with_the_same_words(started, words):
  calls, tunables = started(words)
  assert calls == [(sys.executable, [sys.executable, *words[1:]])]
  assert tunables == 'glibc.malloc.hugetlb=1'


def test_keeps_other_tunables(started):
  _, tunables = started(MAIN, 'glibc.malloc.check=0')
  assert tunables == 'glibc.malloc.check=0:glibc.malloc.hugetlb=1'


@pytest.mark.parametrize('words, change', [
    (MAIN, {'tunables': 'glibc.malloc.hugetlb=1'}),
    (MAIN, {'tunables': 'glibc.malloc.hugetlb=0'}),
    (MAIN, {'mode': '[always] madvise never'}),
    (MAIN, {'mode': 'always madvise [never]'}),
    (MAIN, {'first': 'main.py'}),
    (['python', '-m', 'their.main', f'{PACKAGE}/main.py'], {}),
    (['python', '-m', f'{PACKAGE}_of_others.main'], {})])
def test_leaves_alone(started, words, change):
  calls, tunables = started(words, **change)
  assert not calls
  assert tunables == change.get('tunables', '')


def test_no_such_setting(tmp_path):
  assert not hugepages.asks(tmp_path / 'enabled')


@madvise
def test_program_asks(tmp_path):
  # Its environment as the kernel has it, which a restart alone changes.
  variables = {
      k: v for k, v in os.environ.items() if k != hugepages.VARIABLE}
  process = subprocess.Popen(
      [sys.executable, '-m', f'{PACKAGE}.scores', str(tmp_path)],
      env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
  environ = pathlib.Path(f'/proc/{process.pid}/environ')
  found, deadline = False, time.time() + 60
  while process.poll() is None and not found and time.time() < deadline:
    found = b'glibc.malloc.hugetlb=1' in environ.read_bytes()
    time.sleep(0.01)
  _, errors = process.communicate()
  assert found
  assert str(tmp_path) in errors.decode()  # It got its own words.


@madvise
@pytest.mark.skipif(not GLIBC, reason='glibc asks from 2.35 on')
def test_steps_get_them():
  pages = {}
  for value in (0, 1):
    done = subprocess.run(
        [sys.executable, '-c', STEPS], check=True, capture_output=True,
        text=True, env={
            **os.environ, 'JAX_PLATFORMS': 'cpu',
            hugepages.VARIABLE: f'{hugepages.TUNABLE}={value}'})
    pages[value] = int(done.stdout)
  assert pages[1] < pages[0] / 4
