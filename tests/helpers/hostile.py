"""Spoils the source of an importer in ways that strangers' files are."""

import contextlib
import gzip
import io
import json
import os
import pathlib
import pickle
import shutil
import tarfile
import tracemalloc
import zipfile

import h5py
import numpy as np

BOMB = 48 << 20  # Bytes to which a few kilobytes inflate.
LAUGHS = 'a: &a [1, 1, 1]\n' + '\n'.join(
    f'{y}: &{y} [{", ".join([f"*{x}"] * 9)}]'
    for x, y in zip('abcdefghi', 'bcdefghij'))


class Bomb:
  """Would write a file if anyone unpickled it."""

  def __reduce__(self):
    return os.system, ('touch unpickled',)


def spoil(folder, rng):
  """Change one file below a folder; return what was done, as text."""
  paths = sorted(
      x for x in folder.rglob('*') if x.is_file() and x.stat().st_size)
  path = paths[rng.integers(len(paths))]
  kinds = [bytes_of, bytes_of]
  # How the inside of a file is changed, where its kind is known.
  kinds += 3 * [x for end, x in INSIDE.items() if path.name.endswith(end)]
  kind = kinds[rng.integers(len(kinds))]
  return f'{path.name}: {kind(path, rng)}'


def bytes_of(path, rng):
  """Change a file as a bad disk or download would."""
  data = bytearray(path.read_bytes())
  size = len(data)
  choice = rng.integers(7)
  if choice == 0:
    path.write_bytes(data[:rng.integers(size + 1)])
    return 'truncated'
  if choice == 1:
    for _ in range(rng.integers(1, 20)):
      data[rng.integers(size)] ^= 1 << rng.integers(8)
    path.write_bytes(data)
    return 'bits flipped'
  if choice == 2:
    start = rng.integers(size)
    data[start: start + 64] = rng.bytes(len(data[start: start + 64]))
    path.write_bytes(data)
    return 'block of noise'
  if choice == 3:
    start = rng.integers(size)
    del data[start: start + int(rng.integers(1, 64))]
    path.write_bytes(data)
    return 'bytes lost'
  if choice == 4:
    path.write_bytes(pickle.dumps(Bomb()))
    return 'a pickle'
  if choice == 5:
    path.unlink()
    return 'removed'
  path.unlink()
  path.mkdir()
  return 'a folder'


def in_zip(path, rng):
  """Change one member of a zip or npz."""
  with zipfile.ZipFile(path) as file:
    members = {x: file.read(x) for x in file.namelist()}
  name = sorted(members)[rng.integers(len(members))]
  choice = rng.integers(5)
  new = {
      0: lambda: {f'../../evil{rng.integers(9)}.npz': members[name],
                  '/tmp/evil.npz': members[name]},
      1: lambda: {name: bytes(BOMB)},
      2: lambda: {name: members[name][:rng.integers(len(members[name]) + 1)]},
      3: lambda: {name: array(rng)},
      4: lambda: {name: array(rng)},
  }[choice]()
  if choice in (3, 4) and not name.endswith('.npy'):
    new = {name: pickle.dumps(Bomb())}
  with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as file:
    for key, value in {**members, **new}.items():
      file.writestr(key, value)
  what = ('path', 'bomb', 'truncated', 'array', 'array')[choice]
  return f'{what} {name}'


def array(rng):
  """Return an npy of a type, shape or size that nobody expects."""
  file = io.BytesIO()
  choice = rng.integers(9)
  if choice < 3:  # A claim without the data.
    shape = ((10 ** 12,), (-1,), (2 ** 31, 2 ** 31, 4))[choice]
    np.lib.format.write_array_header_1_0(
        file, dict(descr='|u1', fortran_order=False, shape=shape))
    return file.getvalue() + bytes(50)
  value = (
      np.array([Bomb()] * 3, object), np.array(['a', 'bc']),
      np.zeros((3, 0)), np.full(7, np.nan), np.zeros(4, 'c16'),
      np.zeros(3, [('a', 'i4')]))[choice - 3]
  np.save(file, value, allow_pickle=True)
  return file.getvalue()


