"""A stand-in for a module in which some names are replaced."""

import types


class Proxy(types.ModuleType):
  """Looks like `module`, except for the names given as keywords.

  Given to a module of upstream in the place of a library, it changes what
  that one module sees. The library itself stays as it is for everyone else.
  """

  def __init__(self, module, **replaced):
    super().__init__(module.__name__, module.__doc__)
    self.__dict__.update(replaced, wrapped=module)

  def __getattr__(self, name):
    return getattr(self.wrapped, name)
