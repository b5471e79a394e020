"""A short run of the fuzzer, and the corpus: in the whole suite, so that what it once found stays found."""

import random
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from bench.fuzz import corpus, targets
from bench.fuzz.__main__ import everything, made
from bench.fuzz.mutation import nested_at, recursive_paths

from headgate import pb
from headgate_server.requests import validator
from tests.architecture.repository import ROOT

ROUNDS = 40
"""Inputs for each target: some 4,000 in all."""


@pytest.mark.parametrize("method", sorted(corpus.methods()))
def test_every_method_has_sound_requests(method: str) -> None:
    for request in corpus.sound(method):
        validator.check(request)


@pytest.mark.parametrize("case", list(corpus.harmful()), ids=lambda case: f"{case.method}: {case.harm}"[:80])
def test_what_once_did_harm_does_none(case: corpus.Harmful) -> None:
    assert targets.request(case.method, case.raw) in ("refused", "malformed")


def test_a_nest_stands_where_it_is_put() -> None:
    path = recursive_paths(pb.CreateBackfillRequest.DESCRIPTOR)[0]
    found = pb.CreateBackfillRequest.FromString(nested_at(path, 2)).spec.extra.fields["deep"]

    assert found.list_value.values[0].list_value.values[0].string_value == "a"


@pytest.mark.parametrize("name", sorted(everything()))
def test_no_target_breaks(name: str) -> None:
    seed = random.SystemRandom().randrange(2**32)
    rng, target = random.Random(seed), everything()[name]
    for number in range(ROUNDS):
        raw = made(name, rng)
        try:
            target(raw)
        except Exception as error:
            raise AssertionError(f"seed {seed}, input {number}: {raw.hex()}") from error


def test_half_of_the_requests_pass_the_rules() -> None:
    """What is refused at the first rule finds nothing behind it."""
    rng = random.Random(1)
    told = [targets.request(method, made(f"request:{method}", rng)) for method in corpus.methods() for _ in range(20)]

    assert told.count("accepted") > len(told) / 4
    assert told.count("refused") > len(told) / 4


@pytest.mark.timeout(180)  # atheris rewrites every module of ours as it is imported
def test_a_run_led_by_coverage(tmp_path: Path) -> None:
    if find_spec("atheris") is None:
        pytest.skip("atheris is not installed on this machine")
    command = (sys.executable, "-m", "bench.fuzz.led", "filter_text", str(tmp_path), "3")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=170)

    assert done.returncode == 0, done.stderr[-2000:]
    assert len(list(tmp_path.iterdir())) > 20, "inputs that reach new code are kept"
