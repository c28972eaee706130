"""The report's page, from 18 runs of which three are in a bad way."""

import base64
import csv
import html
import html.parser
import io
import itertools
import json
import re
import shutil
import subprocess
import urllib.parse

import av
import numpy as np
import pytest

from dreamer_gail_plugin.report import __main__ as cli
from helpers import reportruns
from helpers.refusals import exit_code

pytest.importorskip('matplotlib', reason='needs the extra `report`')
pytest.importorskip('jinja2', reason='needs the extra `report`')

from dreamer_gail_plugin.report import behaviour  # noqa: E402
from dreamer_gail_plugin.report import page  # noqa: E402
from dreamer_gail_plugin.report import runs  # noqa: E402
from dreamer_gail_plugin.report import style  # noqa: E402

CHROMIUM = next(filter(None, map(shutil.which, (
    'chromium', 'chromium-browser', 'google-chrome'))), None)
HOSTILE = '<img src=x onerror=alert(1)>'
BAD = {
    'breakout_gail_2': 'broken', 'breakout_env_1': 'empty',
    'seaquest_gail_2': 'running'}


@pytest.fixture(scope='module')
def built(tmp_path_factory):
  """The folder of a report on reportruns.factorial, and what it printed."""
  folder = tmp_path_factory.mktemp('report')
  runs = reportruns.factorial(folder / 'runs')
  (runs / 'seaquest_random_2').rename(runs / HOSTILE)
  played = runs / 'breakout_gail_0' / 'eval' / f'{reportruns.STEPS}_sampled_'
  wide = np.zeros((4, 2000, 3), np.uint8)
  played.with_name(f'{played.name}best.png').write_bytes(behaviour.png(wide))
  game = dict(
      image=np.zeros((3, 8, 8, 3), np.uint8), reward=np.zeros(3),
      is_last=np.arange(3) == 2)
  played.with_name(f'{played.name}best.mp4').write_bytes(behaviour.film(game))
  assert exit_code(cli.main, [str(runs), '--out', str(folder / 'out')]) == 0
  return folder / 'out'


@pytest.fixture(scope='module')
def text(built):
  return (built / 'index.html').read_text()


@pytest.fixture(scope='module')
def results(built):
  return json.loads((built / 'results.json').read_text())


class Reader(html.parser.HTMLParser):
  """Collects the tags of a page and its text."""

  def __init__(self, text):
    super().__init__()
    self.tags, self.texts = [], []
    self.feed(text)

  def handle_starttag(self, tag, attrs):
    self.tags.append((tag, dict(attrs)))

  def handle_data(self, data):
    self.texts.append(data)


class TestNumbers:

  def rows(self, results, task):
    return {
        x['method']: x for x in results['results'] if x['task'] == task}

  def test_evaluated(self, results):
    # Scores of 5 and 7 in evaluations; the third run is broken.
    row = self.rows(results, 'minatar_breakout')['gail']
    assert (row['mean'], row['seeds'], row['games']) == (6, [0, 1], 100)
    assert row['sources'] == ['evaluation, sampled']
    assert row['length'] == pytest.approx(40.98)

  def test_training_games(self, results):
    # 2 + seed, of seeds 0 and 2, as seed 1 is empty.
    row = self.rows(results, 'minatar_breakout')['env']
    assert (row['mean'], row['seeds']) == (3, [0, 2])
    assert row['sd'] == pytest.approx(2 ** 0.5)
    # The running one does not count: 2 x (4 + seed) of seeds 0 and 1.
    row = self.rows(results, 'minatar_seaquest')['gail']
    assert (row['mean'], row['seeds']) == (9, [0, 1])

  def test_normalised(self, results):
    # Random play has 1, the bundled demonstrations 30.27.
    row = self.rows(results, 'minatar_breakout')['gail']
    assert row['normalised'] == pytest.approx(5 / 29.2667, abs=1e-4)

  def test_states(self, results):
    states = {x['name']: x['state'] for x in results['runs']}
    assert len(states) == 18
    assert {k: v for k, v in states.items() if v != 'complete'} == BAD


