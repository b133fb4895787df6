"""The fixed half of the workload: data, evaluation, clock and report.

An experiment edits train.py; whatever makes two experiments comparable is here. The
text is split by file, every experiment is scored on the same held-out bytes, the loss
is computed from the logits by this file and not by the model, and training time is
counted by this file's clock.

Not covered: train.py runs in the same process, so code that sets out to deceive (to
patch this module, to read the held-out text, to train before the clock starts) can. A
harness compares the hash of this file before and after a run, keeps its own wall
clock, and reads `total_seconds` beside `training_seconds`. The figures go through a
file that the harness named to this module alone, so a `print` is no result.

`python prepare.py` describes the corpus, the split and the device;
`python prepare.py evaluate` scores the checkpoint of a run in a process of its own.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import math
import os
import platform
import sys
import sysconfig
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, TextIO

import torch
import torch.nn.functional as F

SEQ_LEN = 128  # bytes of context
VOCAB_SIZE = 256  # a token is a byte: no tokenizer to train or to argue about
EVAL_BYTES = 256 * 1024  # held-out bytes that every experiment is scored on
EVAL_BATCH_SIZE = 64
HELD_OUT_FRACTION = 0.04
MIN_TRAIN_BYTES = 1024 * 1024
WARMUP_STEPS = 3  # these steps may compile and allocate free of charge ...
WARMUP_FRACTION = 0.1  # ... up to this part of the budget
CORPUS_VARIABLE = "TINY_NANOCHAT_CORPUS"

# Some systems ship the library without its tests, and some of it is written at build
# time. pydoc_data is one file, of English, as long as everything that is held out.
SKIPPED_FOLDERS = {"site-packages", "dist-packages", "test", "tests", "idle_test"}
SKIPPED_PREFIXES = ("__pycache__", "config-", "_sysconfigdata", "pydoc_data")


class WorkloadError(SystemExit):
    """Ends the run with one sentence and exit code 1; `except Exception` lets it by."""


def setting(
    name: str, default: float, environ: Mapping[str, str] = os.environ
) -> float:
    """A number of 0 or more from the environment."""
    text = environ.get(name, "").strip()
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise WorkloadError(
            f"{name}={text!r} is not a number of 0 or more; unset it or give one."
        )
    return value


TIME_BUDGET = setting("LOOPGRAPH_BUDGET_SECONDS", 20.0)  # seconds of training
SEED = int(setting("LOOPGRAPH_SEED", 0))
MAX_STEPS = setting("LOOPGRAPH_MAX_STEPS", math.inf)  # for tests: stop early
# Out of the environment before train.py looks: where to report, and by which password.
METRIC_FILE = os.environ.pop("LOOPGRAPH_METRIC_FILE", "")
NONCE = os.environ.pop("LOOPGRAPH_NONCE", "")
CHECKPOINT = os.environ.get("LOOPGRAPH_CHECKPOINT", "")
STARTED_AT = time.perf_counter()  # total_seconds counts from here


class File(NamedTuple):
    path: str  # relative to the corpus folder, with forward slashes
    text: bytes


class Corpus(NamedTuple):
    name: str
    train: bytes
    val: bytes
    train_files: int
    val_files: int

    @property
    def id(self) -> str:
        """Two runs compare only if they were trained and scored on the same text."""
        digest = hashlib.blake2b(self.train, digest_size=6)
        digest.update(b"\0" + self.val)
        return digest.hexdigest()


def read_stdlib(folder: Path) -> list[File]:
    """The library's own Python source."""
    return _read(folder, lambda path: path.endswith(".py") and not _is_skipped(path))


def read_folder(folder: Path) -> list[File]:
    """Every text file of a folder that the user named."""
    return [f for f in _read(folder, lambda path: True) if b"\0" not in f.text[:8192]]


def _is_skipped(path: str) -> bool:
    parts = path.split("/")
    return not SKIPPED_FOLDERS.isdisjoint(parts) or any(
        part.startswith(SKIPPED_PREFIXES) for part in parts
    )


