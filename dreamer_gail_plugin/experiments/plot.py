"""The figure of a study: learning curves, and the scores of methods.

Or, of a study of few demonstrations, scores by the steps shown.
"""

import io
import re

import numpy as np
from PIL import Image

from .. import atomic
from ..errors import UserError
from ..report import figures
from ..report import style
from ..report import summary
from . import suites
from . import table

DPI = 160
COLUMNS = 3
WINDOW = 10_000  # Steps of a mean training score.
SHOWN = re.compile(r'([\d,]+) steps')  # The setting of runs of `few`.


def draw(scores, path):
  """Write the figure of the Scores as a PNG.

  Raises UserError for a study of other settings than numbers of steps shown,
  whose lines would be too many.
  """
  settings = list(filter(None, (x for x, _ in scores.rows)))
  if not all(map(SHOWN.fullmatch, settings)):
    raise UserError(
        'plot: this study compares settings, more than a figure can show; '
        'print its table instead.')
  draws = by_shown if settings else curves
  panels = [draws(scores, x) for x in scores.tasks]
  panels += [] if settings else [bars(scores)]
  tiles = [image(x) for x in panels if x]
  with atomic.write(path) as part:
    tiled(tiles).save(part, 'PNG')


def curves(scores, task):
  """Draw the scores of a task; return the axes or None.

  A line goes by mean training scores and ends at the evaluation. Its band is
  from the lowest to the highest seed, the dashed line the score of the
  demonstrations.
  """
  names, found = [table.label(x) for x in scores.rows], {}
  for row, text in zip(scores.rows, names):
    runs = [
        x for x in scores.found(row, task)
        if any(y is not None for y in x['training']['scores'])]
    if runs and row[1] != 'random':
      found[text, 'solid'] = curve(runs, scores.policy)
  if not found:
    return None
  return figures.curves(
      table.name(task), found, names, 'environment steps',
      'score', [figures.Line(
          scores.marks[task][1], 'expert', style.EXPERT)])


def by_shown(scores, task):
  """Draw the scores of a task by the steps shown; return the axes or None.

  A point is the mean over seeds and its whisker goes from the lowest to the
  highest. What learns from no demonstrations is a horizontal line.
  """
  names = list(dict.fromkeys(x for _, x in scores.rows))
  paint, shapes = style.colours(names), style.markers(names)
  rows = [x for x in scores.rows if len(scores.of(x, task))]
  learners = [x for x in names if suites.METHODS[x].watches]
  if not {x for _, x in rows} & set(learners):
    return None
  with style.panel(table.name(task), 3.1 + 0.17 * len(names)) as ax:
    for method in learners:
      values = {shown(x): scores.of(x, task) for x in rows if x[1] == method}
      if values:
        _points(ax, values, paint[method], shapes[method], method)
    lines = {
        x: scores.of(('', x), task).mean() for x in names
        if x not in learners and ('', x) in rows}
    random, expert = scores.marks[task]
    for text, value, colour, dashes in [
        *((k, v, paint[k], '-.') for k, v in lines.items() if k != 'random'),
        ('random', random, style.RANDOM, ':'),
        ('expert', expert, style.EXPERT, '--')]:
      ax.axhline(value, color=colour, linestyle=dashes, label=text)
    steps = sorted({shown(x) for x in scores.rows if x[1] in learners})
    ax.set_xscale('log')
    ax.set_xlim(steps[0] / 1.3, steps[-1] * 1.3)  # The same in all panels.
    ax.set_xticks(steps, [f'{x:,}' for x in steps])
    ax.minorticks_off()
    ax.set_xlabel('steps shown')
    ax.set_ylabel('score')
    ax.figure.legend(
        loc='outside lower left', fontsize=8.5, frameon=False, ncols=2)
    return ax


def _points(ax, values, colour, marker, label):
  # Of {steps: scores (seeds,)}.
  xs = sorted(values)
  means = np.array([values[x].mean() for x in xs])
  ends = [[values[x].min() for x in xs], [values[x].max() for x in xs]]
  ax.errorbar(
      xs, means, yerr=abs(means - ends), color=colour, label=label,
      marker=marker, markersize=5, markerfacecolor='white', capsize=2.5,
      elinewidth=1.1, zorder=4)


def shown(row):
  """Return how many steps were shown to the runs of a row."""
  found = SHOWN.fullmatch(row[0])
  return int(found[1].replace(',', '')) if found else suites.BUNDLED


def curve(runs, policy):
  """Return the Curve of runs of one row on one task.

  A training score stands in the middle of its window. In games as long as
  those of Freeway it tells of the policy of some windows before, and of the
  last ones nothing, which end after the run: so the evaluation is the last
  point.
  """
  xs = sorted({
      step - WINDOW // 2 for x in runs for step in x['training']['steps']}
      | {x['steps'] for x in runs})
  ys = np.full((len(runs), len(xs)), np.nan)
  for row, run in zip(ys, runs):
    points = [
        (x - WINDOW // 2, y) for x, y in zip(
            run['training']['steps'], run['training']['scores'])
        if y is not None and x - WINDOW // 2 < run['steps']]
    points.append((
        run['steps'], run['evaluations'][policy]['summary']['mean']))
    # Longer than a window, a game may leave one without an end.
    row[:] = np.interp(xs, *zip(*points), left=np.nan, right=np.nan)
  keep = np.isfinite(ys).any(0)
  return summary.Curve(np.array(xs, np.float64)[keep], ys[:, keep])


def bars(scores):
  """Draw the expert-normalised IQM of the rows with their intervals.

  A row that lacks a task has none and says so.
  """
  names = [table.label(x) for x in scores.rows]
  paint = style.colours(names)
  with style.panel('all tasks', 1.25 + 0.42 * len(names)) as ax:
    ends = [1.0]
    for y, (row, text) in enumerate(zip(scores.rows, names)):
      value, low, high = scores.iqm(row)
      note = f'{value:z.2f}'
      if np.isnan(value):
        note = f'{len(scores.strata(row))} of {len(scores.tasks)} tasks'
      ax.barh(y, value, height=0.58, color=paint[text], zorder=2)
      ax.errorbar(
          value, y, xerr=[[value - low], [high - value]], color=style.INK,
          linewidth=1.1, capsize=2.5, zorder=4)
      ends += [value, low, high]
      ax.annotate(
          note, (np.nanmax([value, high, 0]), y), (6, 0), va='center',
          textcoords='offset points', fontsize=8.5, zorder=6)
    ax.axvline(1, color=style.EXPERT, linestyle=(0, (4, 2)), linewidth=1.2)
    ax.set_yticks(range(len(names)), names)
    ax.tick_params(axis='y', labelcolor=style.INK)
    ax.set_ylim(len(names) - 0.45, -0.7)
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
