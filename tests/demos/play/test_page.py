"""The recording page in a real browser, played by key events."""

import contextlib
import json
import re
import shutil
import time

import pytest

from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.demos import play

for name in play.PACKAGES:
  pytest.importorskip(name, reason=f'{name} belongs to the extra `play`')
sync_api = pytest.importorskip(
    'playwright.sync_api', reason='needs `uv run --group browser pytest`')
CHROMIUM = shutil.which('chromium') or shutil.which('google-chrome')
if not CHROMIUM:
  pytest.skip('Chromium is not installed', allow_module_level=True)

from helpers import playtools  # noqa: E402

TASK = 'minatar_breakout'
# For tests of the clock: its games do not end early, however busy the machine.
LONG = pytest.mark.parametrize('served', ['minatar_freeway'], indirect=True)
LIMIT = 60_000  # Milliseconds, for machines that are busy.


@pytest.fixture(scope='module')
def browser():
  """Run a headless Chromium."""
  with sync_api.sync_playwright() as program:
    # The sandbox does not run as root, as in containers; the page is ours.
    browser = program.chromium.launch(
        executable_path=CHROMIUM, args=['--no-sandbox'])
    yield browser
    browser.close()


@pytest.fixture
def served(request, tmp_path):
  """Serve a game; return (port, session, path of the store)."""
  path, task = tmp_path / 'a.h5', getattr(request, 'param', TASK)
  with playtools.serving(task, path, wanted=50) as (port, session):
    yield port, session, path


@pytest.fixture
def tab(browser, served):
  """Return a function that opens the page; fail on errors in its console."""
  errors, pages = [], []
  def tab():
    page = browser.new_page()
    pages.append(page)
    page.set_default_timeout(LIMIT)
    page.on('pageerror', lambda error: errors.append(str(error)))
    page.on('console', lambda message: message.type == 'error' and
            'WebSocket' not in message.text and errors.append(message.text))
    page.goto(f'http://127.0.0.1:{served[0]}/')
    phase(page, 'ready')
    return page
  yield tab
  for page in pages:
    page.close()
  assert not errors


def phase(page, name):
  """Wait until the page is in this phase."""
  page.wait_for_selector(f'body[data-phase={name}]')


def shows(page, name, text):
  """Wait until an element shows this text."""
  sync_api.expect(page.locator(f'#{name}')).to_have_text(
      text, timeout=LIMIT)


