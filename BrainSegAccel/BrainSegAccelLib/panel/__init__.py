"""The module's panel: the only room that imports ``qt``; names follow Slicer's camelCase."""