class TestPage:

  def test_bad_runs_are_named(self, text):
    note = text.split('class="note"')[1].split('</section>')[0]
    for name, state in BAD.items():
      assert f'<strong>{name}</strong> ({state}):' in note
    assert '15 complete, 1 running, 1 empty, 1 broken.' in note
    assert 'config.yaml cannot be read' in note
    assert 'at step 10,000 of 20,000' in note

  def test_every_run_has_a_line(self, text, built):
    names = [x['name'] for x in json.loads(
        (built / 'results.json').read_text())['runs']]
    table = text.split('<h2 id="runs">')[1].split('</table>')[0]
    cells = re.findall(r'data-name="run"><a [^>]*>(.*?)</a></th>', table)
    assert [page.jinja2.utils.markupsafe.Markup(x).unescape() for x in cells
            ] == names

  def test_numbers_are_those_of_the_table(self, text):
    assert '>6.00 ± 1.41</td>' in text and '>3.00 ± 1.41</td>' in text

  def test_holds_all_that_it_shows(self, text):
    reader = Reader(text)
    names = {x for x, _ in reader.tags}
    assert not names & {'script', 'iframe', 'object', 'embed', 'base', 'form'}
    for tag, attrs in reader.tags:
      for key in ('src', 'srcset', 'data'):
        assert attrs.get(key, 'data:').startswith('data:'), (tag, attrs)
    assert 'url(' not in text and '@import' not in text

  def test_links_lead_somewhere(self, text, built):
    tags = Reader(text).tags
    ids = {x['id'] for _, x in tags if 'id' in x}
    links = {x['href'] for tag, x in tags if tag == 'a'}
    inside = {x for x in links if x.startswith('#')}
    assert {x[1:] for x in inside} <= ids
    files = {x for x in links - inside if not x.startswith('data:')}
    assert len([x for x in files if x.endswith('/')]) == 18  # Runs.
    for name in files:
      assert (built / urllib.parse.unquote(name)).exists(), name
    # Each run that can be used has its command, each method one.
    runs = text.split('<h2 id="runs">')[1].split('</table>')[0]
    assert runs.count('href="#repeat-') == 16
    scores = text.split('<h2 id="scores">')[1].split('<h2')[0]
    assert scores.count('href="#repeat-') == 6

  def test_tables_to_download(self, text, results):
    files = {
        x['download']: base64.b64decode(x['href'].partition('base64,')[2])
        for tag, x in Reader(text).tags if 'download' in x}
    names = 'runs', 'comparisons', 'minatar_breakout', 'minatar_seaquest'
    assert set(files) == {f'{x}.{y}' for x in names for y in ('csv', 'json')}
    for name in names:
      rows = json.loads(files[f'{name}.json'])
      lines = list(csv.DictReader(files[f'{name}.csv'].decode().split('\n')))
      assert len(lines) == len(rows) > 1
      assert list(lines[0]) == list(rows[0])
    assert json.loads(files['runs.json']) == results['runs']
    row = [x for x in csv.DictReader(
        files['minatar_breakout.csv'].decode().split('\n'))
        if x['method'] == 'gail']
    assert (row[0]['mean'], row[0]['seeds']) == ('6.0', '0 1')

  def test_one_colour_a_method(self, text):
    # In tables and keys; figures take theirs from the same function.
    names = {'gail', 'env', 'random'}
    paint = style.colours(names)
    found = re.findall(
        r'<span style="color: (#\w+)" aria-hidden="true">.</span>\s*'
        r'(?:<a [^>]*>|<strong>)?([\w+]+)', text)
    assert names <= {name for _, name in found}
    assert {x for x in found if x[1] in names} == {
        (paint[x], x) for x in names}

  def test_conclusions(self, text):
    lists = html.unescape(text.split('<main>')[1].split('</ul>')[0])
    breakout, seaquest = lists.split('<li>')[1:]
    # 5 and 7 against 2 and 4 (Welch: 3 +- 4.303 x 1.414), random play 1.
    assert 'Nothing can be said of which is ahead, gail (6.00) or env' in (
        breakout)
    assert '3.00, 95 % interval -3.08 to 9.08, probability of' in breakout
    assert 'The demonstrations have 30.3.' in breakout
    assert 'ahead' in seaquest

  def test_films(self, text):
    films = [x for tag, x in Reader(text).tags if tag == 'video']
    assert [x['aria-label'] for x in films] == [
        'Film: minatar_breakout, Expert, the game',
        'Film: minatar_breakout, gail, best',
        'Film: minatar_seaquest, Expert, the game']
    for film in films:
      kind, _, data = film['src'].partition(';base64,')
      assert kind == 'data:video/mp4' and 'controls' in film
      with av.open(io.BytesIO(base64.b64decode(data))) as video:
        assert len(list(video.decode(video=0))) >= 3

  def test_captions_only_of_what_is_there(self, text):
    # These runs have no human scores, no strips with actions of learners.
    assert 'Human = 1' not in text and 'achievements' not in text
    assert 'Hatched' in text and 'Whisker' in text
    assert 'Accuracy: solid' in text and 'Dashed: methods' in text

  @pytest.mark.parametrize('score, dashed', [(30.0, True), (None, False)])
  def test_no_dashes_without_an_expert(
      self, tmp_path, monkeypatch, score, dashed):
    reportruns.save(tmp_path / 'run')
    monkeypatch.setattr(page.Report, 'score', lambda *_: score)
    report = page.Report([runs.load(tmp_path / 'run', 'run')])
    assert [x[0] for x in report.jobs()].count('curves') == 1
    assert ('dashed' in report.shows) == dashed

  def test_names_are_no_markup(self, text):
    assert HOSTILE not in text
    assert HOSTILE in ''.join(Reader(text).texts)
    assert not [x for _, x in Reader(text).tags if 'onerror' in x]

  def test_every_picture_is_described(self, text):
    images = [x for tag, x in Reader(text).tags if tag == 'img']
    assert len(images) > 20 and all(x['alt'] for x in images)

  def test_figures_of_tasks_differ(self, text):
    # Each panel once; a generator of closures once drew the last task twice.
    images = [x for tag, x in Reader(text).tags if tag == 'img']
    panels = [x['src'] for x in images if 'svg' in x['src'][:20]]
    assert len(panels) == len(set(panels)) >= 16

  def test_commands(self, text):
    shown = re.findall(r'<pre>(.*?)</pre>', text)
    assert any('agent.gail.reward env --seed SEED' in x for x in shown)
    assert 'minatar_breakout, env, seeds 0, 2</h3>' in text
    assert 'Evaluated with commit abc1234, jax 0.10.2<' in text

  def test_commands_as_given(self, text):
    # Seed 1 has no scores, seed 2 went on once.
    part = text.split('minatar_breakout, env, seeds 0, 2</h3>')[1]
    part = html.unescape(part.split('<h3')[0])
    command = (
        'python -m dreamer_gail_plugin.main --seed {} '
        f'--note {reportruns.HOSTILE}')
    assert part.split('<pre>')[1].split('</pre>')[0].split('\n') == [
        '# breakout_env_0, seed 0, started 2026-01-01T10:00:00+00:00',
        command.format(0),
        '# breakout_env_2, seed 2, started 2026-01-01T10:00:00+00:00',
        command.format(2),
        '# breakout_env_2, seed 2, gone on 2026-01-02T10:00:00+00:00',
        command.format(2)]
    assert part.count('<pre>') == 1  # None is rebuilt.
    assert (
        'Trained with commit def5678, jax 0.9.9; Linux, 2 cores, 8 GB<'
    ) in part

  def test_damaged_record(self, text):
    note = text.split('class="note"')[1].split('</section>')[0]
    assert '<strong>seaquest_env_0</strong> (complete): run.json ' in note
    assert re.findall(
        'minatar_seaquest, env, seeds 0, 1, 2</h3>\n<pre>', text)

  def test_files_beside_it(self, built):
    assert {x.name for x in built.iterdir()} == {
        'index.html', 'results.json', 'figures', 'scores'}
    pdfs = list((built / 'figures').glob('*.pdf'))
    assert len(pdfs) >= 16
    assert all(x.read_bytes().startswith(b'%PDF') for x in pdfs)
    assert len(list(built.glob('scores/runs/*/scores.jsonl'))) == 16
    assert not [x for x in built.parent.iterdir() if x.name[0] == '.']


