"""The figures of docs/accuracy.md, "Better than one look":

    python -m tests.accuracy.measure IMAGES --pack FOLDER [--kept FILE.npz] [--svg FILE.svg]

`IMAGES` holds one folder a person. Whoever asks for `--kept` finds embeddings of faces in that file, and deletes it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgegate.adapters import open_engine
from edgegate.calibration import plot
from edgegate.calibration.measure import Side, measured_side
from edgegate.calibration.sample import Sample, collect
from edgegate.calibration.scores import Block, Crossed, Scores, fused
from edgegate.calibration.statistics import Indices, Weights
from edgegate.faces.pack import load
from tests.accuracy.material import Floats, Material, face_analysis, gather
from tests.accuracy.sequences import CONDITIONS

TARGET = 1e-4
REPLICATES = 300


@dataclass(frozen=True, slots=True)
class Variant:
    """A way of comparing: who is enrolled how, which frames count, how much, and what their embeddings are."""

    name: str
    templates: Callable[[Material], Floats]
    probes: Callable[[Material], Floats]
    weights: Callable[[Material], Floats]
    """(sequences, frames); 0 for frames that are not compared."""


def _once(m: Material) -> Floats:
    """The first frame alone."""
    return np.where(np.arange(m.good.shape[1]) == 0, m.first.any(axis=1, keepdims=True), False).astype(np.float32)


def _both(m: Material) -> Floats:
    middle = m.lit + m.mirror
    return np.asarray(middle / np.linalg.norm(middle, axis=1, keepdims=True), np.float32)


VARIANTS = (
    Variant("one photograph, one look", lambda m: m.whole, lambda m: np.repeat(m.first[:, None], 6, axis=1), _once),
    Variant("+ frames fit to compare, mean", lambda m: m.plain, lambda m: m.seen_plain, lambda m: 1.0 * m.good),
    Variant("+ weighted by quality", lambda m: m.plain, lambda m: m.seen_plain, lambda m: m.weight * m.good),
    Variant("+ flat faces relit", lambda m: m.lit, lambda m: m.seen_lit, lambda m: m.weight * m.good),
    Variant("+ mirror image enrolled", _both, lambda m: m.seen_lit, lambda m: m.weight * m.good),
)


class Presentations(Crossed):
    """Every enrolled photograph before every sequence but its own."""

    def __init__(self, material: Material, scores: Scores) -> None:
        self._m, self._scores = material, scores
        people = int(max(material.person.max(), material.seen_person.max())) + 1
        photos, looks = (np.bincount(who, minlength=people) for who in (material.person, material.seen_person))
        super().__init__(photos.astype(np.float64), looks.astype(np.float64), np.zeros(people))

    def genuine(self) -> tuple[Scores, Indices]:
        own, _ = genuine(self._m)
        return self._scores[own], np.asarray(self._m.seen_person[own[1]], np.int32)

    def impostors(self) -> Iterator[Block]:
        left, right = self._m.person[:, None], self._m.seen_person[None, :]
        yield Block(self._scores, left != right, left, right)


def genuine(m: Material) -> tuple[tuple[Indices, Indices], Indices]:
    """Photograph and sequence of each genuine presentation, and its condition."""
    same = (m.person[:, None] == m.seen_person) & (m.photo[:, None] != m.seen_photo)
    rows, columns = np.nonzero(same)
    return (rows.astype(np.int32), columns.astype(np.int32)), m.condition[columns]


def highest(m: Material, variant: Variant) -> Scores:
    """The highest fused score of each presentation, as `calibration.scores` counts it; -1 where nothing could be
    compared."""
    weights = variant.weights(m)
    # A weight of nothing: what is not compared leaves the mean as it was. Before the first, the mean is nothing.
    means = fused(variant.probes(m), np.maximum(weights, np.float32(1e-12)), "cosine")
    compared = np.cumsum(weights, axis=1) > 0
    best = np.full((len(m.photo), len(m.seen_photo)), -1, np.float32)
    templates = variant.templates(m)
    for look in range(means.shape[1]):
        some = compared[:, look]
        best[:, some] = np.maximum(best[:, some], templates @ means[some, look].T)
    return best


def sampled(m: Material, variant: Variant) -> Sample:
    scores = Presentations(m, highest(m, variant))
    return collect(scores, scores.terms)


def of_condition(m: Material, sample: Sample, number: int) -> Sample:
    """The genuine presentations of one condition."""
    chosen = genuine(m)[1] == number
    return replace(sample, genuine=sample.genuine[chosen], genuine_person=sample.genuine_person[chosen])


def ratio(m: Material, before: Sample, after: Sample, *, seed: int = 0) -> tuple[float, float, float]:
    """FNMR of `after` against that of `before`, each at its own threshold, and the 95 % interval, people being drawn
    anew, thresholds chosen anew."""
    dice = np.random.default_rng(seed)
    people = before.people
    ratios = []
    for number in range(REPLICATES + 1):
        drawn = dice.integers(0, people, people) if number else np.arange(people)
        times = np.bincount(drawn, minlength=people).astype(np.float64)
        rates = [_fnmr(sample, times) for sample in (before, after)]
        if rates[0] > 0:
            ratios.append(rates[1] / rates[0])
    low, high = np.percentile(ratios[1:], [2.5, 97.5])
    return ratios[0], float(low), float(high)


def _fnmr(sample: Sample, times: Weights) -> float:
    allowed = TARGET * float(sample.comparisons.trials(times[None])[0])
    passed = np.cumsum(times[sample.left] * times[sample.right])
    threshold = sample.top[min(int(np.searchsorted(passed, allowed, "right")), len(sample.top) - 1)]
    weight = times[sample.genuine_person]
    return float(weight @ (sample.genuine <= threshold)) / max(1.0, float(weight.sum()))


def report(m: Material) -> list[tuple[str, Side]]:
    """Print the tables; returns the curves of the first and the last variant."""
    samples = [sampled(m, variant) for variant in VARIANTS]
    first = samples[0]
    print(f"{len(m.photo)} photographs of {len(set(m.person))} people; {len(m.seen_photo)} sequences of ", end="")
    print(f"{len(set(m.seen_person))}; {first.impostors} impostor presentations; {len(first.genuine)} genuine ones of ")
    print(f"{len(set(first.genuine_person))} people; compared, by condition:")
    print({each.name: round(float(m.good[m.condition == n].mean()), 2) for n, each in enumerate(CONDITIONS)})
    for variant, sample in zip(VARIANTS, samples, strict=True):
        threshold = sample.threshold(TARGET)
        if threshold is None:
            raise SystemExit(f"too few people for {TARGET:g}")
        rate, fmr = sample.fnmr(threshold), sample.fmr(threshold)
        times, low, high = ratio(m, first, sample)
        print(f"\n{variant.name}: threshold {threshold:.3f}, FMR {fmr.value:.2g} ({fmr.low:.2g}-{fmr.high:.2g})")
        print(f"  FNMR {rate.errors}/{rate.trials} {rate.value:.3f} ({rate.low:.3f}-{rate.high:.3f}), ", end="")
        print(f"{times:.2f} ({low:.2f}-{high:.2f}) of the first")
        for number, each in enumerate(CONDITIONS):
            rate = of_condition(m, sample, number).fnmr(threshold)
            print(f"  {each.name:10} {rate.errors}/{rate.trials} {rate.value:.3f} ({rate.low:.3f}-{rate.high:.3f})")
    return [(VARIANTS[0].name, measured_side(first, TARGET)), ("the gate", measured_side(samples[-1], TARGET))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--singles", type=int, default=140, help="people with one picture who are seen, as impostors")
    parser.add_argument("--kept", type=Path, help="read the embeddings from this file, or write them to it")
    parser.add_argument("--svg", type=Path, help="write the DET plot")
    options = parser.parse_args()
    if options.kept and options.kept.exists():
        material = Material.load(options.kept)
    else:
        pack = load(options.pack)
        pack.verify()
        whole = face_analysis(pack) if pack.manifest.engine == "insightface" else None
        material = gather(options.images, open_engine(pack, 1), whole, options.singles)
        if options.kept:
            material.save(options.kept)
    curves = report(material)
    if options.svg:
        options.svg.write_text(plot.det(curves) + "\n")


if __name__ == "__main__":
    main()
