"""The flags of ``vllm serve`` that serve most requests within latency targets: simulate thousands, measure the most promising few.

Run it: ``python examples/tune_vllm.py [--model M] [--gpu h100_sxm] [--gpus 1] [--workload azure-conv] [--ttft 1] [--tpot 0.05]``. It ends
with the command to paste and what to expect of it. Where there is no vLLM it says what the model of the GPUs says. Stopped and run again
it goes on: what was simulated and measured is kept in ``--store``.
"""

import argparse

import numpy as np
from scipy import stats

import designgym as dg
from designgym.core.metrics import Metrics
from designgym.envs import environment
from designgym.simulators.serving.engine import VllmServing
from designgym.simulators.serving.workloads import find_requests, make_workload
from designgym.studies import Confirm

SIMULATED, MEASURED = "designgym/VllmServing-v0", "designgym/VllmServingVllm-v0"
OBJECTIVE = dg.maximize("goodput_rps")
ATTAINED = 0.9  # share of requests within the targets that still counts as serving them all
OVERLOAD = 1.5  # offered load by what the default flags serve: so much that flags differ in what they serve
FIGURES = ("goodput_rps", "output_throughput_tps", "ttft_p50_s", "ttft_p90_s", "tpot_p50_s", "tpot_p90_s", "e2e_p90_s")


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="meta-llama/Meta-Llama-3.1-8B", help="name, or path of a config.json")
    parser.add_argument("--served", default="", help="what vllm serve is given as the model, if that is something else")
    parser.add_argument("--gpu", default="h100_sxm")
    parser.add_argument("--gpus", type=int, default=1)
    parser.add_argument("--workload", default="azure-conv", help="requests by name, or a CSV of your own")
    parser.add_argument("--rate", type=float, help="requests per second; by default half as many again as the default flags serve")
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--ttft", type=float, default=1.0, help="target of the time to first token, s")
    parser.add_argument("--tpot", type=float, default=0.05, help="target of the time per output token, s")
    parser.add_argument("--simulate", type=int, default=1500, help="designs to simulate")
    parser.add_argument("--measure", type=int, default=8, help="designs to measure, the default flags among them")
    parser.add_argument("--extra", default="", help="further arguments of vllm serve")
    parser.add_argument("--store", default="tune-vllm.db")
    return parser.parse_args()


def requests_at(base: str, rate: float, requests: int) -> dg.Workload:
    """Return so many requests at a rate, by the name of a workload, which may have settings."""
    name = f"{base}{',' if ':' in base else ':'}rate={rate:.4g},requests={requests}"
    return make_workload(name, find_requests(name))


def overload_rps(engine: VllmServing, base: str, requests: int) -> float:
    """Return the rate at which the default flags fall behind: `OVERLOAD` times the highest at which `ATTAINED` meet the targets."""
    design = engine.space.validate(engine.space.default())
    low, high = 0.05, 400.0
    (alone,) = engine.evaluate([design], requests_at(base, low, requests))
    if not alone.ok:
        raise SystemExit(f"the default flags serve nothing: {'; '.join(alone.reasons)}\nSay at which --rate flags are to be compared.")
    while high / low > 1.05:
        rate = (low * high) ** 0.5
        (metrics,) = engine.evaluate([design], requests_at(base, rate, requests))
        low, high = (rate, high) if metrics.ok and metrics["slo_attainment"] >= ATTAINED else (low, rate)
    return OVERLOAD * low


def corrections(engine: VllmServing, measured: dg.StudyResult, workload: dg.Workload) -> dict[str, tuple[float, float]]:
    """Return, of each figure, mean and standard error of a new design's log(measured / simulated), over all designs that were measured."""
    frame = measured.to_pandas()
    frame = frame[(frame["status"] == "ok") & ~frame["duplicate"]]
    logs: dict[str, list[float]] = {name: [] for name in FIGURES}
    for row in frame.to_dict("records"):
        design = engine.space.validate({name: row[f"design.{name}"] for name in engine.space.parameters})
        (simulated,) = engine.evaluate([design], workload)
        for name in FIGURES:
            if simulated.ok and simulated[name] > 0 and row[f"metrics.{name}"] > 0:
                logs[name].append(float(np.log(row[f"metrics.{name}"] / simulated[name])))
    return {
        name: (float(np.mean(found)), float(stats.t.ppf(0.975, len(found) - 1) * np.std(found, ddof=1) * (1 + 1 / len(found)) ** 0.5))
        for name, found in logs.items()
        if len(found) > 2
    }


