"""Figures of the report: bars, curves, their labels and numbers."""

import numpy as np
import pytest

pytest.importorskip('matplotlib', reason='needs the extra `report`')

from matplotlib import text  # noqa: E402

from dreamer_gail_plugin.report import figures  # noqa: E402
from dreamer_gail_plugin.report import methods  # noqa: E402
from dreamer_gail_plugin.report import style  # noqa: E402
from dreamer_gail_plugin.report import summary  # noqa: E402


class TestFigures:

  def rows(self, *means, **kwargs):
    return [
        summary.Row(
            't', name, [0, 1], ['training'], np.array([x - 0.1, x + 0.1]), x,
            0.14, x, x, x, 9, None, None, 1, None, reward, None, None, ())
        for x, (name, reward) in zip(means, (('a', False), ('b', True)))]

  def known(self, rows):
    return {
        x.method: methods.Method(x.method, x.uses_reward, {}) for x in rows}

  def bars(self, *means):
    rows = self.rows(*means)
    return figures.bars('t', rows, self.known(rows), 5.0)

  def named(self, ax):
    legend, = ax.figure.legends
    return [x.get_text() for x in legend.get_texts()]

  def test_controls_and_random_play_are_lines(self):
    rows = self.rows(1.0, 4.0) + self.rows(0.25, 2.0)
    for row, name in zip(rows, ('a', 'b', 'random', 'constant+anchor')):
      row.method = name
    known = self.known(rows)
    ax = figures.bars('t', rows, known, 5.0)
    assert [x.get_width() for x in ax.patches] == [1, 4]
    assert self.named(ax) == [
        'random 0.25', 'constant+anchor 2.00', 'expert 5.00']
    lines = {x.get_label(): x for x in ax.get_lines()}
    paint = style.colours(known)
    control = lines['constant+anchor 2.00']
    assert control.get_xdata() == [2, 2]
    assert control.get_color() == paint['constant+anchor']
    assert lines['random 0.25'].get_color() == style.RANDOM
    looks = {lines[x].get_linestyle() for x in self.named(ax)}
    assert len({str(lines[x]._unscaled_dash_pattern) for x in lines
                if x in self.named(ax)}) == 3, looks
    # With nothing else to show they are bars.
    ax = figures.bars('t', rows[2:], known)
    assert len(ax.patches) == 2 and not ax.figure.legends

  def test_bars(self):
    ax = self.bars(1.0, 4.0)
    assert [x.get_width() for x in ax.patches] == [1, 4]
    assert [bool(x.get_hatch()) for x in ax.patches] == [False, True]
    assert self.named(ax) == ['expert 5.00']
    assert '4.00 ± 0.14*' in [x.get_text() for x in ax.texts]

  @pytest.mark.parametrize('name', [
      '$\\frac{', '$x$', '\x1b[2J', 'a\0b', '$' * 50, '{}%s'])
  def test_names_are_no_mathtext(self, tmp_path, name):
    rows = self.rows(1.0, 40.0)
    rows[0].method = name
    curve = summary.Curve(np.arange(3.0), np.ones((1, 3)))
    drawn = {
        'bars': figures.bars(name, rows, self.known(rows), 5.0),
        'curves': figures.curves(
            name, {(name, 'solid'): curve}, self.known(rows), name, name,
            marks=[figures.Line(x, name, style.EXPERT) for x in (1.9, 99)])}
    for kind, ax in drawn.items():
      texts = [x for x in ax.figure.findobj(text.Text) if x.get_text()]
      assert texts and not [x for x in texts if x.get_parse_math()]
      style.save(ax, tmp_path / f'{kind}.pdf')
      assert (tmp_path / f'{kind}.pdf').stat().st_size

  def test_logarithmic_where_scores_spread(self):
    assert self.bars(1.0, 29.0).get_xscale() == 'linear'
    assert self.bars(1.0, 31.0).get_xscale() == 'log'
    assert self.bars(-1.0, 31.0).get_xscale() == 'linear'
    assert self.bars(0.0, 31.0).get_xscale() == 'linear'

  def test_far_marks_are_named_not_drawn(self):
    curve = summary.Curve(np.arange(3.0), np.ones((1, 3)))
    known = self.known(self.rows(1.0))
    draw = lambda mark: figures.curves(
        't', {('a', 'solid'): curve}, known, 'x', marks=[
            figures.Line(mark, 'expert', style.EXPERT)])
    near, far = draw(1.9), draw(30.0)
    assert near.get_ylim()[1] < 3 and far.get_ylim()[1] < 3
    assert 'expert ↑' in [x.get_text() for x in far.texts]
    assert 'expert' in [x.get_text() for x in near.texts]

  @pytest.mark.parametrize('values', [
      [0.6, 0.6 + 1e-12, 0.6], [0.69314, 0.69316, 0.69315], [2.0, 2.0, 2.0],
      [-1e4, -1e4 - 1e-3, -1e4], [0.0, 0.0, 0.0], [0.01, 0.5, 0.9]])
  def test_lines_of_the_grid_differ_in_their_numbers(self, values):
    curve = summary.Curve(np.arange(3.0), np.array([values]))
    ax = figures.curves(
        't', {('a', 'solid'): curve}, self.known(self.rows(1.0)), 'x')
    low, high = ax.get_ylim()
    assert low < min(values) <= max(values) < high
    ticks = [x for x in ax.get_yticks() if low <= x <= high]
    labels = ax.yaxis.get_major_formatter().format_ticks(ticks)
    assert 3 <= len(labels) == len(set(labels)), labels

  def test_many_names_stand_below(self):
    curve = summary.Curve(np.arange(3.0), np.ones((1, 3)))
    names = [f'{x} of a long name' for x in 'abcdefghijkl']
    few, many = [
        figures.curves('t', {(x, 'solid'): curve for x in found}, found, 'x')
        for found in (names[:3], names)]
    assert not few.figure.legends and len(few.texts) == 4
    legend, = many.figure.legends
    assert [x.get_text() for x in legend.get_texts()] == names
    assert many.figure.get_figheight() > few.figure.get_figheight() + 1

  def test_single_runs_where_some_are_missing(self):
    ys = np.array([[1, 1, np.nan], [3, 3, 9]])
    known = self.known(self.rows(1.0))
    ax = figures.curves(
        't', {('a', 'solid'): summary.Curve(np.arange(3.0), ys)}, known, 'x')
    mean, first, second = ax.get_lines()
    assert mean.get_ydata()[:2].tolist() == [2, 2]
    assert np.isnan(mean.get_ydata()[2])
    assert first.get_linestyle() == second.get_linestyle() == ':'
    # From the last point that all reach.
    assert second.get_ydata()[1:].tolist() == [3, 9]
    assert np.isnan(second.get_ydata()[0])


