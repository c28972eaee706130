"""`jax.jit` takes its options by keyword only, upstream gives them by place.

Wrong: three modules of upstream call `jax.jit(fn, in_shardings, ...)`, which
raises a TypeError where the options are keyword only.
Versions: dreamer 3.3.0 and upstream's git, with jax 0.5 or later; not with
jax 0.4.33, which upstream pins.
Mended: in those three modules the name `jax` stands for a proxy whose `jit`
takes the options by place, in the old order, and passes them by keyword.
"""

import inspect

import jax

from . import proxies

OPTIONS = (
    'in_shardings', 'out_shardings', 'static_argnums', 'static_argnames',
    'donate_argnums')


def needed():
  """Return whether jax refuses options by place.

  Where upstream gives none so, the patch changes nothing.
  """
  option = inspect.signature(jax.jit).parameters[OPTIONS[0]]
  return option.kind is inspect.Parameter.KEYWORD_ONLY


def apply():
  """Replace the name `jax` in upstream's modules by a proxy."""
  for module in modules():
    module.jax = proxies.Proxy(jax, jit=jit)


def modules():
  """Return upstream's modules that compile functions."""
  import embodied.jax
  return (
      embodied.jax.transform, embodied.jax.internal, embodied.jax.agent)


def jit(fun, *places, **options):
  """Return jax.jit(fun) with options by keyword or, as once, by place."""
  return jax.jit(fun, **dict(zip(OPTIONS, places)), **options)
