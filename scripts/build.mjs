// placeholder until the sources exist
