"""What a run keeps of its machine."""

import pathlib
import subprocess

from dreamer_gail_plugin.running import provenance


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