def in_tar(path, rng):
  """Change the members of a tar.bz2."""
  with tarfile.open(path) as file:
    members = [(x, file.extractfile(x)) for x in file.getmembers()]
    members = [(x, y.read() if y else b'') for x, y in members]
  index = rng.integers(len(members))
  info, data = members[index]
  choice = rng.integers(6)
  if choice == 0:
    info.name = ('../../evil_1.png', '/tmp/evil_1.png')[rng.integers(2)]
  elif choice == 1:
    info.type, info.linkname = (
        tarfile.SYMTYPE, tarfile.LNKTYPE)[rng.integers(2)], '/etc/passwd'
    info.size, data = 0, b''
  elif choice == 2:
    data = bytes(BOMB)
    info.size = len(data)
  elif choice == 3:
    data = data[:rng.integers(len(data))]
    info.size = len(data)
  elif choice == 4:
    info.type = (tarfile.CHRTYPE, tarfile.FIFOTYPE)[rng.integers(2)]
    info.size, data = 0, b''
  else:  # A PNG that claims to be huge.
    data = data[:16] + (2 ** 30).to_bytes(4, 'big') * 2 + data[24:]
  members[index] = info, data
  with tarfile.open(path, 'w:bz2', compresslevel=1) as file:
    for item, content in members:
      file.addfile(item, io.BytesIO(content))
  return ('path', 'link', 'bomb', 'truncated', 'device', 'claim')[choice]


def in_hdf5(path, rng):
  """Change one dataset or group of an HDF5 file."""
  with h5py.File(path, 'a') as file:
    names = []
    file.visit(names.append)
    name = names[rng.integers(len(names))]
    choice = rng.integers(7)
    del file[name]
    if choice == 0:
      file[name] = h5py.ExternalLink('/etc/passwd', 'x')
    elif choice == 1:
      file[name] = h5py.SoftLink(names[0])
    elif choice == 2:
      file.create_dataset(name, (10 ** 12, 3), 'u1', chunks=(64, 3))
    elif choice == 3:
      file[name] = np.array(['text', 'more'], h5py.string_dtype())
    elif choice == 4:
      file[name] = rng.normal(size=rng.integers(0, 5, rng.integers(4)))
    elif choice == 5:
      file.create_group(name)
    return (f'{name}: ' + (
        'external link', 'soft link', 'claim', 'strings', 'other array',
        'group', 'removed')[choice])


def in_attributes(path, rng):
  """Change one attribute of a store."""
  values = [
      '', 'text', '[1, 2]', '{"a": [', '[' * 2000, '"noop"', -1, np.nan,
      np.zeros(3), np.array(['a', 'b'], object), h5py.Empty('f')]
  with h5py.File(path, 'a') as file:
    names = []
    file.visit(names.append)
    places = [file, *(file[x] for x in names if len(file[x].attrs))]
    place = places[rng.integers(len(places))]
    key = sorted(place.attrs)[rng.integers(len(place.attrs))]
    if rng.random() < 0.2:
      del place.attrs[key]
      return f'{place.name} {key} removed'
    place.attrs[key] = value = values[rng.integers(len(values))]
    return f'{place.name} {key} is {str(value)[:60]}'


def in_json(path, rng):
  """Change one value of a JSON object."""
  data = json.loads(path.read_text())
  key = sorted(data)[rng.integers(len(data))]
  values = [
      None, -1, 10 ** 30, 'x' * 1000, [], {}, [[]] * 9, True, 1e308,
      '{"type": "Box", "shape": [99999999999], "dtype": "float32", '
      '"low": 0, "high": 1}', '{"type": "MultiBinary", "n": 99999999999}',
      '{"type": "Discrete", "n": -5, "start": 0}', '../../evil']
  data[key] = values[rng.integers(len(values))]
  path.write_text(json.dumps(data))
  return f'{key} is {str(data[key])[:60]}'


def in_recipe(path, rng):
  """Change one value somewhere inside of a recipe, or add an option."""
  data = json.loads(path.read_text())
  place, name = data, 'attrs'
  while isinstance(place[name], (dict, list)) and place[name]:
    place = place[name]
    keys = sorted(place) if isinstance(place, dict) else range(len(place))
    name = keys[rng.integers(len(keys))]
    if rng.random() < 0.2:
      break
  if rng.random() < 0.4:
    place = data['trajectories'][0]
    name = sorted(place)[rng.integers(len(place))]
  values = [
      None, -1, 10 ** 9, 10 ** 30, 'x' * 10 ** 5, [], {}, True, 1e308, 'Z9',
      '\0', '\ud800', [10 ** 6, 10 ** 6], '../../evil']
  place[name] = values[rng.integers(len(values))]
  if rng.random() < 0.1:
    data['attrs']['preprocessing'] = {'logdir': '../../evil'}
  path.write_text(json.dumps(data))
  return f'{name} is {str(place[name])[:60]}'


