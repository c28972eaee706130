"""The figures: each function draws one panel and returns its axes."""

import collections
import itertools

import matplotlib as mpl
import numpy as np
from matplotlib import patheffects

from ..evaluate.stats import number
from . import style
from .methods import RANDOM

Line = collections.namedtuple('Line', 'value text colour')

APART = 30  # Ratio of means from which on the axis of bars is logarithmic.
DASHED = (0, (4, 2))
DOTTED = (0, (1, 1.5))  # Random play; other references are the rest.
OTHERS = ((0, (6, 2, 1, 2)), (0, (3, 1, 1, 1)), (0, (8, 2)), (0, (2, 3)))
FULL = 1.2  # Height of names, of that of a panel, that is too much.
FAR = 2  # A mark that many times above all curves is named, not drawn.


def bars(title, rows, methods, expert=None):
  """Draw the scores of a task's methods, as figure 2 of the paper.

  A bar is the mean over runs, a whisker their standard deviation, a dot one
  run. Methods that learn from the environment's reward are hatched. Random
  play, controls and `expert`, the mean score of the demonstrations, are lines.
  """
  paint, looks = style.colours(methods), _dashes(methods)
  learners = [x for x in rows if not methods[x.method].reference] or rows
  lines = [
      Line(x.mean, f'{x.method} {number(x.mean)}', paint[x.method])
      for x in rows if x not in learners]
  dashes = [looks[x.method] for x in rows if x not in learners] + [DASHED]
  if expert is not None and np.isfinite(expert):
    lines.append(Line(expert, f'expert {number(expert)}', style.EXPERT))
  rows = learners
  names = [_wrap(x.method) for x in rows]
  texts = [_wrap(x.text, 50) for x in lines]
  columns = 2 if max(map(len, texts), default=0) < 25 else 1
  height = (
      1.3 + len(rows) * max(0.42, 0.16 * max(map(_height, names)))
      + 0.17 * sum(map(_height, texts)) / columns)
  with style.panel(title, height) as ax:
    log = _scale(ax, [x.mean for x in rows], [x.value for x in lines])
    for y, row in enumerate(rows):
      _bar(ax, y, row, paint[row.method])
    _limits(ax, rows, [x.value for x in lines], log)
    _lines(ax, lines, texts, dashes, columns)
    ax.set_yticks(range(len(rows)), names)
    ax.tick_params(axis='y', labelcolor=style.INK)
    ax.set_ylim(len(rows) - 0.45, -0.7)
    ax.grid(axis='y', visible=False)
    ax.spines['left'].set_visible(False)
    if not log:
      ax.xaxis.set_major_locator(mpl.ticker.MaxNLocator(5))
      ax.xaxis.set_major_formatter(style.short)
    ax.set_xlabel('score, logarithmic axis' if log else 'score')
    return ax


def _bar(ax, y, row, colour):
  look = dict(color=colour) if not row.uses_reward else dict(
      facecolor='#f1f2f4', edgecolor=colour, hatch='////')
  ax.barh(y, row.mean, height=0.58, linewidth=0.9, zorder=2, **look)
  if row.sd is not None:
    ax.errorbar(
        row.mean, y, xerr=row.sd, color=style.INK, linewidth=1.1, capsize=2.5,
        zorder=4)
  shift = np.linspace(-0.14, 0.14, len(row.values)) * (len(row.values) > 1)
  ax.scatter(
      row.values, y + shift, s=13, facecolor='white', edgecolor=style.INK,
      linewidth=0.8, zorder=5)
  text = number(row.mean)
  text += '' if row.sd is None else f' ± {number(row.sd)}'
  right = max(row.mean + (row.sd or 0), row.values.max(), 0)
  star = '*' if 'training' in row.sources else ''
  ax.annotate(
      text + star, (right, y), (6, 0), textcoords='offset points',
      va='center', fontsize=8.5, zorder=6,
      bbox=dict(facecolor='white', edgecolor='none', pad=0.6))


