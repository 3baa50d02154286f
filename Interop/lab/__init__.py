"""The lab: two processes of oxbow in two network namespaces, with emulated links between them."""
