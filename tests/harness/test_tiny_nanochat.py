"""The workload: real runs of train.py, and the fixed half's promises one by one."""

from __future__ import annotations

import importlib.util
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

WORKLOAD = Path(__file__).parents[2] / "harness" / "tiny_nanochat"
NUMBERS = {
    "val_bpb",
    "training_seconds",
    "warmup_seconds",
    "total_seconds",
    "peak_memory_mb",
    "num_steps",
    "num_params_M",
    "tokens_M",
    "seed",
}
WORDS = {"device", "device_name", "torch_version", "corpus_id"}


def load_prepare() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "tiny_nanochat_prepare", WORKLOAD / "prepare.py"
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def prepare() -> ModuleType:
    return load_prepare()


@pytest.fixture
def workload(tmp_path: Path) -> Path:
    return Path(shutil.copytree(WORKLOAD, tmp_path / "workload"))


@pytest.fixture
def small(workload: Path) -> Path:
    """One narrow layer: what these tests ask does not depend on the size."""
    edit(workload, "DEPTH = 2", "DEPTH = 1")
    return workload


def edit(workload: Path, old: str, new: str) -> None:
    path = workload / "train.py"
    text = path.read_text()
    assert text.count(old) == 1, f"{old!r} is in train.py {text.count(old)} times"
    path.write_text(text.replace(old, new))


def run(
    workload: Path, *argv: str, **settings: object
) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("LOOPGRAPH_")}
    kept |= {"LOOPGRAPH_MAX_STEPS": "2"} | {k: str(v) for k, v in settings.items()}
    return subprocess.run(
        [sys.executable, *(argv or ("train.py",))],
        cwd=workload,
        env=kept,
        capture_output=True,
        text=True,
        check=False,
    )


