"""Groups runs into methods: runs of one method have the same settings.

Runs with other settings must never be averaged as if they were seeds. So the
config decides, not the name of a folder.
"""

import dataclasses
import re

from .. import configs

UPSTREAM = 'DreamerV3'
RANDOM = 'random'

# Settings that do not change what is learned: where, when and how long.
ASIDE = re.compile(
    r'(seed|logdir|method|task|script|replicas?|clock_\w+|ipv6|errfile|'
    r'random_agent|uses_reward|report_length|consec_report)|'
    r'(logger|jax|env)\..*|replay\.size|agent\.report.*|'
    r'run\.(?!train_ratio$|envs$).*|'
    # Of baselines.
    r'(steps|eval)\..*|parallel|device|log_every|save_every')
CONTROLS = ('constant', 'null')  # Beside them shows what D teaches.
LONGEST = 2  # Most settings in the name of a variant.


@dataclasses.dataclass
class Method:
  """A method, whether it learns from the environment's reward, its variant.

  `variant` has the settings {key: value} in which it differs from others of
  the same kind.
  """

  name: str
  uses_reward: bool
  variant: dict

  @property
  def reference(self):
    """Return whether it is random play or a control, not a learner."""
    return re.split(r'[+ ]', self.name)[0] in (RANDOM, *CONTROLS)


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
  """Return the part of a run's config that changes what is learned."""
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
  ours = 'baseline' in run.flat or run.flat.get('random_agent')
  if given != 'name' and not ours:  # Upstream's own key to name a method.
    return str(given)
  ours = ours or 'agent.gail.reward' in run.flat
  return configs.method(run.flat) if ours else UPSTREAM


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
