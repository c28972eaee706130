"""Plays every bundled recipe again and says whether the hashes agree.

  python benchmarks/recipe_hashes.py benchmarks/recipe_hashes_py312.json
"""

import json
import pathlib
import platform
import sys
import tempfile
import time

from dreamer_gail_plugin import upstream
from dreamer_gail_plugin.demos import recipe
from dreamer_gail_plugin.errors import UserError


def main(out):
  results = {'python': platform.python_version(), 'recipes': {}}
  for path in sorted(upstream.resource('expert_data').glob('*.json')):
    results['recipes'][path.stem] = check(path)
  pathlib.Path(out).write_text(json.dumps(results, indent=1) + '\n')
  if not all(x['same'] for x in results['recipes'].values()):
    sys.exit(1)


def check(path):
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


if __name__ == '__main__':
  main(*sys.argv[1:])
