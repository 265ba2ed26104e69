"""The loop on a toy network: it learns, resumes exactly, and refuses what is not its own."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("monai")
pytest.importorskip("nilearn")

from BrainSegAccelLib.errors import InputError  # noqa: E402
from BrainSegAccelLib.models.config import HybridConfig  # noqa: E402
from BrainSegAccelLib.models.hybrid import HybridNetwork  # noqa: E402
from BrainSegAccelLib.training.checkpoint import load_checkpoint  # noqa: E402
from BrainSegAccelLib.training.config import Stage, TrainingConfig, read_config  # noqa: E402
from BrainSegAccelLib.training.train import (  # noqa: E402
    CHECKPOINT,
    WEIGHTS,
    Progress,
    Trainer,
    _schedule,
)
from safetensors import safe_open  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

CPU = torch.device("cpu")
CONFIGS = Path(__file__).parents[2] / "BrainSegAccel" / "BrainSegAccelLib" / "training" / "configs"


def make_config(seed: int = 0) -> TrainingConfig:
    network = HybridConfig(
        widths=(8, 8, 8, 8),
        encoder_blocks=(1, 0, 0, 0),
        ssd_blocks=(0, 1),
        head_width=8,
        state_width=4,
        chunk_length=8,
    )
    stages = (
        Stage(steps=3, shape=(32, 32, 32), case_voxel=4, whole_brain=False, samples_per_case=2),
        Stage(steps=3, shape=(48, 48, 48), case_voxel=4, samples_per_case=3),
    )
    return TrainingConfig(
        name="toy",
        seed=seed,
        network=network,
        stages=stages,
        workers=0,
        warm_up_steps=1,
        validation_cases=0,
    )


def run(folder: Path, *, stop_after: int | None = None, resume: bool = False) -> list[Progress]:
    steps: list[Progress] = []
    trainer = Trainer(make_config(), folder, CPU, listeners=(steps.append,))
    if resume:
        trainer.resume()
    trainer.run(until=lambda: trainer.step == stop_after)
    return steps


@pytest.mark.parametrize("stop_after", [2, 4])
def test_resumed_run_ends_in_the_same_weights(tmp_path: Path, stop_after: int) -> None:
    straight = run(tmp_path / "straight")
    assert [step.step for step in straight] == [1, 2, 3, 4, 5, 6]
    assert [step.stage for step in straight] == [0, 0, 0, 1, 1, 1]
    run(tmp_path / "broken", stop_after=stop_after)
    rest = run(tmp_path / "broken", resume=True)
    assert [step.loss for step in rest] == [step.loss for step in straight[stop_after:]]
    expected = load_file(tmp_path / "straight" / WEIGHTS)
    actual = load_file(tmp_path / "broken" / WEIGHTS)
    assert all(torch.equal(expected[name], actual[name]) for name in expected)


KILLED = """
import sys, torch
from pathlib import Path
from BrainSegAccelLib.training.config import read_config
from BrainSegAccelLib.training.train import Trainer

