"""Every recipe trains, and does to the network or its training what it claims."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from tests.packs.conftest import (
    RECIPES,
    WORKLOAD,
    complete,
    edited,
    parameters,
    rates,
    some_bytes,
)

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

STACKS = [
    ("rope", "depth", "muon", "qk-norm", "learning-rate", "swiglu", "warmdown"),
    ("value-residual", "sliding-window", "gqa", "qk-norm", "rope", "rope-base"),
    ("embedding-lr", "unembedding-lr", "muon", "value-residual", "grad-clip"),
    ("muon", "unembedding-lr", "embedding-lr", "batch-size", "logit-softcap", "gelu"),
    ("sliding-window", "depth", "final-lr", "warmup", "weight-decay", "adam-betas"),
]


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.usefixtures("uncompiled", "collected")
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_trains(train, name):
    model = train(*complete(name)).model
    assert all(torch.isfinite(p).all() for p in model.parameters())


@pytest.mark.parametrize("names", STACKS, ids="+".join)
def test_a_stack_of_recipes_trains(train, names):
    model = train(*names).model
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_a_stack_trains_for_real(tmp_path):
    shutil.copy(WORKLOAD / "prepare.py", tmp_path)
    source = edited("muon", "rope", "qk-norm", "swiglu", "sliding-window", "depth")
    (tmp_path / "train.py").write_text(source)
    done = subprocess.run(
        [sys.executable, "train.py"],
        cwd=tmp_path,
        env={**os.environ, "LOOPGRAPH_MAX_STEPS": "2", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "val_bpb:" in done.stdout


def test_swiglu_gates_at_the_size_that_it_replaces(load):
    plain, module = load(), load("swiglu")
    config = module.GPTConfig()
    mlp = module.MLP(config)
    shapes = parameters(mlp)
    assert shapes["c_gate.weight"] == shapes["c_fc.weight"] == (344, 128)
    before = sum(p.numel() for p in plain.MLP(config).parameters())
    assert sum(p.numel() for p in mlp.parameters()) == pytest.approx(before, rel=0.01)
    mlp.c_gate.weight.data.zero_()
    assert mlp(torch.ones(1, 128)).count_nonzero() == 0


def test_gelu_takes_the_place_of_relu_squared(load):
    module = load("gelu")
    mlp, x = module.MLP(module.GPTConfig()), torch.randn(3, 128)
    expected = mlp.c_proj(torch.nn.functional.gelu(mlp.c_fc(x)))
    torch.testing.assert_close(mlp(x), expected)


@pytest.mark.parametrize(("group", "width"), [(2, 64), (4, 32)])
def test_gqa_shares_keys_and_values(load, attended, group, width):
    module = load("gqa", group=group)
    model = module.GPT(module.GPTConfig())
    shapes = parameters(model.transformer.h[0].attn)
    assert shapes["c_q.weight"] == (128, 128)
    assert shapes["c_k.weight"] == shapes["c_v.weight"] == (width, 128)
    model(some_bytes(1, 8))
    assert torch.equal(attended[0].k[:, 0], attended[0].k[:, group - 1])


def test_a_short_layer_sees_half_of_the_sequence_and_a_long_one_all(load):
    module = load("sliding-window")
    model = module.GPT(module.GPTConfig())
    short, long = (block.attn for block in model.transformer.h)
    x = torch.randn(1, 128, 128)
    other = x.clone()
    other[:, 0] = 1.0
    moved = [
        (attn(x) - attn(other)).abs().amax((0, 2)) > 1e-6 for attn in (short, long)
    ]
    assert moved[0].nonzero().flatten().tolist() == list(range(64))
    assert moved[1].all()


def test_queries_and_keys_are_normalised(load, attended):
    module = load("rope", "qk-norm")
    module.GPT(module.GPTConfig())(some_bytes(1, 16))
    for part in (attended[0].q, attended[0].k):
        size = part.square().mean(-1)
        torch.testing.assert_close(size, torch.ones_like(size), rtol=0.01, atol=0)


def test_rope_takes_the_place_of_learned_positions(load):
    module = load("rope")
    model = module.GPT(module.GPTConfig())
    assert "wpe" not in model.transformer
    text = some_bytes(1, 16)
    swapped = text[:, [1, 0, *range(2, 16)]]
    assert not torch.allclose(model(text)[:, -1], model(swapped)[:, -1], atol=1e-6)


def test_rope_sees_distances(load):
    rotary = load("rope").rotary
    q, k = torch.randn(2, 32)
    turned_q = rotary(q.expand(1, 1, 20, 32))[0, 0]
    turned_k = rotary(k.expand(1, 1, 20, 32))[0, 0]
    scores = turned_q @ turned_k.T
    torch.testing.assert_close(scores[7, 3], scores[19, 15])
    torch.testing.assert_close(scores[0, 0], q @ k)
    assert not torch.isclose(scores[7, 3], scores[7, 4])


def test_the_base_of_rope_is_turned(load):
    slow, fast = load("rope", "rope-base", base=200000), load("rope")
    x = torch.ones(1, 1, 2, 32)
    angle = [module.rotary(x)[0, 0, 1, 15] for module in (slow, fast)]
    assert angle[0] > angle[1]  # the slowest pair has turned less from 1


def test_muon_takes_the_matrices_and_adamw_the_rest(load):
    module = load("value-residual", "muon", lr=0.04)
    model = module.GPT(module.GPTConfig())
    adamw, muon = model.setup_optimizer().parts
    assert isinstance(adamw, torch.optim.AdamW)
    assert isinstance(muon, module.Muon)
    for name, rate in rates(model).items():
        is_matrix = ".h." in name and not name.endswith("v_mix")
        assert rate == (0.04 if is_matrix else 1e-3), name


@pytest.mark.parametrize("shape", [(32, 96), (96, 32), (48, 48)])
def test_muon_makes_every_direction_count(load, shape):
    update = load("muon").orthogonalize(torch.randn(shape))
    assert update.shape == shape
    values = torch.linalg.svdvals(update)
    assert values.max() < 1.3
    assert values.median() > 0.6


def test_muon_decays_and_descends(load):
    module, after = load("muon"), []
    for decay in (0.0, 0.5):
        p = torch.nn.Parameter(torch.eye(8))
        p.grad = torch.eye(8)
        module.Muon([p], lr=0.1, weight_decay=decay).step()
        after.append(p.detach().diagonal())
    assert ((after[0] > 0.87) & (after[0] < 0.95)).all()  # a step of 0.1, about
    torch.testing.assert_close(after[0] - after[1], torch.full((8,), 0.05))


@pytest.mark.parametrize(
    ("names", "knobs", "expected"),
    [
        (["learning-rate"], {"factor": 2.0}, (2e-3, 2e-3, 2e-3)),
        (["muon", "learning-rate"], {"factor": 0.5}, (0.01, 1e-3, 1e-3)),
        (["embedding-lr"], {"factor": 4.0}, (1e-3, 4e-3, 1e-3)),
        (["unembedding-lr"], {"factor": 3.0}, (1e-3, 1e-3, 3e-3)),
        (["embedding-lr", "muon"], {}, (0.02, 1.5e-3, 1e-3)),
        (["muon", "unembedding-lr", "embedding-lr"], {}, (0.02, 1.5e-3, 1.5e-3)),
    ],
)
def test_each_part_learns_at_its_rate(load, names, knobs, expected):
    module = load(*names, **knobs)
    found = rates(module.GPT(module.GPTConfig()))
    parts = ("transformer.h.0.mlp.c_fc", "transformer.wte", "lm_head")
    assert [found[f"{part}.weight"] for part in parts] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "knobs", "key", "value"),
    [
        ("weight-decay", {"value": 0.2}, "weight_decay", 0.2),
        ("adam-betas", {"beta1": 0.9, "beta2": 0.99}, "betas", (0.9, 0.99)),
    ],
)
def test_adamw_gets_its_settings(load, name, knobs, key, value):
    module = load(name, **knobs)
    groups = module.GPT(module.GPTConfig()).setup_optimizer().param_groups
    assert [group[key] for group in groups] == [value]


@pytest.mark.parametrize(
    ("names", "points"),
    [
        (["warmdown"], {0.0: 1.0, 0.5: 1.0, 0.75: 0.5, 1.0: 0.0}),
        (["warmup"], {0.0: 0.0, 0.025: 0.5, 0.05: 1.0, 1.0: 1.0}),
        (["final-lr"], {0.5: 1.0, 0.75: 0.525, 1.0: 0.05}),
        (["warmdown", "final-lr"], {0.5: 1.0, 1.0: 0.05}),
    ],
)
def test_the_learning_rate_takes_its_course(load, names, points):
    multiplier = load(*names).get_lr_multiplier
    assert {at: multiplier(at) for at in points} == pytest.approx(points)


@pytest.mark.parametrize(("factor", "size"), [(0.5, 8), (2.0, 16), (0.125, 2)])
def test_the_batch_is_scaled(train, factor, size):
    seen = train("batch-size", factor=factor)
    assert seen.batches == [size]
    assert int(2048 * factor) == seen.module.TOTAL_BATCH_SIZE


@pytest.mark.parametrize(("factor", "layers"), [(0.5, 1), (1.5, 3), (2.0, 4)])
def test_the_number_of_layers_changes_and_the_width_does_not(load, factor, layers):
    module = load("depth", factor=factor)
    model = module.GPT(module.GPTConfig())
    assert len(model.transformer.h) == layers
    assert model.lm_head.in_features == 128


def test_later_layers_mix_in_the_first_layers_values(load, attended):
    module = load("value-residual")
    model = module.GPT(module.GPTConfig())
    first, second = (block.attn for block in model.transformer.h)
    assert first.v_mix is None
    model(some_bytes(1, 16))
    second.v_mix.data.fill_(100.0)
    model(some_bytes(1, 16))
    before, after = attended[:2], attended[2:]
    assert not torch.allclose(before[1].v, before[0].v)
    torch.testing.assert_close(after[1].v, after[0].v)


def test_no_logit_goes_beyond_the_cap(load):
    module = load("logit-softcap", cap=12)
    model = module.GPT(module.GPTConfig())
    model.lm_head.weight.data.mul_(1e4)
    largest = model(some_bytes(1, 16)).abs().max()
    assert 11 < largest <= 12


def test_gradients_are_clipped_before_every_step(train, monkeypatch):
    limits = []
    real = torch.nn.utils.clip_grad_norm_

    def noted(parameters, limit):
        limits.append(limit)
        return real(parameters, limit)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", noted)
    train("grad-clip", limit=0.5)
    assert limits == [0.5, 0.5]