def until(page, condition):
  """Wait until JavaScript is true; the page's policy forbids eval."""
  for _ in range(LIMIT // 20):
    if page.evaluate(condition):
      return
    page.wait_for_timeout(20)
  raise AssertionError(condition)


def single(page):
  """Choose one step for each key press."""
  page.check('#single')


def press(page, *keys):
  """Press keys one after the other, a step each."""
  for key in keys:
    before = int(page.text_content('#step'))
    page.keyboard.press(key)
    shows(page, 'step', str(before + 1))


def lengths(path):
  """Return the lengths of the trajectories of a store."""
  with store.Store(path) as file:
    return file.lengths


class TestKeys:

  def test_each_press_is_a_step(self, served, tab):
    _, session, path = served
    page = tab()
    single(page)
    press(page, 'ArrowLeft', 'd', '.', 'ArrowRight')
    assert session.episode.acts == [1, 2, 0, 2]
    shows(page, 'action', 'right')
    page.keyboard.press('x')  # No key of the game.
    page.keyboard.press('Enter')
    shows(page, 'kept', '4 of 50 steps, 1 kept, mean score 0')
    assert page.get_attribute('#progress', 'value') == '4'
    with store.Store(path) as file:
      assert file.read(0)['action'].tolist() == [1, 2, 0, 2]

  @LONG
  def test_clock(self, served, tab):
    # A held key counts at every step, a tap between two steps at the next,
    # and without a key the game goes on.
    _, session, _ = served
    page = tab()
    page.fill('#speed', '4')
    page.keyboard.down('ArrowUp')
    phase(page, 'playing')
    assert page.locator('#keys .down').count() == 1
    until(page, 'state.step >= 2')
    page.keyboard.up('ArrowUp')
    page.keyboard.press('ArrowDown')
    count = page.evaluate('state.step')
    until(page, f'state.step >= {count + 3}')
    page.keyboard.press('Escape')
    phase(page, 'ready')
    until(page, '!pending')
    acts = session.episode.acts
    assert acts[:2] == [1, 1]
    assert acts.count(2) == 1 and acts[-1] == 0
    count = len(acts)
    page.wait_for_timeout(700)
    assert len(session.episode.acts) == count  # Paused.

  @LONG
  def test_speed(self, served, tab):
    _, session, _ = served
    page = tab()
    page.fill('#speed', '2')
    page.evaluate("""() => { window.times = []; new MutationObserver(
        () => times.push(performance.now())).observe(
        document.getElementById('step'), {childList: true}); }""")
    page.keyboard.press('ArrowUp')
    until(page, 'times.length >= 4')
    times = page.evaluate('times')
    assert times[3] - times[0] > 1300  # Three times half a second.

  @LONG
  def test_a_machine_that_is_behind(self, served, tab, monkeypatch):
    _, session, _ = served
    page, step = tab(), session.step
    asked = page.input_value('#speed')
    shows(page, 'rate', f'{asked} steps/s')
    monkeypatch.setattr(
        session, 'step', lambda action: time.sleep(0.4) or step(action))
    page.keyboard.press('ArrowUp')
    shows(page, 'rate', re.compile(rf'^[0-2](\.\d)? of {asked} steps/s$'))

  @LONG
  def test_leaving_the_page_pauses(self, served, tab):
    page = tab()
    page.fill('#speed', '2')
    page.keyboard.press('ArrowUp')
    phase(page, 'playing')
    page.evaluate('window.dispatchEvent(new Event("blur"))')
    phase(page, 'ready')


class TestSeenByOthers:

  def test_state_in_words(self, served, tab):
    page = tab()
    single(page)
    assert page.get_attribute('#screen', 'alt') == (
        'minatar_breakout: step 0, score 0, last action none, ready')
    press(page, 'ArrowLeft')
    assert page.get_attribute('#screen', 'alt') == (
        'minatar_breakout: step 1, score 0, last action left, playing')
    page.keyboard.press('Escape')
    phase(page, 'ready')
    status = page.locator('#status')
    assert status.get_attribute('aria-live') == 'polite'
    assert 'Paused' in status.inner_text()

  def test_buttons_by_keyboard(self, served, tab):
    _, session, _ = served
    page = tab()
    single(page)
    page.focus('#keys [data-name=right]')
    page.keyboard.press('Enter')
    shows(page, 'step', '1')
    page.keyboard.press('Space')
    shows(page, 'step', '2')
    assert session.episode.acts == [2, 2]


class TestTouch:

  PHONE = {'width': 390, 'height': 844}

  def test_two_fingers(self, browser, tmp_path):
    # Of left and fire at once, both count until they are let go.
    with playtools.serving('minatar_space_invaders', tmp_path / 'a.h5') as (
        port, session), contextlib.closing(browser.new_context(
            viewport=self.PHONE, has_touch=True, is_mobile=True)) as phone:
      page = phone.new_page()
      page.goto(f'http://127.0.0.1:{port}/')
      phase(page, 'ready')
      page.tap('#keys [data-name=left]')
      phase(page, 'playing')
      until(page, 'state.step >= 1')
      page.tap('#pause')
      phase(page, 'ready')
      names = session.episode.game.names
      assert names[session.episode.acts[0]] == 'left'
      page.evaluate("""() => { for (const name of ['left', 'fire'])
        document.querySelector(`[data-name=${name}]`).dispatchEvent(
        new PointerEvent('pointerdown', {pointerId: 1, bubbles: true})) }""")
      assert page.locator('#keys .down').count() == 2

  def test_fits_a_phone(self, browser, served):
    with contextlib.closing(browser.new_context(
        viewport=self.PHONE, has_touch=True, is_mobile=True)) as phone:
      page = phone.new_page()
      page.goto(f'http://127.0.0.1:{served[0]}/')
      phase(page, 'ready')
      assert page.evaluate(
          'document.documentElement.scrollWidth <= innerWidth')
      boxes = page.evaluate("""[...document.querySelectorAll('button')].map(
          x => x.getBoundingClientRect()).filter(x => x.width).map(
          x => [x.width, x.height, x.right, x.bottom])""")
      assert len(boxes) == 7
      assert all(w >= 44 and h >= 44 and right <= 390
                 for w, h, right, _ in boxes)
      # The board and the keys of the game are there without scrolling.
      assert all(bottom <= 844 for *_, bottom in boxes[:3])


class TestContinuous:

  @pytest.mark.parametrize('served', ['gym_Pendulum-v1'], indirect=True)
  def test_sliders_and_gamepad(self, served, tab):
    _, session, _ = served
    page = tab()
    page.fill('#speed', '20')
    page.focus('#axes input')
    page.keyboard.press('ArrowRight')  # Starts the game, too.
    phase(page, 'playing')
    until(page, 'state.step >= 2')
    first, = session.episode.acts[0]
    assert 0 < first <= 2
    page.evaluate("""() => { navigator.getGamepads = () => [
        {axes: [-0.5]}] }""")
    count = page.evaluate('state.step')
    until(page, f'state.step >= {count + 3}')
    page.keyboard.press('Escape')
    phase(page, 'ready')
    page.wait_for_timeout(300)  # A stick that is still held starts nothing.
    phase(page, 'ready')
    assert session.episode.acts[-1] == [-1]
    shows(page, 'action', '-1.00')


class TestSuites:

  @pytest.mark.parametrize('served, keys, names', [
      ('atari_breakout', ('Space', 'ArrowLeft'), ('FIRE', 'LEFT')),
      ('crafter_reward', ('ArrowLeft', 'Space'), ('move_left', 'do')),
      ('gym_CartPole-v1', ('ArrowLeft', 'd'), ('left', 'right')),
  ], indirect=['served'])
  def test_plays_undoes_and_keeps(self, served, tab, keys, names):
    _, session, path = served
    page = tab()
    assert page.evaluate('document.getElementById("screen").naturalWidth') > 99
    single(page)
    press(page, *keys, keys[0])
    page.keyboard.press('Backspace')
    shows(page, 'step', '2')
    page.keyboard.press('Enter')
    shows(page, 'step', '0')
    env = session.episode.game.env
    with store.Store(path) as file:
      store.validate(file, env.obs_space, env.act_space, session.task)
      meanings = json.loads(file.attrs['action_meanings'])
      made = [meanings[x] for x in file.read(0)['action']]
    assert made == list(names)


class TestEpisodes:

  def test_undo(self, served, tab):
    _, session, _ = served
    page = tab()
    single(page)
    press(page, 'ArrowLeft', 'ArrowLeft', 'ArrowRight')
    page.keyboard.press('Backspace')
    shows(page, 'step', '2')
    page.click('#undo')
    shows(page, 'step', '1')
    press(page, '.')
    assert session.episode.acts == [1, 0] and session.episode.undone == 2

  def test_until_the_end(self, served, tab):
    _, session, path = served
    page = tab()
    page.fill('#speed', '30')
    page.keyboard.down('ArrowLeft')
    phase(page, 'over')
    page.keyboard.up('ArrowLeft')
    length = len(session.episode.acts)
    assert 'Game over' in page.text_content('#status')
    # It can be looked at: nothing lies on the board.
    assert page.evaluate("""(() => {
      const {x, y, width, height} = screenBox();
      return [[.5, .5], [.1, .1], [.9, .9]].every(([h, v]) =>
        document.elementFromPoint(x + h * width, y + v * height).id ===
        'screen') && getComputedStyle(document.getElementById('screen')
        ).opacity === '1' })()""".replace('screenBox()', (
            "document.getElementById('screen').getBoundingClientRect()")))
    page.keyboard.press('ArrowLeft')  # Must not start anything.
    page.keyboard.press('Backspace')  # Three seconds: to the start.
    shows(page, 'step', '0')
    page.keyboard.down('ArrowLeft')
    phase(page, 'over')
    page.keyboard.up('ArrowLeft')
    page.keyboard.press('Enter')
    phase(page, 'ready')
    assert lengths(path) == [length + 1]

  def test_discard_asks(self, served, tab):
    _, session, path = served
    page = tab()
    single(page)
    press(page, 'ArrowLeft')
    page.keyboard.press('Delete')
    shows(page, 'discard', 'Really?Delete')
    press(page, 'ArrowLeft')  # Playing on is a no.
    page.click('#discard')
    assert len(session.episode.acts) == 2
    page.click('#discard')
    shows(page, 'step', '0')
    assert session.number == 1 and not path.exists()


class TestConnections:

  def test_two_tabs(self, served, tab):
    _, session, path = served
    first = tab()
    single(first)
    press(first, 'ArrowLeft')
    first.keyboard.press('Enter')
    shows(first, 'step', '0')
    press(first, 'ArrowLeft')
    second = tab()
    phase(first, 'taken')
    shows(second, 'step', '1')
    single(second)
    first.keyboard.press('Enter')  # Too late.
    press(second, 'ArrowRight')
    assert session.episode.acts == [1, 2] and lengths(path) == [1]
    first.click('#takeover')
    phase(second, 'taken')
    shows(first, 'step', '2')
    first.keyboard.press('Enter')
    shows(first, 'step', '0')
    assert lengths(path) == [1, 2]

  def test_lost_connection(self, served, tab):
    _, session, path = served
    page = tab()
    single(page)
    press(page, 'ArrowLeft')
    page.keyboard.press('Enter')
    shows(page, 'step', '0')
    press(page, 'ArrowLeft')
    page.evaluate('socket.close()')
    phase(page, 'connecting')
    phase(page, 'ready')
    press(page, 'ArrowRight')
    assert session.episode.acts == [1, 2] and lengths(path) == [1]

  def test_closed_tab(self, served, tab):
    _, session, path = served
    page = tab()
    single(page)
    press(page, 'ArrowLeft')
    page.keyboard.press('Enter')
    shows(page, 'step', '0')
    press(page, 'ArrowLeft')
    page.close()
    assert lengths(path) == [1]
    page = tab()
    shows(page, 'step', '1')
    shows(page, 'kept', '1 of 50 steps, 1 kept, mean score 0')
