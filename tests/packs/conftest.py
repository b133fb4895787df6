"""A training script with recipes applied, imported or run for two steps."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from loopgraph_git.library.packs import load_packs
from loopgraph_git.library.recipes import apply_recipe

ROOT = Path(__file__).parents[2]
WORKLOAD = ROOT / "harness" / "tiny_nanochat"
TINY = (WORKLOAD / "train.py").read_text()
PACKS = load_packs([ROOT / "packs"])
METHODS = {method.id: method for pack in PACKS for method in pack.methods}


def edited(*names, **knobs):
    """Return the training script with recipes applied; knobs are of the last."""
    source = TINY
    for name in names:
        own = knobs if name == names[-1] else {}
        source = apply_recipe(METHODS[name], source, knobs=own)
    return source


def imported(name, path, monkeypatch):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)  # dataclasses look there
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def load(monkeypatch, tmp_path):
    """Import the edited script as a module, to compute on one thread."""
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the models are too small to share
    prepare = imported("prepare", WORKLOAD / "prepare.py", monkeypatch)

    def load_edited(*names, **knobs):
        path = tmp_path / "train.py"
        path.write_text(edited(*names, **knobs))
        module = imported(f"edited_{len(sys.modules)}", path, monkeypatch)
        module.prepare = prepare
        torch.manual_seed(0)
        return module

    yield load_edited
    torch.set_num_threads(threads)


@pytest.fixture
def train(load, monkeypatch):
    """Run the edited script's own main for two steps on random bytes."""
    torch = pytest.importorskip("torch")

    def run(*names, **knobs):
        module = load(*names, **knobs)
        prepare, seen = module.prepare, SimpleNamespace(module=module, batches=[])

        def batches(size, _device):
            seen.batches.append(size)
            draw = torch.Generator().manual_seed(0)
            while True:
                window = torch.randint(256, (size, 129), generator=draw)
                yield window[:, :-1], window[:, 1:]

        def evaluate(model, _device):
            seen.model = model
            prepare._check_causal(model.eval(), torch.randint(256, (2, 128)))
            return 1.0

        fakes = {
            "Clock": lambda device: prepare.Clock(device, max_steps=2),
            "detect_device": lambda: torch.device("cpu"),
            "evaluate_bpb": evaluate,
            "make_dataloader": batches,
            "report": lambda *_: None,
        }
        for name, fake in fakes.items():
            monkeypatch.setattr(module, name, fake)
        assert module.main() == 0
        return seen

    return run


@pytest.fixture
def attended(monkeypatch):
    """Note the queries, keys and values of every attention that is computed."""
    torch = pytest.importorskip("torch")
    seen = []
    real = torch.nn.functional.scaled_dot_product_attention

    def noted(q, k, v, **options):
        seen.append(SimpleNamespace(q=q, k=k, v=v))
        return real(q, k, v, **options)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", noted)
    return seen


def parameters(module):
    return {name: p.shape for name, p in module.named_parameters()}


def rates(model):
    """Return the initial learning rate of every parameter, by name."""
    groups = model.setup_optimizer().param_groups
    found = [(id(p), group["initial_lr"]) for group in groups for p in group["params"]]
    assert len(found) == len(dict(found)) == len(list(model.parameters()))
    rate = dict(found)
    return {name: rate[id(p)] for name, p in model.named_parameters()}


def some_bytes(*shape):
    torch = pytest.importorskip("torch")
    return torch.randint(256, shape, generator=torch.Generator().manual_seed(1))
