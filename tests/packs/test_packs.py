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
from tests.packs.conftest import METHODS, PACKS, ROOT, TINY

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
# Methods that need another one in place before they can be applied.
FOLLOWS = {"rope-base": "rope"}
# Methods that multiply a value, and so can be applied again and again.
SCALES = {"batch-size", "learning-rate", "embedding-lr", "unembedding-lr"}
# The definitions and constants of train.py that lose a line to each recipe, and the
# most lines that it may add.
TOUCHED = {
    "adam-betas": ({"ADAM_BETAS"}, 1),
    "batch-size": ({"TOTAL_BATCH_SIZE"}, 1),
    "depth": ({"GPTConfig"}, 1),
    "embedding-lr": (set(), 5),
    "final-lr": ({"WARMDOWN_RATIO", "FINAL_LR_FRAC"}, 2),
    "gelu": ({"MLP.forward"}, 1),
    "gqa": ({"N_KV_HEAD"}, 1),
    "grad-clip": (set(), 2),
    "learning-rate": ({"LEARNING_RATE"}, 1),
    "logit-softcap": (set(), 2),
    "muon": ({"GPT.setup_optimizer"}, 70),
    "qk-norm": (set(), 1),
    "rope": ({"GPT.__init__", "GPT.forward"}, 12),
    "rope-base": ({"rotary"}, 1),
    "sliding-window": ({"CausalSelfAttention.forward"}, 11),
    "swiglu": ({"MLP.__init__", "MLP.forward"}, 5),
    "unembedding-lr": (set(), 5),
    "value-residual": (
        {"CausalSelfAttention.forward", "Block.forward", "GPT.forward"},
        18,
    ),
    "warmdown": ({"WARMDOWN_RATIO"}, 1),
    "warmup": ({"WARMUP_RATIO"}, 1),
    "weight-decay": ({"WEIGHT_DECAY"}, 1),
}

# Another kind of script: its constants at the module's level, in larger units, ...
CONSTANTS = """\
import torch
import torch.nn as nn
import torch.nn.functional as F

ASPECT_RATIO = 64        # width per layer
HEAD_DIM = 128
WINDOW_PATTERN = "SSSL"  # S: half the context, L: all of it

TOTAL_BATCH_SIZE = 2**19 # tokens
EMBEDDING_LR = 0.6
UNEMBEDDING_LR = 0.004
MATRIX_LR = 0.04
WEIGHT_DECAY = 0.2
ADAM_BETAS = (0.8, 0.95) # beta1, beta2
WARMUP_RATIO = 0.0
WARMDOWN_RATIO = 0.5
FINAL_LR_FRAC = 0.0

DEPTH = 8                # layers
DEVICE_BATCH_SIZE = 128
"""
# ... and its model, which has a good deal of the packs already.
MODEL = """

def norm(x):
    return F.rms_norm(x, (x.size(-1),))


def apply_rotary(x, cos, sin):
    half = x.shape[-1] // 2
    left, right = x[..., :half], x[..., half:]
    return torch.cat([left * cos - right * sin, left * sin + right * cos], -1)


class CausalSelfAttention(nn.Module):
    def forward(self, x, ve, cos_sin, window):
        q, k, v = self.project(x)
        v = v + self.gate(x) * ve
        q, k = apply_rotary(q, *cos_sin), apply_rotary(k, *cos_sin)
        q, k = norm(q), norm(k)
        return self.c_proj(flash(q, k, v, causal=True, window_size=window))


class MLP(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.c_fc = nn.Linear(config.n_embd, 4 * config.n_embd, bias=False)
        self.c_proj = nn.Linear(4 * config.n_embd, config.n_embd, bias=False)

    def forward(self, x):
        x = self.c_fc(x)
        x = F.relu(x).square()
        return self.c_proj(x)


class GPT(nn.Module):
    def init_weights(self, s):
        for block in self.transformer.h:
            torch.nn.init.uniform_(block.mlp.c_fc.weight, -s, s)
            torch.nn.init.zeros_(block.mlp.c_proj.weight)

    def _precompute_rotary_embeddings(self, seq_len, head_dim, base=10000):
        return base ** (torch.arange(0, head_dim, 2) / head_dim)

    def setup_optimizer(self):
        matrices = list(self.transformer.h.parameters())
        tables = list(self.value_embeds.parameters())
        return MuonAdamW(matrices, tables)

    def forward(self, idx):
        x = norm(self.run(idx))
        softcap = 15
        return softcap * torch.tanh(self.lm_head(x) / softcap)


class MuonAdamW(torch.optim.Optimizer):
    pass


def build_model_config(depth):
    num_heads = depth * ASPECT_RATIO // HEAD_DIM
    return GPTConfig(
        n_layer=depth, n_head=num_heads, n_kv_head=num_heads, n_embd=num_heads * HEAD_DIM,
    )


config = build_model_config(DEPTH)
optimizer = GPT(config).setup_optimizer()
while True:
    optimizer.step()
"""
OF_CONSTANTS = {
    "adam-betas",
    "batch-size",
    "depth",
    "embedding-lr",
    "final-lr",
    "learning-rate",
    "sliding-window",
    "unembedding-lr",
    "warmdown",
    "warmup",
    "weight-decay",
}
OF_MODEL = {"gelu", "gqa", "grad-clip", "logit-softcap", "rope-base", "swiglu"}
PRESENT = {
    "logit-softcap",
    "muon",
    "qk-norm",
    "rope",
    "sliding-window",
    "value-residual",
}

