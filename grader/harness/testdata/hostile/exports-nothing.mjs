function parseNamespaceLink() {}
