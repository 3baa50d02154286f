// The first content of this target replaces this file.
