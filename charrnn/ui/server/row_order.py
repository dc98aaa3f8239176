"""Row orders of the heatmap."""

import numpy as np


def by_similarity(states: np.ndarray) -> list[int]:
    """Order similar units next to each other: states (T, H) -> permutation of H units.

    Average-linkage clustering of the correlations; the two halves of every merge are oriented so that the most similar
    ends touch. Constant units come last.
    """
    moving = np.flatnonzero(states.std(axis=0) > 1e-6)
    still = [unit for unit in range(states.shape[1]) if unit not in set(moving.tolist())]
    if len(moving) < 2:
        return [*moving.tolist(), *still]
    likeness = np.corrcoef(states[:, moving].T)
    linkage = likeness.copy()
    np.fill_diagonal(linkage, -np.inf)
    clusters = {i: [i] for i in range(len(moving))}
    for _ in range(len(moving) - 1):
        a, b = divmod(int(linkage.argmax()), len(moving))
        left, right = clusters[a], clusters.pop(b)
        size_a, size_b = len(left), len(right)
        ends = {
            (x, y): likeness[left[0] if x else left[-1], right[-1] if y else right[0]]
            for x in (False, True)
            for y in (False, True)
        }
        turn_left, turn_right = max(ends, key=lambda turned: ends[turned])
        clusters[a] = (left[::-1] if turn_left else left) + (right[::-1] if turn_right else right)
        merged = (size_a * linkage[a] + size_b * linkage[b]) / (size_a + size_b)
        linkage[a], linkage[:, a] = merged, merged
        linkage[b], linkage[:, b] = -np.inf, -np.inf
        linkage[a, a] = -np.inf
    (order,) = clusters.values()
    return [int(moving[i]) for i in order] + still


def by_activity(states: np.ndarray) -> list[int]:
    """Order units by mean change per character: states (T, H) -> permutation of H."""
    if len(states) < 2:
        return list(range(states.shape[1]))
    return np.abs(np.diff(states, axis=0)).mean(axis=0).argsort(kind="stable")[::-1].tolist()
