"""The Gaussian process and the acquisition functions of `BoTorchSearcher`, in BoTorch."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from botorch.acquisition.logei import qLogExpectedImprovement
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.acquisition.multi_objective.objective import IdentityMCMultiOutputObjective
from botorch.acquisition.objective import GenericMCObjective
from botorch.exceptions.errors import BotorchError
from botorch.exceptions.warnings import BotorchWarning
from botorch.models import SingleTaskGP
from botorch.models.kernels.categorical import CategoricalKernel
from botorch.models.utils.gpytorch_modules import get_covar_module_with_dim_scaled_prior
from botorch.optim.fit import fit_gpytorch_mll_scipy
from botorch.sampling.normal import SobolQMCNormalSampler
from gpytorch.constraints import GreaterThan
from gpytorch.mlls import ExactMarginalLogLikelihood
from gpytorch.utils.warnings import GPInputWarning, NumericalWarning
from linear_operator.utils.errors import NanError, NotPSDError  # type: ignore[import-untyped]
from numpy.typing import NDArray

FIT_STEPS = 40  # of L-BFGS; more changes the fit little and the time a lot
CHUNK = 256  # candidates per acquisition call
NUMERICAL = (BotorchError, NotPSDError, NanError, torch.linalg.LinAlgError)  # pyright: ignore[reportPrivateImportUsage]  # ill-conditioned data

Acquisition = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@contextlib.contextmanager
def controlled(seed: int) -> Iterator[None]:
    """Run torch on one thread, from a seed, without its warnings; the caller's torch is as before afterwards."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            for category in (BotorchWarning, NumericalWarning, GPInputWarning):
                warnings.simplefilter("ignore", category=category)
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)


@dataclass(frozen=True)
class Data:
    """What is modelled; everything is maximised.

    Attributes:
        x: Encoded designs, shape ``(n, d)``, in [0, 1].
        targets: Shape ``(n, m)``: one score, or the terms.
        slacks: Shape ``(n, c)``: signed excess of each bound, above 0 is broken.
        categorical: Indices of the unordered columns.
    """

    x: NDArray[np.float64]
    targets: NDArray[np.float64]
    slacks: NDArray[np.float64]
    categorical: tuple[int, ...]


def _first(outcomes: torch.Tensor, X: torch.Tensor | None = None) -> torch.Tensor:
    return outcomes[..., 0]


