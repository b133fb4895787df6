"""The shipped packs: sound, applicable, and free to be combined. Trains nothing."""

from __future__ import annotations

import ast
import itertools
from difflib import SequenceMatcher

import pytest

from loopgraph_git.errors import RecipeError
from loopgraph_git.library.fitting import knob_choices
from loopgraph_git.library.packs import unknown_conflicts, validate
from loopgraph_git.library.recipes import (
    apply_recipe,
    constants,
    detect,
    detected,
    missing,
)
from tests.packs.conftest import (
    FOLLOWS,
    METHODS,
    PACKS,
    RECIPES,
    ROOT,
    TINY,
    applied,
    complete,
)
from tests.packs.scripts import CONSTANTS, FLAGS, SCRIPT

FILES = sorted((ROOT / "packs").glob("*.yml"))

REQUIRED = {
    "swiglu",
    "gqa",
    "muon",
    "sliding-window",
    "learning-rate",
    "batch-size",
    "warmdown",
    "value-residual",
    "weight-decay",
    "logit-softcap",
    "rope",
    "qk-norm",
    "depth",
}
# Methods that multiply a value, and so can be applied again and again.
SCALES = {
    "aspect-ratio",
    "batch-size",
    "device-batch-size",
    "embedding-lr",
    "head-dim",
    "learning-rate",
    "model-size",
    "scalar-lr",
    "unembedding-lr",
}
# Methods that add a constant here, and elsewhere only turn it; or that take away what
# nothing else would tell.
SILENT = {
    "embedding-init",
    "embedding-lr",
    "init-scale",
    "qk-init",
    "scalar-lr",
    "unembedding-lr",
    "uniform-weight-decay",
}
# A method that puts other lines in the place of commented ones.
REWRITES = {
    "depth-scaled-init",
    "polar-express",
    "uniform-weight-decay",
    "width-init",
    "zero-init-projections",
}
# The definitions and constants of train.py that lose a line to each recipe, and the
# most lines that it may add.
TOUCHED = {
    "adam-betas": ({"ADAM_BETAS"}, 1),
    "adam-eps": (set(), 1),
    "adam-width-scale": ({"GPT.setup_optimizer"}, 1),
    "alibi": ({"CausalSelfAttention.forward", "GPT.__init__", "GPT.forward"}, 9),
    "aspect-ratio": ({"ASPECT_RATIO"}, 1),
    "attention-gate": (set(), 3),
    "attention-temperature": (set(), 1),
    "backout": (set(), 6),
    "batch-ramp": ({"main"}, 7),
    "batch-size": ({"TOTAL_BATCH_SIZE"}, 1),
    "bigram-embedding": (set(), 15),
    "cautious-weight-decay": ({"Muon.step", "WEIGHT_DECAY"}, 3),
    "checkpointing": (set(), 6),
    "cosine-decay": ({"WARMDOWN_RATIO", "get_lr_multiplier"}, 3),
    "cosine-weight-decay": ({"get_weight_decay_multiplier"}, 1),
    "depth": ({"GPTConfig"}, 1),
    "depth-scale": ({"Block.forward"}, 3),
    "depth-scaled-init": ({"GPT.init_weights"}, 2),
    "device-batch-size": ({"DEVICE_BATCH_SIZE"}, 1),
    "dropout": ({"MLP.forward"}, 1),
    "embedding-beta2": (set(), 1),
    "embedding-init": (set(), 2),
    "embedding-lr": (set(), 6),
    "embedding-norm": (set(), 1),
    "embedding-weight-decay": (set(), 1),
    "exclusive-attention": (set(), 3),
    "fc-init": (set(), 2),
    "final-lr": ({"FINAL_LR_FRAC", "WARMDOWN_RATIO"}, 2),
    "full-attention": ({"WINDOW_PATTERN"}, 1),
    "fused-adamw": (set(), 1),
    "gc-freeze": (set(), 4),
    "geglu": ({"MLP.__init__", "MLP.forward"}, 5),
    "gelu": ({"MLP.forward"}, 1),
    "gqa": ({"N_KV_HEAD"}, 1),
    "grad-clip": (set(), 2),
    "head-bias": ({"GPT.__init__"}, 2),
    "head-dim": ({"HEAD_DIM"}, 1),
    "init-scale": (set(), 2),
    "inverse-sqrt": (set(), 4),
    "layer-scale": ({"Block.forward"}, 4),
    "layernorm": ({"norm"}, 1),
    "leaky-relu-squared": ({"MLP.forward"}, 1),
    "learned-temperature": (set(), 2),
    "learning-rate": ({"LEARNING_RATE"}, 1),
    "lion": ({"GPT.setup_optimizer", "LEARNING_RATE"}, 32),
    "logit-scale": ({"GPT.forward"}, 1),
    "logit-softcap": (set(), 2),
    "lookahead": (set(), 7),
    "matmul-precision": ({"main"}, 1),
    "max-autotune": ({"main"}, 1),
    "mlp-ratio": ({"MLP.__init__"}, 2),
    "model-size": ({"DEPTH"}, 1),
    "momentum-warmdown": (set(), 1),
    "mqa": ({"N_KV_HEAD"}, 1),
    "muon": ({"GPT.setup_optimizer"}, 70),
    "muon-momentum": ({"MUON_MOMENTUM"}, 1),
    "muon-momentum-warmup": (set(), 11),
    "muon-renorm": (set(), 2),
    "muon-rms-scale": ({"MATRIX_LR", "Muon.step"}, 2),
    "muon-row-norm": (set(), 2),
    "muon-steps": ({"orthogonalize"}, 1),
    "muon-wide-scale": ({"Muon.step"}, 1),
    "nope-layers": ({"CausalSelfAttention.forward"}, 3),
    "norm-gain": ({"Block.forward"}, 4),
    "normuon": (set(), 7),
    "orthogonal-init": (set(), 4),
    "parallel-block": ({"Block.forward"}, 2),
    "partial-rope": (set(), 3),
    "peri-ln": ({"Block.forward"}, 2),
    "plain-momentum": ({"Muon.step"}, 1),
    "polar-express": ({"orthogonalize"}, 9),
    "post-norm": (set(), 2),
    "qk-init": (set(), 2),
    "qk-norm": (set(), 1),
    "reglu": ({"MLP.__init__", "MLP.forward"}, 5),
    "rope": ({"GPT.__init__", "GPT.forward"}, 12),
    "rope-base": ({"rotary"}, 1),
    "scalar-lr": (set(), 6),
    "short-windows-first": (set(), 4),
    "silu": ({"MLP.forward"}, 1),
    "sliding-window": ({"CausalSelfAttention.forward"}, 11),
    "smear": (set(), 6),
    "sqrt-decay": ({"WARMDOWN_RATIO", "get_lr_multiplier"}, 3),
    "stochastic-depth": ({"Block.forward"}, 5),
    "sub-ln": ({"CausalSelfAttention.forward", "MLP.forward"}, 2),
    "swiglu": ({"MLP.__init__", "MLP.forward"}, 5),
    "torch-compile": (set(), 1),
    "unembedding-lr": (set(), 5),
    "unet-skips": (set(), 7),
    "uniform-weight-decay": ({"Muon.step"}, 1),
    "value-embedding": (
        {"Block.forward", "CausalSelfAttention.forward", "GPT.forward"},
        17,
    ),
    "value-residual": (
        {"Block.forward", "CausalSelfAttention.forward", "GPT.forward"},
        18,
    ),
    "warmdown": ({"WARMDOWN_RATIO"}, 1),
    "warmup": ({"WARMUP_RATIO"}, 1),
    "warmup-steps": (set(), 3),
    "weight-averaging": ({"main"}, 8),
    "weight-decay": ({"WEIGHT_DECAY"}, 1),
    "weight-decay-schedule": ({"WEIGHT_DECAY"}, 9),
    "weight-ema": ({"main"}, 8),
    "weight-tying": (set(), 1),
    "width-init": ({"GPT.init_weights"}, 1),
    "window-size": ({"CausalSelfAttention.__init__"}, 1),
    "x0-residual": (set(), 4),
    "z-loss": ({"GPT.forward"}, 4),
    "zero-init-head": (set(), 1),
    "zero-init-projections": ({"GPT.init_weights"}, 2),
}

