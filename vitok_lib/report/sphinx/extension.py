"""The Sphinx extension: roles and directives that put records on pages, and fail the build where one is missing.

====================================  ==================================================================
``{value}`photos-512/NAME:psnr` ``    one value; ``[<study>/]<case>/<record>:<quantity>``
``{findings} best presets``           sentences, none where nothing was measured; ``:cases:``, ``:quantity:``,
                                      ``:tokenizers:`` and ``:resolutions:`` where a finding needs them
``{quality-table} div8k-1024``        published next to measured; ``:quantities: all``, or a list that must be there
``{image-table} challenge-384``       the values of single images
``{baseline-table}``                  differences to the PCA baseline over ``:cases:``
``{pairs-table} photos-512``          the differences of all pairs of tokenizers, with simultaneous intervals
``{size-rules-table} wallpapers``     images capped and cropped, tokenizer by tokenizer, paired by image
``{result-figure} by-tokenizer``      a figure over ``:cases:``, ``:benchmark:`` or ``:benchmarks:``
``{result-figure} released``          quality, compression and latency of the released models
``{machine-table} speed``             ``:quantities:`` of speed and memory, a table each machine, as ``:where:`` has it;
                                      without these ``sliding-window``, ``roofline``, ``profile`` or ``capacity``
``{true-rate-table} rate-512``        what latents take in bits, written, at little loss
``{bjontegaard-table} rate-512 A``    BD-rate of tokenizers and codecs to a codec at equal ``:quantity:``, by image
``{text-pairs-table} text-by-…-512``  tokenizers of equal rate on the same lines; ``text-table``: each of them,
                                      ``text-ground-table``: by what lies behind the lines;
                                      ``text-script-table`` of several cases: by script
``{quantiser-table} rate-512``        how one step for all channels changes the rate
``{flops-table} 5B-f16x64``           FLOPs by formula over ``:resolutions:`` and ``:windows:``
``{passes-table} 5B-f16x64``          bytes between the matrix products at ``:resolutions:``
``{fits-table} H100``                 the smallest GPU that holds each model, its peak, its time on the named GPU, over
                                      ``:resolutions:``; with ``:memory-sizes:`` how it fits in each memory size
``{worked-example} 5B-f16x64``        how such a number comes about, at ``:resolutions:`` on ``:gpu:``
``{claim-counts}``                    the verdicts; ``{claim-overview}``: a row a claim; ``{claim-list}``: evidence
``{best-table}``                      the best tokenizer per question: quality on ``:benchmarks:``, speed, memory, size
``{released-table}``                  every released model: what it is, its quality, speed, memory and licence
``{measured-where}``                  a row a machine, and what nobody has measured
``{coverage-table}``                  which question is answered by whom
``{variation-table} window-quality``  PSNR by window, or ``truncated-depth``, against the whole model
``{depth-table}``                     encoder and decoder depth at one training budget, by seed
``{versus-table} A B``                two tokenizers wherever they share a protocol
``{run-list}``                        every record with its provenance
``{reference-table} machines``        or ``sources``, ``image sets``, ``signatures``, ``photographs``, ``wallpapers``,
                                      ``latent scales``, ``training``, ``simulated intervals``
====================================  ==================================================================
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.util.typing import ExtensionMetadata

from vitok_lib.records.store import record_files
from vitok_lib.report.page import docutils_nodes
from vitok_lib.report.page.seal import seal
from vitok_lib.report.page.typed_numbers import sentence, typed_results
from vitok_lib.report.sphinx.catalogue import DIRECTIVES
from vitok_lib.report.sphinx.claim_directives import CLAIM_DIRECTIVES
from vitok_lib.report.sphinx.directives import ValueRole, records_of
from vitok_lib.report.tables import runs


def outdated(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> Iterable[str]:
    """Every page with records, when records have come or gone since the last build; Sphinx sees changed ones itself."""
    names = sorted(str(path) for path in [*record_files(), *runs.training_files()])
    before = getattr(env, "vitok_files", None)
    env.vitok_files = names  # type: ignore[attr-defined]
    if before == names:
        return []
    return [page for page, files in env.dependencies.items() if __file__ in files]


def copy_records(app: Sphinx, exception: Exception | None) -> None:
    """The records as files of the site, for the links of the page of runs."""
    if exception is not None or app.builder.format != "html":
        return
    target = Path(app.outdir) / docutils_nodes.RECORDS_FOLDER
    shutil.rmtree(target, ignore_errors=True)
    for entry in records_of(app):
        folder = target / entry.study / entry.case
        folder.mkdir(parents=True, exist_ok=True)
        for file in filter(None, (entry.path, entry.samples_path)):
            if file.exists():
                shutil.copyfile(file, folder / file.name)


def seal_pages(app: Sphinx, exception: Exception | None) -> None:
    """Keep what every page is now, so that a check can tell one that was changed since."""
    if exception is None and app.builder.format == "html":
        seal(Path(app.outdir))


def add_legend(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """What the bar on top of every page says of evidence levels and marks, for its template."""
    context["legend"] = docutils_nodes.LEGEND


def refuse_typed_results(app: Sphinx, docname: str, source: list[str]) -> None:
    """Fail the build where a page types a result; executed notebooks print what they measured."""
    if Path(app.env.doc2path(docname)).suffix == ".md":
        for result in typed_results(source[0]):
            raise ExtensionError(sentence(f"{docname}.md", result))


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register everything with Sphinx."""
    other = (docutils_nodes.pass_node, docutils_nodes.pass_node)
    app.add_node(
        docutils_nodes.record_link,
        html=(docutils_nodes.visit_record_link, docutils_nodes.depart_record_link),
        text=other,
        latex=other,
    )
    app.add_role("value", ValueRole())
    for name, directive in ({name: spec.directive() for name, spec in DIRECTIVES.items()} | CLAIM_DIRECTIVES).items():
        app.add_directive(name, directive)
    app.connect("source-read", refuse_typed_results)
    app.connect("env-get-outdated", outdated)
    app.connect("html-page-context", add_legend)
    app.connect("build-finished", copy_records)
    app.connect("build-finished", seal_pages, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
