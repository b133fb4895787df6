"""Recipes of the training: each does to its course what it claims."""

from __future__ import annotations

import gc
import math

import pytest

from tests.packs.conftest import complete, rates, settings, some_bytes

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch
SHAPES = [(32, 96), (96, 32)]


@pytest.fixture
def edit(load):
    """Import the script with a method, and what it follows, in place."""
    return lambda name, **knobs: load(*complete(name), **knobs)


@pytest.fixture
def trained(train):
    """Train with a method, and what it follows, in place."""
    return lambda name, **rest: train(*complete(name), **rest)


def setting(name, seen):
    """Return a setting of the last group of the optimizer, step by step."""
    return [groups[-1][name] for groups in seen.settings]


def moved(module, *gradients, start=None, weight_decay=0.0, lr=0.1):
    """Return how far Muon moves a matrix by some gradients, one after another."""
    begin = torch.zeros_like(gradients[0]) if start is None else start
    p = torch.nn.Parameter(begin.clone())
    muon = module.Muon([p], lr=lr, weight_decay=weight_decay)
    for gradient in gradients:
        p.grad = gradient.clone()
        muon.step()
    return p.detach() - begin


def weights(seen):
    return torch.cat([p.detach().flatten() for p in seen.model.parameters()])


def first_weights(module):
    """Return the matrices of a model that has not been trained, by their names."""
    model = module.GPT(module.GPTConfig())
    return {name.removesuffix(".weight"): p for name, p in model.named_parameters()}


def groups_of(module):
    model = module.GPT(module.GPTConfig())
    return settings(model.setup_optimizer())


def test_the_momentum_of_muon_is_set(edit):
    assert groups_of(edit("muon-momentum", value=0.9))[-1]["momentum"] == 0.9


def test_the_momentum_of_muon_warms_up(trained):
    seen = trained("muon-momentum-warmup", steps=10)
    assert setting("momentum", seen) == pytest.approx([0.85, 0.86])
    assert seen.module.get_muon_momentum(100) == 0.95


def test_the_momentum_of_muon_falls_with_the_learning_rate(train):
    names = ("muon", "muon-momentum-warmup", "warmdown", "momentum-warmdown")
    seen = train(*names, max_steps=4, fall=0.1)
    warm = [0.85 + 0.1 * step / 300 for step in range(4)]
    expected = [*warm[:3], warm[3] - 0.1 * 0.5]
    assert setting("momentum", seen) == pytest.approx(expected)


def test_muon_takes_fewer_newton_schulz_steps(edit):
    x = torch.randn(16, 16)
    module = edit("muon-steps", steps=3)
    assert torch.equal(module.orthogonalize(x), module.orthogonalize(x, steps=3))


def test_without_nesterov_the_average_alone_is_made_orthogonal(edit):
    module = edit("plain-momentum")
    first, second = torch.randn(2, 8, 8)
    average = (0.05 * first).lerp(second, 0.05)
    alone = moved(module, first, lr=0.0) - 0.1 * module.orthogonalize(average)
    after = moved(module, first, second) - moved(module, first)
    torch.testing.assert_close(after, alone)


@pytest.mark.parametrize("shape", SHAPES)
def test_muon_moves_entries_as_far_as_adamw_does(edit, shape):
    module = edit("muon-rms-scale", lr=0.006)
    assert module.MATRIX_LR == 0.006
    size = moved(module, torch.randn(shape), lr=1.0).square().mean().sqrt()
    assert 0.15 < size < 0.25


def test_wide_matrices_take_the_larger_steps(edit):
    module = edit("muon-wide-scale")
    wide = torch.randn(32, 96)
    ratio = moved(module, wide).norm() / moved(module, wide.T).norm()
    torch.testing.assert_close(ratio, torch.tensor(math.sqrt(3)), rtol=0.01, atol=0)