def in_text(path, rng):
  """Change some fields of lines with commas or colons."""
  text = path.read_text()
  lines = text.split('\n')
  values = ['', 'null', '-1', '1e999', '9' * 400, '../x', '\0', 'ü', '0x1']
  row = rng.integers(len(lines))
  mark = ',' if ',' in lines[row] else ':'
  fields = lines[row].split(mark)
  fields[rng.integers(len(fields))] = values[rng.integers(len(values))]
  lines[row] = mark.join(fields)
  path.write_text('\n'.join(lines))
  return f'line {row + 1}: {lines[row][:60]}'


@contextlib.contextmanager
def memory():
  """Yield a dict that then has the most bytes taken meanwhile.

  `python` are those of Python and numpy, `process` those of the process,
  libraries in C included, where Linux tells.
  """
  peaks, before = {}, _resident(reset=True)
  tracemalloc.start()
  try:
    yield peaks
  finally:
    peaks['python'] = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    peaks['process'] = _resident() - before


def _resident(reset=False):
  status = pathlib.Path('/proc/self/status')
  if not status.exists():
    return 0
  if reset:
    with contextlib.suppress(OSError):
      pathlib.Path('/proc/self/clear_refs').write_text('5')
  key = 'VmRSS:' if reset else 'VmHWM:'
  row = next(x for x in status.read_text().splitlines() if x.startswith(key))
  return int(row.split()[1]) * 1024


def copy(source, target):
  """Replace a folder by a copy of another."""
  shutil.rmtree(target, ignore_errors=True)
  shutil.copytree(source, target)


def clear(folder):
  """Remove all that is in a folder."""
  for path in folder.iterdir():
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def in_pickle(path, rng):
  """Change what a part of a save holds."""
  data = pickle.loads(path.read_bytes())
  value = [
      Bomb(), None, 5, 'text', [], {'params': {}}, {'params': None},
      {'params': {'w': Bomb()}}, {'params': {'w': 3}}, {5: 6},
      np.array([Bomb()], object), np.full(3, np.nan), {'params': data}]
  value = value[rng.integers(len(value))]
  path.write_bytes(pickle.dumps(value))
  return f'holds {str(value)[:60]}'


def in_config(path, rng):
  """Change one line of the config of a run."""
  lines = path.read_text().split('\n')
  row = rng.integers(len(lines))
  values = [
      '-1', '.nan', '1e999', '[[[]]]', '{}', '"\\x1b]0;x\\x07"', 'null',
      '$\\frac{', '&a [*a]', '!!python/name:os.system', 'x' * 10 ** 5,
      '[' * 999, '9' * 400, '../../evil', '"\\ud800"', 'gym_evil:X-v0', '*b']
  value = values[rng.integers(len(values))]
  if rng.random() < 0.2:
    lines = [LAUGHS]
  elif rng.random() < 0.2:
    del lines[row]
  else:
    lines[row] = lines[row].split(':')[0] + ': ' + value
  path.write_text('\n'.join(lines))
  return f'line {row + 1}: {lines[min(row, len(lines) - 1)][:60]}'


def in_lines(path, rng):
  """Change one of the lines of a log, each of them JSON."""
  lines = path.read_text().split('\n')
  row = rng.integers(max(1, len(lines) - 1))
  data = json.loads(lines[row])
  key = sorted(data)[rng.integers(len(data))]
  values = [
      None, 'x', '\x1b[2J', '$\\frac{', -1, 10 ** 400, [], {}, float('nan'),
      float('inf'), True, '\ud800', '../../evil', [[]] * 9]
  data[key] = values[rng.integers(len(values))]
  lines[row] = [json.dumps(data), '[' * 10 ** 5, '\0', '[]', '5'][
      max(0, rng.integers(-4, 5))]
  path.write_text('\n'.join(lines))
  return f'line {row + 1}: {lines[row][:60]}'


def in_gzip(path, rng):
  """Change the lines in a file of gzip, or what they inflate to."""
  text = gzip.decompress(path.read_bytes())
  if rng.random() < 0.2:
    path.write_bytes(gzip.compress(bytes(BOMB)))
    return 'bomb'
  path.write_bytes(text)
  done = in_lines(path, rng)
  path.write_bytes(gzip.compress(path.read_bytes()))
  return done


INSIDE = {
    '.npz': in_zip, '.zip': in_zip, '.tar.bz2': in_tar, '.h5': in_hdf5,
    '.hdf5': in_hdf5, '.json': in_json, '.txt': in_text, '.csv': in_text,
    '.yaml': in_text, '.recipe.json': in_recipe, '.pkl': in_pickle,
    '.attributes.h5': in_attributes, 'config.yaml': in_config,
    '.jsonl': in_lines, '.jsonl.gz': in_gzip}
