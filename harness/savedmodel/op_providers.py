"""Ops that no TensorFlow registers by itself, and the package that brings them, as its public sources register them.

Sources: `REGISTER_OP` and `kOpName` in the repositories text, addons, io, decision-forests, quantum and
recommenders-addons of github.com/tensorflow, google-research/google-research (scann) and horovod/horovod; TRTEngineOp
in tensorflow/compiler/tf2tensorrt/ops, which TensorFlow's wheels for CUDA had up to 2.17 (release notes of 2.18.0).
"""

from __future__ import annotations

_TENSORFLOW_TEXT = "tensorflow-text"
_PREFIXES = {
    "Addons>": "tensorflow-addons",
    "Horovod": "horovod",
    "IO>": "tensorflow-io",
    "Scann>": "scann",
    "Sentencepiece": _TENSORFLOW_TEXT,
    "SimpleML": "tensorflow-decision-forests",
    "TFRA>": "tensorflow-recommenders-addons",
    "TFText>": _TENSORFLOW_TEXT,
    "TRTEngineOp": "TensorRT, in a TensorFlow that was built with it: wheels for CUDA up to 2.17, NVIDIA's containers",
    "Tfq": "tensorflow-quantum",
}
_OPS_OF_TEXT = frozenset({
    "CaseFoldUTF8", "ConstrainedSequence", "FastBertNormalize", "FastWordpieceTokenizeWithOffsets", "FindSourceOffsets",
    "MaxSpanningTree", "NormalizeUTF8", "NormalizeUTF8WithOffsetsMap", "PhraseTokenize", "RegexSplitWithOffsets",
    "RougeL", "SentenceFragments", "SentenceFragmentsV2", "SplitMergeTokenizeWithOffsets", "TokenizerFromLogits",
    "UnicodeScriptTokenizeWithOffsets", "WhitespaceTokenizeWithOffsets", "WordpieceTokenizeWithOffsets",
})  # fmt: skip


def provider(op: str) -> str | None:
    """Return what brings an op that TensorFlow itself does not register; None of all others, known or not."""
    if op in _OPS_OF_TEXT:
        return _TENSORFLOW_TEXT
    return next((package for prefix, package in _PREFIXES.items() if op.startswith(prefix)), None)
