"""What a score is worth: human scores, and signs of a false success."""

import numpy as np

# Atari games by their ale-py names: mean scores of the random policy and of a
# professional tester (Wang et al., 2016, *Dueling network architectures for
# deep reinforcement learning*, table 2: no-op starts).
ATARI = {
    'alien': (227.8, 7127.7),
    'amidar': (5.8, 1719.5),
    'assault': (222.4, 742.0),
    'asterix': (210.0, 8503.3),
    'asteroids': (719.1, 47388.7),
    'atlantis': (12850.0, 29028.1),
    'bank_heist': (14.2, 753.1),
    'battle_zone': (2360.0, 37187.5),
    'beam_rider': (363.9, 16926.5),
    'berzerk': (123.7, 2630.4),
    'bowling': (23.1, 160.7),
    'boxing': (0.1, 12.1),
    'breakout': (1.7, 30.5),
    'centipede': (2090.9, 12017.0),
    'chopper_command': (811.0, 7387.8),
    'crazy_climber': (10780.5, 35829.4),
    'defender': (2874.5, 18688.9),
    'demon_attack': (152.1, 1971.0),
    'double_dunk': (-18.6, -16.4),
    'enduro': (0.0, 860.5),
    'fishing_derby': (-91.7, -38.7),
    'freeway': (0.0, 29.6),
    'frostbite': (65.2, 4334.7),
    'gopher': (257.6, 2412.5),
    'gravitar': (173.0, 3351.4),
    'hero': (1027.0, 30826.4),
    'ice_hockey': (-11.2, 0.9),
    'jamesbond': (29.0, 302.8),
    'kangaroo': (52.0, 3035.0),
    'krull': (1598.0, 2665.5),
    'kung_fu_master': (258.5, 22736.3),
    'montezuma_revenge': (0.0, 4753.3),
    'ms_pacman': (307.3, 6951.6),
    'name_this_game': (2292.3, 8049.0),
    'phoenix': (761.4, 7242.6),
    'pitfall': (-229.4, 6463.7),
    'pong': (-20.7, 14.6),
    'private_eye': (24.9, 69571.3),
    'qbert': (163.9, 13455.0),
    'riverraid': (1338.5, 17118.0),
    'road_runner': (11.5, 7845.0),
    'robotank': (2.2, 11.9),
    'seaquest': (68.4, 42054.7),
    'skiing': (-17098.1, -4336.9),
    'solaris': (1236.3, 12326.7),
    'space_invaders': (148.0, 1668.7),
    'star_gunner': (664.0, 10250.0),
    'surround': (-10.0, 6.5),
    'tennis': (-23.8, -8.3),
    'time_pilot': (3568.0, 5229.2),
    'tutankham': (11.4, 167.6),
    'up_n_down': (533.4, 11693.2),
    'venture': (0.0, 1187.5),
    'video_pinball': (16256.9, 17667.9),
    'wizard_of_wor': (563.5, 4756.5),
    'yars_revenge': (3092.9, 54576.9),
    'zaxxon': (32.5, 9173.3),
}
LONG, SHORT = 2.0, 0.5  # Suspicious lengths, as multiples of random play's.


def human_normalised(task, score):
  """Return a mean score of an Atari task, 0 for random play and 1 for a human.

  Both are those of ATARI. None for other tasks and for games without a human
  score.
  """
  known = atari(task)
  return normalised(score, *known) if known else None


def atari(task):
  """Return the mean scores of random play and of a human, or None."""
  suite, _, game = task.partition('_')
  game = {'james_bond': 'jamesbond'}.get(game, game)
  return ATARI.get(game) if suite in ('atari', 'atari100k') else None


def normalised(score, low, high):
  """Return (score - low) / (high - low), or None if the two are equal."""
  return (score - low) / (high - low) if high != low else None


def success_rates(achievements):
  """Return the share of episodes (name: 0 to 1) that reached each of them.

  `achievements` is a list of dicts of counts, one an episode.
  """
  return {
      name: float(np.mean([x[name] > 0 for x in achievements]))
      for name in achievements[0]}


def crafter_score(rates):
  """Return Crafter's score in percent, of success rates from 0 to 1.

  The geometric mean of the rates in percent, with 1 added to each of them and
  subtracted at the end (Hafner, 2021, *Benchmarking the spectrum of agent
  capabilities*, section 3.3). It is not linear: the score of pooled rates is
  not the mean of the agents' scores.
  """
  percent = 100 * np.asarray(list(rates), np.float64)
  return float(np.exp(np.log1p(percent).mean()) - 1)


def flags(games, chance):
  """Return sentences on why these scores may not be a success.

  The paper counts neither long games with a low score nor very short ones
  without a loss (section 4.4). Here a score is low if it is within two
  standard errors of random play's, a game is long at LONG times random play's
  length or at the time limit, and very short at SHORT times that length.

  `games` and `chance` are games of the policy and of random play, as returned
  by games.play.
  """
  mean = lambda key, games: float(np.mean([x[key] for x in games]))
  score, random = mean('score', games), mean('score', chance)
  length, usual = mean('length', games), mean('length', chance)
  error = lambda games: np.var([x['score'] for x in games]) / len(games)
  noise = 2 * np.sqrt(error(games) + error(chance))
  limited = mean('limit', games)
  numbers = (
      f'score {score:.2f} and length {length:.1f}, those of random play '
      f'{random:.2f} and {usual:.1f}')
  found = []
  survives = length >= LONG * usual or limited >= 0.5 > mean('limit', chance)
  if survives and score <= random + noise:
    found.append(
        f'Survives without scoring: {numbers}; {limited:.0%} of the games '
        f'reach the time limit.')
  # Between nothing and random play, whichever is more.
  idle = min(0, random) - noise <= score <= max(0, random) + noise
  if length <= SHORT * usual and idle:
    found.append(f'Dies without losing: {numbers}.')
  return found