def _read(folder: Path, wanted: Callable[[str], bool]) -> list[File]:
    files = []
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(root, name)
            relative = path.relative_to(folder).as_posix()
            if not name.startswith(".") and wanted(relative) and path.is_file():
                files.append(File(relative, _read_bytes(path)))
    return files


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise WorkloadError(
            f"cannot read {path}: {error.strerror}. The corpus must be readable whole, "
            f"or the split would differ from run to run."
        ) from error


def split(files: Iterable[File]) -> tuple[list[File], list[File]]:
    """Train and held-out files, the same whatever order or folder they came in.

    Files are drawn in the order of their paths' hashes until enough is held out. By
    file, because a window next to a training window is no test of anything.
    """
    drawn = sorted(files, key=lambda f: hashlib.sha256(f.path.encode()).digest())
    enough = max(EVAL_BYTES + 1, HELD_OUT_FRACTION * sum(len(f.text) for f in drawn))
    held_out, size = 0, 0
    while held_out < len(drawn) and size < enough:
        size += len(drawn[held_out].text)
        held_out += 1
    return drawn[held_out:], drawn[:held_out]


def build_corpus(name: str, files: list[File]) -> Corpus:
    train_files, val_files = split(files)
    train = b"\n".join(f.text for f in train_files)
    val = b"\n".join(f.text for f in val_files)
    if len(train) < MIN_TRAIN_BYTES or len(val) <= EVAL_BYTES:
        raise WorkloadError(
            f"{name} is too small: {len(files)} text files give {len(train):,} bytes "
            f"to train on and {len(val):,} held out by file, and the workload needs "
            f"{MIN_TRAIN_BYTES:,} and {EVAL_BYTES + 1:,}. "
            f"Set {CORPUS_VARIABLE} to a folder with more text, in several files."
        )
    return Corpus(name, train, val, len(train_files), len(val_files))


def find_corpus(environ: Mapping[str, str] = os.environ) -> Corpus:
    named = environ.get(CORPUS_VARIABLE)
    if named:
        folder = Path(named).expanduser()
        if not folder.is_dir():
            raise WorkloadError(
                f"{CORPUS_VARIABLE}={named} is not a folder. "
                f"Name a folder of text files, or unset it to use Python's own library."
            )
        return build_corpus(named, read_folder(folder))
    stdlib = Path(sysconfig.get_path("stdlib"))
    name = f"the standard library of Python {platform.python_version()}"
    return build_corpus(name, read_stdlib(stdlib))


corpus = functools.cache(find_corpus)


def detect_device() -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    _keep_freed_memory()
    return torch.device("cpu")


def _keep_freed_memory() -> None:
    """Stop glibc from giving every freed tensor back to the kernel.

    It would fetch and clear the same pages again in each step: a tenth of the time on
    an idle machine, half of it on a busy one, and so most of the noise between runs.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:  # glibc; the numbers are M_TRIM_THRESHOLD and M_MMAP_THRESHOLD
        mallopt(-1, 2**30)
        mallopt(-3, 2**25)


def make_dataloader(
    batch_size: int, device: torch.device, sequence_len: int = SEQ_LEN, seed: int = SEED
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Random windows of the training text, for ever: inputs, and targets one byte on.

    The text lives on the device, the windows are drawn on the CPU: a seed means the
    same windows everywhere.
    """
    data = _to_tensor(corpus().train, device)
    generator = torch.Generator().manual_seed(seed)
    offsets = torch.arange(sequence_len + 1, device=device)
    choices = len(data) - sequence_len

    def batches() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        while True:
            starts = torch.randint(choices, (batch_size, 1), generator=generator)
            window = data[starts.to(device) + offsets].long()
            yield window[:, :-1], window[:, 1:]

    return batches()  # the text is read now, before the clock starts


def _to_tensor(text: bytes, device: torch.device) -> torch.Tensor:
    return torch.frombuffer(bytearray(text), dtype=torch.uint8).to(device)


# Evaluation: the metric. Changing anything here starts a new series of results.


