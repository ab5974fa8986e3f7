"""The factual annex of a data protection impact assessment, from the configuration and from counts of what is kept."""
