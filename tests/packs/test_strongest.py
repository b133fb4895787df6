"""The five strongest recipes, trained for 20 seconds, each at once with the plain script.

Strongest by what the packs say was measured elsewhere: the mean of a method's priors,
each in units of its session's typical change and weighed by its runs, drawn to zero by
one run without an effect. That was on other machines and for longer, and seeds alone
spread by about 0.045 bpb at 20 seconds: so no more is asserted than that each of them
trains without harm that is plain to see, and that Muon, whose gain at this size was
measured (0.34), helps. Each is trained at the same time as the plain script, so that
other work on the machine slows both.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest

from loopgraph_git.library.fitting import State, attempt, contexts
from tests.packs.conftest import METHODS, TINY, WORKLOAD

pytest.importorskip("torch")
pytestmark = [pytest.mark.torch, pytest.mark.slow]

SECONDS = 20
IDLE = 3.4
"""What the plain script reaches in 20 seconds where nothing else keeps the machine busy:
2.5 to 2.6, and 3.2 on a machine at half its speed, where Muon gained 0.36."""
HARM = 0.5
HELPS = {"muon": 0.1}


def strength(method):
    """Return the mean prior in typical changes, one run without an effect included."""
    runs = sum(prior.n for prior in method.priors)
    gains = sum(prior.n * prior.gain / prior.spread for prior in method.priors)
    return gains / (runs + 1)


def strongest(k=5):
    """Return the k strongest methods whose recipes apply, with the edited script."""
    methods = list(METHODS.values())
    plain = {"train.py": TINY}
    stands = contexts(methods, plain)
    tried = [attempt(method, plain, stands[method.id]) for method in methods]
    applied = [item for item in tried if item.state is State.APPLIES]
    best = sorted(applied, key=lambda item: -strength(METHODS[item.method]))[:k]
    return {item.method: item.files["train.py"] for item in best}


def started(folder, source):
    """Start to train a script for 20 seconds."""
    folder.mkdir(parents=True)
    shutil.copy(WORKLOAD / "prepare.py", folder)
    (folder / "train.py").write_text(source)
    environ = {
        **os.environ,
        "LOOPGRAPH_BUDGET_SECONDS": str(SECONDS),
        "LOOPGRAPH_SEED": "0",
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.Popen(
        [sys.executable, "train.py"],
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        text=True,
    )


def ended(process):
    """Wait for a training run and return its val_bpb."""
    out, _ = process.communicate()
    assert process.returncode == 0, out
    found = re.search(r"^val_bpb: +([\d.]+)$", out, re.MULTILINE)
    assert found, out
    return float(found[1])


def test_the_strongest_recipes_train_beside_the_baseline(tmp_path):
    gains, baselines = {}, []
    for name, source in strongest().items():
        plain = started(tmp_path / name / "plain", TINY)
        with started(tmp_path / name / "edited", source) as edited, plain:
            value = ended(edited)
            baselines.append(ended(plain))
        gains[name] = baselines[-1] - value
    assert len(gains) == 5
    if max(baselines) > IDLE:
        pytest.skip(f"too busy a machine to compare on: baselines {baselines}")
    assert min(gains.values()) > -HARM, gains
    assert all(gains.get(name, least) >= least for name, least in HELPS.items()), gains
