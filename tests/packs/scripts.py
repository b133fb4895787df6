"""Two scripts of another making, to which recipes apply without knowing them.

Both are in the manner of what people train: constants in larger units and an
optimizer in one file, and settings that are read from the command line. They are
parsed and edited, never run.
"""

# Constants at the module's level ...
from __future__ import annotations

CONSTANTS = """\
import math
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
SCALAR_LR = 0.5
WEIGHT_DECAY = 0.2
ADAM_BETAS = (0.8, 0.95) # beta1, beta2
WARMUP_RATIO = 0.0
WARMDOWN_RATIO = 0.5
FINAL_LR_FRAC = 0.0

DEPTH = 8                # layers
DEVICE_BATCH_SIZE = 128
"""
# ... a model, which has a good deal of the packs already ...
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


class Block(nn.Module):
    def forward(self, x, ve, cos_sin, window):
        x = x + self.attn(norm(x), ve, cos_sin, window)
        return x + self.mlp(norm(x))


class GPT(nn.Module):
    def init_weights(self):
        torch.nn.init.normal_(self.transformer.wte.weight, mean=0.0, std=1.0)
        torch.nn.init.normal_(self.lm_head.weight, mean=0.0, std=0.001)
        n_embd = self.config.n_embd
        s = 3**0.5 * n_embd**-0.5
        for block in self.transformer.h:
            torch.nn.init.uniform_(block.attn.c_q.weight, -s, s)
            torch.nn.init.uniform_(block.attn.c_k.weight, -s, s)
            torch.nn.init.uniform_(block.attn.c_v.weight, -s, s)
            torch.nn.init.zeros_(block.attn.c_proj.weight)
            torch.nn.init.uniform_(block.mlp.c_fc.weight, -s, s)
            torch.nn.init.zeros_(block.mlp.c_proj.weight)

    def _precompute_rotary_embeddings(self, seq_len, head_dim, base=10000):
        return base ** (torch.arange(0, head_dim, 2) / head_dim)

    def setup_optimizer(self, embedding_lr, matrix_lr, weight_decay, adam_betas):
        lm_head_params = list(self.lm_head.parameters())
        embedding_params = list(self.transformer.wte.parameters())
        value_embeds_params = list(self.value_embeds.parameters())
        groups = [
            dict(kind='adamw', params=lm_head_params, lr=0.1, betas=adam_betas, eps=1e-10, weight_decay=0.0),
            dict(kind='adamw', params=embedding_params, lr=embedding_lr, betas=adam_betas, eps=1e-10, weight_decay=0.0),
            dict(kind='adamw', params=value_embeds_params, lr=embedding_lr, betas=adam_betas, eps=1e-10, weight_decay=0.0),
        ]
        groups.append(dict(
            kind='muon', params=list(self.transformer.h.parameters()), lr=matrix_lr,
            momentum=0.95, ns_steps=5, beta2=0.95, weight_decay=weight_decay,
        ))
        return MuonAdamW(groups)

    def forward(self, idx, targets, cos_sin):
        x = x0 = norm(self.transformer.wte(idx))
        for i, block in enumerate(self.transformer.h):
            x = block(x, self.value_embeds[i](idx), cos_sin, self.windows[i])
        softcap = 15
        logits = self.lm_head(norm(x)).float()
        logits = softcap * torch.tanh(logits / softcap)
        loss = F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))
        return loss


class MuonAdamW(torch.optim.Optimizer):
    def update(self, stacked_grads, stacked_params, momentum_buffer, lr, wd):
        g = stacked_grads.lerp_(momentum_buffer, momentum)
        X = g.bfloat16()
        X = polar_express(X)
        g = X
        g = g * self.second_momentum_buffer.rsqrt()
        mask = (g * stacked_params) >= 0
        stacked_params.sub_(lr * g + lr * wd * stacked_params * mask)

    def scaled(self, group, shape):
        return group["lr"] * max(1.0, shape[-2] / shape[-1])**0.5