every_method = pytest.mark.parametrize("name", METHODS)


def base_of(name):
    """Return the plain script, with what the method builds on in place."""
    earlier = FOLLOWS.get(name)
    return apply_recipe(METHODS[earlier], TINY) if earlier else TINY


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
    assert set(names) == set(TOUCHED)
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


@every_method
def test_a_recipe_changes_what_it_names_and_nothing_else(name):
    source = base_of(name)
    gone, came = difference(source, apply_recipe(METHODS[name], source))
    tree = ast.parse(source)
    scopes, most = TOUCHED[name]
    assert {owner(tree, line) for line in gone} == scopes
    assert 1 <= len(came) <= most
    assert max(map(len, came)) <= 88


@every_method
def test_a_recipe_keeps_every_comment(name):
    source = base_of(name)
    gone, came = difference(source, apply_recipe(METHODS[name], source))
    lines = source.splitlines()
    comments = [lines[at - 1].partition("#")[2] for at in gone if "#" in lines[at - 1]]
    assert [text for text in comments if not any(text in line for line in came)] == []


@every_method
def test_a_method_is_detected_once_it_is_there(name):
    method, source = METHODS[name], base_of(name)
    assert not detect(method, source)
    after = apply_recipe(method, source)
    assert detect(method, after) == bool(method.detect)
    # These two add a constant here, and only turn it where it is.
    if name not in {"embedding-lr", "unembedding-lr"}:
        assert name in detected(METHODS.values(), source, after)


@every_method
def test_a_method_that_applies_has_what_it_requires(name):
    assert missing(METHODS[name], base_of(name)) == []


@every_method
def test_a_second_application_is_refused_or_turns_a_value(name):
    source = base_of(name)
    once = apply_recipe(METHODS[name], source)
    if name not in SCALES:
        with pytest.raises(RecipeError, match=f"^{name}: "):
            apply_recipe(METHODS[name], once)
        return
    twice = apply_recipe(METHODS[name], once)
    gone, came = difference(once, twice)
    assert len(gone) == len(came) == 1
    assert constants(once) != constants(twice)


@every_method
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


@every_method
def test_constants_alone_are_enough_for_a_method_that_turns_one(name):
    if name in OF_CONSTANTS:
        gone, came = difference(CONSTANTS, first_change(name, CONSTANTS))
        assert len(gone) == len(came) == 1
        return
    assert missing(METHODS[name], CONSTANTS)
    with pytest.raises(RecipeError, match=rf"^{name}: step \d"):
        apply_recipe(METHODS[name], CONSTANTS)


@every_method
def test_a_method_knows_a_script_that_has_it_already(name):
    assert detect(METHODS[name], CONSTANTS + MODEL) == (name in PRESENT)


@every_method
def test_a_method_applies_to_the_other_script_or_says_why_not(name):
    source = CONSTANTS + MODEL
    if name in OF_CONSTANTS | OF_MODEL:
        after = first_change(name, source)
        assert detect(METHODS[name], after) == bool(METHODS[name].detect)
        assert missing(METHODS[name], source) == []
        return
    assert name in PRESENT
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
    assert line in first_change(name, CONSTANTS + MODEL)


def test_an_edit_by_hand_is_recognised_as_the_method_it_makes():
    edited = TINY.replace("LEARNING_RATE = 1e-3", "LEARNING_RATE = 1.7e-3")
    assert detected(METHODS.values(), TINY, edited) == ["learning-rate"]
    edited = CONSTANTS.replace("MATRIX_LR = 0.04", "MATRIX_LR = 0.035")
    assert detected(METHODS.values(), CONSTANTS, edited) == ["learning-rate"]
    edited = TINY.replace("TOTAL_BATCH_SIZE = 2048", "TOTAL_BATCH_SIZE = 4096")
    assert detected(METHODS.values(), TINY, edited) == ["batch-size"]
