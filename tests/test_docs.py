"""The documents agree with the code."""

import argparse
import functools
import json
import pathlib
import re
import shlex
import tomllib

import jax
import ninjax as nj
import numpy as np
import pytest

from dreamer_gail_plugin import __main__ as command
from dreamer_gail_plugin import build
from dreamer_gail_plugin import configs
from dreamer_gail_plugin import envs
from dreamer_gail_plugin import rewards
from dreamer_gail_plugin.baselines import config as baselines
from dreamer_gail_plugin.data import store
from dreamer_gail_plugin.demos import __main__ as demos
from dreamer_gail_plugin.evaluate import beside
from dreamer_gail_plugin.evaluate import protocol
from dreamer_gail_plugin.experiments import __main__ as experiments
from helpers import agents
from helpers import fakepackage

ROOT = pathlib.Path(__file__).parent.parent
PAGES = [
    ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', ROOT / 'CHANGELOG.md',
    *sorted((ROOT / 'docs').glob('*.md'))]
PLACEHOLDERS = {'SEED': '0'}
PACKAGE = ROOT / 'dreamer_gail_plugin'
# Everything that people read or see, but for pictures and data.
TEXTS = [
    *PAGES, ROOT / 'configs.yaml', ROOT / 'docs' / 'example.py',
    *(x for folder in (PACKAGE, ROOT / 'patches', ROOT / 'tests')
      for x in sorted(folder.rglob('*'))
      if x.suffix in ('.py', '.html', '.yaml'))]


def names(page):
  """Return a test's name for a page."""
  return page.name


def blocks(page, language):
  """Return the code blocks of a page, without the indent of a list."""
  found = re.findall(
      rf'^( *)```{language}\n(.*?)^ *```', page.read_text(), re.S | re.M)
  return [re.sub(rf'^{indent}', '', x, flags=re.M) for indent, x in found]


def commands(module):
  """Return the arguments of every call of a module in the documents."""
  found = []
  for page in PAGES:
    text = '\n'.join(blocks(page, 'sh')).replace('\\\n', ' ')
    for line in text.split('\n'):
      words = [PLACEHOLDERS.get(x, x) for x in shlex.split(line, True)]
      if module in words:
        found.append(tuple(words[words.index(module) + 1:]))
  return found


@functools.cache
def metrics():
  """Return the names of the metrics of one update, computed by shape only."""
  config = agents.config(
      agent__gail__absorbing=True, agent__gail__entropy=0.2)
  model = build.make_model(config)
  size, length = 2, 2 + config.replay_context
  spaces = {**model.obs_space, **model.act_space, **model.ext_space}
  data = {
      k: np.zeros((size, length, *v.shape), v.dtype)
      for k, v in spaces.items()}
  def train(data):
    return model.train(model.init_train(size), data)[2]
  _, found = jax.eval_shape(
      lambda data, seed: nj.pure(train)({}, data, seed=seed, create=True),
      data, np.zeros(2, np.uint32))
  return {f'train/{k}' for k in found}


class TestMetrics:

  def documented(self):
    text = (ROOT / 'docs' / 'metrics.md').read_text()
    return set(re.findall(r'`(train/[\w/]+)`', text))

  def test_of_the_discriminator(self):
    own = lambda keys: {x for x in keys if x.startswith('train/disc/')}
    assert own(metrics()) == own(self.documented())
    assert 'train/disc/bce' in metrics()

  def test_of_upstream(self):
    # KEY stands for any name.
    logged, documented = metrics(), self.documented()
    match = lambda name, key: re.fullmatch(name.replace('KEY', r'\w+'), key)
    unknown = [
        k for k in logged if not any(match(x, k) for x in documented)]
    missing = [
        x for x in documented if not any(match(x, k) for k in logged)]
    assert not unknown and not missing

  def test_ranges_of_all_rewards(self):
    text = (ROOT / 'docs' / 'metrics.md').read_text()
    table = text.split('### Range of the reward')[1].split('## ')[0]
    rows = dict(re.findall(r'^\| `(\w+)` \|.*\| ([^|]*) \|$', table, re.M))
    values = {k: float(v(np.float32(0))) for k, v in rewards.REWARDS.items()}
    assert {k: float(v) for k, v in rows.items()} == pytest.approx(
        values, abs=5e-4)


class TestConfigs:

  def test_every_gail_key_has_a_comment(self):
    lines = (ROOT / 'configs.yaml').read_text().split('\n')
    start = lines.index('    gail:')
    found = []
    for number, line in enumerate(lines[start + 1:], start + 1):
      if line and not line.startswith(' ' * 6):
        break
      if re.match(r' {6}\w', line):
        found.append(line.split(':')[0].strip())
        assert lines[number - 1].startswith(' ' * 6 + '#'), line
    assert set(found) == set(configs.load_config([]).agent.gail)


