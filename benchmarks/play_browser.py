"""Plays in a real browser by scripted keys: ten trajectories, three pictures.

  uv run --group browser python benchmarks/play_browser.py \
      --out played.h5 --shots docs

Serves the recording page, presses keys in a headless Chromium and keeps ten
episodes of MinAtar Seaquest. Writes the store, `playing_{start,keys,over}.png`
and, with `--json`, what was recorded and how fast.
"""

import argparse
import io
import json
import pathlib
import random
import shutil
import sys
import time

from PIL import Image
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / 'tests'))
import playtools  # noqa: E402

from dreamer_gail_plugin.data import store  # noqa: E402

TASK = 'minatar_seaquest'
KEYS = ('ArrowLeft', 'ArrowRight', 'ArrowDown', 'ArrowUp', 'Space')
STEPS = 40  # Of an episode that does not end before.


def main():
  """Record, take the pictures and write the results."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--out', required=True)
  parser.add_argument('--shots', required=True)
  parser.add_argument('--json')
  parser.add_argument('--trajectories', type=int, default=10)
  args = parser.parse_args()
  out = pathlib.Path(args.out)
  if out.exists():
    parser.error(f'{out} exists; choose another name')
  wanted = args.trajectories * STEPS
  with sync_playwright() as program, playtools.serving(
      TASK, out, wanted=wanted, seed=0) as (port, session):
    browser = program.chromium.launch(
        executable_path=shutil.which('chromium'), args=['--no-sandbox'])
    page = browser.new_page(viewport={'width': 1060, 'height': 720})
    page.set_default_timeout(120_000)
    page.goto(f'http://127.0.0.1:{port}/')
    page.wait_for_selector('body[data-phase=ready]')
    shot(page, args.shots, 'start')
    page.fill('#speed', '30')
    start, steps = time.time(), 0
    for number in range(args.trajectories):
      last = number == args.trajectories - 1
      episode(page, random.Random(number), args.shots, number, last)
      steps += len(session.episode.acts)
      page.keyboard.press('Enter')
      while session.number == number or page.text_content('#step') != '0':
        page.wait_for_timeout(20)
    wall = time.time() - start
    browser.close()
  report(out, steps / wall, args.json)


def episode(page, rng, shots, number, last):
  """Play an episode: 40 steps, or the last one to its end."""
  limit = 10 ** 6 if last else STEPS
  done = 0
  while done < limit:
    # In the end the submarine rests, so that the game is over in time.
    keys = rng.sample(KEYS, 2) if done < STEPS else ['Period']
    for key in keys:
      page.keyboard.down(key)
    page.wait_for_timeout(200)
    done = int(page.text_content('#step'))
    if number == 1 and done < STEPS:
      shot(page, shots, 'keys')
    for key in keys:
      page.keyboard.up(key)
    if page.get_attribute('body', 'data-phase') == 'over':
      break
  if last:
    shot(page, shots, 'over')
  elif page.get_attribute('body', 'data-phase') == 'playing':
    page.keyboard.press('Escape')


def shot(page, folder, name):
  """Save a picture of the page, in 256 colours to be small."""
  image = Image.open(io.BytesIO(page.screenshot())).convert('RGB')
  image.quantize(256).save(
      pathlib.Path(folder) / f'playing_{name}.png', optimize=True)


def report(path, speed, name):
  """Print what was recorded and write it as JSON."""
  with store.Store(path) as file:
    result = {
        'task': TASK, 'lengths': file.lengths,
        'scores': [x['score'] for x in file.infos],
        'steps_per_second': round(speed, 2)}
  print(json.dumps(result))
  if name:
    pathlib.Path(name).write_text(json.dumps(result, indent=1) + '\n')


if __name__ == '__main__':
  main()
