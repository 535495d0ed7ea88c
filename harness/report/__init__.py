"""Reports: one module a question turns its answer into a document; `formats/` renders any document."""
