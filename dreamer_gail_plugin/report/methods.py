"""Which runs are of one method: those whose settings differ in nothing.

Runs with unlike settings must never be averaged as if they were seeds, so the
config decides and not the name of a folder.
"""

import dataclasses
import re

NAMES = {
    'gail': 'Dreamer-GAIL',
    'airl': 'Dreamer-AIRL',
    'fairl': 'Dreamer-FAIRL',
    'logd': 'Dreamer, reward ln D',
    'prob': 'Dreamer, reward D',
    'constant': 'Constant reward',
    'env': 'DreamerV3',
    'random': 'Random play',
}
UPSTREAM = 'DreamerV3'
RANDOM = NAMES['random']

# Settings that say where, when and how long, and not what is learned.
ASIDE = re.compile(
    r'(seed|logdir|method|task|script|replicas?|clock_\w+|ipv6|errfile|'
    r'random_agent|uses_reward|report_length|consec_report)|'
    r'(logger|jax|env)\..*|replay\.size|agent\.report.*|'
    r'run\.(?!train_ratio$|envs$).*|'
    # Of baselines.
    r'(steps|eval)\..*|parallel|device|log_every|save_every')
LONGEST = 2  # Settings that fit into the name of a variant.


@dataclasses.dataclass
class Method:
  """A name, whether it learns from the environment's reward, its variant.

  `variant` holds the settings {key: value} that tell it from the others of
  the same kind; it is empty where there are none.
  """

  name: str
  uses_reward: bool
  variant: dict


def assign(runs):
  """Name the methods of the runs; return {name: Method} in their order.

  Sets `run.method` and `run.uses_reward`. Order: without reward, with it,
  random play.
  """
  kinds = {}
  for run in runs:
    kinds.setdefault(_kind(run), []).append(run)
  found = {}
  for kind, members in kinds.items():
    for run, name, variant in _variants(kind, members):
      run.method = name
      run.uses_reward = _uses_reward(run)
      found.setdefault(name, Method(name, run.uses_reward, variant))
  order = lambda x: (x.name == RANDOM, x.uses_reward, x.name)
  return {x.name: x for x in sorted(found.values(), key=order)}


def settings(run):
  """Return what the run learned with: the part of its config that matters."""
  suite = run.task.partition('_')[0]
  own = {
      k: v for k, v in run.flat.items()
      if not ASIDE.fullmatch(k) or k.startswith(f'env.{suite}.')}
  if run.flat.get('random_agent'):
    own = {k: v for k, v in own.items() if k.startswith('env.')}
  elif run.flat.get('agent.gail.reward') == 'env':
    own = {k: v for k, v in own.items() if not k.startswith('agent.gail.')}
  return own


def _kind(run):
  given = run.method or run.flat.get('method', 'name')
  if run.flat.get('random_agent'):
    return RANDOM
  if given != 'name':  # Upstream's own key to name a method.
    return str(given)
  reward = run.flat.get('agent.gail.reward')
  return NAMES.get(reward, f'Dreamer, {reward}') if reward else UPSTREAM


def _uses_reward(run):
  if run.flat.get('random_agent'):
    return False
  if 'agent.gail.reward' in run.flat:
    return run.flat['agent.gail.reward'] == 'env'
  return bool(run.flat.get('uses_reward', True))


def _variants(kind, runs):
  keys = sorted(set().union(*[
      _differences([x for x in runs if x.task == task])
      for task in {x.task for x in runs}]))
  pick = lambda run: {k: run.flat.get(k) for k in keys}
  combos = []
  for run in runs:
    if pick(run) not in combos:
      combos.append(pick(run))
  for run in runs:
    yield run, _title(kind, pick(run), combos), pick(run)


def _differences(runs):
  # A key that one version of the program lacks is not a difference.
  all_settings = [settings(x) for x in runs]
  return {
      k for x in all_settings for k in x
      if any(k in y and y[k] != x[k] for y in all_settings)}


def _title(kind, variant, combos):
  texts = [_text(x) for x in combos]
  text = _text(variant)
  if len(variant) > LONGEST or texts.count(text) > 1:
    text = _letters(combos.index(variant))
  return f'{kind} {text}'.strip()


def _text(variant):
  if not variant:
    return ''
  short = lambda key: '.'.join(key.split('.')[-2:])
  plain = lambda value: str(value).rpartition('/')[2]
  return f'({", ".join(f"{short(k)}={plain(v)}" for k, v in variant.items())})'


def _letters(index):
  head, tail = divmod(index, 26)
  return (_letters(head - 1) if head else '') + chr(ord('A') + tail)