def test_rows_of_an_update_become_even_and_the_whole_keeps_its_size(edit):
    gradient = torch.randn(96, 32)
    plain, even = (moved(edit(name), gradient) for name in ("muon", "normuon"))
    torch.testing.assert_close(even.norm(), plain.norm())
    rows = [update.norm(dim=1) for update in (plain, even)]
    assert rows[0].std() / rows[0].mean() > 0.05
    assert rows[1].std() / rows[1].mean() < 0.01


@pytest.mark.parametrize("shape", SHAPES)
def test_polar_express_comes_closer_to_an_orthogonal_matrix(edit, shape):
    gradient = torch.randn(shape)
    off = [
        (torch.linalg.svdvals(edit(name).orthogonalize(gradient)) - 1).abs().max()
        for name in ("muon", "polar-express")
    ]
    assert off[1] < 0.2 < off[0]


def test_the_scale_of_a_row_no_longer_matters_to_muon(edit):
    gradient, scale = torch.randn(16, 32), torch.logspace(-2, 2, 16)[:, None]
    for name, same in (("muon", False), ("muon-row-norm", True)):
        orthogonalize = edit(name).orthogonalize
        both = orthogonalize(gradient), orthogonalize(scale * gradient)
        assert torch.allclose(*both, atol=1e-4) == same


@pytest.mark.parametrize("shape", SHAPES)
def test_a_muon_update_has_the_norm_of_an_orthogonal_matrix(edit, shape):
    size = moved(edit("muon-renorm"), torch.randn(shape), lr=1.0).norm()
    scale = max(1.0, shape[0] / shape[1]) ** 0.5
    torch.testing.assert_close(size, torch.tensor(scale * math.sqrt(32)))


@pytest.mark.parametrize("name", ["cautious-weight-decay", "uniform-weight-decay"])
def test_weights_decay_where_they_should(edit, name):
    module, gradient, start = edit(name), torch.randn(8, 8), torch.randn(8, 8)
    assert module.WEIGHT_DECAY == 0.1
    plain = moved(module, gradient, start=start)
    decayed = moved(module, gradient, start=start, weight_decay=0.5) - plain
    grows = (plain * start > 0) & (name == "cautious-weight-decay")
    assert grows.any() == (name == "cautious-weight-decay")
    expected = torch.where(grows, 0.0, -0.05 * start)
    torch.testing.assert_close(decayed, expected, atol=1e-6, rtol=1e-5)


def test_lion_moves_every_weight_by_its_rate(edit):
    module = edit("lion")
    assert {group["lr"] for group in groups_of(module)} == {3e-4}
    p = torch.nn.Parameter(torch.zeros(4))
    p.grad = torch.tensor([1e-6, -1.0, 1e3, 0.0])
    module.Lion([p], lr=0.1, betas=(0.9, 0.99), weight_decay=0.0).step()
    torch.testing.assert_close(p.detach(), torch.tensor([-0.1, 0.1, -0.1, 0.0]))


@pytest.mark.parametrize(
    ("name", "knobs", "key", "value"),
    [
        ("adam-eps", {"value": 1e-6}, "eps", 1e-6),
        ("adam-width-scale", {}, "lr", 1e-3 * math.sqrt(6)),
        ("fused-adamw", {}, "fused", True),
    ],
)
def test_adamw_gets_what_the_recipe_says(edit, name, knobs, key, value):
    groups = groups_of(edit(name, **knobs))
    assert [group[key] for group in groups] == pytest.approx([value])


@pytest.mark.parametrize(
    ("name", "key", "value", "others"),
    [
        ("embedding-beta2", "betas", (0.9, 0.995), (0.9, 0.95)),
        ("embedding-weight-decay", "weight_decay", 0.001, 0.0),
    ],
)
def test_the_embeddings_have_settings_of_their_own(edit, name, key, value, others):
    shared, own = groups_of(edit(name))
    assert (shared[key], own[key]) == (others, value)
    assert own["lr"] == 1.5e-3


def test_mixes_learn_at_their_own_rate(edit):
    module = edit("scalar-lr", factor=5.0)
    found = rates(module.GPT(module.GPTConfig()))
    assert {name for name, rate in found.items() if rate == 5e-3} == {
        "transformer.h.1.attn.v_mix"
    }