class TestSize:

  def test_readme(self):
    assert len((ROOT / 'README.md').read_text().splitlines()) <= 140

  def test_pages(self):
    assert len(list((ROOT / 'docs').glob('*.md'))) <= 15

  def test_every_picture_is_shown(self):
    text = '\n'.join(x.read_text() for x in PAGES)
    shown = set(re.findall(r'!\[[^]]*\]\((?:docs/)?([^)]+)\)', text))
    pictures = [
        x for x in (ROOT / 'docs').iterdir()
        if x.suffix in ('.png', '.svg', '.gif')]
    assert {x.name for x in pictures} == shown


class TestNames:

  def test_modules_that_are_run(self):
    def exists(name):
      place = PACKAGE.joinpath(*name.split('.'))
      main = place / '__main__.py'
      return place.with_suffix('.py').exists() or main.exists()
    found = mentioned(r'python\S*\s+-m\s+dreamer_gail_plugin\.([\w.]*\w)')
    assert len(found) > 20
    assert [x for x in found if not exists(x[1])] == []

  @pytest.mark.parametrize('page', PAGES, ids=names)
  def test_modules_and_what_is_in_them(self, page):
    for name in re.findall(
        r'(?<!-m )\bdreamer_gail_plugin\.(\w+(?:\.\w+)*)', page.read_text()):
      place, *rest = find(name)
      assert place.exists(), name
      assert len(rest) < 2 and all(defines(place, x) for x in rest), name

  @pytest.mark.parametrize('page', PAGES, ids=names)
  def test_functions_that_are_linked(self, page):
    found = re.findall(r'\[`([\w.]+)`\]\(([^)\s]+\.py)\)', page.read_text())
    for name, path in found:
      source = page.parent / path
      if name != source.name:
        assert all(defines(source, x) for x in name.split('.')), name

  def test_map_of_the_package(self):
    [tree] = re.findall(
        r'\ndreamer_gail_plugin/\n((?: .*\n)+)',
        (ROOT / 'docs' / 'how-it-works.md').read_text())
    named = set(re.findall(r'\w+\.py|\w+(?=/ )', tree))
    assert named == {
        x.name for x in PACKAGE.iterdir() if not x.name.startswith('__')}

  def test_pages_that_are_named(self):
    found = mentioned(r'\b(docs/\w[\w-]*\.\w+)')
    assert len(found) > 20
    assert [x for x in found if not (ROOT / x[1]).exists()] == []


def mentioned(pattern):
  """Return pairs of a file and what a pattern matches in it, of all TEXTS."""
  return sorted({
      (str(path.relative_to(ROOT)), x)
      for path in TEXTS for x in re.findall(pattern, path.read_text())})


def find(name):
  """Return the file of a dotted name in the package, and what is left of it.
  """
  place, rest = PACKAGE, name.split('.')
  while rest and (place / rest[0]).is_dir():
    place = place / rest.pop(0)
  if rest and (place / f'{rest[0]}.py').exists():
    return place / f'{rest.pop(0)}.py', *rest
  return place / '__init__.py', *rest


def defines(source, name):
  """Return whether a file defines a function, a class or a value."""
  pattern = rf"^ *(def|class) {name}\b|^{name} = |'{name}'"
  return re.search(pattern, source.read_text(), re.M)


class TestLinks:

  @pytest.mark.parametrize('page', PAGES, ids=names)
  def test_resolve(self, page):
    text = re.sub(r'```.*?```', '', page.read_text(), flags=re.S)
    for link in re.findall(r'\]\(([^)\s]+)\)', text):
      if re.match(r'\w+:', link):
        continue
      path, _, anchor = link.partition('#')
      target = (page.parent / path).resolve() if path else page
      assert target.exists(), link
      assert target.is_relative_to(ROOT), link
      if anchor:
        assert anchor in anchors(target), link

  @pytest.mark.parametrize('page', PAGES, ids=names)
  def test_named_tests_exist(self, page):
    sources = '\n'.join(x.read_text() for x in ROOT.glob('tests/**/test_*.py'))
    for name in re.findall(r'`(Test\w+)`', page.read_text()):
      assert f'class {name}:' in sources, name

  @pytest.mark.parametrize('page', PAGES, ids=names)
  def test_named_files_exist(self, page):
    for name in re.findall(
        r'`((?:tests|docs|patches|dreamer_gail_plugin)/[\w/]*\.\w+)`',
        page.read_text()):
      assert (ROOT / name).exists(), name


def anchors(page):
  """Return the anchors of a page's headings, as GitHub makes them."""
  heads = re.findall(r'^#+ (.*)$', page.read_text(), re.M)
  return {
      re.sub(r'[^\w\- ]', '', x.lower()).replace(' ', '-') for x in heads}


