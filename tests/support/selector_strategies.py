"""Selectors for property tests: well-formed ones with what they mean, and any text at all."""

from __future__ import annotations

from hypothesis import strategies as st

# (key, operator as written, values)
Term = tuple[str, str, tuple[str, ...]]

KEYS = ["a", "b", "in", "notin", "x.example/a", "A.1_2-b"]
VALUES = ["", "x", "y", "in", "notin", "0", "5", "007", "10", "9223372036854775807", "1_0", "X.y-z"]
INTEGERS = ["0", "5", "007", "9223372036854775807"]

labels = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES))
_space = st.sampled_from(["", "", " ", "\t", "\n ", "\r"])
_gap = st.sampled_from([" ", "\t", "  ", "\r\n"])
_keys = st.sampled_from(KEYS)

terms = st.one_of(
    st.tuples(_keys, st.sampled_from(["", "!"]), st.just(())),
    st.tuples(_keys, st.sampled_from(["=", "==", "!="]), st.tuples(st.sampled_from(VALUES))),
    st.tuples(_keys, st.sampled_from(["<", ">"]), st.tuples(st.sampled_from(INTEGERS))),
    st.tuples(_keys, st.sampled_from(["in", "notin"]), st.lists(
        st.sampled_from(VALUES[1:]), min_size=1, max_size=4).map(tuple)),
)


@st.composite
def _written(draw: st.DrawFn, term: Term) -> str:
    key, operator, values = term
    if operator in ("", "!"):
        return f"{operator}{draw(_space)}{key}"
    if operator in ("in", "notin"):
        comma = draw(_space) + "," + draw(_space)
        listed = draw(_space) + comma.join(values) + draw(_space)
        return f"{key}{draw(_gap)}{operator}{draw(_space)}({listed})"
    return f"{key}{draw(_space)}{operator}{draw(_space)}{values[0]}"


@st.composite
def selectors(draw: st.DrawFn) -> tuple[str, list[Term]]:
    """A selector the server accepts, and its terms."""
    drawn = draw(st.lists(terms, max_size=4))
    texts = [draw(_space) + draw(_written(term)) + draw(_space) for term in drawn]
    return ",".join(texts), drawn


_tokens = st.sampled_from(["=", "==", "!=", "!", "<", ">", "in", "notin", "(", ")", ",", ",", " ",
                           "\t", "\n", "a", "b", "x.example/a", "x", "5", "-", "A_", "/", "."])
# No NUL: it ends a text for the server's lexer, and is no character of a label anyway.
_characters = st.sampled_from("ab-_./=!<>(), \t\n\r\v\f\u00a0\u00e9\u0661A5")
texts = st.one_of(st.lists(_tokens, max_size=12).map("".join), st.text(_characters, max_size=12),
                  selectors().map(lambda drawn: drawn[0]))

_field_tokens = st.sampled_from(["metadata.name", "metadata.namespace", "=", "==", "!=", "!", ",",
                                 "\\", "\\,", "\\=", "\\\\", "a", "b", " ", "\n"])
field_texts = st.lists(_field_tokens, max_size=10).map("".join)


def means(term: Term, labels: dict[str, str]) -> bool:
    """Return whether labels meet a term, word by word from Kubernetes's documentation."""
    key, operator, values = term
    if operator in ("", "!"):
        return (key in labels) == (operator == "")
    if operator in ("<", ">"):
        value = labels.get(key, "")
        if not (value.isascii() and value.isdigit()):
            return False
        return int(value) < int(values[0]) if operator == "<" else int(value) > int(values[0])
    among = key in labels and labels[key] in values
    return among if operator in ("=", "==", "in") else not among