class Surrogate:
    """Independent Gaussian processes for all targets and slacks: Matern-5/2 over ordered columns times a Hamming kernel over the others.

    Args:
        data: What to model.
        parameters: Kernel parameters of an earlier fit (`parameters`), to start from.
        fit: Whether to fit them; otherwise they are used as they are.

    Raises:
        BotorchError: If the fit fails (also the errors in `NUMERICAL`).
    """

    def __init__(self, data: Data, parameters: Mapping[str, Any] | None, fit: bool) -> None:
        outcomes = np.concatenate([data.targets, data.slacks], axis=1)
        self.mean, spread = outcomes.mean(axis=0), outcomes.std(axis=0)
        self.scale = np.where(spread > 1e-12 * np.maximum(np.abs(self.mean), 1e-300), spread, 1.0)
        self.terms = data.targets.shape[1]
        self.outputs = outcomes.shape[1]
        x, y = torch.from_numpy(data.x), torch.from_numpy((outcomes - self.mean) / self.scale)
        self.model = self._gp(x, y, data.categorical)
        if parameters is not None:
            with torch.no_grad():
                for name, tensor in self.model.named_parameters():
                    tensor.copy_(torch.tensor(parameters[name], dtype=torch.float64).reshape(tensor.shape))
        if fit:
            for output in range(self.outputs):
                self._fit(x, y, output, data.categorical)
        self.model.eval()

    @property
    def parameters(self) -> dict[str, Any]:
        """The raw kernel parameters, as JSON data that restores them exactly."""
        return {name: tensor.detach().reshape(-1).tolist() for name, tensor in self.model.named_parameters()}

    def predict(self, x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and standard deviation of what would be observed, in the units of targets and slacks; both of shape (n, m + c)."""
        with torch.no_grad():
            posterior = self.model.posterior(torch.from_numpy(x), observation_noise=True)
            mean, deviation = posterior.mean.numpy(), posterior.variance.sqrt().numpy()
        return mean * self.scale + self.mean, deviation * self.scale

    def improvement(self, best: float, pending: NDArray[np.float64], samples: int, seed: int) -> Acquisition:
        """Return qLogEI over ``best`` (in target units), given designs that are being evaluated."""
        return self._numpy(
            qLogExpectedImprovement(
                self.model,
                best_f=float((best - self.mean[0]) / self.scale[0]),
                sampler=SobolQMCNormalSampler(torch.Size([samples]), seed=seed),
                objective=GenericMCObjective(_first),
                constraints=self._constraints(),
                X_pending=torch.from_numpy(pending) if len(pending) else None,
            )
        )

    def hypervolume(
        self, reference: Sequence[float], baseline: NDArray[np.float64], pending: NDArray[np.float64], samples: int, seed: int
    ) -> Acquisition:
        """Return qLogNEHVI above ``reference`` (in target units) beyond what the designs in ``baseline`` dominate."""
        from botorch.acquisition.multi_objective.utils import get_default_partitioning_alpha

        point = (np.asarray(reference) - self.mean[: self.terms]) / self.scale[: self.terms]
        return self._numpy(
            qLogNoisyExpectedHypervolumeImprovement(
                self.model,
                ref_point=point.tolist(),
                X_baseline=torch.from_numpy(baseline),
                sampler=SobolQMCNormalSampler(torch.Size([samples]), seed=seed),
                objective=IdentityMCMultiOutputObjective(outcomes=list(range(self.terms)), num_outcomes=self.outputs),
                constraints=self._constraints(),
                X_pending=torch.from_numpy(pending) if len(pending) else None,
                alpha=get_default_partitioning_alpha(self.terms),
            )
        )

    def _fit(self, x: torch.Tensor, y: torch.Tensor, output: int, categorical: tuple[int, ...]) -> None:
        """Fit one output by itself, from the parameters it has, and put its parameters in place: faster than BoTorch's batched fit."""
        several = self.outputs > 1
        single = self._gp(x, y[:, output : output + 1], categorical)
        ours = dict(self.model.named_parameters())
        with torch.no_grad():
            for name, tensor in single.named_parameters():
                tensor.copy_((ours[name][output] if several else ours[name]).reshape(tensor.shape))
        fit_gpytorch_mll_scipy(ExactMarginalLogLikelihood(single.likelihood, single), options={"maxiter": FIT_STEPS})
        with torch.no_grad():
            for name, tensor in single.named_parameters():
                place = ours[name][output] if several else ours[name]
                place.copy_(tensor.reshape(place.shape))

    def _gp(self, x: torch.Tensor, y: torch.Tensor, categorical: tuple[int, ...]) -> SingleTaskGP:
        kernel = self._kernel(x.shape[1], y.shape[1], categorical)
        return SingleTaskGP(x, y, outcome_transform=None, covar_module=kernel)

    @staticmethod
    def _kernel(columns: int, outputs: int, categorical: tuple[int, ...]) -> Any:
        batch = torch.Size([outputs]) if outputs > 1 else torch.Size()
        ordered = [i for i in range(columns) if i not in categorical]
        parts: list[Any] = []
        if ordered:
            parts.append(get_covar_module_with_dim_scaled_prior(len(ordered), batch, use_rbf_kernel=False, active_dims=ordered))
        if categorical:
            parts.append(
                CategoricalKernel(
                    batch_shape=batch,
                    ard_num_dims=len(categorical),
                    active_dims=categorical,
                    lengthscale_constraint=GreaterThan(1e-2),
                )
            )
        return parts[0] * parts[1] if len(parts) == 2 else parts[0]

    def _constraints(self) -> list[Callable[[torch.Tensor], torch.Tensor]] | None:
        """Return the bounds as functions of the outcomes that are at most 0 where they hold."""

        def slack(i: int) -> Callable[[torch.Tensor], torch.Tensor]:
            return lambda outcomes: outcomes[..., i] * self.scale[i] + self.mean[i]

        return [slack(i) for i in range(self.terms, self.outputs)] or None

    @staticmethod
    def _numpy(acquisition: Any) -> Acquisition:
        def evaluate(x: NDArray[np.float64]) -> NDArray[np.float64]:
            with torch.no_grad():
                chunks = [acquisition(torch.from_numpy(x[i : i + CHUNK]).unsqueeze(1)).numpy() for i in range(0, len(x), CHUNK)]
            return np.nan_to_num(np.concatenate(chunks), nan=-1e300, neginf=-1e300)

        return evaluate
