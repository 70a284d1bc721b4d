"""Many presets at once: sources -> plan -> run -> records, manifest and gallery of a folder."""
