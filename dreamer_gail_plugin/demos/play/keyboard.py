"""From the keys that a person holds to one action of a task."""

import re

from ...errors import UserError

# Keys by their code in the browser, which is their place on the board
# whatever is printed on them. Ours are the codes of the buttons, which
# actions combine (Atari has UPRIGHTFIRE), and of actions with usual keys.
BUTTONS = {
    'up': ('ArrowUp', 'KeyW'),
    'left': ('ArrowLeft', 'KeyA'),
    'down': ('ArrowDown', 'KeyS'),
    'right': ('ArrowRight', 'KeyD'),
    'fire': ('Space',),
    'do': ('Space',),
    'noop': ('Period',),
    # Crafter.
    'sleep': ('KeyZ',),
    'place_stone': ('KeyR',),
    'place_table': ('KeyT',),
    'place_furnace': ('KeyF',),
    'place_plant': ('KeyP',),
    'make_wood_pickaxe': ('Digit1',),
    'make_stone_pickaxe': ('Digit2',),
    'make_iron_pickaxe': ('Digit3',),
    'make_wood_sword': ('Digit4',),
    'make_stone_sword': ('Digit5',),
    'make_iron_sword': ('Digit6',),
}
COMBINED = ('up', 'down', 'left', 'right', 'fire')
SPARE = [f'Digit{x}' for x in '1234567890'] + [
    f'Key{x}' for x in 'QEFCXVGBHNJMKLIUOYRTPZWASD']
SIGNS = {
    'ArrowUp': '↑', 'ArrowLeft': '←', 'ArrowDown': '↓', 'ArrowRight': '→',
    'Period': '.'}


class Keyboard:
  """The keys of a task whose actions have the given names, in order.

  `buttons` maps the name of each button to its key codes, `actions` is the
  set of buttons of each action, and `idle` is the action of a person who
  presses nothing, or None if all actions do something. Raises UserError for
  more actions than keys.
  """

  part = 'keys'

  def __init__(self, names):
    self.names = list(names)
    self.actions = [_parts(x) for x in self.names]
    self.idle = None
    if frozenset(['noop']) in self.actions:
      self.idle = self.actions.index(frozenset(['noop']))
    self.buttons = {}
    for name in dict.fromkeys(x for parts in self.actions for x in parts):
      self.buttons[name] = BUTTONS.get(name)
    self._assign_spare()
    self.codes = {
        code: name for name, codes in self.buttons.items() for code in codes}

  def choose(self, pressed):
    """Return the action for the key codes held, or None for no action.

    `pressed` is in the order in which they were pressed. The action is the
    one with most of these buttons and none beside; of several, as for left
    and right together, the one pressed last.
    """
    order = {self.codes[x]: i for i, x in enumerate(pressed)
             if x in self.codes}
    fitting = [x for x in self.actions if x <= order.keys()]
    if not fitting:
      return self.idle
    latest = lambda parts: sorted((order[x] for x in parts), reverse=True)
    best = max(fitting, key=lambda x: (len(x), latest(x)))
    return self.actions.index(best)

  def text(self, action):
    """Return an action for the page."""
    return self.names[action]

  def axes(self):
    """Return the sliders for the page: none."""
    return []

  def legend(self):
    """Return the buttons for the page: name, key codes and their label."""
    return [{
        'name': name, 'codes': codes,
        'label': ' '.join(_label(x) for x in codes),
    } for name, codes in sorted(self.buttons.items(), key=_rank)]

  def _assign_spare(self):
    taken = {code for codes in self.buttons.values() for code in codes or ()}
    spare = [x for x in SPARE if x not in taken]
    for name in [k for k, v in self.buttons.items() if not v]:
      wish = f'Digit{name}'
      if not spare:
        raise UserError(
            f'{len(self.names)} actions are more than there are keys. Record '
            'this task by a program, see docs/adding.md.')
      code = wish if wish in spare else spare[0]
      spare.remove(code)
      self.buttons[name] = (code,)


def _parts(name):
  # The buttons of an action: LEFTFIRE, move_left, place_stone.
  name = name.lower().removeprefix('move_')
  button = '|'.join(COMBINED)
  if re.fullmatch(f'({button})+', name):
    return frozenset(re.findall(button, name))
  return frozenset([name])


def _label(code):
  return SIGNS.get(code) or code.removeprefix('Key').removeprefix('Digit')


def _rank(item):
  # In the order of the table above, others after them.
  known = list(BUTTONS)
  return known.index(item[0]) if item[0] in known else len(known)
