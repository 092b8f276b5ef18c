"""Many linear equations in NumPy: ridge regression, what it does not know, and what it would say without some
of its examples."""

import itertools

import numpy as np

BLOCK = 2048  # rows in memory at a time
PARTS = 8  # into which a triangle is cut, to leave out what is zero


class Equations:
    """Ridge regression of n rows of features, each multiplied by the root of its weight: minimize
    `|rows w - targets|^2 + ridge |w|^2`.

    Solved by as many equations as there are features, or rows where they are fewer. The triangle `T` kept is
    the inverse of the Cholesky factor of their matrix: A^-1 = T' T.

    Args:
        rows: function of a slice or an int array to float32 `(b, features)`.
        n: int, rows in all.
        features: int.
        ridge: float above 0.
    """

    def __init__(self, rows, n, features, ridge):
        self.rows, self.n, self.features, self.ridge = rows, n, features, np.float32(ridge)
        self.by_rows = n < features
        if self.by_rows:
            self.every = rows(slice(0, n))
            matrix = self.every @ self.every.T
        else:
            matrix = np.zeros((features, features), "float32")
            for block in self._blocks():
                seen = rows(block)
                matrix += seen.T @ seen
        matrix.flat[:: len(matrix) + 1] += self.ridge
        self.triangle = np.zeros_like(matrix)
        inverse_factor(matrix, self.triangle)

    def _blocks(self):
        return [slice(i, i + BLOCK) for i in range(0, self.n, BLOCK)]

    def _inverse(self, x):
        """The inverse of the matrix, times x."""
        return self.triangle.T @ (self.triangle @ x)

    def solve(self, targets):
        """The weights, float32 `(features, k)`, of targets, float32 `(n, k)`."""
        if self.by_rows:
            weights = self.every.T @ self._inverse(targets)
        else:
            weights = self._inverse(sum(self.rows(block).T @ targets[block] for block in self._blocks()))
        self.weights = weights
        return weights

    def said(self, rows=None):
        """What `solve`'s weights say of all rows, or of these (int array), float32 `(b, k)`."""
        if rows is not None:
            return self.rows(rows) @ self.weights
        return np.concatenate([self.rows(block) @ self.weights for block in self._blocks()])

    def draws(self, random, count):
        """Normal draws of what is not known of weights, of covariance A^-1, A = rows' rows + ridge: float32
        `(features, count)`. By rows as Matheron has it: a draw of the prior, less what is seen of it."""
        normal = random.standard_normal((self.features, count), dtype="float32")
        if not self.by_rows:
            return self.triangle.T @ normal
        prior = normal / np.sqrt(self.ridge)
        noise = random.standard_normal((self.n, count), dtype="float32")
        return prior - self.every.T @ self._inverse(self.every @ prior + noise)

    def without(self, targets, groupings):
        """What is left of targets, and how large draws are there, where a row's group is not among the rows.

        With H = rows A^-1 rows', residuals without a group are `(1 - H_gg)^-1` times those with it, and
        variances the diagonal of `(1 - H_gg)^-1` less 1.

        Args:
            targets: float32 `(n, k)`, which `solve` had.
            groupings: sequence of int arrays `(n,)`, each group within one of the next grouping.

        Returns: list of `(residuals, variances)`, float32 `(n, k)` and `(n,)`, for each grouping.
        Raises: ValueError where a group is not within one of the next grouping.
        """
        if not len(groupings):
            return []
        order = np.lexsort(groupings)
        sorted_groups = [np.asarray(grouping)[order] for grouping in groupings]
        starts = [np.flatnonzero(np.r_[True, groups[1:] != groups[:-1]]) for groups in sorted_groups]
        for i, (groups, first) in enumerate(zip(groupings, starts, strict=True)):
            if len(np.unique(groups)) != len(first):
                raise ValueError(f"groups of grouping {i} must lie within groups of the next")
        found = [(np.zeros(targets.shape, "float32"), np.zeros(self.n, "float32")) for _ in groupings]
        for first, last in _runs(np.r_[starts[-1], self.n]):
            here = order[first:last]
            rows = self.rows(here)
            seen = self.triangle[:, here] if self.by_rows else self._times_triangle(rows.T)
            residuals = targets[here] - rows @ self.weights
            for (left, variances), begin in zip(found, starts, strict=True):
                begin = begin[(begin >= first) & (begin < last)] - first
                for one, end in zip(begin, np.r_[begin[1:], last - first], strict=True):
                    gram = (seen[:, one:end].T @ seen[:, one:end]).astype("float64")
                    rest = self.ridge * gram if self.by_rows else np.eye(end - one) - gram
                    inverse = np.linalg.inv(rest)
                    left[here[one:end]] = inverse @ residuals[one:end]
                    variances[here[one:end]] = np.maximum(np.diag(inverse) - 1, 0)
        return found

    def _times_triangle(self, x):
        """The triangle times x, float32 `(features, k)`."""
        edges = np.linspace(0, self.features, PARTS + 1).astype(int)
        return np.concatenate([self.triangle[a:b, :b] @ x[:b] for a, b in itertools.pairwise(edges)])


def inverse_factor(matrix, triangle):
    """The inverse T of the Cholesky factor of a matrix: T matrix T' = 1, T with zeros above its diagonal.

    Half by half, in products of matrices: LAPACK's of many threads, as NumPy brings it, ends the process at a
    width of 16,384 (OpenBLAS 0.3.31).

    Args:
        matrix: float32 `(n, n)`, symmetric, positive definite. It is overwritten.
        triangle: float32 `(n, n)` of zeros, which becomes T.
    """
    n = len(matrix)
    if n <= BLOCK:
        triangle[:] = np.tril(np.linalg.inv(np.linalg.cholesky(matrix)))
        return
    half = n // 2
    inverse_factor(matrix[:half, :half], triangle[:half, :half])
    below = matrix[half:, :half] @ triangle[:half, :half].T
    rest = matrix[half:, half:]
    rest -= below @ below.T
    inverse_factor(rest, triangle[half:, half:])
    triangle[half:, :half] = -triangle[half:, half:] @ (below @ triangle[:half, :half])


def _runs(starts):
    """(first, last) of runs of whole groups of about `BLOCK` rows. starts: int array, of groups, and the
    end."""
    first = starts[0]
    for start, after in itertools.pairwise(starts):
        if after - first > BLOCK and start > first:
            yield first, start
            first = start
    yield first, starts[-1]


def principal_components(y, weights, count):
    """Mean, float32 `(d,)`, and the `count` directions of length 1, float32 `(count, d)`, in which rows of
    `y`, float `(n, d)`, differ most, each row counted `weights` `(n,)` times."""
    mean = np.average(y, axis=0, weights=weights).astype("float32")
    centered = (y - mean) * np.sqrt(weights, dtype="float32")[:, None]
    _, directions = np.linalg.eigh((centered.T @ centered).astype("float64"))
    return mean, directions[:, ::-1][:, :count].T.astype("float32")