def _halo():
  return patheffects.withStroke(linewidth=2.5, foreground='white')


def _scale(ax, means, lines):
  low, high = min(means), max(means)
  if min([low, *lines]) > 0 and high / low >= APART:
    ax.set_xscale('log')
    ax.xaxis.set_major_formatter(style.short)
    ax.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    return True
  return False


def _limits(ax, rows, lines, log):
  ends = [x.mean + (x.sd or 0) for x in rows] + [x.values.max() for x in rows]
  lows = [x.values.min() for x in rows] + [x.mean - (x.sd or 0) for x in rows]
  low, high = min(lows + lines), max(ends + lines)
  if log:
    means = [x.mean for x in rows] + lines
    ax.set_xlim(min(means) / 2.5, high * (high / min(means)) ** 0.35)
    return
  low, high = min(0, low), max(0, high)
  room = 0.3 * (high - low or 1)  # For the numbers beside the bars.
  widest = max(max(x.mean + (x.sd or 0), x.values.max()) for x in rows)
  ax.set_xlim(
      low - (0.06 * room / 0.3 if low else 0), max(high * 1.04, widest + room))


def _dashes(methods):
  # The same in all panels.
  names = [x for x in methods if methods[x].reference and x != RANDOM]
  return {**dict(zip(names, itertools.cycle(OTHERS))), RANDOM: DOTTED}


def _height(text):
  return text.count('\n') + 1


def _lines(ax, lines, texts, dashes, columns):
  # Named below, as their names would cover each other and the bars.
  for line, text, look in zip(lines, texts, dashes):
    ax.axvline(
        line.value, color=line.colour, linestyle=look, linewidth=1.4,
        zorder=3, label=text)
  if lines:
    ax.figure.legend(
        loc='outside lower left', fontsize=8.5, frameon=False, ncols=columns,
        handlelength=2.6, columnspacing=1.2)


def _wrap(name, width=15):
  lines = ['']
  for word in name.split():
    if lines[-1] and len(lines[-1]) + len(word) >= width:
      lines.append('')
    lines[-1] = f'{lines[-1]} {word}'.strip()
  return '\n'.join(lines)


def curves(
    title, lines, methods, xlabel, ylabel='score', marks=(), log=False):
  """Draw curves over seeds: {(method, style): Curve}.

  The band is from the lowest to the highest run. Where some runs of a method
  have ended, each of the others is a dotted line. Styles are 'solid' and
  'dashed'; only solid lines are labelled. `marks` are horizontal Lines. With
  `log` the axis is logarithmic if that shows powers of ten.
  """
  paint, shapes = style.colours(methods), style.markers(methods)
  with style.panel(title) as ax:
    ends = []
    for (method, dashes), curve in lines.items():
      solid = dashes == 'solid'
      _curve(
          ax, curve, paint[method], shapes[method], dashes,
          label=method if solid else None)
      if solid:
        ends.append((curve.end, method, paint[method]))
    top = max(np.nanmax(x.ys) for x in lines.values())
    far = [x for x in marks if x.value > FAR * top > 0]
    ax.annotate(
        '\n'.join(f'{x.text} \u2191' for x in far), (0.01, 0.99),
        xycoords='axes fraction', va='top', fontsize=8.5,
        path_effects=[_halo()], zorder=6)
    for line in [x for x in marks if x not in far]:
      ax.axhline(
          line.value, color=line.colour, linestyle=DASHED, linewidth=1.2,
          label=line.text)
      ends.append((line.value, line.text, line.colour))
    ax.set_xlim(left=0)
    ax.margins(x=0)
    ax.xaxis.set_major_locator(mpl.ticker.MaxNLocator(4))
    low = min(np.nanmin(x.ys) for x in lines.values())
    if log and top > 10 * low > 0:
      ax.set_yscale('log')
      ylabel += ', logarithmic axis'
      ax.yaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    else:
      _widen(ax)
      ax.yaxis.set_major_locator(mpl.ticker.MaxNLocator(5))
    ax.xaxis.set_major_formatter(style.short)
    ax.yaxis.set_major_formatter(style.short)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    _names(ax, ends)
    return ax


