"""Several hosts that train one agent, each in a process of its own.

JAX joins their devices (`jax.distributed`), and all of them run the same
updates, each on its own part of a batch. So whatever starts a computation has
to happen on all alike: what depends on a clock or a signal is shared here.
"""

import contextlib
import os
import socket
import sys
import threading

import jax
import numpy as np
from jax.experimental import multihost_utils

from .. import errors
from ..errors import RunError

STARTING = 300  # Seconds in which all hosts have started.
LEAVING = 30  # Seconds in which all that are done have left.
ALIVE = {'TCP_KEEPIDLE': 10, 'TCP_KEEPINTVL': 5, 'TCP_KEEPCNT': 4}
OPTIONS = {
    'jax_enable_recoverability': True, 'jax_enable_preemption_service': False}
PLACE, DONE = 'dreamer_gail_plugin/watch', b'.'


class Joined:
  """Which of how many hosts this process is: the first of one, by itself."""

  index, count = 0, 1


JOINED = Joined()


def several(config):
  """Return whether the run of a config is that of several hosts."""
  # Baselines have no scripts.
  return config.get('script') == 'train' and config.replicas > 1


def part(config):
  """Return what seeds of this host have beside those of the first, a tuple."""
  return (config.replica,) if several(config) and config.replica else ()


@contextlib.contextmanager
def joined(config):
  """Be one of the hosts of a run; does nothing where there is one alone.

  It waits for the others to start. If one of them is lost, this process ends
  with a line and exit code 1. Raises RunError if they do not come together.
  """
  if not several(config):
    yield
    return
  address = config.jax.coordinator_address
  print(f'Host {config.replica} of {config.replicas}, by {address}')
  # JAX would abort the process with a trace of the stack, and take SIGTERM.
  for name, value in OPTIONS.items():
    if hasattr(jax.config, name):  # Newer than the oldest JAX.
      jax.config.update(name, value)
  try:
    jax.distributed.initialize(
        address, config.replicas, config.replica,
        initialization_timeout=STARTING)
    peers = connect(config, address)
  except (RuntimeError, OSError) as error:
    raise RunError(
        f'--jax.coordinator_address {address}: the {config.replicas} hosts '
        f'did not come together within {STARTING} seconds; start one for '
        f'each --replica ({str(error).splitlines()[0][:200]})') from None
  JOINED.index, JOINED.count = config.replica, config.replicas
  watches = [
      threading.Thread(target=watch, args=(x,), daemon=True) for x in peers]
  [x.start() for x in watches]
  yield
  leave(peers, watches)


def leave(peers, watches):
  """Tell the others that this host is done; the first one leaves last."""
  if not JOINED.index:
    [x.sendall(DONE) for x in peers]
    [x.join(LEAVING) for x in watches]
  # JAX aborts those that are there without the first.
  jax.distributed.shutdown()
  if JOINED.index:
    [x.sendall(DONE) for x in peers]
  JOINED.index, JOINED.count = 0, 1


def connect(config, address):
  """Return sockets: of the first host to all others, of those to it."""
  client = jax._src.distributed.global_state.client
  if config.replica:
    port = int(client.blocking_key_value_get(PLACE, 1000 * STARTING))
    host = address.rpartition(':')[0]
    return [alive(socket.create_connection((host, port), STARTING))]
  server = socket.create_server(('', 0))
  server.settimeout(STARTING)
  client.key_value_set(PLACE, str(server.getsockname()[1]))
  return [alive(server.accept()[0]) for _ in range(config.replicas - 1)]


def alive(peer):
  """Return a socket that also fails where the other host is cut off."""
  peer.settimeout(None)
  peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
  for name, value in ALIVE.items():
    if hasattr(socket, name):
      peer.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
  return peer


def watch(peer):
  """End this process when another host is lost; return when it is done."""
  try:
    found = peer.recv(1)
  except OSError:
    found = b''
  if found != DONE:
    code = errors.show(RunError(
        'Another host of this run has ended. Start all again, with the same '
        'flags, to go on from the last save.'))
    sys.stdout.flush()
    os._exit(code)  # The main thread waits for that host.


def gather(values):
  """Return the integers of all hosts (hosts, N), on each the same."""
  values = np.array(values, np.int32)
  if JOINED.count == 1:
    return values[None]
  with jax.transfer_guard('allow'):
    return np.asarray(multihost_utils.process_allgather(values))


def share(values):
  """Return the largest integers of all hosts: what is asked of one is asked
  of all."""
  return gather(values).max(0)
