"""The figure of a benchmark: learning curves, and the scores of methods."""

import io
import os

import numpy as np
from PIL import Image

from ..report import figures
from ..report import style
from ..report import summary
from . import suites

DPI = 160
COLUMNS = 3


def draw(scores, path):
  """Write the figure of the Scores as a PNG."""
  panels = [curves(scores, x) for x in scores.tasks]
  tiles = [image(x) for x in [x for x in panels if x] + [bars(scores)]]
  part = path.with_name(f'.{path.name}.{os.getpid()}.part')
  tiled(tiles).save(part, 'PNG')
  part.replace(path)


def curves(scores, task):
  """Draw the training scores of a task; return the axes or None.

  The band is from the lowest to the highest seed, the dashed line the score
  of the demonstrations.
  """
  titles = {x: suites.METHODS[x].title for x in scores.methods}
  found = {}
  for method, title in titles.items():
    runs = [
        x['training'] for k, x in scores.runs.items()
        if k[:2] == (method, task) and method != 'random']
    runs = [x for x in runs if any(y is not None for y in x['scores'])]
    if runs:
      found[title, 'solid'] = _curve(runs)
  if not found:
    return None
  return figures.curves(
      task, found, list(titles.values()), 'environment steps',
      'training score', [(scores.marks[task][1], 'expert')])


def _curve(runs):
  ends = max((x['steps'] for x in runs), key=len)
  ys = np.full((len(runs), len(ends)), np.nan)
  for row, run in zip(ys, runs):
    row[:len(run['scores'])] = [
        np.nan if y is None else y for y in run['scores']]
  # Longer than a window, an episode may leave one without an end.
  x = np.array(ends, np.float64)
  for row in ys:
    known = np.isfinite(row)
    inside = (x >= x[known][0]) & (x <= x[known][-1])
    row[inside] = np.interp(x[inside], x[known], row[known])
  keep = np.isfinite(ys).any(0)
  return summary.Curve(x[keep], ys[:, keep])


def bars(scores):
  """Draw the expert-normalised IQM of the methods with their intervals.

  A method that lacks a task says so.
  """
  titles = {x: suites.METHODS[x].title for x in scores.methods}
  paint = style.colours(titles.values())
  counts = {x: len(scores.strata(x)) for x in titles}
  names = [
      title + f'\n({counts[x]} of {len(scores.tasks)} tasks)' * (
          counts[x] < len(scores.tasks)) for x, title in titles.items()]
  with style.panel('All tasks', 1.25 + 0.42 * len(titles)) as ax:
    ends = [1.0]
    for y, (method, title) in enumerate(titles.items()):
      value, low, high = scores.iqm(method)
      ax.barh(y, value, height=0.58, color=paint[title], zorder=2)
      ax.errorbar(
          value, y, xerr=[[value - low], [high - value]], color=style.INK,
          linewidth=1.1, capsize=2.5, zorder=4)
      ends += [value, low, high]
      ax.annotate(
          f'{value:z.2f}', (np.nanmax([value, high, 0]), y), (6, 0),
          va='center', textcoords='offset points', fontsize=8.5, zorder=6)
    ax.axvline(1, color=style.EXPERT, linestyle=(0, (4, 2)), linewidth=1.2)
    ax.set_yticks(range(len(titles)), names)
    ax.tick_params(axis='y', labelcolor=style.INK)
    ax.set_ylim(len(titles) - 0.45, -0.7)
    ax.set_xlim(min(0, np.nanmin(ends)) * 1.05, np.nanmax(ends) * 1.18)
    ax.grid(axis='y', visible=False)
    ax.set_xlabel('expert-normalised IQM, 95 %')
    return ax


def image(ax):
  """Return the figure of the axes as an image."""
  buffer = io.BytesIO()
  ax.figure.savefig(buffer, format='png', dpi=DPI, facecolor='white')
  return Image.open(buffer).convert('RGB')


def tiled(tiles):
  """Return the images side by side, COLUMNS in a row, on white.

  A row is as high as its highest image.
  """
  rows = [tiles[i: i + COLUMNS] for i in range(0, len(tiles), COLUMNS)]
  width = max(x.width for x in tiles)
  heights = [max(x.height for x in row) for row in rows]
  page = Image.new('RGB', (width * len(rows[0]), sum(heights)), 'white')
  for index, row in enumerate(rows):
    for column, tile in enumerate(row):
      page.paste(tile, (column * width, sum(heights[:index])))
  return page