class TestColours:

  def test_of_a_method_in_any_report(self):
    alone = style.colours(['gail'])
    among = style.colours(['a', 'cloning', 'gail', 'random', 'z'])
    assert alone['gail'] == among['gail'] != among['a']
    assert len(set(among.values())) == 5

  def test_of_variants(self):
    one = style.colours(['gail (x)', 'env'])
    assert one['gail (x)'] == style.KNOWN['gail']
    both = style.colours(['gail', 'gail (x)', 'gail (y)'])
    assert both['gail'] == style.KNOWN['gail']
    assert len(set(both.values())) == 4  # Random play has one, too.


class TestLabels:

  def test_apart(self):
    places = style.spread([0.5, 0.5, 0.5], 0.1)
    assert places == pytest.approx([0.4, 0.5, 0.6])

  def test_order_and_middle_stay(self):
    wanted = [0.9, 0.1, 0.12, 0.5]
    places = style.spread(wanted, 0.1)
    assert places == pytest.approx([0.9, 0.06, 0.16, 0.5])

  def test_groups_that_meet(self):
    rng = np.random.default_rng(0)
    for _ in range(50):
      wanted = rng.random(8)
      places = np.sort(style.spread(wanted, 0.05))
      assert np.diff(places).min() > 0.05 - 1e-9
      assert (np.argsort(wanted) == np.argsort(
          style.spread(wanted, 0.05))).all()

  def test_none(self):
    assert len(style.spread([], 0.1)) == 0
