"""What a run keeps of its machine."""

import pathlib
import subprocess

import elements

from dreamer_gail_plugin.running import provenance
from helpers.refusals import refused


class TestGpu:

  def test_name_of_the_first(self, tmp_path, monkeypatch):
    smi = tmp_path / 'nvidia-smi'
    smi.write_text('#!/bin/sh\necho "NVIDIA One"\necho "NVIDIA Two"\n')
    smi.chmod(0o755)
    monkeypatch.setenv('PATH', str(tmp_path))
    assert provenance.machine('cuda')['gpu'] == 'NVIDIA One'

  def test_none_without_its_program(self, tmp_path, monkeypatch):
    monkeypatch.setenv('PATH', str(tmp_path))
    found = provenance.machine('cuda')
    assert found['device'] == 'cuda' and 'gpu' not in found

  def test_none_where_it_fails(self, tmp_path, monkeypatch):
    smi = tmp_path / 'nvidia-smi'
    smi.write_text('#!/bin/sh\necho "NVIDIA One"\nexit 9\n')
    smi.chmod(0o755)
    monkeypatch.setenv('PATH', str(tmp_path))
    assert provenance.gpu('cuda') == {}

  def test_cpu_has_none(self):
    assert 'gpu' not in provenance.machine('cpu')


class TestCommit:

  def test_of_this_checkout(self):
    root = pathlib.Path(__file__).parents[2]
    if not (root / '.git').exists():
      assert provenance.commit() is None
      return
    head = subprocess.run(
        ['git', 'rev-parse', 'HEAD'], cwd=root, capture_output=True,
        text=True, check=True).stdout.strip()
    assert provenance.commit().rstrip('+') == head


class TestSaveConfig:

  def test_whole_or_as_it_was(self, tmp_path, monkeypatch):
    path = tmp_path / 'config.yaml'
    provenance.save_config(tmp_path, elements.Config(a=1))
    assert elements.Config.load(path).a == 1

    def fail(self, filename):
      filename.write_text('a')
      raise OSError(28, 'No space left on device')
    monkeypatch.setattr(elements.Config, 'save', fail)
    with refused('.config.yaml: cannot be written', 'No space'):
      provenance.save_config(tmp_path, elements.Config(a=2))
    assert elements.Config.load(path).a == 1
