"""What recipes change in the network itself: its shapes, norms, masks and sums.

That each of them trains is shown with the others, in test_recipes_train.py.
"""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

functional = torch.nn.functional


@pytest.fixture
def build(load):
    """Make the network of the script with recipes applied."""

    def built(*names, **knobs):
        module = load(*names, **knobs)
        return module.GPT(module.GPTConfig())

    return built


@pytest.fixture
def attended(monkeypatch):
    """Note what goes into and comes out of every attention that is computed."""
    seen = []
    real = functional.scaled_dot_product_attention

    def noted(q, k, v, **options):
        y = real(q, k, v, **options)
        seen.append({"q": q, "k": k, "v": v, "y": y})
        return y

    monkeypatch.setattr(functional, "scaled_dot_product_attention", noted)
    return seen


def text(*shape):
    return torch.randint(256, shape, generator=torch.Generator().manual_seed(1))


def stream(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(2))


def shapes(module):
    return {name: tuple(p.shape) for name, p in module.named_parameters()}


def size(x):
    return x.square().mean(-1).sqrt()


def given(module, name):
    """Note the first argument of each call of a part of a module."""
    seen = []
    part = module.get_submodule(name)
    part.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    return seen


def rms(x):
    return functional.rms_norm(x, x.shape[-1:])


def weights(q, k):
    """Return the weights of causal attention, of every head."""
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    hidden = torch.ones(scores.shape[-2:]).triu(1).bool()
    return scores.masked_fill(hidden, float("-inf")).softmax(-1)


def sees(attn, x, at=0):
    """Return at which places an attention layer notices a change of one place."""
    other = x.clone()
    other[:, at] += 1.0
    return ((attn(x) - attn(other)).abs().amax((0, 2)) > 1e-6).nonzero().flatten()


# Attention


def test_mqa_has_one_head_of_keys_and_values(build):
    found = shapes(build("mqa").transformer.h[0].attn)
    assert found["c_k.weight"] == found["c_v.weight"] == (32, 128)
    assert found["c_q.weight"] == (128, 128)


def test_full_attention_undoes_the_windows(build):
    model = build("sliding-window", "full-attention")
    assert [block.attn.window for block in model.transformer.h] == [128, 128]
    assert len(sees(model.transformer.h[0].attn, stream(1, 128, 128))) == 128


@pytest.mark.parametrize(("part", "length"), [(8, 16), (4, 32)])
def test_the_short_window_is_a_part_of_the_sequence(build, part, length):
    model = build("sliding-window", "window-size", part=part)
    assert [block.attn.window for block in model.transformer.h] == [length, 128]
    seen = sees(model.transformer.h[0].attn, stream(1, 128, 128))
    assert seen.tolist() == list(range(length))


def test_a_head_is_gated_by_the_token(build, attended):
    attn = build("attention-gate").transformer.h[0].attn
    x, outputs = stream(1, 8, 128), given(attn, "c_proj")
    attn.attn_gate.weight.data.zero_()
    attn(x)
    whole = attended[0]["y"].transpose(1, 2).flatten(2)
    torch.testing.assert_close(outputs[0], whole)
    attn.attn_gate.weight.data[1] = -1e3 * x[0, 5]  # closes head 1 for this token
    attn(x)
    assert outputs[1][0, 5, 32:64].abs().max() == 0
    torch.testing.assert_close(outputs[1][0, 5, 64:], whole[0, 5, 64:])


def test_exclusive_attention_brings_nothing_of_the_own_value(build, attended):
    attn = build("exclusive-attention").transformer.h[0].attn
    outputs = given(attn, "c_proj")
    attn(stream(1, 8, 128))
    brought = outputs[0].unflatten(-1, (4, -1)).transpose(1, 2)
    overlap = (brought * attended[0]["v"]).sum(-1)
    torch.testing.assert_close(overlap, torch.zeros_like(overlap), atol=1e-5, rtol=0)
    assert brought[:, :, 1:].abs().amax(-1).min() > 1e-4


def test_the_temperature_multiplies_the_queries(build, attended):
    plain, scaled = build(), build("attention-temperature", scale=1.5)
    scaled.load_state_dict(plain.state_dict())
    for model in (plain, scaled):
        model.transformer.h[0].attn(stream(1, 8, 128))
    torch.testing.assert_close(attended[1]["q"], 1.5 * attended[0]["q"])
    torch.testing.assert_close(attended[1]["k"], attended[0]["k"])