def test_lookahead_goes_half_of_the_way(train):
    begin, end = (weights(train(max_steps=steps)) for steps in (0, 2))
    seen = train("lookahead", steps=2)
    torch.testing.assert_close(weights(seen), (begin + end) / 2)


def test_the_average_of_the_weights_is_what_is_evaluated(train):
    begin, end = (weights(train(max_steps=steps)) for steps in (0, 1))
    seen = train("weight-ema", max_steps=1, decay=0.95)
    torch.testing.assert_close(weights(seen), begin.lerp(end, 0.05))


def test_the_mean_of_the_last_weights_is_what_is_evaluated(train):
    third, fourth = (weights(train(max_steps=steps)) for steps in (3, 4))
    seen = train("weight-averaging", max_steps=4, start=0.5)
    torch.testing.assert_close(weights(seen), (third + fourth) / 2)


@pytest.mark.parametrize(
    ("name", "points"),
    [
        ("cosine-decay", {0.0: 1.0, 0.25: 0.8536, 0.5: 0.5, 1.0: 0.0}),
        ("sqrt-decay", {0.0: 1.0, 0.5: 1.0, 0.75: 0.2929, 1.0: 0.0}),
    ],
)
def test_the_learning_rate_falls_along_the_curve(edit, name, points):
    multiplier = edit(name).get_lr_multiplier
    found = {at: multiplier(at) for at in points}
    assert found == pytest.approx(points, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "key", "course"),
    [
        ("inverse-sqrt", "lr", [1e-3, 6.325e-4, 4.472e-4, 3.651e-4]),
        ("warmup-steps", "lr", [2.5e-5, 5e-5, 7.5e-5, 1e-4]),
        ("weight-decay-schedule", "weight_decay", [0.1, 0.075, 0.05, 0.025]),
        ("cosine-weight-decay", "weight_decay", [0.1, 0.08536, 0.05, 0.01464]),
    ],
)
def test_a_setting_takes_its_course(trained, name, key, course):
    seen = trained(name, max_steps=4)
    assert setting(key, seen) == pytest.approx(course, rel=1e-3)


@pytest.mark.parametrize(("factor", "size"), [(0.5, 8), (0.125, 2), (2.0, 16)])
def test_fewer_windows_go_through_the_model_at_a_time(train, factor, size):
    seen = train("device-batch-size", factor=factor)
    assert seen.batches == [size]
    assert len(seen.settings) == 2 * 16 // size
    assert seen.clock.tokens == 2 * 2048


@pytest.mark.parametrize(
    ("name", "factor", "shape"),
    [
        ("aspect-ratio", 1.5, (2, 192, 6)),
        ("head-dim", 2.0, (2, 128, 2)),
        ("model-size", 1.5, (3, 192, 6)),
    ],
)
def test_the_shape_of_the_model_changes(edit, name, factor, shape):
    module = edit(name, factor=factor)
    config = module.GPTConfig()
    model = module.GPT(config)
    layers, width = len(model.transformer.h), model.lm_head.in_features
    assert (layers, width, config.n_head) == shape


def test_what_is_computed_again_has_the_same_gradient(edit, load, attended):
    gradients = []
    for module in (load(), edit("checkpointing")):
        torch.manual_seed(0)
        model = module.GPT(module.GPTConfig())
        model(some_bytes(2, 16), some_bytes(2, 16)).backward()
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    torch.testing.assert_close(*gradients)
    assert len(attended) == 2 + 4


def test_the_first_batches_are_smaller_and_counted_as_such(train, attended):
    seen = train("batch-ramp", max_steps=4)
    sizes = [layer.q.shape[0] for layer in attended[:8:2]]
    assert sizes == [8, 8, 16, 16]
    assert seen.clock.tokens == sum(sizes) * 128