@torch.no_grad()
def evaluate_bpb(model: torch.nn.Module, device: torch.device) -> float:
    """Bits per held-out byte: lower is better, 8 is what guessing costs."""
    was_training = model.training
    model.eval()
    data = _to_tensor(corpus().val, device)
    count = EVAL_BYTES // SEQ_LEN
    last = len(data) - SEQ_LEN - 1
    # Spread over all held-out files, and not overlapping: val is more than EVAL_BYTES.
    starts = torch.tensor([i * last // (count - 1) for i in range(count)])
    windows = starts[:, None] + torch.arange(SEQ_LEN + 1)
    _check_causal(model, data[windows[:8, :-1].to(device)].long())
    nats = 0.0
    for rows in windows.split(EVAL_BATCH_SIZE):
        batch = data[rows.to(device)].long()
        logits = _logits(model, batch[:, :-1]).flatten(0, 1)
        losses = F.cross_entropy(logits, batch[:, 1:].flatten(), reduction="none")
        nats += losses.cpu().double().sum().item()
    model.train(was_training)
    return nats / (math.log(2) * EVAL_BYTES)


def _logits(model: torch.nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    logits = model(inputs)
    shape = (*inputs.shape, VOCAB_SIZE)
    if not isinstance(logits, torch.Tensor) or tuple(logits.shape) != shape:
        got = getattr(logits, "shape", type(logits).__name__)
        raise WorkloadError(
            f"evaluation: model(x) returned {got}, not logits of shape {shape}. "
            f"Called with inputs alone, forward must return logits for every position."
        )
    logits = logits.float()
    if not torch.isfinite(logits).all():
        raise WorkloadError(
            "evaluation: the logits hold nan or inf. The training diverged; "
            "try a lower learning rate, or look for a division by zero."
        )
    return logits


def _check_causal(model: torch.nn.Module, inputs: torch.Tensor) -> None:
    """A model that sees the next byte scores wonderfully, and most often by mistake."""
    half = inputs.shape[1] // 2
    changed = inputs.clone()
    changed[:, half:] = (changed[:, half:] + 1) % VOCAB_SIZE
    difference = (_logits(model, changed) - _logits(model, inputs))[:, :half]
    if difference.abs().max().item() > 0.05:  # rounding, in bfloat16 at its worst
        raise WorkloadError(
            "evaluation: the logits of a position depend on bytes that come after it. "
            "Look for attention, a convolution or a shift that is not causal."
        )


class Clock:
    """Decides when training is over, and what of it was warm-up.

    Everything between `start()` and the last `step()` counts, data and logging too.
    The first steps are free, because they may compile and allocate, but only up to a
    tenth of the budget: a slow start must not be a way to train longer.
    """

    def __init__(
        self,
        device: torch.device,
        budget_seconds: float = TIME_BUDGET,
        max_steps: float = MAX_STEPS,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.device = device
        self.budget_seconds = budget_seconds
        self.max_steps = max_steps
        self.steps = 0
        self.tokens = 0
        self.training_seconds = 0.0
        self.warmup_seconds = 0.0
        self._now = now
        self._started_at = now()

    def start(self) -> None:
        """Call it right before the first step."""
        if self.steps:
            raise WorkloadError("the clock cannot be started again while it runs.")
        self._started_at = self._now()

    def step(self, tokens: int) -> None:
        """Call it after every optimizer step."""
        synchronize(self.device)
        elapsed = self._now() - self._started_at
        self.steps += 1
        self.tokens += tokens
        if self.steps <= WARMUP_STEPS:
            self.warmup_seconds = min(elapsed, WARMUP_FRACTION * self.budget_seconds)
        self.training_seconds = elapsed - self.warmup_seconds

    @property
    def done(self) -> bool:
        out_of_time = self.training_seconds >= self.budget_seconds
        return out_of_time or self.steps >= self.max_steps

    @property
    def progress(self) -> float:
        """From 0 to 1, for schedules.

        In steps where steps are limited, so that such a run comes out the same on a
        fast machine and on a slow one.
        """
        used, limit = self.training_seconds, self.budget_seconds
        if math.isfinite(self.max_steps):
            used, limit = self.steps, self.max_steps
        return min(used / limit, 1.0) if limit else 1.0


class ProgressLine:
    """A line that is rewritten on a terminal, and one line a second in a log."""

    def __init__(self, clock: Clock, stream: TextIO | None = None) -> None:
        self._clock = clock
        self._stream = stream or sys.stdout
        self._on_terminal = self._stream.isatty()
        self._interval = 0.1 if self._on_terminal else 1.0
        self._shown_at = 0.0
        self._losses: list[float] = []

    def show(self, loss: float) -> None:
        """Say where training is, if it is time to say so again."""
        self._losses.append(loss)
        elapsed = self._clock.training_seconds + self._clock.warmup_seconds
        if elapsed - self._shown_at < self._interval and not self._clock.done:
            return
        # The mean since the last line: single batches are too noisy to read.
        mean = sum(self._losses) / len(self._losses)
        line = f"step {self._clock.steps:05d} | loss {mean:.4f} | {elapsed:.1f}s"
        stay = self._on_terminal and not self._clock.done
        self._stream.write(f"\r{line}   " if self._on_terminal else line)
        self._stream.write("" if stay else "\n")
        self._stream.flush()
        self._shown_at = elapsed
        self._losses.clear()


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def report(model: torch.nn.Module, clock: Clock, val_bpb: float) -> None:
    """The summary block that a harness reads: a line `---`, then `key: value`."""
    values = {
        "val_bpb": f"{val_bpb:.6f}",
        "training_seconds": f"{clock.training_seconds:.1f}",
        "warmup_seconds": f"{clock.warmup_seconds:.1f}",
        "total_seconds": f"{time.perf_counter() - STARTED_AT:.1f}",
        "peak_memory_mb": f"{peak_memory_mb(clock.device):.1f}",
        "num_steps": clock.steps,
        "num_params_M": f"{sum(p.numel() for p in model.parameters()) / 1e6:.3f}",
        "tokens_M": f"{clock.tokens / 1e6:.3f}",
        "device": clock.device.type,
        "device_name": device_name(clock.device),
        "torch_version": torch.__version__,
        "seed": SEED,
        "corpus_id": corpus().id,
    }
    lines = [f"{key + ':':<18}{value}" for key, value in values.items()]
    print("\n".join(["---", *lines]), flush=True)
    if METRIC_FILE:
        Path(METRIC_FILE).write_text("\n".join([NONCE, *lines]) + "\n")
    if CHECKPOINT and not Path(CHECKPOINT).exists():
        torch.save(model.state_dict(), CHECKPOINT)


def peak_memory_mb(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    if device.type == "mps":
        return torch.mps.driver_allocated_memory() / 2**20
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    fields = [line.partition(":") for line in lines]
    names = [value.strip() for key, _, value in fields if key.strip() == "model name"]
    return next(iter(names), platform.processor() or platform.machine())


def evaluate_checkpoint() -> None:
    """Score the weights that a run left, with the model that its train.py defines."""
    import train

    device = detect_device()
    model = train.GPT(train.GPTConfig()).to(device)
    weights = torch.load(CHECKPOINT, map_location=device, weights_only=True)
    model.load_state_dict(weights)
    autocast = torch.autocast(
        device.type, torch.bfloat16, enabled=device.type == "cuda"
    )
    with autocast:
        val_bpb = evaluate_bpb(model, device)
    report(model, Clock(device), val_bpb)


def main() -> None:
    if sys.argv[1:] == ["evaluate"]:
        # train.py imports this file by name: one module, and one channel, for both
        sys.modules["prepare"] = sys.modules["__main__"]
        evaluate_checkpoint()
        return
    data = corpus()
    device = detect_device()
    print(f"corpus:   {data.name} (id {data.id})")
    print(f"train:    {len(data.train):,} bytes in {data.train_files} files")
    print(f"held out: {len(data.val):,} bytes in {data.val_files} files")
    print(f"scored:   {EVAL_BYTES:,} of the held-out bytes, {SEQ_LEN} of context")
    print(f"device:   {device.type} ({device_name(device)}), torch {torch.__version__}")
    print(f"budget:   {TIME_BUDGET:g} seconds of training, seed {SEED}")


if __name__ == "__main__":
    main()
