"""How figures look: colours, sizes, numbers, and figures as SVG and PDF."""

import base64
import contextlib
import io
import warnings

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from .methods import RANDOM as RANDOM_PLAY

# Found by a search for colours that are legible as text on white (a contrast
# of 4.5) and stay apart with the common colour blindnesses, the first six in
# any pair; tests/report/test_page.py measures both. Markers tell the rest
# apart.
PALETTE = (
    '#0072b2', '#bf4830', '#165943', '#8c19ff', '#591659', '#4c5909',
    '#d9006c', '#46008c')
# What most reports have is of the same colour in all of them.
KNOWN = {
    'gail': PALETTE[0], 'gail+anchor': PALETTE[1], 'env': PALETTE[2],
    'cloning': PALETTE[3], 'constant': PALETTE[4],
    'constant+anchor': PALETTE[5], 'plain_cloning': PALETTE[6]}
RANDOM = '#6e7681'
EXPERT = '#111111'
INK, MUTED, GRID = '#1b1f24', '#57606a', '#e4e7eb'
# One marker less than colours, so that pairs of both repeat late.
MARKERS = 'osD^vPX'
WIDTH = 4.2  # Inches, so that its text is 9 to 11 pixels on a phone.
RC = {
    'font.family': 'DejaVu Sans', 'font.size': 9, 'text.color': INK,
    'axes.labelcolor': MUTED, 'axes.edgecolor': '#9aa3ad',
    'axes.linewidth': 0.8, 'axes.spines.top': False,
    'axes.spines.right': False, 'axes.grid': True, 'axes.axisbelow': True,
    'axes.titlesize': 10, 'axes.titleweight': 'bold',
    'axes.titlelocation': 'left', 'axes.titlepad': 8,
    'axes.labelsize': 8.5, 'grid.color': GRID, 'grid.linewidth': 0.8,
    'xtick.color': MUTED, 'ytick.color': MUTED, 'xtick.labelsize': 8.5,
    'ytick.labelsize': 8.5, 'xtick.major.size': 0, 'ytick.major.size': 0,
    'xtick.minor.size': 0, 'ytick.minor.size': 0, 'lines.linewidth': 1.8,
    'lines.solid_capstyle': 'round', 'hatch.linewidth': 0.7,
    'text.parse_math': False,  # Names may have a $.
    'svg.hashsalt': 'report', 'svg.fonttype': 'path', 'pdf.fonttype': 42,
}


def colours(methods):
  """Return {method name: colour}; random play is grey.

  A variant, as `gail (small)`, has the colour of its method if that is not
  there itself and has no other. The rest take what is left, in order.
  """
  kinds = [x.partition(' (')[0] for x in methods]
  found = {
      x: KNOWN[kind] for x, kind in zip(methods, kinds) if kind in KNOWN
      and (x == kind or kinds.count(kind) == 1)}
  left = [x for x in PALETTE if x not in found.values()] or PALETTE
  grey = [x for x, kind in zip(methods, kinds) if kind == RANDOM_PLAY]
  others = [x for x in methods if x not in found and x not in grey]
  found.update({x: left[i % len(left)] for i, x in enumerate(others)})
  return {**found, **dict.fromkeys([RANDOM_PLAY, *grey], RANDOM)}


def markers(methods):
  """Return {method name: marker}, for readers who cannot tell colours."""
  return {x: MARKERS[i % len(MARKERS)] for i, x in enumerate(methods)}


@contextlib.contextmanager
def panel(title, height=2.9):
  """Yield the axes of a new figure of one panel, in the report's style."""
  with mpl.rc_context(RC):
    fig = Figure((WIDTH, height), layout='constrained')
    ax = fig.add_subplot()
    ax.set_title(title)
    yield ax


def save(ax, pdf):
  """Return the figure of the axes as an SVG data URI and write it as PDF."""
  with mpl.rc_context(RC), warnings.catch_warnings():
    warnings.simplefilter('ignore', UserWarning)  # A panel too full to fit.
    buffer = io.BytesIO()
    ax.figure.savefig(buffer, format='svg', metadata={'Date': None})
    ax.figure.savefig(pdf, metadata={'CreationDate': None})
  return uri(buffer.getvalue(), 'image/svg+xml')


def uri(data, kind):
  """Return bytes as a data URI."""
  return f'data:{kind};base64,{base64.b64encode(data).decode()}'


def short(value, _=None):
  """Return a number for an axis: 0.5, 20k, 1.5M."""
  for size, unit in ((1e9, 'B'), (1e6, 'M'), (1e3, 'k')):
    if abs(value) >= size:
      return f'{value / size:.4g}{unit}'
  return f'{value:.4g}'


def spread(positions, gap):
  """Return the positions, moved apart until neighbours have the gap.

  Their order stays. Positions that had to move keep their middle.
  """
  order = np.argsort(positions, kind='stable')
  groups = []  # [sum of wanted centres, count]
  for wanted in np.asarray(positions, np.float64)[order]:
    groups.append([wanted, 1])
    while len(groups) > 1 and _overlap(*groups[-2:], gap):
      total, count = groups.pop()
      groups[-1][0] += total
      groups[-1][1] += count
  result = np.empty(len(positions))
  result[order] = np.concatenate([
      total / count + gap * (np.arange(count) - (count - 1) / 2)
      for total, count in groups]) if groups else []
  return result


def _overlap(below, above, gap):
  middle = lambda group: group[0] / group[1]
  need = gap * (below[1] + above[1]) / 2
  return middle(above) - middle(below) < need