def test_each_head_learns_its_temperature(build, attended):
    attn = build("learned-temperature").transformer.h[0].attn
    assert shapes(attn)["q_scale"] == (4,)
    x = stream(1, 8, 128)
    attn(x)
    attn.q_scale.data[2] = 3.0
    attn(x)
    ratio = attended[1]["q"] / attended[0]["q"]
    expected = torch.tensor([1.0, 1.0, 3.0, 1.0])[:, None, None].expand(1, 4, 8, 32)
    torch.testing.assert_close(ratio, expected)


def test_sub_ln_normalises_what_goes_into_the_last_matrices(build):
    block = build("sub-ln").transformer.h[0]
    seen = [given(block, f"{part}.c_proj") for part in ("attn", "mlp")]
    block(stream(1, 8, 128))
    for (x,) in seen:
        torch.testing.assert_close(size(x), torch.ones(1, 8), atol=1e-3, rtol=0)


# Position


def test_slow_channels_stand_still(load):
    module = load("rope", "partial-rope", part=0.25)
    turned = module.rotary(torch.ones(1, 1, 20, 32))[0, 0]
    still = (turned == 1).all(0).nonzero().flatten().tolist()
    assert still == [*range(4, 16), *range(20, 32)]


def test_every_second_layer_has_no_position(build, attended):
    model = build("rope", "nope-layers", every=2)
    x = stream(1, 1, 128).expand(1, 9, 128)
    for block in model.transformer.h:
        block.attn(x)
    turned = [not torch.allclose(a["q"][:, :, 0], a["q"][:, :, 8]) for a in attended]
    assert turned == [True, False]


def test_alibi_lets_attention_sink_with_the_distance(build, attended):
    model = build("alibi")
    assert "wpe" not in model.transformer
    attn = model.transformer.h[0].attn
    attn.c_k.weight.data.zero_()  # no content: only the distance is left
    attn(stream(1, 9, 128))
    v, y = attended[0]["v"], attended[0]["y"]
    for head, slope in enumerate([2**-2, 2**-4, 2**-6, 2**-8]):
        weight = torch.softmax(-slope * torch.arange(8, -1, -1.0), 0)
        torch.testing.assert_close(y[0, head, 8], weight @ v[0, head])


# Normalisation


