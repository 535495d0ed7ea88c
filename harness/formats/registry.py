"""The tables of writers and readers. To add one: a module like its neighbours, and a line here."""

from __future__ import annotations

from typing import Any, Dict

from harness.formats import keras_export, keras_load, keras_save_tf, tf_load, tf_module, tf_save, tfsm_layer, v1_session

WRITERS: Dict[str, Any] = {
    "tf-module": tf_module,
    "keras-save-tf": keras_save_tf,
    "keras-export": keras_export,
    "tf-save": tf_save,
}
READERS: Dict[str, Any] = {
    "tf-load": tf_load,
    "tfsm-layer": tfsm_layer,
    "v1-session": v1_session,
    "keras-load": keras_load,
}