class TestCommands:

  @pytest.mark.parametrize('args', commands('dreamer_gail_plugin.main'))
  def test_training(self, args):
    config = configs.load_config(list(args))
    assert config.task.partition('_')[0] in envs.SUITES

  @pytest.mark.parametrize('args', commands('dreamer_gail_plugin.demos'))
  def test_importers(self, args, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for place in args:
      if place.endswith('.h5'):  # The folder has to be there.
        pathlib.Path(place).parent.mkdir(parents=True, exist_ok=True)
    name, *rest = args
    assert name in demos.COMMANDS
    if '--help' in rest:
      return
    module = demos.module(name)
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    parser.parse_args(rest)

  @pytest.mark.parametrize('args', commands('dreamer_gail_plugin.baselines'))
  def test_baselines(self, args):
    name, *rest = args
    if name == 'evaluate':
      assert protocol.parse(rest).logdir
    else:
      assert baselines.load(name, rest).baseline == name

  @pytest.mark.parametrize('args', commands('dreamer-gail'))
  def test_the_one_command(self, args, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name, *rest = args
    assert name in command.PROGRAMS
    if name == 'train':
      configs.load_config(rest)
    elif name == 'film':
      assert beside.parse(rest).logdir

  def test_there_are_some(self):
    assert len(commands('dreamer_gail_plugin.main')) >= 3
    assert len(commands('dreamer_gail_plugin.demos')) >= 2
    assert {x[0] for x in commands('dreamer-gail')} >= {'train', 'film'}

  def test_the_two_of_the_readme(self):
    text = (ROOT / 'README.md').read_text()
    assert (
        '\npip install uv && uv run python -m dreamer_gail_plugin.main '
        '--configs minatar tiny gail\n') in text
    assert '\npip install uv && uv run pytest\n' in text


class TestResults:

  def test_table_of_the_readme_is_what_the_command_prints(self, capsys):
    experiments.main(['table', 'minatar'])
    table = capsys.readouterr().out.split('\n\n')[0]
    assert table.count('\n') > 5
    # No cell breaks there on a phone, so the spaces inside of them are hard.
    text = (ROOT / 'README.md').read_text()
    assert table in text.replace('\xa0', ' ')
    assert not re.search(r'^\|.*\d [(\[]', text, re.M)


class TestAdding:

  @pytest.fixture
  def snippets(self, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = blocks(ROOT / 'docs' / 'adding.md', 'python')
    names = ('importer', 'dataset', 'reward', 'pipeline')
    assert len(found) == len(names)
    return dict(zip(names, found))

  def test_reward(self, snippets, monkeypatch):
    monkeypatch.setattr(rewards, 'REWARDS', dict(rewards.REWARDS))
    exec(snippets['reward'], {})
    values = rewards.REWARDS['clipped'](np.float32([-9, 2, 9]))
    assert values.tolist() == [-5, 2, 5]

  def test_importer(self, snippets, tmp_path, monkeypatch):
    [toml] = blocks(ROOT / 'docs' / 'adding.md', 'toml')
    [points] = tomllib.loads(toml)['project']['entry-points'].items()
    fakepackage.install(tmp_path, monkeypatch, snippets['importer'], *points)
    log = {'seen': [[0.1 * x] * 4 for x in range(4)], 'moves': [0, 1, 1],
           'points': [1, 1, 1], 'lost': True}
    pathlib.Path('logs').mkdir()
    pathlib.Path('logs', 'a.json').write_text(json.dumps(log))
    flags = '--source logs --task gym_CartPole-v1 --out mine.h5'.split()
    assert demos.main(['mylogs', *flags]) == 0
    with store.Store('mine.h5') as found:
      data = found.read(0)
    np.testing.assert_array_equal(data['vector'], np.float32(log['seen']))
    assert data['action'].tolist() == [0, 1, 1, 0]
    assert data['is_terminal'].tolist() == [False, False, False, True]

  def test_dataset(self, snippets):
    exec(snippets['dataset'], {})
    env = envs.make('gym', 'CartPole-v1')
    with store.Store('cartpole.h5') as demos:
      store.validate(demos, env.obs_space, env.act_space, 'gym_CartPole-v1')
      assert demos.lengths == [512] * 10
      # Random play falls after about 22 steps.
      assert min(x['score'] for x in demos.infos) > 100

  def test_store(self, snippets):
    [snippet] = blocks(ROOT / 'docs' / 'demonstrations.md', 'python')
    exec(snippet, {})
    with store.Store('mine.h5') as demos:
      assert demos.lengths == [200]
      assert demos.attrs['task'] == 'gym_Mine-v0'

  def test_pipeline(self, snippets):
    exec(snippets['pipeline'], found := {})
    assert found['expert_stream'] is build.expert_stream