def test_layernorm_takes_the_mean_away(load):
    x = load("layernorm").norm(stream(4, 64) + 3)
    torch.testing.assert_close(x.mean(-1), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(size(x), torch.ones(4), atol=1e-3, rtol=0)
    assert load("layernorm").norm(x.bfloat16()).dtype == torch.bfloat16


def test_a_gain_scales_what_a_block_reads(build):
    block = build("norm-gain").transformer.h[0]
    assert shapes(block)["attn_gain"] == shapes(block)["mlp_gain"] == (128,)
    read = [given(block, part) for part in ("attn", "mlp")]
    block.attn_gain.data[3] = 5.0
    block.mlp_gain.data[4] = 0.0
    x = stream(1, 8, 128)
    block(x)
    torch.testing.assert_close(read[0][0][..., 3], 5 * rms(x)[..., 3])
    assert read[1][0][..., 4].abs().max() == 0
    assert read[1][0][..., 5].abs().min() > 0


def test_peri_ln_adds_branches_of_one_size(build):
    block, x = build("peri-ln").transformer.h[0], stream(1, 8, 128)
    middle = x + rms(block.attn(rms(x)))
    torch.testing.assert_close(block(x), middle + rms(block.mlp(rms(middle))))


def test_post_norm_brings_every_sum_to_one_size(build):
    block, x = build("post-norm").transformer.h[0], 5 * stream(1, 8, 128)
    middle = rms(x + block.attn(rms(x)))
    torch.testing.assert_close(block(x), rms(middle + block.mlp(middle)))


def test_embeddings_are_normalised(build):
    model = build("embedding-norm")
    read = given(model, "transformer.h.0")
    model(text(1, 8))
    torch.testing.assert_close(size(read[0]), torch.ones(1, 8), atol=0.01, rtol=0)


# Activations and the feed-forward layer


@pytest.mark.parametrize(
    ("name", "activation"),
    [("swiglu", "silu"), ("geglu", "gelu"), ("reglu", "relu")],
)
def test_a_gate_multiplies_at_the_same_number_of_weights(build, name, activation):
    plain, mlp = build().transformer.h[0].mlp, build(name).transformer.h[0].mlp
    numbers = [sum(p.numel() for p in part.parameters()) for part in (plain, mlp)]
    assert numbers[1] == pytest.approx(numbers[0], rel=0.01)
    x = stream(2, 128)
    gate = getattr(functional, activation)(mlp.c_gate(x))
    torch.testing.assert_close(mlp(x), mlp.c_proj(gate * mlp.c_fc(x)))


@pytest.mark.parametrize(
    ("name", "activation"),
    [
        ("silu", functional.silu),
        ("leaky-relu-squared", lambda x: functional.leaky_relu(x, 0.5).square()),
    ],
)
def test_another_activation_takes_the_place_of_relu_squared(build, name, activation):
    mlp, x = build(name).transformer.h[0].mlp, stream(2, 128)
    torch.testing.assert_close(mlp(x), mlp.c_proj(activation(mlp.c_fc(x))))


@pytest.mark.parametrize(("ratio", "width"), [(3, 384), (3.5, 448)])
def test_the_feed_forward_layer_gets_another_width(build, ratio, width):
    found = shapes(build("mlp-ratio", ratio=ratio).transformer.h[1].mlp)
    assert found == {"c_fc.weight": (width, 128), "c_proj.weight": (128, width)}


# Embeddings and heads


def test_both_ends_share_one_table(build):
    model = build("weight-tying")
    assert model.transformer.wte.weight is model.lm_head.weight
    groups = model.setup_optimizer().param_groups
    found = [id(p) for group in groups for p in group["params"]]
    assert len(found) == len(set(found)) == len(list(model.parameters()))


def test_the_head_has_a_bias_that_starts_at_nothing(build):
    model, plain = build("head-bias"), build()
    assert model.lm_head.bias.abs().max() == 0
    model.load_state_dict(plain.state_dict(), strict=False)
    model.lm_head.bias.data[7] = 2.0
    moved = model(text(1, 4)) - plain(text(1, 4))
    expected = functional.one_hot(torch.tensor(7), 256) * torch.tensor(2.0)
    torch.testing.assert_close(moved, expected.expand(1, 4, 256))


def test_logits_are_scaled(build):
    plain, model = build(), build("logit-scale", scale=4.0)
    model.load_state_dict(plain.state_dict())
    torch.testing.assert_close(model(text(1, 4)), 4 * plain(text(1, 4)))


def test_a_pair_of_tokens_has_a_row(load):
    module = load("bigram-embedding", rows=2)
    model = module.GPT(module.GPTConfig())
    assert shapes(model)["bigram_embed.weight"] == (512, 128)
    rows = module.bigram_row(torch.tensor([[5, 6, 5, 6, 7]]), 512)[0]
    assert rows[1] == rows[3]  # 6 after 5, both times
    assert len(set(rows.tolist())) == 4
    assert model.bigram_embed.weight.abs().max() == 0
    read = [given(model, f"transformer.h.{i}") for i in (0, 1)]
    idx = torch.tensor([[5, 6, 5, 6, 7]])
    model(idx)
    model.bigram_embed.weight.data[rows[1]] = 1.0
    model(idx)
    moved = read[0][1] - read[0][0]
    expected = torch.tensor([0.0, 0.1, 0.0, 0.1, 0.0])[None, :, None].expand(1, 5, 128)
    torch.testing.assert_close(moved, expected)
    assert (read[1][1] - read[1][0])[0, 1].mean() > 0.15  # again at the second layer


def test_an_embedding_takes_in_the_one_before(build):
    model = build("smear")
    assert shapes(model)["smear_gate.weight"] == (1, 24)
    read, idx = given(model, "transformer.h.0"), text(1, 8)
    model(idx)
    model.smear_lambda.data.fill_(1.0)
    model.smear_gate.weight.data.zero_()
    model(idx)
    plain, smeared = read
    torch.testing.assert_close(smeared[:, 0], plain[:, 0])
    torch.testing.assert_close(smeared[:, 1:], plain[:, 1:] + plain[:, :-1] / 2)


def test_value_embeddings_are_added_to_the_values(build, attended):
    model, idx = build("gqa", "value-embedding"), text(1, 8)
    assert shapes(model)["value_embeds.1.weight"] == (256, 64)
    assert list(model.value_embeds) == ["1"]
    model.transformer.h[1].attn.c_v.weight.data.zero_()
    model(idx)
    expected = model.value_embeds["1"](idx).unflatten(-1, (2, 32)).transpose(1, 2)
    torch.testing.assert_close(attended[1]["v"][:, ::2], expected)
    torch.testing.assert_close(attended[1]["v"][:, 1::2], expected)


# Residuals


def test_every_layer_reads_the_embedding_again(build):
    model = build("x0-residual")
    read, block = [given(model, f"transformer.h.{i}") for i in (0, 1)], []
    model.transformer.h[0].register_forward_hook(lambda *args: block.append(args[2]))
    for part, (keep, mix) in zip(
        model.transformer.h, [(1.0, 0.0), (0.5, 2.0)], strict=True
    ):
        part.resid_lambda.data.fill_(keep)
        part.x0_lambda.data.fill_(mix)
    model(text(1, 8))
    (x0,), (x1,) = read
    torch.testing.assert_close(x1, 0.5 * block[0] + 2 * x0)


@pytest.mark.parametrize(
    ("layers", "pairs"), [(2, {1: 0}), (3, {2: 0}), (4, {2: 1, 3: 0})]
)
def test_late_layers_get_what_early_ones_have_left(load, layers, pairs):
    module = load("unet-skips")
    model = module.GPT(module.GPTConfig(n_layer=layers))
    left, read = [], [given(model, f"transformer.h.{i}") for i in range(layers)]
    for block in model.transformer.h:
        block.register_forward_hook(lambda *args: left.append(args[2]))
    model.skip_lambdas.data.copy_(torch.arange(1.0, layers + 1))
    model(text(1, 8))
    for late in range(1, layers):
        expected = left[late - 1]
        if late in pairs:
            expected = expected + (late + 1) * left[pairs[late]]
        torch.testing.assert_close(read[late][0], expected)


@pytest.mark.parametrize(("layers", "middle"), [(2, 0), (5, 2)])
def test_the_middle_is_taken_out_at_the_end(load, layers, middle):
    module = load("backout")
    model = module.GPT(module.GPTConfig(n_layer=layers))
    left, read = [], given(model, "lm_head")
    for block in model.transformer.h:
        block.register_forward_hook(lambda *args: left.append(args[2]))
    model(text(1, 8))
    torch.testing.assert_close(read[0], rms(left[-1] - 0.2 * left[middle]))


def test_both_halves_of_a_block_read_the_same(build):
    block, x = build("parallel-block").transformer.h[0], stream(1, 8, 128)
    torch.testing.assert_close(
        block(x), x + block.attn(rms(x)) + block.mlp(rms(x)), atol=1e-5, rtol=1e-5
    )


def test_a_branch_is_scaled_by_channel(build):
    block, x = build("layer-scale", start=0.5).transformer.h[0], stream(1, 8, 128)
    assert shapes(block)["attn_scale"] == (128,)
    middle = x + block.attn(rms(x)) / 2
    torch.testing.assert_close(block(x), middle + block.mlp(rms(middle)) / 2)
    block.attn_scale.data.zero_()
    block.mlp_scale.data[1:] = 0
    assert (block(x) - x)[..., 1:].abs().max() == 0


def test_branches_are_scaled_by_depth(build):
    block, x = build("depth-scale").transformer.h[0], stream(1, 8, 128)
    middle = x + block.attn(rms(x)) / 2  # two layers: four branches
    torch.testing.assert_close(block(x), middle + block.mlp(rms(middle)) / 2)


def test_scales_stand_outside_of_norms(build):
    for order in (["peri-ln", "depth-scale"], ["depth-scale", "peri-ln"]):
        block, x = build(*order).transformer.h[0], stream(1, 8, 128)
        middle = x + rms(block.attn(rms(x))) / 2
        torch.testing.assert_close(block(x), middle + rms(block.mlp(rms(middle))) / 2)


def test_layers_are_left_out_in_training_alone(build, monkeypatch):
    block, x = build("stochastic-depth", rate=0.2).transformer.h[0], stream(1, 8, 128)
    real, drawn = torch.rand, iter([0.1, 0.9])

    def rand(*shape, **options):
        once = shape == ((),)
        return torch.full((), next(drawn)) if once else real(*shape, **options)

    monkeypatch.setattr(torch, "rand", rand)
    assert torch.equal(block(x), x)
    middle = x + block.attn(rms(x)) / 0.8
    torch.testing.assert_close(block(x), middle + block.mlp(rms(middle)) / 0.8)
    block.eval()
    middle = x + block.attn(rms(x))
    torch.testing.assert_close(block(x), middle + block.mlp(rms(middle)))