def build_model_config(depth):
    num_heads = depth * ASPECT_RATIO // HEAD_DIM
    return GPTConfig(
        n_layer=depth, n_head=num_heads, n_kv_head=num_heads, n_embd=num_heads * HEAD_DIM,
    )


torch.set_float32_matmul_precision("high")
config = build_model_config(DEPTH)
model = GPT(config)
optimizer = model.setup_optimizer(EMBEDDING_LR, MATRIX_LR, WEIGHT_DECAY, ADAM_BETAS)
model = torch.compile(model, dynamic=False)
"""
# ... and its training.
TRAINING = """

def get_lr_multiplier(progress):
    if progress < WARMUP_RATIO:
        return progress / WARMUP_RATIO
    elif progress < 1.0 - WARMDOWN_RATIO:
        return 1.0
    cooldown = (1.0 - progress) / WARMDOWN_RATIO
    return cooldown * 1.0 + (1 - cooldown) * FINAL_LR_FRAC


def get_muon_momentum(step):
    frac = min(step / 300, 1)
    return (1 - frac) * 0.85 + frac * 0.95


def get_weight_decay(progress):
    return WEIGHT_DECAY * (1 - progress)


step = total_training_time = 0
while total_training_time < TIME_BUDGET:
    loss = model(x, y)
    loss.backward()
    progress = total_training_time / TIME_BUDGET
    lrm = get_lr_multiplier(progress)
    muon_momentum = get_muon_momentum(step)
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * lrm
        group["momentum"] = muon_momentum
        group["weight_decay"] = get_weight_decay(progress)
    optimizer.step()
    model.zero_grad(set_to_none=True)
    gc.freeze()
    step += 1

with autocast_ctx:
    val_bpb = evaluate_bpb(model, tokenizer, DEVICE_BATCH_SIZE)
"""
SCRIPT = CONSTANTS + MODEL + TRAINING

# Settings that are read from the command line, and schedules by iterations.
FLAGS = """\
import argparse
import math

import torch

parser = argparse.ArgumentParser()
parser.add_argument("--fp8", action="store_true", help="8-bit products")
parser.add_argument("--depth", type=int, default=20)
parser.add_argument("--aspect-ratio", type=int, default=64)
parser.add_argument("--head-dim", type=int, default=128)
parser.add_argument("--device-batch-size", type=int, default=32)
parser.add_argument("--embedding-lr", type=float, default=0.3)
parser.add_argument("--unembedding-lr", type=float, default=0.008)
parser.add_argument("--matrix-lr", type=float, default=0.02)
parser.add_argument("--scalar-lr", type=float, default=0.5)
parser.add_argument("--weight-decay", type=float, default=0.28)
parser.add_argument("--warmup-steps", type=int, default=40)
parser.add_argument("--warmdown-ratio", type=float, default=0.65)
parser.add_argument("--final-lr-frac", type=float, default=0.05)
args = parser.parse_args()

model = torch.compile(model, dynamic=False)


def get_lr_multiplier(it):
    warmdown_iters = round(args.warmdown_ratio * num_iterations)
    if it <= num_iterations - warmdown_iters:
        return 1.0
    progress = (num_iterations - it) / warmdown_iters
    return progress * 1.0 + (1 - progress) * args.final_lr_frac


def get_muon_momentum(it):
    if it < 400:
        frac = it / 400
        return (1 - frac) * 0.85 + frac * 0.97
    progress = (it - warmdown_start) / warmdown_iters
    if progress > 0:
        return 0.97 * (1 - progress) + 0.90 * progress
    return 0.97


def get_weight_decay(it):
    return args.weight_decay * 0.5 * (1 + math.cos(math.pi * it / num_iterations))


for step in range(num_iterations):
    loss = model(x, y)
    loss.backward()
    lrm = get_lr_multiplier(step)
    gc.freeze()
"""