def summary(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    assert done.returncode == 0, done.stdout + done.stderr
    _, _, block = done.stdout.partition("\n---\n")
    pairs = [line.partition(":") for line in block.splitlines()]
    return {key: value.strip() for key, _, value in pairs}


def write_files(folder: Path, count: int, size: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        line = f"file {i} says the same thing again and again\n"
        (folder / f"{i}.txt").write_text((line * (size // len(line) + 1))[:size])


class Logits(torch.nn.Module):
    """A model whose answer is given."""

    def __init__(self, answer) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, x):
        return self.answer(x)


class Time:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


CPU = torch.device("cpu")


def take_steps(clock, time: Time, *seconds: float) -> None:
    for duration in seconds:
        time.now += duration
        clock.step(tokens=10)


def test_a_run_ends_in_a_summary(workload: Path) -> None:
    done = run(workload)
    values = summary(done)
    assert values.keys() == NUMBERS | WORDS
    numbers = {key: float(values[key]) for key in NUMBERS}
    assert 0 < numbers["val_bpb"] < 9
    assert numbers["num_steps"] == 2
    assert numbers["tokens_M"] == 0.004
    assert numbers["total_seconds"] >= numbers["training_seconds"]
    assert 50 < numbers["peak_memory_mb"] < 100_000
    assert "step 00002 | loss " in done.stdout
    assert "\r" not in done.stdout


def test_a_seed_decides_the_score(small: Path) -> None:
    first, again, other = (
        summary(run(small, LOOPGRAPH_SEED=seed)) for seed in (3, 3, 4)
    )
    assert first["val_bpb"] == again["val_bpb"] != other["val_bpb"]
    assert (first["seed"], other["seed"]) == ("3", "4")


def test_the_budget_ends_a_run(small: Path) -> None:
    settings = {"LOOPGRAPH_MAX_STEPS": "", "LOOPGRAPH_BUDGET_SECONDS": 0.5}
    values = summary(run(small, **settings))
    assert float(values["training_seconds"]) >= 0.5
    assert float(values["warmup_seconds"]) <= 0.1


def test_an_exploding_loss_fails_fast(workload: Path) -> None:
    edit(workload, "LEARNING_RATE = 1e-3", "LEARNING_RATE = 1e30")
    done = run(workload, LOOPGRAPH_MAX_STEPS=50)
    assert done.returncode == 1
    assert "\nFAIL: loss is " in done.stdout
    assert "---" not in done.stdout


def test_a_nan_loss_fails_fast(workload: Path) -> None:
    edit(workload, "self.lm_head(x).float()", 'self.lm_head(x).float() * float("nan")')
    done = run(workload)
    assert done.returncode == 1
    assert "\nFAIL: loss is nan at step 1\n" in done.stdout


def test_importing_train_does_not_train(workload: Path) -> None:
    done = run(workload, "-c", "import train; print(train.GPTConfig().n_embd)")
    assert done.stdout == "128\n"


def test_the_constants_decide(workload: Path) -> None:
    edit(workload, "ASPECT_RATIO = 64", "ASPECT_RATIO = 32")
    edit(workload, "N_KV_HEAD = N_HEAD", "N_KV_HEAD = 1")
    edit(workload, "TOTAL_BATCH_SIZE = 2048", "TOTAL_BATCH_SIZE = 1024")
    edit(workload, "DEVICE_BATCH_SIZE = 16", "DEVICE_BATCH_SIZE = 4")
    values = summary(run(workload))
    assert values["tokens_M"] == "0.002"
    embeddings = (256 + 128 + 256) * 64
    attention = 2 * (2 * 64 * 64 + 2 * 64 * 32)
    mlp = 2 * (2 * 64 * 256)
    expected = (embeddings + attention + mlp) / 1e6
    assert float(values["num_params_M"]) == pytest.approx(expected, abs=6e-4)


def test_accumulating_gradients_changes_nothing_but_memory(small: Path) -> None:
    whole = float(summary(run(small))["val_bpb"])
    edit(small, "DEVICE_BATCH_SIZE = 16", "DEVICE_BATCH_SIZE = 8")
    parts = float(summary(run(small))["val_bpb"])
    assert parts == pytest.approx(whole, abs=1e-3)


def test_the_learning_rate_is_constant_until_it_is_scheduled(workload: Path) -> None:
    probe = "import train; print([train.get_lr_multiplier(i / 4) for i in range(5)])"
    assert run(workload, "-c", probe).stdout == "[1.0, 1.0, 1.0, 1.0, 1.0]\n"
    edit(workload, "WARMUP_RATIO = 0.0", "WARMUP_RATIO = 0.5")
    edit(workload, "WARMDOWN_RATIO = 0.0", "WARMDOWN_RATIO = 0.5")
    assert run(workload, "-c", probe).stdout == "[0.0, 0.5, 1.0, 0.5, 0.0]\n"


def test_prepare_describes_the_data(workload: Path) -> None:
    done = run(workload, "prepare.py")
    assert done.returncode == 0
    for word in ("corpus:", "train:", "held out:", "device:"):
        assert word in done.stdout


def test_the_split_does_not_depend_on_order_or_place(
    prepare: ModuleType, tmp_path: Path
) -> None:
    for place in ("here", "there"):
        write_files(tmp_path / place, count=60, size=40_000)
    here = prepare.read_folder(tmp_path / "here")
    there = prepare.read_folder(tmp_path / "there")
    assert prepare.split(here) == prepare.split(reversed(there))


def test_the_split_is_by_file_and_disjoint(prepare: ModuleType) -> None:
    files = [prepare.File(f"{i}.py", b"x" * 100_000) for i in range(200)]
    train, val = prepare.split(files)
    assert not {f.path for f in train} & {f.path for f in val}
    assert sorted(train + val) == sorted(files)
    assert len(val) == 8  # 4 % of 200


def test_the_standard_library_is_read_without_its_tests(
    prepare: ModuleType, tmp_path: Path
) -> None:
    wanted = ["ast.py", "json/decoder.py"]
    other = ["test/a.py", "json/tests/b.py", "site-packages/c.py", "d.txt", ".e/f.py"]
    for name in wanted + other:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("pass\n")
    assert sorted(f.path for f in prepare.read_stdlib(tmp_path)) == wanted


def test_a_folder_of_ones_own(small: Path, tmp_path: Path) -> None:
    texts = tmp_path / "texts"
    write_files(texts, count=60, size=40_000)
    (texts / "picture.bin").write_bytes(b"\0" * 5000)
    (texts / ".hidden").write_text("not part of it")
    done = run(small, "prepare.py", TINY_NANOCHAT_CORPUS=texts)
    assert done.returncode == 0, done.stderr
    assert str(texts) in done.stdout
    assert "in 53 files" in done.stdout
    assert "in 7 files" in done.stdout
    ours = summary(run(small, TINY_NANOCHAT_CORPUS=texts))
    assert ours["corpus_id"] in done.stdout


@pytest.mark.parametrize("count", [0, 1, 10])
def test_too_little_text_is_said_clearly(
    workload: Path, tmp_path: Path, count: int
) -> None:
    write_files(tmp_path / "texts", count=count, size=1000)
    done = run(workload, TINY_NANOCHAT_CORPUS=tmp_path / "texts")
    assert done.returncode == 1
    assert f"too small: {count} text files" in done.stderr
    assert "Set TINY_NANOCHAT_CORPUS to a folder with more text" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_folder_is_said_clearly(workload: Path, tmp_path: Path) -> None:
    done = run(workload, TINY_NANOCHAT_CORPUS=tmp_path / "nowhere")
    assert done.returncode == 1
    assert "nowhere is not a folder" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("text", ["soon", "-1", "nan", "inf"])
def test_a_setting_must_be_a_number(prepare: ModuleType, text: str) -> None:
    with pytest.raises(prepare.WorkloadError, match="BUDGET='?" + text):
        prepare.setting("BUDGET", 20.0, environ={"BUDGET": text})


def test_batches_are_windows_one_byte_apart(prepare: ModuleType) -> None:
    inputs, targets = next(prepare.make_dataloader(4, CPU, seed=1))
    again, _ = next(prepare.make_dataloader(4, CPU, seed=1))
    other, _ = next(prepare.make_dataloader(4, CPU, seed=2))
    assert inputs.shape == targets.shape == (4, prepare.SEQ_LEN)
    assert torch.equal(inputs[:, 1:], targets[:, :-1])
    assert torch.equal(inputs, again)
    assert not torch.equal(inputs, other)
    assert bytes(inputs[0].tolist()) in prepare.corpus().train


def test_guessing_costs_eight_bits(prepare: ModuleType) -> None:
    guess = Logits(lambda x: torch.zeros(*x.shape, 256))
    guess.train()
    assert prepare.evaluate_bpb(guess, CPU) == pytest.approx(8.0, abs=1e-6)
    assert guess.training


def test_the_loss_of_a_model_is_not_asked_for(prepare: ModuleType) -> None:
    with pytest.raises(prepare.WorkloadError, match="not logits of shape"):
        prepare.evaluate_bpb(Logits(lambda x: x.float().mean()), CPU)


def test_logits_must_be_finite(prepare: ModuleType) -> None:
    broken = Logits(lambda x: torch.full((*x.shape, 256), float("nan")))
    with pytest.raises(prepare.WorkloadError, match="nan or inf"):
        prepare.evaluate_bpb(broken, CPU)


def test_a_model_that_sees_the_next_byte_is_refused(prepare: ModuleType) -> None:
    def peek(x):
        following = torch.cat([x[:, 1:], x[:, :1]], dim=1)
        return 20.0 * torch.nn.functional.one_hot(following, 256)

    with pytest.raises(prepare.WorkloadError, match="bytes that come after"):
        prepare.evaluate_bpb(Logits(peek), CPU)


def test_warm_up_is_free_for_three_steps(prepare: ModuleType, time: Time) -> None:
    clock = prepare.Clock(CPU, budget_seconds=20, now=time)
    time.now += 50  # building the model is not training
    clock.start()
    take_steps(clock, time, 0.5, 0.25, 0.25, 1.0)
    assert clock.warmup_seconds == 1.0
    assert clock.training_seconds == 1.0
    assert clock.progress == 0.05
    assert (clock.steps, clock.tokens, clock.done) == (4, 40, False)


def test_warm_up_is_free_up_to_a_tenth_of_the_budget(
    prepare: ModuleType, time: Time
) -> None:
    clock = prepare.Clock(CPU, budget_seconds=20, now=time)
    take_steps(clock, time, 15.0)
    assert (clock.warmup_seconds, clock.training_seconds) == (2.0, 13.0)
    take_steps(clock, time, 7.0)
    assert (clock.warmup_seconds, clock.training_seconds) == (2.0, 20.0)
    assert clock.done
    assert clock.progress == 1.0


def test_time_between_steps_counts(prepare: ModuleType, time: Time) -> None:
    clock = prepare.Clock(CPU, budget_seconds=20, now=time)
    take_steps(clock, time, 0.0, 0.0, 0.0)
    time.now += 5  # an evaluation in the middle, say
    take_steps(clock, time, 1.0)
    assert clock.training_seconds == 6.0


def test_a_running_clock_cannot_be_set_back(prepare: ModuleType, time: Time) -> None:
    clock = prepare.Clock(CPU, budget_seconds=20, now=time)
    take_steps(clock, time, 1.0)
    with pytest.raises(prepare.WorkloadError, match="started again"):
        clock.start()


def test_progress_is_in_steps_where_steps_are_limited(
    prepare: ModuleType, time: Time
) -> None:
    clock = prepare.Clock(CPU, budget_seconds=20, max_steps=4, now=time)
    take_steps(clock, time, 3.0)
    assert clock.progress == 0.25
    take_steps(clock, time, 0.1, 0.1, 0.1)
    assert clock.done


def test_a_log_gets_one_line_a_second(prepare: ModuleType, time: Time) -> None:
    log = io.StringIO()
    clock = prepare.Clock(CPU, budget_seconds=20, max_steps=6, now=time)
    line = prepare.ProgressLine(clock, log)
    for loss in (6.0, 4.0, 3.0, 3.0, 2.0, 1.0):
        take_steps(clock, time, 0.5)
        line.show(loss)
    assert log.getvalue() == (
        "step 00002 | loss 5.0000 | 1.0s\n"
        "step 00004 | loss 3.0000 | 2.0s\n"
        "step 00006 | loss 1.5000 | 3.0s\n"
    )
