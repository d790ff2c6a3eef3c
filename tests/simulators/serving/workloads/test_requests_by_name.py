"""Requests by name and from files: settings, column names in use, and what cannot be used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from designgym.core.errors import InputError, UnknownNameError
from designgym.simulators.serving.workloads import available_requests, find_requests

AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.9951690,396,109\n"
VIDUR = "arrived_at,num_prefill_tokens,num_decode_tokens\n10.0,5,6\n11.0,7,8\n13.0,9,10\n"


def test_settings_are_read() -> None:
    trace = find_requests("azure-code:requests=30,rate=2,cv=0,seed=3")
    assert len(trace) == 30 and np.allclose(np.diff(trace.arrival_s), 0.5)
    assert find_requests("azure-code:users=3,requests=10").users == 3


def test_files_of_the_field_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "azure.csv").write_text(AZURE)
    (tmp_path / "serving").mkdir()
    (tmp_path / "serving" / "vidur.csv").write_text(VIDUR)
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    trace = find_requests(str(tmp_path / "azure.csv"))
    assert np.allclose(trace.arrival_s, [0, 4.314579]) and trace.prompt_tokens.tolist() == [374, 396]
    monkeypatch.setenv("DESIGNGYM_DATA", str(tmp_path))
    assert available_requests()[-2:] == ["azure", "vidur"]
    assert find_requests("vidur").arrival_s.tolist() == [0, 1, 3]
    assert find_requests("vidur:rate=4").arrival_s.tolist() == pytest.approx([0, 0.5 / 3, 0.5])
    assert find_requests("vidur:requests=2").output_tokens.tolist() == [6, 8]
    assert find_requests("vidur:users=1").arrival_s.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("azure-conv:rate=fast", "rate is 'fast', expected a number"),
        ("azure-conv:rate=0", "rate is 0, expected more than 0"),
        ("azure-conv:requests=2.5", "requests is '2.5', expected a whole number"),
        ("azure-conv:requests=0", "requests is 0, expected 1 or more"),
        ("azure-conv:qps=2", "cannot use 'qps=2', expected settings such as requests=1000"),
        ("missing.csv", "cannot read requests from 'missing.csv'"),
    ],
)
def test_what_cannot_be_used_is_said(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        find_requests(name)


def test_unknown_names_come_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="unknown workload 'azure-con': did you mean 'azure-conv'"):
        find_requests("azure-con")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", r"no column arrival_s \(also known as TIMESTAMP, arrived_at"),
        ("arrival_s,prompt_tokens,output_tokens\n", "has no requests"),
        ("arrival_s,prompt_tokens,output_tokens\n0,5,x\n", "output_tokens of request 0 is 'x', expected a whole number"),
        ("arrival_s,prompt_tokens,output_tokens\n0,5,5\n-1,5,5\n", "request 1 arrives at -1 s, before the one ahead of it"),
        ("arrival_s,prompt_tokens,output_tokens\nsoon,5,5\n", "neither seconds nor dates"),
        ("arrival_s,prompt_tokens,output_tokens\n0,0,5\n", "request 0: prompt_tokens is 0, expected 1 to"),
    ],
)
def test_files_that_make_no_sense_are_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "requests.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        find_requests(str(path))