# What each script of another making can take, ...
OF_CONSTANTS = {
    "adam-betas",
    "aspect-ratio",
    "batch-size",
    "depth",
    "device-batch-size",
    "embedding-lr",
    "final-lr",
    "full-attention",
    "head-dim",
    "learning-rate",
    "model-size",
    "scalar-lr",
    "sliding-window",
    "unembedding-lr",
    "warmdown",
    "warmup",
    "weight-decay",
}
OF_SCRIPT = (OF_CONSTANTS - {"sliding-window"}) | {
    "adam-eps",
    "checkpointing",
    "cosine-decay",
    "cosine-weight-decay",
    "depth-scaled-init",
    "dropout",
    "embedding-beta2",
    "embedding-init",
    "embedding-weight-decay",
    "fc-init",
    "geglu",
    "gelu",
    "gqa",
    "grad-clip",
    "init-scale",
    "inverse-sqrt",
    "layernorm",
    "leaky-relu-squared",
    "logit-scale",
    "lookahead",
    "matmul-precision",
    "max-autotune",
    "mlp-ratio",
    "momentum-warmdown",
    "mqa",
    "muon-momentum",
    "muon-renorm",
    "muon-rms-scale",
    "muon-row-norm",
    "muon-steps",
    "muon-wide-scale",
    "orthogonal-init",
    "parallel-block",
    "peri-ln",
    "plain-momentum",
    "qk-init",
    "reglu",
    "rope-base",
    "short-windows-first",
    "silu",
    "sqrt-decay",
    "stochastic-depth",
    "sub-ln",
    "swiglu",
    "uniform-weight-decay",
    "value-embedding-decay",
    "warmup-steps",
    "weight-averaging",
    "weight-ema",
    "z-loss",
    "zero-init-head",
}
OF_FLAGS = {
    "aspect-ratio",
    "cosine-decay",
    "device-batch-size",
    "embedding-lr",
    "fp8",
    "head-dim",
    "inverse-sqrt",
    "learning-rate",
    "max-autotune",
    "model-size",
    "muon-momentum",
    "scalar-lr",
    "short-windows-first",
    "sqrt-decay",
    "unembedding-lr",
    "warmdown",
    "weight-decay",
}
# ... and what it has already.
IN_SCRIPT = {
    "cautious-weight-decay",
    "embedding-norm",
    "gc-freeze",
    "logit-softcap",
    "muon",
    "muon-momentum-warmup",
    "normuon",
    "polar-express",
    "qk-norm",
    "rope",
    "sliding-window",
    "torch-compile",
    "value-embedding",
    "weight-decay-schedule",
    "width-init",
    "zero-init-projections",
}
IN_FLAGS = {
    "cosine-weight-decay",
    "final-lr",
    "gc-freeze",
    "momentum-warmdown",
    "muon-momentum-warmup",
    "torch-compile",
    "warmup-steps",
    "weight-decay-schedule",
}