config, folder, threads = sys.argv[1:]
torch.set_num_threads(int(threads))
Trainer(
    read_config(Path(config)),
    Path(folder),
    torch.device("cpu"),
    checkpoint_seconds=0.0,
    listeners=(lambda progress: print("step", progress.step, flush=True),),
).run()
"""


def test_a_killed_run_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    """Weights, average, optimiser, random state and the place among the samples: bit for bit."""
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    config = tmp_path / "toy.json"
    config.write_text(make_config().model_dump_json())
    command = [sys.executable, "-c", KILLED, config, killed, str(torch.get_num_threads())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        steps = []
        for line in process.stdout:
            # Libraries that MONAI tries to import may print, too.
            if line.startswith("step "):
                steps.append(int(line.split()[1]))
            if steps[-1:] == [4]:
                process.kill()
        assert process.wait() == -signal.SIGKILL
    assert steps[-1] < 6
    run(straight)
    rest = run(killed, resume=True)
    assert 1 <= len(rest) <= 3
    assert [step.step for step in rest] == list(range(7 - len(rest), 7))
    expected = load_checkpoint(straight / CHECKPOINT, make_config())
    actual = load_checkpoint(killed / CHECKPOINT, make_config())
    for key in expected.keys() - {"config", "seconds"}:
        torch.testing.assert_close(actual[key], expected[key], rtol=0, atol=0)
    assert actual["seconds"] > 0
    weights = load_file(killed / WEIGHTS)
    average = expected["average"]
    assert {f"module.{name}" for name in weights} == average.keys() - {"n_averaged"}
    assert all(torch.equal(weights[name], average[f"module.{name}"]) for name in weights)


def test_an_interrupted_run_keeps_all_that_it_has_done(tmp_path: Path) -> None:
    """Ctrl-C of a terminal reaches the processes that draw samples, too."""
    settings = make_config().model_copy(update={"workers": 1})
    stage = settings.stages[0].model_copy(update={"steps": 1000})
    config, folder = tmp_path / "toy.json", tmp_path / "run"
    config.write_text(settings.model_copy(update={"stages": (stage,)}).model_dump_json())
    program = "import sys; from BrainSegAccelLib.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "train", str(config), str(folder)]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        for line in process.stderr:
            if " step 1/" in line:
                break
        os.killpg(process.pid, signal.SIGINT)
        said = process.stderr.read()
        assert process.wait() == 130
    assert re.search(r"step (\d+) of 1000", said)
    assert said.endswith("brainsegaccel: interrupted\n")
    assert "Traceback" not in said
    done = int(re.search(r"step (\d+) of 1000", said).group(1))
    assert load_checkpoint(folder / CHECKPOINT, read_config(config))["step"] == done >= 1
    assert (folder / WEIGHTS).is_file()


@pytest.mark.parametrize("done", [1, 2])
def test_worker_processes_go_on_with_the_same_samples(tmp_path: Path, done: int) -> None:
    config = make_config().model_copy(update={"workers": 2})
    straight, resumed = Trainer(config, tmp_path, CPU), Trainer(config, tmp_path, CPU)
    resumed.step = done
    expected = list(islice(straight._samples(), done + 2))[done:]
    for (stage, sample), (other_stage, other) in zip(
        expected, islice(resumed._samples(), 2), strict=True
    ):
        assert stage == other_stage
        assert all(torch.equal(one, two) for one, two in zip(sample, other, strict=True))


def test_folder_holds_weights_with_their_configuration(tmp_path: Path) -> None:
    run(tmp_path, stop_after=1)
    with safe_open(tmp_path / WEIGHTS, "pt") as weights:
        network = HybridConfig.model_validate_json(weights.metadata()["network"])
    HybridNetwork(network, 4, 3).load_state_dict(load_file(tmp_path / WEIGHTS))
    assert network == make_config().network
    assert read_config(tmp_path / "training.json") == make_config()
    assert not list(tmp_path.glob(".*"))


def test_loss_falls_on_a_repeated_sample(tmp_path: Path) -> None:
    stage = make_config().stages[0]
    config = make_config().model_copy(
        update={"stages": (stage.model_copy(update={"steps": 30}),), "learning_rate": 1e-2}
    )
    trainer = Trainer(config, tmp_path, CPU)
    _, sample = next(iter(trainer._samples()))
    losses = [trainer._train_on(sample) for _ in range(12)]
    assert losses[-1] < 0.8 * losses[0]


def certain(logit: float) -> HybridNetwork:
    """A network that says the same of every voxel."""
    network = HybridNetwork(make_config().network, 4, 3).eval()
    torch.nn.init.constant_(network.head.bias, logit)
    torch.nn.init.zeros_(network.head.weight)
    return network


def test_a_run_learns_from_its_teacher(tmp_path: Path) -> None:
    """The truth shows little tumour and the teacher much: a student of it follows it."""
    config = make_config().model_copy(update={"learning_rate": 1e-2, "teacher_share": 1.0})
    guesses = []
    for teachers in ((), (certain(6.0),)):
        trainer = Trainer(config, tmp_path, CPU, teachers=teachers)
        _, sample = next(iter(trainer._samples()))
        little = torch.zeros_like(sample.regions)
        little[..., :2, :2, :2] = 1
        sample = sample._replace(regions=little)
        for _ in range(6):
            trainer._train_on(sample)
        with torch.no_grad():
            logits = trainer.model.network(sample.x.float(), sample.availability)
        guesses.append(float(logits.mean()))
    alone, taught = guesses
    assert taught > alone + 0.5


def test_several_teachers_are_heard_as_their_mean(tmp_path: Path) -> None:
    teachers = [certain(logit) for logit in (-1.0, 0.5, 3.0)]
    trainer = Trainer(make_config(), tmp_path, CPU, teachers=teachers)
    _, sample = next(iter(trainer._samples()))
    taught = trainer._taught(sample.x.float(), sample.availability)
    assert taught is not None
    expected = torch.tensor([-1.0, 0.5, 3.0]).sigmoid().mean().expand(taught.shape)
    torch.testing.assert_close(taught, expected, atol=5e-3, rtol=0)  # networks run in BF16


@pytest.mark.parametrize("warm_up_steps", [1, 3, 6])
def test_learning_rate_warms_up_then_falls_to_the_final_rate(warm_up_steps: int) -> None:
    """A line to the highest rate, half a cosine from there: in closed form, step by step."""
    config = make_config().model_copy(update={"warm_up_steps": warm_up_steps})
    network = torch.nn.Linear(1, 1)
    optimiser = torch.optim.SGD(network.parameters(), lr=config.learning_rate)
    schedule = _schedule(optimiser, config)
    high, low = config.learning_rate, config.final_learning_rate
    left = max(1, config.steps - warm_up_steps)
    for step in range(config.steps):
        past = max(0, step - warm_up_steps + 1)
        fall = low + (high - low) * (1 + math.cos(math.pi * past / left)) / 2
        rise = min(1.0, (step + 1) / warm_up_steps)
        assert schedule.get_last_lr() == [pytest.approx(rise * fall, rel=1e-9)], step
        optimiser.step()
        schedule.step()


def test_the_average_follows_the_weights(tmp_path: Path) -> None:
    """An exponential moving average whose decay grows from step to step up to its own."""
    config = make_config().model_copy(update={"ema_decay": 0.25})
    trainer = Trainer(config, tmp_path, CPU)
    _, sample = next(iter(trainer._samples()))
    expected = None
    for step in range(4):
        trainer._train_on(sample)
        weight = trainer.model.network.head.weight.detach().clone()
        decay = min(0.25, (step + 1) / (step + 10))
        expected = weight if expected is None else expected.lerp(weight, 1 - decay)
        torch.testing.assert_close(trainer.average.module.head.weight, expected)
    assert not torch.equal(trainer.average.module.head.weight, trainer.model.network.head.weight)


def test_checkpoint_of_another_configuration_is_refused(tmp_path: Path) -> None:
    run(tmp_path, stop_after=1)
    with pytest.raises(InputError, match="another training configuration"):
        load_checkpoint(tmp_path / CHECKPOINT, make_config(seed=1))


def test_missing_or_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no checkpoint"):
        load_checkpoint(tmp_path / CHECKPOINT, make_config())
    (tmp_path / CHECKPOINT).write_bytes(b"not a checkpoint")
    with pytest.raises(InputError, match="is no checkpoint of this version"):
        load_checkpoint(tmp_path / CHECKPOINT, make_config())


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.json")), ids=lambda path: path.stem)
def test_shipped_configurations_are_valid_and_named_like_their_files(path: Path) -> None:
    assert read_config(path).name == path.stem


def test_bad_configuration_is_named_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text(json.dumps({"name": "bad", "stages": [{"steps": 0}]}))
    with pytest.raises(InputError, match=r"bad\.json: stages\.0\.steps"):
        read_config(path)
    path.write_text(json.dumps({"name": "bad", "stages": [{"steps": 1, "shape": [15, 16, 16]}]}))
    with pytest.raises(InputError, match="multiples of 16"):
        read_config(path)


def test_digest_follows_every_setting() -> None:
    assert make_config().digest == make_config().digest
    assert make_config().digest != make_config(seed=1).digest