def expectations(simulated: Metrics, measured: dict[str, float] | None, corrected: dict[str, tuple[float, float]]) -> list[str]:
    """Return a table of what the model says, what it says corrected by the measurements, and what was measured."""
    lines = [f"{'':24}{'simulated':>12}{'corrected, 95 % of designs':>30}{'measured':>12}"]
    for name in FIGURES:
        between = "-"
        if name in corrected:
            mean, half = corrected[name]
            low, middle, high = (simulated[name] * np.exp(mean + side * half) for side in (-1, 0, 1))
            between = f"{middle:.4g} ({low:.4g} to {high:.4g})"
        lines.append(f"{name:24}{simulated[name]:>12.4g}{between:>30}{f'{measured[name]:.4g}' if measured else '-':>12}")
    return lines


def main() -> None:
    """Simulate, measure, and print the command."""
    asked = arguments()
    deployment = {"model": asked.model, "gpu": asked.gpu, "gpus": asked.gpus}
    targets = {"ttft_s": asked.ttft, "tpot_s": asked.tpot}
    engine = VllmServing(**deployment, **targets)
    base = asked.workload
    rate = asked.rate or overload_rps(engine, base, asked.requests)
    workload = requests_at(base, rate, asked.requests)
    label = f"{asked.model.rsplit('/', 1)[-1]}-{asked.gpus}x{asked.gpu}"

    simulated = dg.Study(
        f"simulated-{label}", SIMULATED, workload=workload, objective=OBJECTIVE, options=deployment | targets,
        searchers=["random", dg.searchers.RegularizedEvolution(population=40)], budget=max(asked.simulate // 2, 1), store=asked.store,
    ).run(backend="local")  # fmt: skip
    default = engine.space.validate(engine.space.default())
    (usual,) = engine.evaluate([default], workload)
    if not (best := simulated.best()):
        raise SystemExit("no design was found that serves these requests on these GPUs: take more or larger ones, or a smaller model")
    print(
        f"\nsimulated {len(simulated.frame)} designs at {rate:.3g} requests/s: within the targets {best.score:.3g} requests/s, "
        f"with the default flags {usual['goodput_rps'] if usual.ok else 0.0:.3g}"
    )

    design, measured, corrected = best.design, None, {}
    served = {"served": asked.served, "extra": asked.extra}
    found, words = environment(MEASURED).installed()
    if found and asked.measure:
        confirmed = dg.Study(
            f"measured-{label}", MEASURED, workload=workload, objective=OBJECTIVE, options=deployment | targets | served,
            searchers=[Confirm.of(simulated.name, asked.store)], budget=asked.measure, batch=1, store=asked.store,
        ).run(backend="local")  # fmt: skip
        best = confirmed.best()
        corrected = corrections(engine, confirmed, workload)
        design = engine.space.validate({name: best.design[name] for name in engine.space.parameters})
        measured = dict(best.metrics)
        print(confirmed.summary(by="run").to_string())
    else:
        print(f"nothing was measured: {words if not found else '--measure is 0'}")

    (metrics,) = engine.evaluate([design], workload)
    print("\n".join(["", f"expected at {rate:.3g} requests/s of {asked.workload}", *expectations(metrics, measured, corrected)]))
    if measured:
        share = measured["relative_ci95"]
        print(f"measured is the mean of {measured['repeats']:.0f} runs; 95 % interval of the output throughput +-{share:.1%}")
    else:
        print("before something is measured there are no intervals; costs of single steps are within 3.6 % for nine in ten of 24,128")
    print(f"\n{engine.describe(design, workload).replace(asked.model, asked.served or asked.model, 1)} {asked.extra}".rstrip())


if __name__ == "__main__":
    try:
        main()
    except dg.InputError as error:
        raise SystemExit(f"error: {error}") from None