every_method = pytest.mark.parametrize("name", METHODS)
every_recipe = pytest.mark.parametrize("name", RECIPES)


def base_of(name):
    """Return the plain script, with what the method builds on in place."""
    return applied(*FOLLOWS.get(name, ()))


def with_recipe(name):
    """Return the plain script with the method, and what it builds on, in place."""
    return applied(*complete(name))


def changed(name, source, knobs):
    """Return the source with a recipe applied, None where it would mean the same."""
    try:
        return apply_recipe(METHODS[name], source, knobs=knobs)
    except RecipeError as error:
        if "the same as before" in str(error):
            return None
        raise


def first_change(name, source):
    """Return the source under the first setting of the knobs that changes it."""
    tried = (changed(name, source, knobs) for knobs in knob_choices(METHODS[name]))
    found = next(filter(None, tried), None)
    if found is None:
        raise RecipeError(f"{name}: no setting of its knobs changes anything")
    return found


def difference(old, new):
    """Return the numbers of the lines that went, and the texts of those that came."""
    before, after = old.splitlines(), new.splitlines()
    gone, came = [], []
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for kind, first, last, start, stop in matcher.get_opcodes():
        if kind != "equal":
            gone += range(first + 1, last + 1)
            came += after[start:stop]
    return gone, came


