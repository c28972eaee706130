"""Rewards from the discriminator's logit.

D = P(expert | s, a) = sigmoid(h) for the logit h = ln D - ln(1 - D). All
functions map logits of any shape to rewards of that shape. Writing them in h
keeps them exact where D rounds to 0 or 1:

  ln D       = -ln(1 + e^-h) = -softplus(-h)
  ln(1 - D)  = -ln(1 + e^h)  = -softplus(h)
"""

import jax
import jax.numpy as jnp

# exp(20) is 5e8: far past any useful reward and far from overflow.
FAIRL_LIMIT = 20.0


def gail(logit):
  """r = -ln(1 - D) = softplus(h), always positive, so it favours survival.

  Source: GAIL (Ho and Ermon, 2016) and equation 1 of the Dreamer-GAIL paper.
  """
  return jax.nn.softplus(logit)


def logd(logit):
  """r = ln D = -softplus(-h), always negative, so it favours early ends.

  Source: the other sign convention of GAIL (Ho and Ermon, 2016).
  """
  return -jax.nn.softplus(-logit)


def airl(logit):
  """r = ln D - ln(1 - D) = h, of either sign.

  Source: AIRL (Fu et al., 2018), equation 3, without the shaping terms.
  """
  return logit


def fairl(logit):
  """r = -h e^h, with h in the exponent limited to FAIRL_LIMIT.

  With e^h = D / (1 - D) = p_expert / p_policy, the policy minimises the
  forward KL divergence. Source: FAIRL (Ghasemipour et al., 2019).
  """
  return -logit * jnp.exp(jnp.minimum(logit, FAIRL_LIMIT))


def prob(logit):
  """r = D = sigmoid(h), between 0 and 1. Source: V-MAIL (Rafailov, 2021)."""
  return jax.nn.sigmoid(logit)


def constant(logit):
  """r = 1 whatever D says: the control for survival bias."""
  return jnp.ones_like(logit)


REWARDS = {
    'gail': gail,
    'airl': airl,
    'fairl': fairl,
    'logd': logd,
    'prob': prob,
    'constant': constant,
}
