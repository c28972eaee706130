import ast
import inspect
import os

import elements
import embodied
import jax
import jax.numpy as jnp
import pytest
from embodied.core import streams

from dreamer_gail_plugin.patches import jax_jit_keywords
from dreamer_gail_plugin.patches import log_aggregation
from dreamer_gail_plugin.patches import proxies
from dreamer_gail_plugin.patches import xla_flags

needs_jit = pytest.mark.skipif(
    not jax_jit_keywords.needed(),
    reason='this jax takes the options of jit by place')


class TestProxy:

  def test_only_the_given_name_differs(self):
    proxy = proxies.Proxy(jnp, add=max)
    assert proxy.add(1, 2) == 2 and jnp.add(1, 2) == 3
    assert proxy.sin is jnp.sin and proxy.__name__ == 'jax.numpy'
    with pytest.raises(AttributeError):
      proxy.nothing  # noqa: B018


class TestXlaFlags:

  def test_upstream_loses_flags(self, monkeypatch):
    monkeypatch.setenv('XLA_FLAGS', '--mine')
    self.call(xla_flags.module().setup.__wrapped__)
    assert '--mine' not in os.environ['XLA_FLAGS'].split()

  def test_flags_are_kept_once_and_win(self, monkeypatch):
    monkeypatch.setenv('XLA_FLAGS', '--mine')
    for _ in range(2):
      self.call(xla_flags.module().setup)
      flags = os.environ['XLA_FLAGS'].split()
      assert flags.count('--mine') == 1
      assert len(flags) == len(set(flags)) > 1
    assert flags.index('--mine') == len(flags) - 1

  def call(self, fn):
    with jax.transfer_guard('allow'):
      fn(platform='cpu', compute_dtype='float32')


@needs_jit
class TestJaxJitKeywords:

  def test_jax_refuses_places(self):
    with pytest.raises(TypeError):
      jax.jit(lambda x, n: x * n, None, None, (1,))

  def test_upstream_gives_places(self):
    for module in jax_jit_keywords.modules():
      calls = [
          x for x in ast.walk(ast.parse(inspect.getsource(module)))
          if isinstance(x, ast.Call) and ast.unparse(x.func) == 'jax.jit']
      assert any(len(x.args) > 1 for x in calls), module
      assert module.jax.jit is jax_jit_keywords.jit
      assert module.jax.numpy is jnp

  def test_places_mean_what_they_did(self):
    traced = []

    def fn(x, n, m=2):
      traced.append((type(n), type(m)))
      return x + n * m

    result = jax_jit_keywords.jit(fn, None, None, (1,), ('m',))(1, 3, m=5)
    assert int(result) == 16 and traced == [(int, int)]

  def test_keywords_still_work(self):
    result = jax_jit_keywords.jit(lambda x, n: x * n, static_argnums=1)(2, 3)
    assert int(result) == 6

  def test_upstream_compiles_a_function(self):
    mesh = jax.sharding.Mesh(jax.devices('cpu')[:1], ('d',))
    place = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    params = {'w': jax.device_put(jnp.arange(3), place)}
    gather, shard = embodied.jax.internal.ckpt_fn(params)
    assert shard(gather(params))['w'].tolist() == [0, 1, 2]


class TestLogAggregation:

  def test_elements_refuses_a_tuple(self):
    with pytest.raises(KeyError):
      elements.Agg().add('log/x', 1.0, agg=('avg', 'max', 'sum'))

  def test_each_under_its_own_name(self):
    agg = log_aggregation.Agg()
    for value in (1.0, 5.0, 3.0):
      agg.add('log/x', value, agg=('avg', 'max', 'sum'))
    assert agg.result() == {
        'log/x/avg': 3.0, 'log/x/max': 5.0, 'log/x/sum': 9.0}
    assert agg.result() == {}

  def test_else_as_before(self):
    agg = log_aggregation.Agg()
    agg.add('x', 2.0, agg='sum', prefix='p')
    agg.add({'x': 4.0}, agg='sum', prefix='p')
    agg.add('y', 2.0, agg=('max',), prefix='p')
    assert agg.result() == {'p/x': 6.0, 'p/y/max': 2.0}


class Counter(streams.Stateless):
  """Counts from a number on; can be saved."""

  def __init__(self, start):
    super().__init__(self.count)
    self.value = start

  def count(self):
    self.value += 1
    return self.value - 1

  def save(self):
    return self.value

  def load(self, data):
    self.value = data