def owner(tree, line):
    """Return the qualified name of the innermost definition or constant of a line."""
    for node in tree.body:
        if not node.lineno <= line <= node.end_lineno:
            continue
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            inner = owner(node, line) if isinstance(node, ast.ClassDef) else ""
            return f"{node.name}.{inner}" if inner else node.name
        if isinstance(node, ast.Assign) and isinstance(tree, ast.Module):
            return ast.unparse(node.targets[0])
    return ""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_pack_is_valid_and_reads_well(path):
    text = path.read_text()
    assert validate(text, path.name) == []
    assert [line for line in text.splitlines() if len(line) > 88] == []


def test_the_packs_belong_together():
    names = [method.id for pack in PACKS for method in pack.methods]
    assert len(names) == len(set(names))
    assert set(names) >= REQUIRED
    assert set(RECIPES) == set(TOUCHED)
    assert {name for names in FOLLOWS.values() for name in names} <= set(RECIPES)
    assert unknown_conflicts(PACKS) == []


@every_method
def test_a_method_says_what_it_is_and_where_it_comes_from(name):
    method = METHODS[name]
    assert len(method.title) <= 48
    assert method.title[0].isupper()
    assert not method.title.endswith(".")
    assert method.summary.count(". ") >= 1
    assert method.helps
    assert method.hurts
    assert method.aliases
    assert method.sources
    assert method.requires
    assert all(prior.source for prior in method.priors)


@every_method
def test_a_knob_can_be_turned_both_ways(name):
    for knob in METHODS[name].knobs:
        assert len({knob.default, *knob.values}) > 1
        if knob.name == "factor":
            assert min(knob.values) < 1 < max(knob.values)


@every_recipe
def test_a_recipe_changes_what_it_names_and_nothing_else(name):
    source = base_of(name)
    gone, came = difference(source, with_recipe(name))
    tree = ast.parse(source)
    scopes, most = TOUCHED[name]
    assert {owner(tree, line) for line in gone} == scopes
    assert 1 <= len(came) <= most
    assert max(map(len, came)) <= 88


@pytest.mark.parametrize("name", sorted(set(RECIPES) - REWRITES))
def test_a_recipe_keeps_every_comment(name):
    source = base_of(name)
    gone, came = difference(source, with_recipe(name))
    lines = source.splitlines()
    comments = [lines[at - 1].partition("#")[2] for at in gone if "#" in lines[at - 1]]
    assert [text for text in comments if not any(text in line for line in came)] == []


@every_recipe
def test_a_method_is_detected_once_it_is_there(name):
    method, source = METHODS[name], base_of(name)
    assert not detect(method, source)
    after = with_recipe(name)
    assert detect(method, after) == bool(method.detect)
    if name not in SILENT:
        assert name in detected(METHODS.values(), source, after)


@every_recipe
def test_a_method_that_applies_has_what_it_requires(name):
    assert missing(METHODS[name], base_of(name)) == []


@every_recipe
def test_a_second_application_is_refused_or_turns_a_value(name):
    once = with_recipe(name)
    if name not in SCALES:
        with pytest.raises(RecipeError, match=f"^{name}: "):
            apply_recipe(METHODS[name], once)
        return
    twice = apply_recipe(METHODS[name], once)
    gone, came = difference(once, twice)
    assert len(gone) == len(came) == 1
    assert constants(once) != constants(twice)


@every_recipe
def test_every_setting_of_the_knobs_applies(name):
    choices = knob_choices(METHODS[name])
    results = {changed(name, base_of(name), knobs) for knobs in choices}
    # A value that the script has already is no change, and is refused as such.
    assert len(results - {None}) >= len(choices) - 1


