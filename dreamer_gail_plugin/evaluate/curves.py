"""Shows the curves of runs in the browser, as they train.

It is the viewer of the package `scope`, for this machine alone: by itself it
would serve whoever reaches the machine.

examples:
  dreamer-gail curves ~/logdir
  dreamer-gail curves ~/logdir --port 8100
"""

import runpy
import socket
import sys

import uvicorn

from .. import arguments
from ..errors import UserError


def main(argv=None):
  """Serve the viewer until Ctrl+C."""
  args = parse(argv)
  serve = uvicorn.run
  uvicorn.run = lambda *xs, **kws: serve(*xs, **{**kws, 'host': args.host})
  sys.argv = [
      'scope_viewer', '--basedir', str(args.folder.absolute()),
      '--port', str(args.port), '--workers', '1']
  print(f'Curves: http://{args.host}:{args.port}, and tick a run', flush=True)
  runpy.run_module('scope_viewer', run_name='__main__')


def parse(argv=None):
  """Return the flags; raises UserError for a folder or port of no use."""
  parser = arguments.Parser(
      prog='dreamer-gail curves', description=__doc__)
  add = parser.add_argument
  add('folder', type=arguments.place, help='the one above the logdirs')
  add('--host', default='127.0.0.1',
      help='address to serve at; 0.0.0.0 is the network, too')
  add('--port', type=arguments.count, default=8000, help='port to serve at')
  args = parser.parse_args(argv)
  if not args.folder.is_dir():
    raise UserError(
        f'{args.folder}: no such folder; give the one above the logdirs')
  try:
    socket.create_server((args.host, args.port)).close()
  except (OSError, OverflowError, TypeError, ValueError) as error:
    raise UserError(
        f'--host {args.host} --port {args.port}: cannot be used ({error}); '
        'choose another one') from None
  return args
