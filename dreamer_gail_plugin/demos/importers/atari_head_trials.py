"""Which trials of Atari-HEAD there are, and which are taken.

A highscore trial goes on where an earlier one was left (`load_trial`). Such
a chain is one long game, so it is never divided between training and test.
"""

from ...errors import UserError

SPLITS = ('all', 'train', 'test')
FOLD = 5  # Every fifth chain is for testing.
AVERAGED = ('refuse', 'keep', 'match')


def choose(args, trials, path, meta):
  """Return the chosen ones of {number: Trial}, the best first.

  They are those named by --trials or --chain, else the best of the split by
  the highest score in meta_data.csv: those that start with a new game, or
  all with --highscore. Raises UserError for those that are not there or
  whose frames were (or, to match, were not) averaged.
  """
  named = args.trials or args.chain
  if not path and (not args.trials or args.split != 'all'):
    raise UserError(
        f'--source {args.source}: there is no meta_data.csv in it or beside '
        'it, which tells the best trials; copy it there or name some by '
        f'--trials (there are {numbers(trials)})')
  if args.trials:
    chosen = list(dict.fromkeys(args.trials))
  elif args.chain:
    chosen = ancestry(args, meta)
  else:
    chosen = best(args, path, meta)
  _check_split(args, meta, chosen)
  lost = [x for x in chosen if x not in trials]
  if lost:
    how = '' if named else f'the {args.best} best by {path} are '
    raise UserError(
        f'--source {args.source}: {how}{numbers(chosen)}, but there is no '
        f'trial {numbers(lost)}; name some of those that are there by '
        f'--trials ({numbers(trials)})')
  _check_averaged(args, meta, chosen)
  return [trials[x] for x in chosen]


def best(args, path, meta):
  """Return the numbers of the best trials that the flags allow."""
  pool = [
      x for x in meta
      if (args.highscore or not meta[x].load)
      and args.split in ('all', split(meta, x))]
  unfit = [x for x in pool if _unfit(args, meta[x])]
  order = sorted(pool, key=lambda x: -meta[x].score)
  passed = [x for x in order[:args.best] if x in unfit]
  if passed:
    print(
        f'trial {numbers(passed)}: left out, as its frames were '
        f'{"not " if args.averaged == "match" else ""}averaged (--averaged)')
  chosen = [x for x in order if x not in unfit][:args.best]
  if not chosen:
    raise UserError(
        f'{path}: has no trials of the game {args.game} that fit the flags')
  return chosen


def ancestry(args, meta):
  """Return the numbers of a chain, from its new game to trial --chain."""
  if args.chain not in meta:
    raise UserError(
        f'--chain {args.chain}: meta_data.csv has no such trial of '
        f'{args.game}; it has {numbers(meta)}')
  chain = [args.chain]
  while meta[chain[0]].load in meta and meta[chain[0]].load not in chain:
    chain.insert(0, meta[chain[0]].load)
  return chain


def root(meta, number):
  """Return the number of the trial that started the chain of this one."""
  seen = set()
  while number in meta and meta[number].load and number not in seen:
    seen.add(number)
    number = meta[number].load
  return number


def split(meta, number):
  """Return the part, 'train' or 'test', to which a trial belongs.

  Every fifth chain by number is for testing, whatever is chosen.
  """
  roots = sorted({root(meta, x) for x in meta})
  return 'train' if roots.index(root(meta, number)) % FOLD else 'test'


def whole_score(meta, chosen, scores):
  """Return the mean score of the games that trials were taken from.

  The scores of a chain add up, so of each chain the highest one counts.
  `scores` are those of the trials, in the order of their numbers `chosen`.
  """
  games = {}
  for number, score in zip(chosen, scores):
    key = root(meta, number)
    games[key] = max(score, games.get(key, score))
  return sum(games.values()) / len(games)


def listing(meta, trials):
  """Return the lines of a table of a game's trials, the best first."""
  lines = [
      'trial  subject   score  frames  episodes  averaged  split  there  '
      'continues']
  for number in sorted(meta, key=lambda x: -meta[x].score):
    row = meta[number]
    lines.append(
        f'{number:>5}  {row.subject:<7} {row.score:>7,} {row.frames:>7,}  '
        f'{row.episodes:>8}  {"yes" if row.averaged else "no":<8}  '
        f'{split(meta, number):<5}  {"yes" if number in trials else "no":<5}  '
        f'{row.load or ""}'.rstrip())
  return lines


def warnings(meta, counts, average):
  """Return texts about what may differ from the environment.

  `average` is the flag that makes the environment average frames, if the
  store wants it to, or False.
  """
  if not meta:
    return [
        'not in a meta_data.csv, so nobody knows whether its frames were '
        'averaged; its score is the sum of its rewards']
  texts = []
  if average:
    texts.append(
        f'train with --{average} True, as its frames were averaged')
  elif meta.averaged:
    texts.append(
        'its recorder averaged the colours of consecutive frames, which the '
        'environment does not; a discriminator can tell an expert by that '
        'alone')
  if meta.episodes != counts['episodes']:
    texts.append(
        f'{counts["episodes"]} episode(s) found in the labels, meta_data.csv '
        f'has {meta.episodes}; a border that is not marked looks like a move')
  return texts


def numbers(values):
  """Return numbers as text."""
  return ' '.join(str(x) for x in values)


def _unfit(args, meta):
  return {
      'refuse': meta.averaged, 'keep': False,
      'match': not meta.averaged}[args.averaged]


def _check_split(args, meta, chosen):
  if args.split == 'all':
    return
  wrong = [
      x for x in chosen if x not in meta or split(meta, x) != args.split]
  if wrong:
    raise UserError(
        f'--split {args.split}: does not have trial {numbers(wrong)}; see '
        '--list')


def _check_averaged(args, meta, chosen):
  wrong = [x for x in chosen if x in meta and _unfit(args, meta[x])]
  if not wrong:
    return
  if args.averaged == 'match':
    raise UserError(
        f'--averaged match: the frames of trial {numbers(wrong)} were not '
        'averaged, so an environment that averages does not match them')
  raise UserError(
      f'trial {numbers(wrong)}: its recorder averaged the colours of '
      'consecutive frames (frame_averaging TRUE), by which a discriminator '
      'can tell an expert. Choose others (--list), or --averaged match, which '
      'makes the environment average too, or --averaged keep')
