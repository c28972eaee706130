"""Train steps/s of sheeprl's DreamerV3 beside upstream's with this plugin.

  python -m venv ../peers && ../peers/bin/pip install sheeprl
  python benchmarks/peer_dreamer.py --python ../peers/bin/python --out FILE

Both take images of 64 x 64 x 3, sheeprl's size XS and the same convolutions
and widths here, float32 and one core, in turns. sheeprl says itself how many
train steps it does a second of training; its first logged value is left out
as PyTorch warms up in it. Ours are `bench step`.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

BATCH, LENGTH = 8, 16
SIZE = 256  # Of the recurrent state, the hidden layers and the heads.
DEPTH = 24
CORE = {min(os.sched_getaffinity(0))}
# As in sheeprl's XS: strided 4 x 4 convolutions of 24, 48, 96, 192 channels,
# no blocks in the recurrent layer, one layer in all heads.
OURS = f"""
  --configs crafter gail --task crafter_reward --jax.platform cpu
  --batch_size {BATCH} --batch_length {LENGTH} --report_length {LENGTH}
  --agent.dyn.rssm.deter {SIZE} --agent.dyn.rssm.hidden {SIZE}
  --agent.dyn.rssm.stoch 32 --agent.dyn.rssm.classes 32
  --agent.dyn.rssm.blocks 1 --agent.dyn.rssm.imglayers 1
  --agent..*\\.units {SIZE} --agent..*\\.layers 1 --agent..*\\.depth {DEPTH}
  --agent.dec.simple.bspace 1 --agent.gail.disc.layers 2
  --agent..*\\.mults 1,2,4,8 --agent..*\\.kernel 4 --agent..*\\.strided True
""".split()
THEIRS = f"""
  -m sheeprl exp=dreamer_v3 env=dummy env.id=discrete_dummy env.num_envs=1
  env.capture_video=False fabric.accelerator=cpu fabric.precision=32-true
  algo=dreamer_v3_XS algo.per_rank_batch_size={BATCH}
  algo.per_rank_sequence_length={LENGTH} algo.cnn_keys.encoder=[rgb]
  algo.mlp_keys.encoder=[] algo.learning_starts=64 algo.replay_ratio=1
  algo.total_steps=112 algo.run_test=False metric.log_every=8
  checkpoint.every=100000 checkpoint.save_last=True buffer.size=1000
  buffer.memmap=False buffer.checkpoint=False
""".split()
READ = """
import glob, json, sys
from tensorboard.backend.event_processing import event_accumulator
path = glob.glob(sys.argv[1] + '/**/events*', recursive=True)[0]
events = event_accumulator.EventAccumulator(path)
events.Reload()
import sheeprl, torch
path = glob.glob(sys.argv[1] + '/**/*.ckpt', recursive=True)[0]
saved = torch.load(path, map_location='cpu', weights_only=False)
count = sum(
    v.numel() for k in ('world_model', 'actor', 'critic')
    for v in saved[k].values())
print(json.dumps({
    'sheeprl parameters': count,
    'rates': [x.value for x in events.Scalars('Time/sps_train')],
    'sheeprl': sheeprl.__version__, 'torch': torch.__version__}))
"""


def main():
  """Time both in turns, print the figures and write them as JSON."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--python', type=pathlib.Path, required=True)
  parser.add_argument('--out', type=pathlib.Path, required=True)
  parser.add_argument('--rounds', type=int, default=3)
  args = parser.parse_args()
  os.sched_setaffinity(0, CORE)
  os.environ['OMP_NUM_THREADS'] = '1'
  rounds = []
  for _ in range(args.rounds):
    rounds.append({**theirs(args.python.absolute()), **ours()})
    print(json.dumps(rounds[-1]), flush=True)
  median = lambda key: float(np.median([x[key] for x in rounds]))
  figures = {
      f'{k} / sheeprl': round(
          median(f'{k} steps/s') / median('sheeprl steps/s'), 2)
      for k in ('gail', 'env')}
  args.out.write_text(json.dumps({
      'figures': figures, 'batch': [BATCH, LENGTH], 'image': [64, 64, 3],
      'ours': OURS, 'theirs': THEIRS, 'rounds': rounds}, indent=1) + '\n')
  print(figures)


def theirs(python):
  """Return train steps/s of sheeprl and its versions."""
  with tempfile.TemporaryDirectory() as folder:
    subprocess.run(
        [python, *THEIRS], cwd=folder, check=True, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    text = subprocess.run(
        [python, '-c', READ, folder], check=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
  found = json.loads(text.splitlines()[-1])
  rates = found.pop('rates')[1:]
  return {'sheeprl steps/s': float(np.median(rates)), **found}


def ours():
  """Return train steps/s with demonstrations and with reward, and sizes."""
  with tempfile.TemporaryDirectory() as folder:
    out = pathlib.Path(folder) / 'step.json'
    subprocess.run(
        [sys.executable, '-m', 'dreamer_gail_plugin.perf', 'step', *OURS,
         '--repeats', '10', '--out', out], check=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    found = json.loads(out.read_text())
  result = {}
  for key in ('gail', 'env'):
    result[f'{key} steps/s'] = 1e3 / found['milliseconds'][key]['median']
    result[f'{key} parameters'] = found['info'][key]['parameters']
  return result


if __name__ == '__main__':
  main()
