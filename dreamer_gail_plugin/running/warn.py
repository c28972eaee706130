"""What the metrics of a run warn of, in plain words, and what to try.

Each rule reads means over all updates between two lines of the log, so a
single odd batch cannot set it off. The bounds are judgements; where they come
from is in docs/metrics.md.
"""

import collections
import math

PARTS = {
    'expert': 'train/disc/acc_expert', 'imag': 'train/disc/acc_imag',
    'gap': 'train/disc/logit_gap', 'latent': 'train/disc/latent_gap',
    'spread': 'train/disc/rew_std',
    'top': 'train/top_imag/action', 'top_expert': 'train/top_expert/action'}
# What it reads, for which `config.agent.gail` and when it holds, what it says.
Rule = collections.namedtuple('Rule', 'needs applies holds text')
BY_D = lambda gail: gail.reward != 'constant'

RULES = {
    'winning': Rule(
        ('expert', 'imag'), BY_D,
        lambda m: min(m['expert'], m['imag']) > 0.97,
        'D tells nearly everything apart (right on {expert:.0%} of expert and '
        '{imag:.0%} of imagined steps), so its reward says little about what '
        'to do better. Try --agent.gail.disc_loss.penalty 10, a lower '
        '--agent.gail.opt.learning_rate, --agent.gail.anchor 1, or more '
        'demonstrations.'),
    'latent': Rule(
        ('gap', 'latent'),
        # With prior latents D sees no others.
        lambda gail: BY_D(gail) and gail.expert_latent == 'posterior',
        lambda m: m['gap'] > 0.5 and abs(m['latent']) > 0.5 * m['gap'],
        'D tells how a state was made rather than what was done in it: the '
        'same steps of the agent, as posterior and as prior samples, differ '
        'by {latent:.2f} in its logit, expert and agent by {gap:.2f}. Try '
        '--agent.gail.expert_latent prior.'),
    'flat': Rule(
        ('gap', 'spread'), BY_D,
        lambda m: m['spread'] < 0.01 and m['gap'] > 0.1,
        'The reward is nearly the same at all imagined steps (standard '
        'deviation {spread:.3f}), so only the length of episodes counts. Try '
        '--agent.gail.reward airl, --agent.gail.disc_loss.penalty 1, or a '
        'lower --agent.gail.opt.learning_rate.'),
    'collapsed': Rule(
        ('top', 'top_expert'), lambda gail: True,
        lambda m: m['top'] > 0.98 and m['top_expert'] < 0.9,
        'The policy does one thing: one action makes {top:.0%} of its '
        "imagined steps, and {top_expert:.0%} of the expert's at most. Try "
        'a tenth of --agent.ac_rate, --agent.gail.anchor 1, and '
        '--agent.gail.reward constant for comparison.'),
}


def warnings(metrics, gail):
  """Return {rule: text} of what holds for metrics {name: value}.

  `gail` is `config.agent.gail` of the run.
  A rule whose metrics are missing or not finite says nothing.
  """
  known = {k: metrics.get(v, math.nan) for k, v in PARTS.items()}
  return {
      name: rule.text.format(**known) for name, rule in RULES.items()
      if rule.applies(gail)
      and all(math.isfinite(known[x]) for x in rule.needs)
      and rule.holds(known)}


class Warner:
  """Says each warning when it begins to hold, not as long as it does.

  A rule must hold `lines` times in a row, as the first updates of a run say
  little, and must be absent once before it is said again.
  """

  def __init__(self, gail, lines=3):
    self.gail, self.lines = gail, lines
    self.streaks = collections.Counter()

  def __call__(self, metrics):
    """Return the texts to say now."""
    if not PARTS.values() & metrics.keys():
      return []  # Episodes only.
    held = warnings(metrics, self.gail)
    self.streaks = collections.Counter(
        {k: self.streaks[k] + 1 for k in held})
    return [
        text for k, text in held.items() if self.streaks[k] == self.lines]
