"""Makes every bundled demonstration again and says whether the hashes agree.

  python benchmarks/recipe_hashes.py benchmarks/recipe_hashes_py312.json

Recipes are played, with the hashes that they hold. Stores are planned from
their seeds by the command in them, with the hashes of what they hold.
"""

import contextlib
import io
import json
import pathlib
import platform
import shlex
import sys
import tempfile
import time

from dreamer_gail_plugin import upstream
from dreamer_gail_plugin.data import recipe
from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.demos import __main__ as demos
from dreamer_gail_plugin.errors import UserError


def main(out):
  """Write what came of all to the file `out`; exit with 1 if any differs."""
  folder = upstream.resource('expert_data')
  results = {
      'python': platform.python_version(),
      'recipes': {x.stem: play(x) for x in sorted(folder.glob('*.json'))},
      'stores': {x.stem: plan(x) for x in sorted(folder.glob('*.h5'))}}
  pathlib.Path(out).write_text(json.dumps(results, indent=1) + '\n')
  if not all(
      x['same'] for k in ('recipes', 'stores') for x in results[k].values()):
    sys.exit(1)


def play(path):
  """Return what came of playing a recipe, as a dict."""
  data = recipe.load(path)
  start = time.time()
  result = {
      'made_with': data['made_with'],
      'played_with': recipe._versions(path.stem.partition('_')[0]),
      'trajectories': len(data['trajectories']), 'same': True}
  with tempfile.TemporaryDirectory() as folder:
    try:
      recipe.rebuild(path, pathlib.Path(folder) / 'a.h5')
    except UserError as error:
      result.update(same=False, error=str(error))
  return {**result, 'seconds': round(time.time() - start, 1)}


def plan(path):
  """Return what came of planning a store again, as a dict."""
  command, wanted = hashes(path)
  start = time.time()
  with tempfile.TemporaryDirectory() as folder:
    made = pathlib.Path(folder) / 'a.h5'
    flags = shlex.split(command.partition('demos ')[2])
    with contextlib.redirect_stdout(io.StringIO()):
      code = demos.main([*flags, '--out', str(made)])
    found = [] if code else hashes(made)[1]
  return {
      'command': command, 'trajectories': len(wanted),
      'same': found == wanted, 'sha256': wanted,
      'seconds': round(time.time() - start, 1)}


def hashes(path):
  """Return the command of a store and the hash of each trajectory."""
  with store.Store(path) as file:
    return file.attrs['command'], [
        recipe.digest(file.read(i)) for i in range(len(file))]


if __name__ == '__main__':
  main(*sys.argv[1:])
