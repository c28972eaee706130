"""Warnings about the metrics of a run, in plain words, with advice.

Each rule reads means over all updates between two lines of the log, so a
single odd batch cannot trigger it. docs/metrics.md says where the bounds come
from; they are judgements.
"""

import collections
import math

PARTS = {
    'expert': 'train/disc/acc_expert', 'imag': 'train/disc/acc_imag',
    'gap': 'train/disc/logit_gap', 'latent': 'train/disc/latent_gap',
    'spread': 'train/disc/rew_std',
    'top': 'train/top_imag/action', 'top_expert': 'train/top_expert/action'}
# needs: the parts that it reads. applies: whether it makes sense for a
# `config.agent`. holds: whether the metrics call for it. text: what it says.
# advice: pairs of a text and, before it, whether a `config.agent` lacks that.
Rule = collections.namedtuple('Rule', 'needs applies holds text advice')
ALWAYS = lambda agent: True
BY_D = lambda agent: agent.gail.reward != 'constant'
PENALTY = 'agent.gail.disc_loss.penalty'
SLOWER_D = (ALWAYS, 'a lower --agent.gail.opt.learning_rate')
ANCHOR = (
    (lambda agent: not agent.gail.anchor and agent.gail.actor == 'reinforce',
     'the block anchor (--configs ... anchor)'),
    (lambda agent: 0 < agent.gail.anchor < 1, '--agent.gail.anchor 1'))

RULES = {
    'winning': Rule(
        ('expert', 'imag'), BY_D,
        lambda m: min(m['expert'], m['imag']) > 0.97,
        'D tells nearly everything apart (right on {expert:.0%} of expert and '
        '{imag:.0%} of imagined steps), so its reward says little about what '
        'to do better.',
        ((lambda agent: agent.gail.disc_loss.penalty < 10, f'--{PENALTY} 10'),
         SLOWER_D, *ANCHOR, (ALWAYS, 'more demonstrations'))),
    'latent': Rule(
        ('gap', 'latent'),
        # With prior latents D sees no others.
        lambda agent: BY_D(agent) and agent.gail.expert_latent == 'posterior',
        lambda m: m['gap'] > 0.5 and abs(m['latent']) > 0.5 * m['gap'],
        'D tells how a state was made rather than what was done in it: '
        'posterior and prior samples of the same steps of the agent differ by '
        '{latent:.2f} in its logit, expert and agent by {gap:.2f}.',
        ((ALWAYS, '--agent.gail.expert_latent prior'),)),
    'flat': Rule(
        ('gap', 'spread'), BY_D,
        lambda m: m['spread'] < 0.01 and m['gap'] > 0.1,
        'The reward is nearly the same at all imagined steps (standard '
        'deviation {spread:.3f}), so only the length of episodes counts.',
        ((lambda agent: agent.gail.reward != 'airl',
          '--agent.gail.reward airl'),
         (lambda agent: agent.gail.disc_loss.penalty < 1, f'--{PENALTY} 1'),
         SLOWER_D)),
    'collapsed': Rule(
        ('top', 'top_expert'), ALWAYS,
        lambda m: m['top'] > 0.98 and m['top_expert'] < 0.9,
        'The policy does one thing: one action makes {top:.0%} of its '
        "imagined steps, and {top_expert:.0%} of the expert's at most.",
        ((ALWAYS, 'a tenth of --agent.ac_rate'), *ANCHOR,
         (BY_D, '--agent.gail.reward constant for comparison'))),
}


def warnings(metrics, agent):
  """Return {rule: text} of what holds for metrics {name: value}.

  `agent` is `config.agent` of the run. A rule whose metrics are missing or
  not finite says nothing.
  """
  known = {k: metrics.get(v, math.nan) for k, v in PARTS.items()}
  return {
      name: f'{rule.text.format(**known)} {_advice(rule, agent)}'
      for name, rule in RULES.items()
      if rule.applies(agent)
      and all(math.isfinite(known[x]) for x in rule.needs)
      and rule.holds(known)}


def _advice(rule, agent):
  *texts, last = [text for lacks, text in rule.advice if lacks(agent)]
  return f'Try {", ".join(texts)} or {last}.' if texts else f'Try {last}.'


class Warner:
  """Gives each warning once when it begins to hold.

  A rule must hold `lines` times in a row, as the first updates of a run say
  little. It is given again if it ceased to hold in between.
  """

  def __init__(self, agent, lines=3):
    self.agent, self.lines = agent, lines
    self.streaks = collections.Counter()

  def __call__(self, metrics):
    """Return the warnings to print now, a list of texts."""
    if not PARTS.values() & metrics.keys():
      return []  # Episodes only.
    held = warnings(metrics, self.agent)
    self.streaks = collections.Counter(
        {k: self.streaks[k] + 1 for k in held})
    return [
        text for k, text in held.items() if self.streaks[k] == self.lines]
