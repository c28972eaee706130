"""Arrays of numbers out of Arrow's nested lists."""

from ...errors import UserError


def library(extra):
  """Return the package `pyarrow`; raises UserError if it is not there.

  `extra` is the one of this package that installs it.
  """
  try:
    import pyarrow
    import pyarrow.ipc
    import pyarrow.parquet
  except ImportError as e:
    raise UserError(
        'This source needs the Python package pyarrow, which is not '
        f"installed. Run: pip install 'dreamer_gail_plugin[{extra}]'") from e
  return pyarrow


def numbers(values, place, largest):
  """Return the array of a pyarrow Array of numbers or of nested lists of them.

  Raises UserError if lists of one level are not equally long, if values are
  missing or no numbers, or if they have more than `largest` bytes.
  """
  from pyarrow import types
  shape = [len(values)]
  while _is_list(types, values.type):
    inner = values.flatten()
    each = len(inner) // len(values) if len(values) else 0
    lengths = values.value_lengths().to_numpy(zero_copy_only=False)
    if values.null_count or (lengths != each).any():
      raise UserError(f'{place} has rows of unequal length')
    shape.append(each)
    values = inner
  if values.null_count or not types.is_primitive(values.type):
    raise UserError(
        f'{place} holds {values.type}, expected numbers, without gaps')
  if values.nbytes > largest:
    raise UserError(f'{place} has more than {largest:,} bytes')
  return values.to_numpy(zero_copy_only=False).reshape(shape)


def _is_list(types, kind):
  return (types.is_list(kind) or types.is_large_list(kind)
          or types.is_fixed_size_list(kind))
