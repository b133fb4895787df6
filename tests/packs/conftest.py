"""A training script with recipes applied, imported or run for two steps."""

from __future__ import annotations

import gc
import importlib.util
import sys
from functools import cache
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
# Methods that need others in place before they can be applied.
FOLLOWS = {
    "cautious-weight-decay": ("muon",),
    "cosine-weight-decay": ("weight-decay-schedule",),
    "depth-scaled-init": ("zero-init-projections",),
    "embedding-beta2": ("embedding-lr",),
    "embedding-weight-decay": ("embedding-lr",),
    "full-attention": ("sliding-window",),
    "max-autotune": ("torch-compile",),
    "momentum-warmdown": ("muon", "muon-momentum-warmup"),
    "muon-momentum": ("muon",),
    "muon-momentum-warmup": ("muon",),
    "muon-renorm": ("muon",),
    "muon-rms-scale": ("muon",),
    "muon-row-norm": ("muon",),
    "muon-steps": ("muon",),
    "muon-wide-scale": ("muon",),
    "nope-layers": ("rope",),
    "normuon": ("muon",),
    "partial-rope": ("rope",),
    "plain-momentum": ("muon",),
    "polar-express": ("muon",),
    "rope-base": ("rope",),
    "scalar-lr": ("value-residual",),
    "uniform-weight-decay": ("muon", "cautious-weight-decay"),
    "window-size": ("sliding-window",),
}
# Methods of what tiny_nanochat does not have.
ELSEWHERE = {"fp8", "value-embedding-decay"}
RECIPES = [name for name in METHODS if METHODS[name].recipe and name not in ELSEWHERE]


def complete(name):
    """Return a method's name after those of the methods that it follows."""
    return (*FOLLOWS.get(name, ()), name)


@cache
def applied(*names):
    """Return the training script with the recipes of some methods applied."""
    if not names:
        return TINY
    return apply_recipe(METHODS[names[-1]], applied(*names[:-1]))


def edited(*names, **knobs):
    """Return the training script with recipes applied; knobs are of the last."""
    if not knobs:
        return applied(*names)
    return apply_recipe(METHODS[names[-1]], applied(*names[:-1]), knobs=knobs)


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
    """Run the edited script's own main for a few steps on random bytes.

    What comes back has the sizes of batches that were asked for, the clock, the model
    as it was evaluated, and the optimizer's settings in each step.
    """
    torch = pytest.importorskip("torch")

    def run(*names, max_steps=2, **knobs):
        module = load(*names, **knobs)
        prepare = module.prepare
        seen = SimpleNamespace(module=module, batches=[], settings=[])
        seen.clock = prepare.Clock(torch.device("cpu"), max_steps=max_steps)
        set_up = module.GPT.setup_optimizer

        def optimizer(model):
            seen.optimizer = set_up(model)
            return seen.optimizer

        def batches(size, _device):
            seen.batches.append(size)
            draw = torch.Generator().manual_seed(0)
            while True:
                seen.settings.append(settings(seen.optimizer))
                window = torch.randint(256, (size, 129), generator=draw)
                yield window[:, :-1], window[:, 1:]

        def evaluate(model, _device):
            seen.model = model
            prepare._check_causal(model.eval(), torch.randint(256, (2, 128)))
            return 1.0

        fakes = {
            "Clock": lambda _device: seen.clock,
            "detect_device": lambda: torch.device("cpu"),
            "evaluate_bpb": evaluate,
            "make_dataloader": batches,
            "report": lambda *_: None,
        }
        for name, fake in fakes.items():
            monkeypatch.setattr(module, name, fake)
        monkeypatch.setattr(module.GPT, "setup_optimizer", optimizer)
        assert module.main() == 0
        return seen

    return run


@pytest.fixture
def uncompiled():
    """Let compiled models run as they are: to compile takes longer than they do."""
    torch = pytest.importorskip("torch")
    with torch.compiler.set_stance("force_eager"):
        yield


@pytest.fixture
def collected():
    """Undo what the script does to the garbage collector."""
    yield
    gc.enable()
    gc.unfreeze()


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


def settings(optimizer):
    """Return the settings of each group of an optimizer, without its parameters."""
    return [
        {name: value for name, value in group.items() if name != "params"}
        for group in optimizer.param_groups
    ]


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
