"""The cases of yamuxspec, a module for each subject."""
