"""How Sphinx makes the manual: ``make docs``.

The pages lie in the rooms they tell of, and are to be read there too, as plain text or where a
repository is shown. So their source is the whole checkout, links between them are links to files,
and this module makes links between pages of them.
"""

from __future__ import annotations

import posixpath
import shutil
import sys
from pathlib import Path
from typing import Any

from docutils import nodes

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import kube_reflect  # noqa: E402

project = "kube_reflect"
author = "The kube_reflect authors"
release = version = kube_reflect.__version__
html_title = f"kube_reflect {release}"

extensions = ["sphinx.ext.autodoc"]
root_doc = "README"
include_patterns = ["README.rst", "kube_reflect/*.rst", "kube_reflect/**/*.rst",
                    "examples/README.rst", "tests/README.rst", "tests/bench/README.rst",
                    "tests/docs/*.rst"]
# What stands in single backticks in a docstring is a name of Python, if there is one of that name.
default_role = "py:obj"
highlight_language = "none"

autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_typehints_format = "short"
autodoc_inherit_docstrings = True
python_use_unqualified_type_names = True
toc_object_entries = False

html_theme = "alabaster"
html_theme_options = {
    "description": "A cache of Kubernetes objects in the memory of a Python program",
    "fixed_sidebar": True,
    "page_width": "1200px",
    "body_max_width": "none",
    "sidebar_width": "250px",
    "font_family": "system-ui, sans-serif",
    "head_font_family": "system-ui, sans-serif",
    "show_powered_by": False,
}
html_sidebars = {"**": ["about.html", "searchbox.html", "navigation.html"]}
html_show_copyright = False
html_show_sourcelink = False
html_copy_source = False

#: The pages in the order of the side bar, under the title of each group.
PAGES = {
    "Use it": [
        "kube_reflect/store/README", "kube_reflect/dispatcher/README",
        "kube_reflect/reflector/README", "kube_reflect/wire/README", "examples/README"],
    "In its place": [
        "kube_reflect/contrib/README", "kube_reflect/cli/README", "kube_reflect/testing/README"],
    "Coming from elsewhere": [
        "kube_reflect/from_shared_informer", "kube_reflect/from_kube_rs"],
    "Know it": [
        "kube_reflect/README", "kube_reflect/client/README", "kube_reflect/limits",
        "kube_reflect/troubleshooting", "tests/bench/README", "kube_reflect/changelog",
        "tests/README"],
    "Reference": ["tests/docs/api"],
}


def add_contents(app: Any, docname: str, source: list[str]) -> None:
    """Add the side bar's contents to the first page, which knows no Sphinx."""
    if docname == root_doc:
        for caption, pages in PAGES.items():
            source[0] += f"\n.. toctree::\n   :hidden:\n   :caption: {caption}\n\n"
            source[0] += "".join(f"   {page}\n" for page in pages)


def resolve_links(app: Any, doctree: Any, docname: str) -> None:
    """Make links to pages of links to their files; one that leads nowhere fails the build."""
    from sphinx.util import logging

    for title in doctree.findall(nodes.title):
        # No way back to the contents, which makes a link of each title.
        title.attributes.pop("refid", None)
    for node in list(doctree.findall(nodes.reference)):
        path, _, anchor = node.get("refuri", "").partition("#")
        if not path or "://" in path:
            continue
        target = posixpath.normpath(posixpath.join(posixpath.dirname(docname), path))
        page, extension = posixpath.splitext(target)
        if extension == ".rst" and page in app.env.all_docs:
            uri = app.builder.get_relative_uri(docname, page)
            node["refuri"] = f"{uri}#{anchor}" if anchor else uri
        elif not path.endswith(".html"):
            logging.getLogger(__name__).warning("a link to no page: %s", path, location=node)


def add_first_page(app: Any, error: Exception | None) -> None:
    """Let the folder begin with the README."""
    if error is None and app.builder.name == "html":
        shutil.copyfile(Path(app.outdir, f"{root_doc}.html"), Path(app.outdir, "index.html"))


def setup(app: Any) -> None:
    """Hook these in."""
    app.connect("source-read", add_contents)
    app.connect("doctree-resolved", resolve_links)
    app.connect("build-finished", add_first_page)