def _widen(ax):
  # So that the four digits of labels differ, and noise does not look large.
  low, high = ax.get_ylim()
  middle = (low + high) / 2
  half = max(high - low, 0.02 * abs(middle)) / 2
  ax.set_ylim(middle - half, middle + half)


def _curve(ax, curve, colour, marker, dashes, label):
  ax.plot(
      curve.x, curve.mean, color=colour, linestyle=dashes, zorder=4,
      label=label, marker=marker, markersize=4, markerfacecolor='white',
      markevery=(2, max(1, len(curve.x) // 4)))
  if len(curve.ys) > 1:
    ax.fill_between(
        curve.x, *np.where(curve.full, [curve.ys.min(0), curve.ys.max(0)],
        np.nan), color=colour, alpha=0.18, linewidth=0, zorder=2)
  # Where some are missing, each of the others on its own from there on.
  near = curve.full & (
      np.append(~curve.full[1:], False) | np.append(False, ~curve.full[:-1]))
  for ys in curve.ys:
    ax.plot(
        curve.x, np.where(~curve.full | near, ys, np.nan), color=colour,
        linestyle=':', linewidth=1.2, zorder=4)


def _names(ax, ends):
  # At the ends of the lines, as a legend makes people look to and fro.
  low, high = ax.get_ylim()
  height = lambda y: ax.transAxes.inverted().transform(
      ax.transData.transform((0, y)))[1]
  texts = [_wrap(x[1], 14) for x in ends]
  gap = 0.066 * max(map(_height, texts), default=1)
  if gap * len(ends) > FULL:
    _below(ax, len(ends))
    return
  places = style.spread([height(x[0]) for x in ends], gap)
  for (value, _, colour), text, place in zip(ends, texts, places):
    ax.annotate(
        text, (1, value), (1.035, place), annotation_clip=False,
        xycoords=('axes fraction', 'data'), textcoords='axes fraction',
        color=colour, fontsize=8.5, va='center', linespacing=0.95,
        arrowprops=dict(
            arrowstyle='-', color=colour, linewidth=0.7, shrinkA=1,
            shrinkB=0, relpos=(0, 0.5)))
  ax.set_ylim(low, high)


def _below(ax, count):
  # Where the names do not fit beside the panel.
  fig = ax.figure
  fig.set_figheight(fig.get_figheight() + 0.17 * count)
  fig.legend(
      loc='outside lower left', fontsize=8.5, frameon=False, handlelength=2.6)


def shares(title, names, series, methods, xlabel, expert=None):
  """Draw shares in percent as a row of points for each name.

  `series` maps a method to shares (N,) in [0, 1], `expert` has those of the
  demonstrations.
  """
  paint, shapes = style.colours(methods), style.markers(methods)
  height = 1.45 + 0.2 * len(names) + 0.16 * len(series)
  with style.panel(title, height) as ax:
    rows = np.arange(len(names))
    for method, values in series.items():
      ax.plot(
          100 * values, rows, linestyle='none', marker=shapes[method],
          markersize=6.5, markerfacecolor='none', markeredgewidth=1.6,
          color=paint[method], label=method, zorder=4)
    if expert is not None:
      ax.plot(
          100 * expert, rows, linestyle='none', marker='|', markersize=13,
          markeredgewidth=2.4, color=style.EXPERT, label='Expert', zorder=3)
    ax.set_yticks(rows, names)
    ax.tick_params(axis='y', labelcolor=style.INK)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_xlim(-3, 103)
    ax.set_xlabel(xlabel)
    ax.spines['left'].set_visible(False)
    ax.figure.legend(
        loc='outside lower left', fontsize=8.5, frameon=False, ncols=2,
        handletextpad=0.3, columnspacing=1.2)
    return ax
