"""A small byte-level GPT, trained for a fixed time: the file that experiments edit.

It is plain on purpose: learned positions, full attention, ReLU squared, one AdamW at a
constant learning rate. What is fixed (data, evaluation, clock, report) is in
prepare.py. Run it with `python train.py`.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F
from prepare import (
    SEED,
    SEQ_LEN,
    VOCAB_SIZE,
    Clock,
    ProgressLine,
    detect_device,
    evaluate_bpb,
    make_dataloader,
    report,
)

# Model: one dial, DEPTH; the width follows
DEPTH = 2
ASPECT_RATIO = 64
HEAD_DIM = 32
N_EMBD = DEPTH * ASPECT_RATIO
N_HEAD = N_EMBD // HEAD_DIM
N_KV_HEAD = N_HEAD

# Optimization
TOTAL_BATCH_SIZE = 2048  # bytes in an optimizer step
DEVICE_BATCH_SIZE = 16  # windows at a time; more accumulate gradients, to save memory
LEARNING_RATE = 1e-3
ADAM_BETAS = (0.9, 0.95)
WEIGHT_DECAY = 0.0

# Schedule, in parts of the time budget
WARMUP_RATIO = 0.0
WARMDOWN_RATIO = 0.0
FINAL_LR_FRAC = 0.0


@dataclass
class GPTConfig:
    sequence_len: int = SEQ_LEN
    vocab_size: int = VOCAB_SIZE
    n_layer: int = DEPTH
    n_head: int = N_HEAD
    n_kv_head: int = N_KV_HEAD
    n_embd: int = N_EMBD


def norm(x: torch.Tensor) -> torch.Tensor:
    return F.rms_norm(x, x.shape[-1:])


class CausalSelfAttention(nn.Module):
    def __init__(self, config: GPTConfig, layer_idx: int) -> None:
        super().__init__()
        self.n_head = config.n_head
        self.n_kv_head = config.n_kv_head
        self.head_dim = config.n_embd // config.n_head
        kv_dim = self.n_kv_head * self.head_dim
        self.c_q = nn.Linear(config.n_embd, config.n_embd, bias=False)
        self.c_k = nn.Linear(config.n_embd, kv_dim, bias=False)
        self.c_v = nn.Linear(config.n_embd, kv_dim, bias=False)
        self.c_proj = nn.Linear(config.n_embd, config.n_embd, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # (batch, head, time, head_dim)
        q = self.c_q(x).unflatten(-1, (self.n_head, -1)).transpose(1, 2)
        k = self.c_k(x).unflatten(-1, (self.n_kv_head, -1)).transpose(1, 2)
        v = self.c_v(x).unflatten(-1, (self.n_kv_head, -1)).transpose(1, 2)
        if self.n_kv_head < self.n_head:
            k = k.repeat_interleave(self.n_head // self.n_kv_head, dim=1)
            v = v.repeat_interleave(self.n_head // self.n_kv_head, dim=1)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.c_proj(y.transpose(1, 2).flatten(2))


class MLP(nn.Module):
    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.c_fc = nn.Linear(config.n_embd, 4 * config.n_embd, bias=False)
        self.c_proj = nn.Linear(4 * config.n_embd, config.n_embd, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.c_proj(F.relu(self.c_fc(x)).square())


class Block(nn.Module):
    def __init__(self, config: GPTConfig, layer_idx: int) -> None:
        super().__init__()
        self.attn = CausalSelfAttention(config, layer_idx)
        self.mlp = MLP(config)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attn(norm(x))
        x = x + self.mlp(norm(x))
        return x


class GPT(nn.Module):
    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        blocks = [Block(config, i) for i in range(config.n_layer)]
        self.transformer = nn.ModuleDict(
            {
                "wte": nn.Embedding(config.vocab_size, config.n_embd),
                "wpe": nn.Embedding(config.sequence_len, config.n_embd),
                "h": nn.ModuleList(blocks),
            }
        )
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.init_weights()

    def init_weights(self) -> None:
        for name, parameter in self.named_parameters():
            if parameter.ndim < 2:
                continue  # gains and other scalars keep what they were made with
            std = 0.02
            if name.endswith("c_proj.weight"):
                # Every block adds to the residual twice: keep the sum's variance at 1x.
                std /= math.sqrt(2 * self.config.n_layer)
            nn.init.normal_(parameter, std=std)

    def setup_optimizer(self) -> torch.optim.Optimizer:
        optimizer = torch.optim.AdamW(
            self.parameters(),
            lr=LEARNING_RATE,
            betas=ADAM_BETAS,
            weight_decay=WEIGHT_DECAY,
        )
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
        return optimizer

    def forward(
        self, idx: torch.Tensor, targets: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The logits, or the mean loss where targets are given."""
        positions = torch.arange(idx.shape[1], device=idx.device)
        x = self.transformer.wte(idx) + self.transformer.wpe(positions)
        for block in self.transformer.h:
            x = block(x)
        x = norm(x)
        logits = self.lm_head(x).float()
        if targets is None:
            return logits
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def get_lr_multiplier(progress: float) -> float:
    """The learning rate's factor when a part `progress` of the budget is used."""
    if progress < WARMUP_RATIO:
        return progress / WARMUP_RATIO
    left = 1.0 - progress
    if left >= WARMDOWN_RATIO:
        return 1.0
    return FINAL_LR_FRAC + (1.0 - FINAL_LR_FRAC) * left / WARMDOWN_RATIO


def main() -> int:
    torch.manual_seed(SEED)
    torch.set_float32_matmul_precision("high")
    device = detect_device()
    on_cuda = device.type == "cuda"
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=on_cuda)

    batch_size = max(1, min(DEVICE_BATCH_SIZE, TOTAL_BATCH_SIZE // SEQ_LEN))
    accumulate, rest = divmod(TOTAL_BATCH_SIZE, batch_size * SEQ_LEN)
    assert not rest, "TOTAL_BATCH_SIZE must be a multiple of the device's batch"
    model = GPT(GPTConfig()).to(device)
    optimizer = model.setup_optimizer()
    batches = make_dataloader(batch_size, device)

    clock = Clock(device)
    progress = ProgressLine(clock)
    clock.start()
    while not clock.done:
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * get_lr_multiplier(clock.progress)
        total_loss = 0.0
        for _ in range(accumulate):
            inputs, targets = next(batches)
            with autocast:
                loss = model(inputs, targets) / accumulate
            loss.backward()
            total_loss += loss.item()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        clock.step(TOTAL_BATCH_SIZE)
        if not total_loss < 100:  # nan too
            print(f"\nFAIL: loss is {total_loss:.4g} at step {clock.steps}")
            return 1
        progress.show(total_loss)

    with autocast:
        val_bpb = evaluate_bpb(model, device)
    report(model, clock, val_bpb)
    return 0


if __name__ == "__main__":
    sys.exit(main())