def test_the_first_windows_are_shorter(train, attended):
    seen = train("short-windows-first", max_steps=4)
    shapes = [(layer.q.shape[0], layer.q.shape[2]) for layer in attended[:8:2]]
    assert shapes == [(64, 32), (64, 32), (16, 128), (16, 128)]
    assert seen.clock.tokens == 4 * 2048


@pytest.mark.parametrize(
    ("name", "knobs", "part", "std"),
    [
        ("init-scale", {"factor": 0.5}, "transformer.h.0.mlp.c_fc", 0.01),
        ("init-scale", {"factor": 0.5}, "transformer.wte", 0.02),
        ("width-init", {}, "transformer.h.1.attn.c_q", 128**-0.5),
        ("width-init", {}, "lm_head", 0.02),
        ("zero-init-projections", {}, "transformer.h.1.mlp.c_proj", 0.0),
        ("zero-init-projections", {}, "transformer.h.1.mlp.c_fc", 0.02),
        ("depth-scaled-init", {}, "transformer.h.1.mlp.c_proj", 0.01),
        ("orthogonal-init", {}, "transformer.h.1.mlp.c_fc", 0.02),
        ("qk-init", {"scale": 0.25}, "transformer.h.0.attn.c_k", 0.005),
        ("qk-init", {"scale": 0.25}, "transformer.h.0.attn.c_v", 0.02),
        ("fc-init", {"scale": 0.5}, "transformer.h.0.mlp.c_fc", 0.01),
        ("embedding-init", {"std": 0.8}, "transformer.wte", 0.8),
        ("embedding-init", {"std": 0.8}, "transformer.wpe", 0.02),
        ("zero-init-head", {}, "lm_head", 0.0),
        ("zero-init-head", {}, "transformer.wte", 0.02),
    ],
)
def test_weights_begin_at_the_size_that_the_recipe_says(edit, name, knobs, part, std):
    found = first_weights(edit(name, **knobs))[part].std().item()
    assert found == pytest.approx(std, rel=0.05)


def test_matrices_begin_orthogonal(edit):
    square = first_weights(edit("orthogonal-init"))["transformer.h.0.attn.c_q"]
    gram = (square @ square.T).detach()
    torch.testing.assert_close(gram, gram[0, 0] * torch.eye(128), atol=1e-6, rtol=0)


def test_the_feed_forward_layer_drops_a_part_while_training_only(edit):
    module = edit("dropout", rate=0.2)
    mlp, x = module.MLP(module.GPTConfig()), torch.randn(64, 128)
    assert 0.18 < (mlp(x) == 0).float().mean() < 0.22
    mlp.eval()
    assert (mlp(x) != 0).all()


def test_the_z_loss_is_a_part_of_training_only(edit):
    module = edit("z-loss", weight=0.01)
    model, text = module.GPT(module.GPTConfig()), some_bytes(2, 16)
    expected = 0.01 * model(text).logsumexp(-1).square().mean()
    training, measured = model(text, text), model.eval()(text, text)
    torch.testing.assert_close(training - measured, expected)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize("name", ["torch-compile", "max-autotune"])
def test_the_model_is_compiled(trained, monkeypatch, name):
    options, real = [], torch.compile

    def noted(model, **given):
        options.append(given)
        return real(model, **given)

    monkeypatch.setattr(torch, "compile", noted)
    model = trained(name).model
    assert isinstance(model, torch._dynamo.eval_frame.OptimizedModule)
    mode = "max-autotune-no-cudagraphs" if name == "max-autotune" else None
    assert [given.get("mode") for given in options] == [mode]
    assert options[0]["dynamic"] is False


def test_products_of_float32_have_the_precision_that_was_set(train):
    train("matmul-precision", precision="medium")
    assert torch.get_float32_matmul_precision() == "medium"
    train()
    assert torch.get_float32_matmul_precision() == "high"


@pytest.mark.usefixtures("collected")
def test_nothing_is_collected_while_training(train):
    train("gc-freeze")
    assert not gc.isenabled()
    assert gc.get_freeze_count() > 0