@pytest.mark.parametrize(
    "order",
    [
        ["rope", "depth", "muon", "qk-norm", "learning-rate", "swiglu", "warmdown"],
        ["muon", "embedding-lr", "unembedding-lr", "grad-clip", "weight-decay"],
        ["unembedding-lr", "embedding-lr", "muon", "learning-rate", "batch-size"],
        ["value-residual", "sliding-window", "gqa", "qk-norm", "rope", "rope-base"],
    ],
    ids=lambda order: order[0],
)
def test_winners_stack(order):
    source = TINY
    for name in order:
        assert missing(METHODS[name], source) == []
        source = first_change(name, source)
    for name in order:
        assert detect(METHODS[name], source) == bool(METHODS[name].detect)


def test_what_excludes_itself_says_so():
    pairs = itertools.permutations(["swiglu", "gelu"])
    assert all(second in METHODS[first].conflicts for first, second in pairs)


@every_recipe
def test_constants_alone_are_enough_for_a_method_that_turns_one(name):
    if name in OF_CONSTANTS:
        gone, came = difference(CONSTANTS, first_change(name, CONSTANTS))
        assert len(gone) == len(came) == 1
        return
    assert missing(METHODS[name], CONSTANTS)
    with pytest.raises(RecipeError, match=rf"^{name}: step \d"):
        apply_recipe(METHODS[name], CONSTANTS)


@pytest.mark.parametrize(
    ("source", "has"), [(SCRIPT, IN_SCRIPT), (FLAGS, IN_FLAGS)], ids=["file", "flags"]
)
def test_methods_know_a_script_that_has_them_already(source, has):
    found = {name for name, method in METHODS.items() if detect(method, source)}
    assert found == has


@pytest.mark.parametrize(
    ("source", "takes"), [(SCRIPT, OF_SCRIPT), (FLAGS, OF_FLAGS)], ids=["file", "flags"]
)
@every_method
def test_a_method_applies_to_the_other_script_or_says_why_not(name, source, takes):
    method = METHODS[name]
    if name in takes:
        after = first_change(name, source)
        gone, came = difference(source, after)
        assert len(gone) <= 6
        assert 1 <= len(came) <= 16
        assert detect(method, after) == bool(method.detect)
        assert missing(method, source) == []
    elif method.recipe and not detect(method, source):
        with pytest.raises(RecipeError, match=rf"^{name}: "):
            first_change(name, source)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("batch-size", "TOTAL_BATCH_SIZE = 2**18 # tokens"),
        ("learning-rate", "MATRIX_LR = 0.06"),
        ("embedding-lr", "EMBEDDING_LR = 0.9"),
        ("adam-betas", "ADAM_BETAS = (0.8, 0.99) # beta1, beta2"),
        (
            "sliding-window",
            'WINDOW_PATTERN = "SL"  # S: half the context, L: all of it',
        ),
        ("warmdown", "WARMDOWN_RATIO = 0.65"),
        ("logit-softcap", "        softcap = 20"),
        ("depth", "        n_layer=int(0.5 * depth), n_head=num_heads,"),
        ("gqa", "n_kv_head=num_heads // 2,"),
        ("rope-base", "head_dim, base=100000):"),
        ("swiglu", "        x = F.silu(self.c_gate(x)) * self.c_fc(x)"),
        (
            "swiglu",
            "            torch.nn.init.uniform_(block.mlp.c_gate.weight, -s, s)",
        ),
    ],
)
def test_a_value_is_written_the_way_that_script_writes(name, line):
    assert line in first_change(name, SCRIPT)


def test_an_edit_by_hand_is_recognised_as_the_method_it_makes():
    edited = TINY.replace("LEARNING_RATE = 1e-3", "LEARNING_RATE = 1.7e-3")
    assert detected(METHODS.values(), TINY, edited) == ["learning-rate"]
    edited = CONSTANTS.replace("MATRIX_LR = 0.04", "MATRIX_LR = 0.035")
    assert detected(METHODS.values(), CONSTANTS, edited) == ["learning-rate"]
    edited = TINY.replace("TOTAL_BATCH_SIZE = 2048", "TOTAL_BATCH_SIZE = 4096")
    assert detected(METHODS.values(), TINY, edited) == ["batch-size"]