# Machado, Oliveira and Fernandes (2009), complete loss of one kind of cones.
BLINDNESS = {
    'protanopia': [
        [0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998]],
    'deuteranopia': [
        [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881]],
    'tritanopia': [
        [1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900]],
    'none': np.eye(3)}


class TestColours:

  def linear(self, colour):
    value = np.array([int(colour[i: i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(
        value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)

  def contrast(self, one, two):
    light = sorted(
        self.linear(x) @ [0.2126, 0.7152, 0.0722] for x in (one, two))
    return (light[1] + 0.05) / (light[0] + 0.05)

  def lab(self, linear):
    to_xyz = np.array([
        [0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722],
        [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ np.clip(linear, 0, 1) / [0.9505, 1, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([
        116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])

  def test_of_the_formula(self):
    assert self.contrast('#000000', '#ffffff') == pytest.approx(21)
    assert self.contrast('#777777', '#ffffff') == pytest.approx(4.48, abs=0.01)

  def test_text_is_legible(self, text):
    # WCAG AA, for every text colour of the page on its background.
    roles = dict(re.findall(r'--(\w+): (#\w+);', text))
    states = re.findall(r'background: (#\w{6})', text)
    assert len(states) >= 6
    for ink in (roles['ink'], roles['muted'], style.INK, style.MUTED):
      assert self.contrast(ink, '#ffffff') >= 4.5
    for ground in states:
      assert self.contrast(roles['ink'], ground) >= 4.5, ground
    # Names of methods stand at their lines, in their colours.
    for colour in (*style.PALETTE, style.RANDOM, style.EXPERT):
      assert self.contrast(colour, '#ffffff') >= 4.5, colour

  @pytest.mark.parametrize('name', BLINDNESS)
  def test_told_apart(self, name):
    seen = {
        x: self.lab(np.array(BLINDNESS[name]) @ self.linear(x))
        for x in style.PALETTE[:6]}
    for one, two in itertools.combinations(seen, 2):
      assert np.linalg.norm(seen[one] - seen[two]) > 10, (one, two)


WIDTHS = (390, 768, 1280)
PROBE = """<script>addEventListener('load', () => parent.postMessage({
  width: innerWidth, scroll: document.documentElement.scrollWidth,
  images: [...document.images].map(x => x.naturalWidth),
  text: document.body.innerText.length,
  reached: [...document.querySelectorAll('a, video, .wide')].every(
      x => x.tabIndex === 0),
  scrolls: [...document.querySelectorAll('*')].filter(
      x => x.scrollWidth > x.clientWidth && getComputedStyle(x).overflowX ===
      'auto').map(x => x.tabIndex)}, '*'))</script></body>"""
FRAMES = """<title>[]</title><script>const all = []; onmessage = e => {
  all.push(e.data); document.title = JSON.stringify(all)}</script>"""


def chromium(path, folder):
  """Open a file; return its document and the lines of the console."""
  done = subprocess.run([
      CHROMIUM, '--headless', '--no-sandbox', '--disable-gpu',
      '--enable-logging=stderr', '--v=0', '--virtual-time-budget=5000',
      f'--user-data-dir={folder / "profile"}', '--dump-dom', path.as_uri()],
      capture_output=True, text=True, timeout=120)
  assert done.returncode == 0, done.stderr
  return done.stdout, [x for x in done.stderr.split('\n') if 'CONSOLE' in x]


@pytest.fixture(scope='module')
def views(text, tmp_path_factory):
  """Return what Chromium measures of the page at several widths.

  In frames, as a window cannot be as narrow as a phone, and without the
  policy that forbids scripts, as a script measures.
  """
  folder = tmp_path_factory.mktemp('browser')
  policy = re.compile('<meta http-equiv="Content-Security-Policy"[^>]*>')
  assert policy.search(text)
  (folder / 'page.html').write_text(
      policy.sub('', text).replace('</body>', PROBE))
  frame = '<iframe src="page.html" width="%d" height="900" frameborder="0">'
  (folder / 'frames.html').write_text(FRAMES + ''.join(
      f'{frame % x}</iframe>' for x in WIDTHS))
  document, _ = chromium(folder / 'frames.html', folder)
  return json.loads(re.search('<title>(.*?)</title>', document, re.S)[1])


@pytest.mark.skipif(not CHROMIUM, reason='there is no Chromium')
class TestBrowser:

  def test_console_is_free_of_errors(self, built, tmp_path):
    assert chromium(built / 'index.html', tmp_path)[1] == []

  def test_the_console_is_read(self, tmp_path):
    path = tmp_path / 'x.html'
    path.write_text('<script>undefined.x</script>')
    _, lines = chromium(path, tmp_path)
    assert len(lines) == 1 and 'TypeError' in lines[0]

  def test_fits_phone_tablet_and_desktop(self, views):
    assert sorted(x['width'] for x in views) == list(WIDTHS)
    assert all(x['scroll'] <= x['width'] for x in views)

  def test_by_keyboard(self, views):
    # What is cut off at the side can be scrolled to.
    assert all(x['reached'] and set(x['scrolls']) == {0} for x in views)

  def test_all_pictures_load(self, views):
    for view in views:
      assert len(view['images']) > 20 and all(view['images'])
      assert view['text'] > 2000
