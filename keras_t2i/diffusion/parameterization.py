"""What a network is asked for (x0, epsilon, v, score, flow), and how each is turned into any other."""

from dataclasses import dataclass

from keras_t2i.diffusion.namespace import divide_or_zero
from keras_t2i.diffusion.namespace import expand
from keras_t2i.diffusion.namespace import namespace
from keras_t2i.diffusion.process import Process

PARAMETERIZATIONS = ("x0", "epsilon", "v", "score", "flow")


@dataclass(frozen=True)
class Parameterization:
    """What a network predicts along a process, as a pair of numbers: it is a(t) x_0 + b(t) noise.

    | kind | a | b | source |
    |---|---|---|---|
    | "x0" | 1 | 0 | the picture |
    | "epsilon" | 0 | 1 | the noise: Ho et al. 2020, arXiv 2006.11239, eq. 12 |
    | "v" | -sigma / r | alpha / r | Salimans and Ho 2022, arXiv 2202.00512, appendix D |
    | "score" | 0 | -1 / sigma | gradient of log q(x_t): Vincent 2011; Song et al. 2021, arXiv 2011.13456 |
    | "flow" | d alpha / dt | d sigma / dt | dx_t / dt: Lipman et al. 2023, arXiv 2210.02747 |

    r^2 is alpha^2 + sigma^2, which is 1 in the paper. Together with x_t = alpha x_0 + sigma noise these are
    two equations, so every kind follows from every other and x_t. Where the equations say nothing (the
    picture out of the noise at alpha = 0, the noise out of the picture or a score at sigma = 0) the answer is
    0, which is the mean of noise and near that of pictures in [-1, 1]. A "flow" is not defined where a
    derivative of the process is infinite (t = 0, if variance is preserved or explodes). "v" on the process
    "edm" is, but for its sign, EDM's preconditioned network for pictures of standard deviation 1.

    Args:
        kind: one of `PARAMETERIZATIONS`.
        process: `Process`.
    """

    kind: str
    process: Process

    def __post_init__(self):
        if self.kind not in PARAMETERIZATIONS:
            raise ValueError(
                f"There is no parameterization {self.kind!r}; there are {', '.join(PARAMETERIZATIONS)}."
            )
        if self.kind == "score" and not self.process.gaussian:
            raise ValueError(f"{self.process.name!r} does not end in noise: it has no score.")

    def coefficients(self, t):
        """(a, b) of the table above; times sigma for "score", to be finite."""
        process = self.process
        alpha, sigma = process.alpha(t), process.sigma(t)
        if self.kind == "x0":
            return 0.0 * alpha + 1.0, 0.0 * alpha
        if self.kind == "v":
            norm = namespace(alpha).sqrt(alpha**2 + sigma**2)
            return -sigma / norm, alpha / norm
        if self.kind == "flow":
            return process.alpha_dot(t), process.sigma_dot(t)
        return 0.0 * alpha, 0.0 * alpha + (1.0 if self.kind == "epsilon" else -1.0)

    def determinant(self, t):
        """alpha b - sigma a: an error e of the prediction is one of -sigma e / determinant in x_0."""
        a, b = self.coefficients(t)
        determinant = self.process.alpha(t) * b - self.process.sigma(t) * a
        return divide_or_zero(determinant, self.process.sigma(t)) if self.kind == "score" else determinant

    def target(self, x0, noise, t):
        """What the network should say.

        Args:
            x0, noise: float `(n, ...)`: pictures, and what was mixed in by `process.diffuse`.
            t: `()` or `(n,)`.
        """
        a, b = (expand(c, x0) for c in self.coefficients(t))
        target = a * x0 + b * noise
        return divide_or_zero(target, expand(self.process.sigma(t), x0)) if self.kind == "score" else target

    def convert(self, output, x, t, kind):
        """What the network said, as a prediction of another kind.

        Args:
            output: float `(n, ...)`, a prediction of this kind.
            x: x_t, same shape and dtype.
            t: `()` or `(n,)`.
            kind: one of `PARAMETERIZATIONS`.
        """
        if kind == self.kind:
            return output
        wanted = Parameterization(kind, self.process)
        alpha, sigma = self.process.alpha(t), self.process.sigma(t)
        (a, b), (a_wanted, b_wanted) = self.coefficients(t), wanted.coefficients(t)
        determinant = alpha * b - sigma * a
        of_x = divide_or_zero(a_wanted * b - b_wanted * a, determinant)
        of_output = divide_or_zero(alpha * b_wanted - sigma * a_wanted, determinant)
        if self.kind == "score":
            of_output = of_output * sigma
        converted = expand(of_x, x) * x + expand(of_output, x) * output
        return divide_or_zero(converted, expand(sigma, x)) if kind == "score" else converted

    def x0(self, output, x, t):
        """The picture, as `convert` says."""
        return self.convert(output, x, t, "x0")

    def epsilon(self, output, x, t):
        """The noise, as `convert` says."""
        return self.convert(output, x, t, "epsilon")

    def denoiser(self, network):
        """`network(x, t)`, whose outputs are of this kind, as samplers want it: (x, t) to x_0."""
        return lambda x, t: self.x0(network(x, t), x, t)
